"""What callers of AWS do all day, with the shares and the failures that real trails show.

Texts may name {account}, {region}, {role}, {org}, {n} and the buckets {training}, {models}, {reports} and {state}. A weight is a share in its set.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Failure = tuple[float, str, str]
THROTTLED = (0.08, "ThrottlingException", "Rate exceeded")
UNAUTHORISED = (0.06, "Client.UnauthorizedOperation", "You are not authorized to perform this operation.")
ROTATING = (0.01, "ResourceNotFoundException", "Secrets Manager can't find the specified secret value for staging label: AWSPENDING")
DENIED = (0.06, "AccessDenied", "User is not authorized to perform this action because no identity-based policy allows it")


@dataclass(frozen=True, slots=True)
class Habit:
    """A call somebody makes often; ``errors`` are (share, code, message)."""

    weight: float
    service: str
    name: str
    params: dict[str, Any] | None
    write: bool
    via: str
    data: bool
    errors: tuple[Failure, ...]


def habit(
    weight: float,
    service: str,
    name: str,
    /,
    *errors: Failure,
    write: bool = False,
    via: str = "",
    data: bool = False,
    **params: Any,
) -> Habit:
    return Habit(weight, service, name, params or None, write, via, data, errors)


def _missing(*codes: str) -> tuple[Failure, ...]:
    return tuple((0.6, code, "The configuration does not exist") for code in codes)


def _bucket(name: str, *errors: Failure, weight: float = 1) -> Habit:
    return habit(weight, "s3", name, *errors, bucketName="{org}-{role}-{n}", Host="s3.{region}.amazonaws.com")


_KMS = "arn:aws:kms:{region}:{account}:key/0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0ff"
TASK = (
    habit(20, "kms", "Decrypt", via="secretsmanager.amazonaws.com", encryptionAlgorithm="SYMMETRIC_DEFAULT"),
    habit(8, "kms", "Decrypt", encryptionAlgorithm="SYMMETRIC_DEFAULT", encryptionContext={"aws:s3:arn": "arn:aws:s3:::{org}-{role}/{n}"}),
    habit(12, "kms", "GenerateDataKey", via="s3.amazonaws.com", keySpec="AES_256", keyId=_KMS),
    habit(3, "kms", "Encrypt", encryptionAlgorithm="SYMMETRIC_DEFAULT", keyId=_KMS),
    habit(7, "ssm", "GetParameter", THROTTLED, name="/{role}/flags", withDecryption=True),
    habit(4, "ssm", "GetParametersByPath", path="/{role}/", recursive=True, withDecryption=True),
    habit(6, "secretsmanager", "GetSecretValue", ROTATING, secretId="prod/{role}/database"),
    habit(1, "secretsmanager", "DescribeSecret", secretId="prod/{role}/database"),
    habit(
        5, "logs", "CreateLogStream", (0.1, "ResourceAlreadyExistsException", "exists"), write=True, logGroupName="/ecs/{role}", logStreamName="{n}"
    ),
    habit(14, "s3", "GetObject", (0.03, "NoSuchKey", "The specified key does not exist."), data=True, bucketName="{org}-{role}", key="in/{n}.json"),
    habit(7, "s3", "PutObject", data=True, write=True, bucketName="{org}-{role}", key="out/{n}.json"),
    habit(2, "s3", "ListObjects", data=True, bucketName="{org}-{role}", prefix="in/"),
    habit(1, "s3", "PutObject", data=True, write=True, bucketName="{reports}", key="{role}/{n}.csv"),
    habit(3, "sts", "GetCallerIdentity"),
    habit(2, "ecr", "GetAuthorizationToken"),
    habit(3, "dynamodb", "DescribeTable", tableName="{role}-state"),
    habit(2, "sqs", "GetQueueUrl", (0.05, "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist."), queueName="{role}"),
    habit(1, "ec2", "DescribeInstances", THROTTLED, UNAUTHORISED, filterSet={}, instancesSet={"items": [{"instanceId": "i-0{n}abcdef0"}]}),
    habit(0.5, "iam", "GetRole", DENIED, roleName="{role}"),
)
PLATFORM = (
    habit(14, "s3", "GetBucketAcl", bucketName="{org}-trail-{account}", Host="{org}-trail-{account}.s3.{region}.amazonaws.com", acl=""),
    habit(6, "ec2", "DescribeSecurityGroups", securityGroupSet={}, filterSet={}),
    habit(6, "ec2", "DescribeSubnets", THROTTLED, subnetSet={}, filterSet={}),
    habit(5, "ec2", "DescribeRouteTables", THROTTLED, routeTableIdSet={}, filterSet={}),
    habit(5, "ec2", "DescribeNetworkInterfaces", THROTTLED, networkInterfaceIdSet={}, filterSet={}),
    habit(4, "rds", "DescribeDBInstances", THROTTLED),
    habit(4, "elasticloadbalancing", "DescribeTargetHealth", targetGroupArn="arn:aws:elasticloadbalancing:{region}:{account}:targetgroup/web/{n}"),
    habit(3, "iam", "ListRolePolicies", THROTTLED, roleName="{role}"),
    habit(3, "iam", "ListAttachedRolePolicies", THROTTLED, roleName="{role}"),
    habit(3, "lambda", "ListTags20170331", resource="arn:aws:lambda:{region}:{account}:function:{role}"),
    _bucket("GetBucketLogging"),
    _bucket("GetBucketPublicAccessBlock", *_missing("NoSuchPublicAccessBlockConfiguration"), weight=1.2),
    _bucket("GetBucketPolicyStatus", *_missing("NoSuchBucketPolicy"), weight=1.2),
    _bucket("GetBucketLifecycle", *_missing("NoSuchLifecycleConfiguration")),
    _bucket("GetBucketCors", *_missing("NoSuchCORSConfiguration"), weight=0.7),
    _bucket("GetBucketEncryption"),
    _bucket("GetBucketVersioning"),
)
PERSON = (
    habit(9, "ec2", "DescribeInstances", UNAUTHORISED, filterSet={}, instancesSet={}),
    habit(7, "health", "DescribeEventAggregates", filter={"eventStatusCodes": ["open", "upcoming"]}, aggregateField="eventTypeCategory"),
    habit(6, "ec2", "DescribeRouteTables", UNAUTHORISED, routeTableIdSet={}, filterSet={}),
    habit(5, "ec2", "DescribeVpcs", vpcSet={}, filterSet={}),
    habit(4, "ec2", "DescribeAccountAttributes", accountAttributeNameSet={"items": [{"attributeName": "supported-platforms"}]}, filterSet={}),
    habit(3, "ec2", "DescribeNatGateways"),
    habit(3, "ec2", "DescribeAvailabilityZones", availabilityZoneSet={}, availabilityZoneIdSet={}),
    habit(5, "s3", "ListBuckets", Host="s3.{region}.amazonaws.com"),
    _bucket("GetBucketLocation", weight=2),
    _bucket("GetBucketPolicy", *_missing("NoSuchBucketPolicy")),
    habit(2, "s3", "GetObject", DENIED, data=True, bucketName="{reports}", key="orders-api/{n}.csv"),
    habit(5, "logs", "FilterLogEvents", THROTTLED, logGroupName="/ecs/{role}", limit=100),
    habit(3, "logs", "StartQuery", write=False, logGroupName="/ecs/{role}", queryString="HIDDEN_DUE_TO_SECURITY_REASONS"),
    habit(4, "ecs", "DescribeTasks", cluster="main", tasks=["{n}"]),
    habit(3, "cloudformation", "DescribeStacks", (0.05, "ValidationException", "Stack with that id does not exist"), stackName="{role}"),
    habit(3, "iam", "GetUser", DENIED),
    habit(3, "iam", "ListRoles", maxItems=100),
    habit(2, "iam", "GetRole", (0.1, "NoSuchEntityException", "The role cannot be found."), roleName="{role}"),
    habit(2, "iam", "ListMFADevices", DENIED),
    habit(2, "sts", "GetCallerIdentity"),
    habit(2, "monitoring", "DescribeAlarms", maxRecords=100),
    habit(2, "rds", "DescribeOrderableDBInstanceOptions", engine="postgres"),
    habit(2, "rds", "DescribeDBInstances"),
    habit(2, "ssm", "DescribeParameters", THROTTLED, maxResults=50),
    habit(1, "ssm", "GetParameter", DENIED, name="/{role}/flags", withDecryption=True),
    habit(1, "ssm", "PutParameter", write=True, name="/{role}/flags", type="String", overwrite=True, value="HIDDEN_DUE_TO_SECURITY_REASONS"),
    habit(1, "secretsmanager", "ListSecrets", DENIED),
    habit(1, "lambda", "UpdateFunctionConfiguration20150331v2", write=True, functionName="{role}"),
    habit(1, "ec2", "AuthorizeSecurityGroupIngress", UNAUTHORISED, write=True, groupId="sg-0{n}", ipPermissions={"items": []}),
    habit(1, "cloudtrail", "LookupEvents", THROTTLED, maxResults=50),
    habit(0.5, "bedrock", "ListFoundationModels"),
    habit(0.3, "iam", "CreateAccessKey", DENIED, write=True),
)
SCIENCE = (
    habit(8, "sagemaker", "DescribeNotebookInstance", notebookInstanceName="lab-{n}"),
    habit(6, "sagemaker", "ListTrainingJobs", maxResults=20, sortBy="CreationTime"),
    habit(5, "sagemaker", "DescribeTrainingJob", THROTTLED, trainingJobName="train-{n}"),
    habit(3, "sagemaker", "ListModels", maxResults=20),
    habit(3, "sagemaker", "ListEndpoints", maxResults=20),
    habit(2, "sagemaker", "CreatePresignedNotebookInstanceUrl", write=True, notebookInstanceName="lab-{n}"),
    habit(12, "s3", "GetObject", data=True, bucketName="{training}", key="sets/{n}.parquet"),
    habit(5, "s3", "PutObject", data=True, write=True, bucketName="{training}", key="runs/{n}/metrics.json"),
    habit(2, "s3", "GetObject", data=True, bucketName="{models}", key="checkpoints/{n}/model.safetensors"),
    habit(3, "bedrock", "ListFoundationModels", byProvider="anthropic"),
    habit(2, "bedrock", "ListInferenceProfiles", maxResults=100),
    habit(1, "bedrock", "GetFoundationModelAvailability", modelId="amazon.nova-lite-v1:0"),
    habit(1, "ec2", "DescribeInstanceTypeOfferings", filterSet={}),
    habit(1, "servicequotas", "GetServiceQuota", serviceCode="ec2", quotaCode="L-417A185B"),
    *(h for h in PERSON[:8]),
)
SCAN = (
    *(h for h in PERSON[:14]),
    *PLATFORM[1:],
    habit(3, "iam", "GetAccountSummary"),
    habit(3, "iam", "GenerateCredentialReport"),
    habit(3, "iam", "ListUsers", maxItems=1000),
    habit(3, "iam", "GetLoginProfile", (0.6, "NoSuchEntityException", "Login Profile cannot be found"), userName="{role}"),
    habit(2, "kms", "GetKeyPolicy", DENIED, keyId="{n}", policyName="default"),
    habit(2, "secretsmanager", "ListSecrets"),
    habit(2, "secretsmanager", "GetResourcePolicy", secretId="prod/{role}/database"),
    habit(2, "bedrock", "ListFoundationModels"),
    habit(2, "bedrock", "ListCustomModels"),
    habit(2, "bedrock", "GetModelInvocationLoggingConfiguration"),
    habit(2, "bedrock", "ListGuardrails"),
    habit(2, "sagemaker", "ListNotebookInstances"),
    habit(2, "sagemaker", "ListEndpoints"),
    habit(2, "cloudtrail", "GetTrailStatus", (0.2, "TrailNotFoundException", "Unknown trail"), name="org-trail"),
    habit(2, "guardduty", "ListDetectors"),
    habit(1, "organizations", "DescribeOrganization", (0.5, "AWSOrganizationsNotInUseException", "Your account is not a member of an organization.")),
)
DEPLOY = (
    habit(6, "ecr", "BatchCheckLayerAvailability", repositoryName="{role}"),
    habit(3, "s3", "GetObject", data=True, bucketName="{state}", key="env/{role}/terraform.tfstate"),
    habit(1, "s3", "PutObject", data=True, write=True, bucketName="{state}", key="env/{role}/terraform.tfstate"),
    habit(3, "ecr", "GetAuthorizationToken"),
    habit(3, "ecr", "InitiateLayerUpload", write=True, repositoryName="{role}"),
    habit(2, "ecr", "PutImage", write=True, repositoryName="{role}", imageTag="build-{n}"),
    habit(4, "cloudformation", "DescribeStackEvents", THROTTLED, stackName="{role}"),
    habit(2, "cloudformation", "CreateChangeSet", write=True, stackName="{role}", changeSetName="build-{n}"),
    habit(2, "cloudformation", "ExecuteChangeSet", write=True, changeSetName="build-{n}"),
    habit(2, "ecs", "RegisterTaskDefinition", write=True, family="{role}"),
    habit(2, "ecs", "UpdateService", write=True, cluster="main", service="{role}", taskDefinition="{role}:{n}"),
    habit(3, "ecs", "DescribeServices", THROTTLED, cluster="main", services=["{role}"]),
    habit(3, "iam", "GetRole", roleName="{role}"),
    habit(2, "iam", "ListRolePolicies", roleName="{role}"),
    habit(1, "lambda", "UpdateFunctionCode20150331v2", write=True, functionName="{role}", publish=True),
)
