"""Every kind of fact from records of every source: what holds the value, what ends it, and what leaves it unknown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.posture.kinds import KINDS
from tests.posture_samples import ACCOUNT, AZURE, OID, PROJECT, REGION, SUBSCRIPTION, aws, azure, entra, gcp, posture, told, value

Told = tuple[str, str, dict[str, Any] | None]
"""Asset, part and value."""

GUARDRAIL = "aws.arn:arn:aws:bedrock:eu-west-1:111122223333:guardrail/gr1"
USER = "aws.arn:arn:aws:iam::111122223333:user/BedrockAPIKey-a1"
NOTEBOOK = "aws.arn:arn:aws:sagemaker:eu-west-1:111122223333:notebook-instance/lab"
BUCKET = "aws.arn:arn:aws:s3:::example-data"
ROLE = "aws.arn:arn:aws:iam::111122223333:role/ops"
GROUP = "aws.arn:arn:aws:ec2:eu-west-1:111122223333:security-group/sg-1"
NOBODY = {"public": False, "conditional": False, "foreign": [], "federated": []}
FILTERS = {
    "filtersConfig": [{"type": "HATE", "inputStrength": "HIGH", "outputStrength": "LOW"}, {"type": "PROMPT_ATTACK", "inputStrength": "MEDIUM"}]
}


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", **each} for each in statements]}


def guardrail(request: dict[str, Any], name: str = "UpdateGuardrail", **more: Any) -> dict[str, Any]:
    return aws("bedrock", name, {"guardrailIdentifier": "gr1", "name": "main", **request}, **more)


AI_PORT = {"ipProtocol": "tcp", "fromPort": 8000, "toPort": 8300, "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]}}
LOGGING = {"loggingConfig": {"textDataDeliveryEnabled": True, "imageDataDeliveryEnabled": False, "s3Config": {"bucketName": "example-data"}}}
BUILT_IN = "/subscriptions/x/providers/Microsoft.Authorization/roleDefinitions/"
ASSIGNMENT = f"{ACCOUNT}/providers/Microsoft.Authorization/roleAssignments/aaaaaaaa-0000-4000-8000-00000000000a"
SETTING = f"{ACCOUNT}/providers/microsoft.insights/diagnosticSettings/to-siem"
IDENTITY = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/runner"
RULE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Network/networkSecurityGroups/nsg/securityRules/llm"
BINDING = {"role": "roles/aiplatform.user", "members": ["user:ana@example.com"]}
KEYS = f"{PROJECT}/locations/global/keys/k1"
POOL = f"{PROJECT}/locations/global/workloadIdentityPools/ci"
FLOOR = f"{PROJECT}/locations/global/floorSetting"

AWS: list[tuple[str, dict[str, Any], list[Told]]] = [
    (
        "ai.logging",
        aws("bedrock", "PutModelInvocationLoggingConfiguration", LOGGING),
        [(REGION, "", {"on": True, "to": ["s3:example-data"], "text": True, "image": False})],
    ),
    ("ai.logging", aws("bedrock", "PutModelInvocationLoggingConfiguration"), [(REGION, "", None)]),
    ("ai.logging", aws("bedrock", "DeleteModelInvocationLoggingConfiguration"), [(REGION, "", {"on": False})]),
    (
        "ai.guardrail",
        guardrail({"contentPolicyConfig": FILTERS, "topicPolicyConfig": {"topicsConfig": [{"name": "a"}]}}),
        [
            (
                GUARDRAIL,
                "",
                {
                    "present": True,
                    "filters": {"HATE": "HIGH/LOW", "PROMPT_ATTACK": "MEDIUM/NONE"},
                    "topics": 1,
                    "words": 0,
                    "personal": 0,
                    "grounding": 0,
                },
            )
        ],
    ),
    ("ai.guardrail", guardrail({}), [(GUARDRAIL, "", None)]),
    ("ai.guardrail", guardrail({"topicPolicyConfig": "HIDDEN_DUE_TO_SECURITY_REASONS"}), [(GUARDRAIL, "", None)]),
    ("ai.guardrail", guardrail({}, "DeleteGuardrail"), [(GUARDRAIL, "", {"present": False})]),
    ("ai.guardrail", guardrail({"guardrailVersion": "2"}, "DeleteGuardrail"), []),
    (
        "ai.guardrail",
        guardrail({}, "CreateGuardrailVersion", response={"guardrailId": "gr1", "version": "3"}),
        [(GUARDRAIL, "version", {"present": True, "version": "3"})],
    ),
    (
        "ai.guardrail",
        aws("bedrock", "PutEnforcedGuardrailConfiguration", {"guardrailInferenceConfig": {"guardrailIdentifier": "gr1", "guardrailVersion": "1"}}),
        [(REGION, "enforced", {"enforced": True, "guardrail": "gr1"})],
    ),
    ("ai.guardrail", aws("bedrock", "DeleteEnforcedGuardrailConfiguration", {"configId": "c"}), [(REGION, "enforced", {"enforced": False})]),
    ("ai.model_access", aws("bedrock", "PutFoundationModelEntitlement", {"modelId": "m"}), [(REGION, "m", {"enabled": True})]),
    ("ai.model_access", aws("bedrock", "DeleteFoundationModelAgreement", {"modelId": "m"}), [(REGION, "m", {"enabled": False})]),
    ("ai.model_access", aws("bedrock", "PutFoundationModelEntitlement"), []),
    (
        "ai.key",
        aws(
            "iam",
            "CreateServiceSpecificCredential",
            {"userName": "BedrockAPIKey-a1", "serviceName": "bedrock.amazonaws.com", "credentialAgeDays": 30},
            {"serviceSpecificCredential": {"serviceSpecificCredentialId": "ACCAEXAMPLE", "status": "Active"}},
        ),
        [(USER, "ACCAEXAMPLE", {"active": True, "days": 30})],
    ),
    ("ai.key", aws("iam", "CreateServiceSpecificCredential", {"userName": "dev", "serviceName": "codecommit.amazonaws.com"}), []),
    (
        "ai.key",
        aws(
            "iam",
            "UpdateServiceSpecificCredential",
            {"userName": "BedrockAPIKey-a1", "serviceSpecificCredentialId": "ACCAEXAMPLE", "status": "Inactive"},
        ),
        [(USER, "ACCAEXAMPLE", {"active": False})],
    ),
    (
        "ai.key",
        aws("iam", "DeleteServiceSpecificCredential", {"userName": "BedrockAPIKey-a1", "serviceSpecificCredentialId": "ACCAEXAMPLE"}),
        [(USER, "ACCAEXAMPLE", {"active": False})],
    ),
    ("ai.key", aws("iam", "CreateUser", {"userName": "BedrockAPIKey-a1"}), [(USER, "user", {"active": True})]),
    (
        "ai.endpoint",
        aws("sagemaker", "CreateEndpointConfig", {"endpointConfigName": "Conf", "dataCaptureConfig": {"enableCapture": True}}),
        [
            (
                "aws.arn:arn:aws:sagemaker:eu-west-1:111122223333:endpoint-config/conf",
                "",
                {"present": True, "capture": True, "isolated": False, "vpc": False},
            )
        ],
    ),
    (
        "ai.endpoint",
        aws("sagemaker", "CreateEndpoint", {"endpointName": "Live", "endpointConfigName": "Conf"}),
        [("aws.arn:arn:aws:sagemaker:eu-west-1:111122223333:endpoint/live", "", {"present": True, "config": "Conf"})],
    ),
    ("ai.endpoint", aws("dms", "CreateEndpoint", {"endpointName": "Live", "endpointConfigName": "Conf"}), []),
    (
        "ai.endpoint",
        aws("sagemaker", "DeleteEndpoint", {"endpointName": "Live"}),
        [("aws.arn:arn:aws:sagemaker:eu-west-1:111122223333:endpoint/live", "", {"present": False})],
    ),
    (
        "ai.notebook",
        aws("sagemaker", "CreateNotebookInstance", {"notebookInstanceName": "lab", "rootAccess": "Disabled"}),
        [(NOTEBOOK, "internet", {"exposed": True}), (NOTEBOOK, "root", {"exposed": False})],
    ),
    (
        "ai.notebook",
        aws("sagemaker", "UpdateNotebookInstance", {"notebookInstanceName": "lab", "rootAccess": "Enabled"}),
        [(NOTEBOOK, "root", {"exposed": True})],
    ),
    ("ai.notebook", aws("sagemaker", "UpdateNotebookInstance", {"notebookInstanceName": "lab"}), []),
    (
        "ai.notebook",
        aws("sagemaker", "DeleteNotebookInstance", {"notebookInstanceName": "lab"}),
        [(NOTEBOOK, "internet", {"exposed": False}), (NOTEBOOK, "root", {"exposed": False})],
    ),
    (
        "bucket.policy",
        aws("s3", "PutBucketPolicy", {"bucketName": "example-data", "bucketPolicy": policy({"Principal": "*"})}),
        [(BUCKET, "", NOBODY | {"public": True})],
    ),
    (
        "bucket.policy",
        aws(
            "s3",
            "PutBucketPolicy",
            {
                "bucketName": "example-data",
                "bucketPolicy": policy(
                    {
                        "Principal": {"AWS": ["arn:aws:iam::444455556666:root", "111122223333", "*"]},
                        "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o"}},
                    }
                ),
            },
        ),
        [(BUCKET, "", NOBODY | {"conditional": True, "foreign": ["444455556666"]})],
    ),
    ("bucket.policy", aws("s3", "PutBucketPolicy", {"bucketName": "example-data", "bucketPolicy": "***"}), [(BUCKET, "", None)]),
    ("bucket.policy", aws("s3", "DeleteBucketPolicy", {"bucketName": "example-data"}), [(BUCKET, "", NOBODY)]),
    ("bucket.acl", aws("s3", "PutBucketAcl", {"bucketName": "example-data", "x-amz-acl": "public-read"}), [(BUCKET, "", {"public": True})]),
    (
        "bucket.acl",
        aws("s3", "PutBucketAcl", {"bucketName": "example-data", "accessControlList": {"x-amz-grant-read": "id=0123"}}),
        [(BUCKET, "", {"public": False})],
    ),
    ("bucket.acl", aws("s3", "PutBucketAcl", {"bucketName": "example-data", "acl": ""}), [(BUCKET, "", None)]),
    (
        "bucket.public_access_block",
        aws("s3", "PutBucketPublicAccessBlock", {"bucketName": "example-data", "PublicAccessBlockConfiguration": {"BlockPublicPolicy": True}}),
        [(BUCKET, "", {"block_acls": False, "ignore_acls": False, "block_policy": True, "restrict": False})],
    ),
    (
        "bucket.public_access_block",
        aws("s3", "DeleteAccountPublicAccessBlock"),
        [("aws.account:111122223333", "", {"block_acls": False, "ignore_acls": False, "block_policy": False, "restrict": False})],
    ),
    (
        "bucket.use",
        aws(
            "bedrock",
            "CreateDataSource",
            {"knowledgeBaseId": "KB1", "dataSourceConfiguration": {"s3Configuration": {"bucketArn": "arn:aws:s3:::example-data"}}},
        ),
        [(BUCKET, "rag", {"in_use": True, "holds": "what a knowledge base reads", "by": "KB1"})],
    ),
    ("bucket.use", aws("appsync", "CreateDataSource", {"dataSourceConfiguration": {"s3Configuration": {"bucketArn": "arn:aws:s3:::x"}}}), []),
    (
        "bucket.use",
        aws(
            "sagemaker",
            "CreateTrainingJob",
            {
                "trainingJobName": "t1",
                "inputDataConfig": [
                    {"dataSource": {"s3DataSource": {"s3Uri": f"s3://{name}/train/"}}} for name in ("example-data", "example-more", "example-data")
                ],
            },
        ),
        [(bucket, "training", {"in_use": True, "holds": "training data", "by": "t1"}) for bucket in (BUCKET, "aws.arn:arn:aws:s3:::example-more")],
    ),
    (
        "bucket.use",
        aws("sagemaker", "CreateModel", {"modelName": "m", "primaryContainer": {"modelDataUrl": "s3://example-data/m/model.tar.gz"}}),
        [(BUCKET, "model", {"in_use": True, "holds": "model artefacts", "by": "m"})],
    ),
    (
        "bucket.use",
        aws("bedrock", "PutModelInvocationLoggingConfiguration", LOGGING),
        [(BUCKET, "logs", {"in_use": True, "holds": "logs of AI and of the account"})],
    ),
    (
        "key.policy",
        aws(
            "kms",
            "PutKeyPolicy",
            {"keyId": "k-1", "policy": str(policy({"Principal": {"AWS": "arn:aws:iam::444455556666:user/x"}})).replace("'", '"')},
        ),
        [("aws.arn:arn:aws:kms:eu-west-1:111122223333:key/k-1", "", NOBODY | {"foreign": ["444455556666"]})],
    ),
    ("key.policy", aws("kms", "PutKeyPolicy", {"keyId": "k-1"}), [("aws.arn:arn:aws:kms:eu-west-1:111122223333:key/k-1", "", None)]),
    (
        "ai.admin",
        aws("iam", "AttachRolePolicy", {"roleName": "ops", "policyArn": "arn:aws:iam::aws:policy/AmazonBedrockFullAccess"}),
        [(ROLE, "arn:aws:iam::aws:policy/AmazonBedrockFullAccess", {"granted": True, "reach": ["bedrock"]})],
    ),
    ("ai.admin", aws("iam", "AttachRolePolicy", {"roleName": "ops", "policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}), []),
    (
        "ai.admin",
        aws("iam", "AttachRolePolicy", {"roleName": "ops", "policyArn": "arn:aws:iam::111122223333:policy/own"}),
        [(ROLE, "arn:aws:iam::111122223333:policy/own", None)],
    ),
    (
        "ai.admin",
        aws("iam", "DetachRolePolicy", {"roleName": "ops", "policyArn": "arn:aws:iam::111122223333:policy/own"}),
        [(ROLE, "arn:aws:iam::111122223333:policy/own", {"granted": False})],
    ),
    (
        "ai.admin",
        aws(
            "iam",
            "PutRolePolicy",
            {"roleName": "ops", "policyName": "p", "policyDocument": '{"Statement":{"Effect":"Allow","Action":["bedrock:*","s3:Get*"]}}'},
        ),
        [(ROLE, "inline/p", {"granted": True, "reach": ["bedrock"]})],
    ),
    ("ai.admin", aws("iam", "DeleteRolePolicy", {"roleName": "ops", "policyName": "p"}), [(ROLE, "inline/p", {"granted": False})]),
    (
        "identity.trust",
        aws(
            "iam",
            "UpdateAssumeRolePolicy",
            {"roleName": "ops", "policyDocument": '{"Statement":[{"Effect":"Allow","Principal":{"Federated":"arn:x"}}]}'},
        ),
        [(ROLE, "", NOBODY | {"federated": ["arn:x"]})],
    ),
    (
        "identity.trust",
        aws(
            "iam",
            "CreateRole",
            {
                "roleName": "ops",
                "assumeRolePolicyDocument": "%7B%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%22%2A%22%7D%5D%7D",
            },
            {"role": {"arn": "arn:aws:iam::111122223333:role/path/ops"}},
        ),
        [("aws.arn:arn:aws:iam::111122223333:role/path/ops", "", NOBODY | {"public": True})],
    ),
    ("identity.trust", aws("iam", "UpdateAssumeRolePolicy", {"roleName": "ops"}), [(ROLE, "", None)]),
    ("identity.trust", aws("iam", "DeleteRole", {"roleName": "ops"}), [(ROLE, "", NOBODY)]),
    (
        "identity.trust",
        aws(
            "iam",
            "CreateOpenIDConnectProvider",
            {"url": "https://ci.example.com"},
            {"openIDConnectProviderArn": "arn:aws:iam::111122223333:oidc-provider/ci"},
        ),
        [("aws.arn:arn:aws:iam::111122223333:oidc-provider/ci", "", {"present": True, "federated": ["https://ci.example.com"]})],
    ),
    (
        "identity.trust",
        aws(
            "iam",
            "UpdateSAMLProvider",
            {
                "sAMLProviderArn": "arn:aws:iam::111122223333:saml-provider/s",
                "sAMLMetadataDocument": '<EntityDescriptor entityID="https://idp.example.com">',
            },
        ),
        [("aws.arn:arn:aws:iam::111122223333:saml-provider/s", "", {"present": True, "federated": ["https://idp.example.com"]})],
    ),
    (
        "network.ai_port",
        aws("ec2", "AuthorizeSecurityGroupIngress", {"groupId": "sg-1", "ipPermissions": {"items": [AI_PORT]}}),
        [(GROUP, "8000", {"open": True}), (GROUP, "8265", {"open": True})],
    ),
    (
        "network.ai_port",
        aws(
            "ec2",
            "AuthorizeSecurityGroupIngress",
            {"groupId": "sg-1", "ipPermissions": {}, "ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "cidrIp": "0.0.0.0/0"},
        ),
        [],
    ),
    (
        "network.ai_port",
        aws("ec2", "RevokeSecurityGroupIngress", {"groupId": "sg-1", "ipPermissions": {"items": [AI_PORT | {"toPort": 8000}]}}),
        [(GROUP, "8000", {"open": False})],
    ),
    (
        "network.ai_port",
        aws("ec2", "RevokeSecurityGroupIngress", {"groupId": "sg-1", "securityGroupRuleIds": {"items": [{"securityGroupRuleId": "sgr-1"}]}}),
        [(GROUP, port, None) for port in ("4000", "7860", "8000", "8265", "8888", "11434")],
    ),
]

AZURE_AND_ENTRA: list[tuple[str, dict[str, Any], list[Told]]] = [
    (
        "ai.account",
        azure("Microsoft.CognitiveServices/accounts/write", body={"properties": {"publicNetworkAccess": "Enabled", "disableLocalAuth": True}}),
        [(AZURE, "public network", {"exposed": True}), (AZURE, "keys", {"exposed": False}), (AZURE, "network rules", None)],
    ),
    (
        "ai.account",
        azure("Microsoft.CognitiveServices/accounts/write", answer={"properties": {"networkAcls": {"defaultAction": "Allow"}}}),
        [(AZURE, "public network", None), (AZURE, "keys", None), (AZURE, "network rules", {"exposed": True})],
    ),
    (
        "ai.account",
        azure("Microsoft.CognitiveServices/accounts/write"),
        [(AZURE, "public network", None), (AZURE, "keys", None), (AZURE, "network rules", None)],
    ),
    ("ai.account", azure("Microsoft.CognitiveServices/accounts/write", body={"properties": {"disableLocalAuth": True}}, outcome="Start"), []),
    (
        "ai.account",
        azure("Microsoft.CognitiveServices/accounts/delete"),
        [(AZURE, part, {"exposed": False}) for part in ("public network", "keys", "network rules")],
    ),
    (
        "ai.content_filter",
        azure(
            "Microsoft.CognitiveServices/accounts/raiPolicies/write",
            f"{ACCOUNT}/raiPolicies/p",
            {
                "properties": {
                    "mode": "Default",
                    "contentFilters": [
                        {"name": "Hate", "source": "Prompt", "blocking": True, "enabled": True, "severityThreshold": "Medium"},
                        {"name": "Jailbreak", "source": "Prompt", "blocking": False, "enabled": True},
                        {"name": "Violence", "source": "Completion", "enabled": False},
                    ],
                }
            },
        ),
        [
            (
                f"{AZURE}/raipolicies/p",
                "",
                {
                    "present": True,
                    "mode": "Default",
                    "filters": {"hate/prompt": "blocks medium", "jailbreak/prompt": "lets pass", "violence/completion": "off"},
                },
            )
        ],
    ),
    (
        "ai.content_filter",
        azure("Microsoft.CognitiveServices/accounts/raiPolicies/write", f"{ACCOUNT}/raiPolicies/p"),
        [(f"{AZURE}/raipolicies/p", "", None)],
    ),
    (
        "ai.content_filter",
        azure("Microsoft.CognitiveServices/accounts/raiPolicies/delete", f"{ACCOUNT}/raiPolicies/p"),
        [(f"{AZURE}/raipolicies/p", "", {"present": False})],
    ),
    (
        "ai.deployment",
        azure(
            "Microsoft.CognitiveServices/accounts/deployments/write",
            f"{ACCOUNT}/deployments/d",
            {"properties": {"raiPolicyName": "p", "model": {"name": "gpt"}}},
        ),
        [(f"{AZURE}/deployments/d", "", {"present": True, "filter": "p", "model": "gpt"})],
    ),
    (
        "ai.deployment",
        azure("Microsoft.CognitiveServices/accounts/deployments/write", f"{ACCOUNT}/deployments/d"),
        [(f"{AZURE}/deployments/d", "", None)],
    ),
    (
        "ai.deployment",
        azure("Microsoft.CognitiveServices/accounts/deployments/delete", f"{ACCOUNT}/deployments/d"),
        [(f"{AZURE}/deployments/d", "", {"present": False})],
    ),
    (
        "log.diagnostics",
        azure(
            "Microsoft.Insights/diagnosticSettings/write",
            SETTING,
            {"properties": {"logs": [{"category": "Audit", "enabled": True}, {"category": "RequestResponse", "enabled": False}]}},
        ),
        [(AZURE, "to-siem", {"on": ["Audit"], "off": ["RequestResponse"]})],
    ),
    ("log.diagnostics", azure("Microsoft.Insights/diagnosticSettings/write", SETTING), [(AZURE, "to-siem", None)]),
    ("log.diagnostics", azure("Microsoft.Insights/diagnosticSettings/delete", SETTING), [(AZURE, "to-siem", {"on": [], "off": []})]),
    (
        "ai.defender",
        azure(
            "Microsoft.Security/pricings/write",
            f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Security/pricings/AI",
            {"properties": {"pricingTier": "Free"}},
        ),
        [(f"azure.subscription:{SUBSCRIPTION}", "plan", {"on": False})],
    ),
    ("ai.defender", azure("Microsoft.Security/pricings/write", f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Security/pricings/Servers"), []),
    (
        "ai.defender",
        azure(
            "Microsoft.CognitiveServices/accounts/defenderForAISettings/write",
            f"{ACCOUNT}/defenderForAISettings/Default",
            {"properties": {"state": "Enabled"}},
        ),
        [(AZURE, "settings", {"on": True})],
    ),
    (
        "ai.role",
        azure(
            "Microsoft.Authorization/roleAssignments/write",
            ASSIGNMENT,
            {"Properties": {"PrincipalId": OID, "RoleDefinitionId": f"{BUILT_IN}a97b65f3-24c7-4388-baec-2e87135dc908"}},
        ),
        [(AZURE, "aaaaaaaa-0000-4000-8000-00000000000a", {"granted": True, "role": "Cognitive Services User", "principal": f"entra.object:{OID}"})],
    ),
    (
        "ai.role",
        azure(
            "Microsoft.Authorization/roleAssignments/write",
            ASSIGNMENT,
            {"properties": {"principalId": OID, "roleDefinitionId": f"{BUILT_IN}acdd72a7-3385-48ef-bd42-f606fba81ae7"}},
        ),
        [],
    ),
    ("ai.role", azure("Microsoft.Authorization/roleAssignments/write", ASSIGNMENT), [(AZURE, "aaaaaaaa-0000-4000-8000-00000000000a", None)]),
    (
        "ai.role",
        azure("Microsoft.Authorization/roleAssignments/delete", ASSIGNMENT),
        [(AZURE, "aaaaaaaa-0000-4000-8000-00000000000a", {"granted": False})],
    ),
    (
        "identity.trust",
        azure(
            "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write",
            f"{IDENTITY}/federatedIdentityCredentials/gh",
            {"properties": {"issuer": "https://ci.example.com", "subject": "repo:o/r"}},
        ),
        [(f"azure.resource:{IDENTITY.lower()}", "gh", {"federated": ["https://ci.example.com|repo:o/r"]})],
    ),
    (
        "identity.trust",
        azure("Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/delete", f"{IDENTITY}/federatedIdentityCredentials/gh"),
        [(f"azure.resource:{IDENTITY.lower()}", "gh", {"federated": []})],
    ),
    (
        "identity.trust",
        entra("Update application", "[]", '[{"Issuer":"https://ci.example.com","Subject":"repo:o/r"}]'),
        [(f"entra.object:{OID}", "federated credential", {"federated": ["ci.example.com|repo:o/r"]})],
    ),
    ("identity.trust", entra("Update application", "[]", "[]"), []),
    (
        "network.ai_port",
        azure(
            "Microsoft.Network/networkSecurityGroups/securityRules/write",
            RULE,
            {"properties": {"access": "Allow", "direction": "Inbound", "sourceAddressPrefix": "Internet", "destinationPortRanges": ["80", "11434"]}},
        ),
        [(f"azure.resource:{RULE.lower()}", "", {"open": True, "ports": [11434]})],
    ),
    ("network.ai_port", azure("Microsoft.Network/networkSecurityGroups/securityRules/write", RULE), [(f"azure.resource:{RULE.lower()}", "", None)]),
    (
        "network.ai_port",
        azure("Microsoft.Network/networkSecurityGroups/securityRules/delete", RULE),
        [(f"azure.resource:{RULE.lower()}", "", {"open": False, "ports": []})],
    ),
]

GCP: list[tuple[str, dict[str, Any], list[Told]]] = [
    (
        "access.public",
        gcp(
            "storage",
            "storage.setIamPermissions",
            "projects/_/buckets/b",
            {"policy": {"bindings": [BINDING, {"role": "roles/storage.objectViewer", "members": ["allUsers"]}]}},
        ),
        [("gcp.resource:projects/_/buckets/b", "", {"public": True, "roles": ["roles/storage.objectViewer"]})],
    ),
    (
        "access.public",
        gcp("aiplatform", "google.cloud.aiplatform.v1.EndpointService.SetIamPolicy", response={"bindings": [BINDING]}),
        [(f"gcp.resource:{PROJECT}", "", {"public": False, "roles": []})],
    ),
    (
        "access.public",
        gcp(
            "storage",
            "storage.setIamPermissions",
            "b",
            serviceData={"policyDelta": {"bindingDeltas": [{"action": "ADD", "role": "r", "member": "allUsers"}]}},
        ),
        [("gcp.resource:b", "", {"public": True, "roles": ["r"]})],
    ),
    (
        "access.public",
        gcp(
            "storage",
            "storage.setIamPermissions",
            "b",
            serviceData={"policyDelta": {"bindingDeltas": [{"action": "REMOVE", "role": "r", "member": "allUsers"}]}},
        ),
        [("gcp.resource:b", "", None)],
    ),
    (
        "access.public",
        gcp(
            "storage",
            "storage.setIamPermissions",
            "b",
            serviceData={"policyDelta": {"bindingDeltas": [{"action": "ADD", "role": "r", "member": "user:a"}]}},
        ),
        [],
    ),
    (
        "log.data_access",
        gcp(
            "cloudresourcemanager",
            "SetIamPolicy",
            request={"policy": {"auditConfigs": [{"service": "aiplatform.googleapis.com", "auditLogConfigs": [{"logType": "DATA_READ"}]}]}},
        ),
        [(f"gcp.resource:{PROJECT}", "", {"on": {"aiplatform.googleapis.com": ["DATA_READ"]}})],
    ),
    (
        "log.data_access",
        gcp(
            "cloudresourcemanager",
            "SetIamPolicy",
            serviceData={"policyDelta": {"auditConfigDeltas": [{"action": "REMOVE", "service": "allServices", "logType": "DATA_READ"}]}},
        ),
        [(f"gcp.resource:{PROJECT}", "", {"off": ["allServices DATA_READ"]})],
    ),
    (
        "log.data_access",
        gcp(
            "cloudresourcemanager",
            "SetIamPolicy",
            serviceData={"policyDelta": {"auditConfigDeltas": [{"action": "ADD", "service": "s", "logType": "DATA_READ"}]}},
        ),
        [(f"gcp.resource:{PROJECT}", "", None)],
    ),
    ("log.data_access", gcp("cloudresourcemanager", "SetIamPolicy", request={"policy": {"bindings": [BINDING]}}), []),
    (
        "ai.api_key",
        gcp(
            "apikeys",
            "google.api.apikeys.v2.ApiKeys.CreateKey",
            f"{PROJECT}/locations/global",
            {"keyId": "k1", "key": {"restrictions": {"apiTargets": [{"service": "generativelanguage.googleapis.com"}]}}},
        ),
        [(f"gcp.resource:{KEYS}", "", {"present": True, "restricted": True, "services": ["generativelanguage.googleapis.com"], "clients": []})],
    ),
    (
        "ai.api_key",
        gcp("apikeys", "google.api.apikeys.v2.ApiKeys.UpdateKey", KEYS, {"key": {"displayName": "k"}}),
        [(f"gcp.resource:{KEYS}", "", {"present": True, "restricted": False, "services": [], "clients": []})],
    ),
    ("ai.api_key", gcp("apikeys", "google.api.apikeys.v2.ApiKeys.CreateKey", KEYS, {"parent": "x"}), [(f"gcp.resource:{KEYS}", "", None)]),
    (
        "ai.api_key",
        gcp("apikeys", "google.api.apikeys.v2.ApiKeys.CreateKey", KEYS, operation={"id": "o", "last": True}, response={"name": KEYS}),
        [],
    ),
    (
        "ai.api_key",
        gcp("apikeys", "google.api.apikeys.v2.ApiKeys.DeleteKey", KEYS, {"name": KEYS}),
        [(f"gcp.resource:{KEYS}", "", {"present": False, "restricted": True})],
    ),
    (
        "ai.api",
        gcp("serviceusage", "google.api.serviceusage.v1.ServiceUsage.EnableService", f"{PROJECT}/services/aiplatform.googleapis.com"),
        [("gcp.project:example-ml", "aiplatform.googleapis.com", {"enabled": True})],
    ),
    (
        "ai.api",
        gcp(
            "serviceusage",
            "google.api.serviceusage.v1.ServiceUsage.BatchEnableServices",
            request={"serviceIds": ["aiplatform.googleapis.com", "modelarmor.googleapis.com", "compute.googleapis.com"]},
        ),
        [("gcp.project:example-ml", name, {"enabled": True}) for name in ("aiplatform.googleapis.com", "modelarmor.googleapis.com")],
    ),
    (
        "ai.api",
        gcp(
            "serviceusage",
            "google.api.serviceusage.v1.ServiceUsage.DisableService",
            request={"name": f"{PROJECT}/services/modelarmor.googleapis.com"},
        ),
        [("gcp.project:example-ml", "modelarmor.googleapis.com", {"enabled": False})],
    ),
    (
        "ai.model_armor",
        gcp(
            "modelarmor",
            "google.cloud.modelarmor.v1.ModelArmor.UpdateFloorSetting",
            FLOOR,
            {
                "floorSetting": {
                    "enableFloorSettingEnforcement": False,
                    "filterConfig": {"piAndJailbreakFilterSettings": {"filterEnforcement": "ENABLED", "confidenceLevel": "HIGH"}},
                }
            },
        ),
        [(f"gcp.resource:{FLOOR}", "", {"present": True, "enforced": False, "filters": {"prompt injection": "HIGH"}})],
    ),
    ("ai.model_armor", gcp("modelarmor", "google.cloud.modelarmor.v1.ModelArmor.UpdateFloorSetting", FLOOR), [(f"gcp.resource:{FLOOR}", "", None)]),
    (
        "ai.model_armor",
        gcp("modelarmor", "google.cloud.modelarmor.v1.ModelArmor.DeleteTemplate", f"{PROJECT}/locations/l/templates/t"),
        [(f"gcp.resource:{PROJECT}/locations/l/templates/t", "", {"present": False})],
    ),
    (
        "identity.trust",
        gcp(
            "iam",
            "google.iam.v1.WorkloadIdentityPools.CreateWorkloadIdentityPoolProvider",
            POOL,
            {
                "workloadIdentityPoolProviderId": "gh",
                "workloadIdentityPoolProvider": {"oidc": {"issuerUri": "https://ci.example.com"}, "attributeCondition": "true"},
            },
        ),
        [(f"gcp.resource:{POOL}/providers/gh", "", {"federated": ["https://ci.example.com"], "condition": True})],
    ),
    (
        "identity.trust",
        gcp("iam", "google.iam.v1.WorkloadIdentityPools.UpdateWorkloadIdentityPoolProvider", f"{POOL}/providers/gh"),
        [(f"gcp.resource:{POOL}/providers/gh", "", None)],
    ),
    (
        "identity.trust",
        gcp("iam", "google.iam.v1.WorkloadIdentityPools.DeleteWorkloadIdentityPoolProvider", f"{POOL}/providers/gh"),
        [(f"gcp.resource:{POOL}/providers/gh", "", {"federated": []})],
    ),
    (
        "network.ai_port",
        gcp(
            "compute",
            "v1.compute.firewalls.insert",
            f"{PROJECT}/global/firewalls/f",
            {"direction": "INGRESS", "sourceRanges": ["0.0.0.0/0"], "alloweds": [{"IPProtocol": "tcp", "ports": ["8888"]}]},
        ),
        [(f"gcp.resource:{PROJECT}/global/firewalls/f", "", {"open": True, "ports": [8888]})],
    ),
    (
        "network.ai_port",
        gcp("compute", "v1.compute.firewalls.insert", f"{PROJECT}/global/firewalls/f", {"@type": "x"}, operation={"id": "o", "last": True}),
        [],
    ),
    (
        "network.ai_port",
        gcp("compute", "v1.compute.firewalls.delete", f"{PROJECT}/global/firewalls/f"),
        [(f"gcp.resource:{PROJECT}/global/firewalls/f", "", {"open": False, "ports": []})],
    ),
]
CASES = [*AWS, *AZURE_AND_ENTRA, *GCP]


@pytest.mark.parametrize(("fact", "record", "wanted"), CASES)
def test_a_record_tells_these_facts(fact: str, record: dict[str, Any], wanted: list[Told], tmp_path: Path) -> None:
    known = posture(tmp_path, record).known
    found = {row for row in told(known) if row[0] == fact}
    assert found == {(fact, asset, part, value(given)) for asset, part, given in wanted}
    unknown = known.filter(known["value"].is_null())
    assert unknown["why"].null_count() == 0
    assert set(unknown["state"]) <= {"unknown"}


def test_every_kind_is_told_ended_and_asked_in_vain() -> None:
    """Of each kind there is a record that tells it; of each that a record can leave unknown, one that does."""
    values = {kind: [given for fact, _, wanted in CASES if fact == kind for _, _, given in wanted] for kind in KINDS}
    assert all(any(given is not None for given in found) for found in values.values())
    never = {kind for kind, found in values.items() if None not in found}
    # What these say stands in the names of the operation and of what it was asked for.
    assert never == {"ai.model_access", "ai.key", "ai.endpoint", "ai.notebook", "bucket.public_access_block", "bucket.use", "ai.defender", "ai.api"}


@pytest.mark.parametrize("refused", [{"errorCode": "AccessDenied"}, {"errorCode": "ThrottlingException", "errorMessage": "slow down"}])
def test_what_failed_tells_nothing(refused: dict[str, Any], tmp_path: Path) -> None:
    record = aws("bedrock", "DeleteModelInvocationLoggingConfiguration", **refused)
    denied = gcp("modelarmor", "google.cloud.modelarmor.v1.ModelArmor.DeleteTemplate", "t", code=7)
    failed = azure("Microsoft.CognitiveServices/accounts/delete", outcome="Failed")
    assert posture(tmp_path, record, denied, failed).known.height == 0
