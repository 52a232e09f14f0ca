"""Sensitive work that is in order: administrators change rights, keys, trust and logging every week, and things break in ugly ways."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from engine.simulate import chains
from engine.simulate.company import Employee
from engine.simulate.native import ids
from engine.simulate.native.aws import AwsCaller, event_selector, iam_user
from engine.simulate.native.entra import changed
from engine.simulate.native.entries import Record
from engine.simulate.native.gcp import GcpCaller, Target
from engine.simulate.personas.people import GCLOUD
from engine.simulate.personas.scene import Scene

IAM = "arn:aws:iam::aws:policy"


def _admin(scene: Scene, when: datetime, who: Employee) -> AwsCaller:
    role = scene.company.role(who.account, "admin")
    return chains.saml(scene.ground, when, who, role, scene.address(who), who.browser)


def _joiner(scene: Scene, when: datetime, who: Employee) -> None:
    """A program gets a user of its own, with a key."""
    name = f"{scene.rng.choice(scene.company.tasks).name}-ci{scene.rng.randrange(1000)}"
    aws, trail = _admin(scene, when, who), scene.ground.trail
    uid, key = ids.principal_id(scene.rng, "AIDA"), ids.plain_key(scene.rng, who.account, kind="AKIA")
    arn = f"arn:aws:iam::{who.account}:user/{name}"
    later = ids.later(when, scene.rng, 20, 90)
    user = {"path": "/", "arn": arn, "userName": name, "userId": uid, "createDate": ids.console_date(later)}
    trail.call(later, aws, "iam", "CreateUser", params={"userName": name}, result={"user": user}, write=True)
    policy = scene.rng.choice(("AmazonS3ReadOnlyAccess", "AmazonBedrockFullAccess", "CloudWatchLogsFullAccess", "PowerUserAccess"))
    later = ids.later(later, scene.rng, 5, 60)
    trail.call(later, aws, "iam", "AttachUserPolicy", params={"userName": name, "policyArn": f"{IAM}/{policy}"}, write=True)
    issued = {"accessKeyId": key, "userName": name, "status": "Active", "createDate": ids.console_date(later)}
    later = ids.later(later, scene.rng, 5, 60)
    trail.call(later, aws, "iam", "CreateAccessKey", params={"userName": name}, result={"accessKey": issued}, write=True)
    program = iam_user(who.account, name, uid, key, scene.company.egress[who.account])
    trail.call(ids.later(later, scene.rng, 120, 900), program, "sts", "GetCallerIdentity")


def _rights(scene: Scene, when: datetime, who: Employee) -> None:
    aws = _admin(scene, when, who)
    role = scene.rng.choice(scene.company.tasks).name
    for _ in range(scene.rng.randrange(1, 4)):
        when = ids.later(when, scene.rng, 10, 120)
        name = scene.rng.choice(("AttachRolePolicy", "PutRolePolicy", "UpdateAssumeRolePolicy", "CreatePolicyVersion", "DetachRolePolicy"))
        policy = scene.rng.choice(("AdministratorAccess", "ReadOnlyAccess", "AmazonSageMakerFullAccess", "SecurityAudit"))
        params: Record = {"roleName": role} if name != "CreatePolicyVersion" else {"policyArn": f"arn:aws:iam::{who.account}:policy/{role}"}
        params |= {"policyArn": f"{IAM}/{policy}"} if name.endswith("RolePolicy") and name[0] in "AD" else {}
        scene.ground.trail.call(when, aws, "iam", name, params=params, write=True)


def _platform(scene: Scene, when: datetime, who: Employee) -> None:
    """Buckets, groups, trails and keys of the platform."""
    aws = _admin(scene, when, who)
    work: tuple[tuple[str, str, Record], ...] = (
        ("s3", "PutBucketPolicy", {"bucketName": scene.company.buckets["reports"], "bucketPolicy": {"Statement": []}}),
        ("s3", "PutBucketLifecycle", {"bucketName": scene.company.buckets["logs"], "LifecycleConfiguration": {"Rule": {"Status": "Enabled"}}}),
        ("ec2", "AuthorizeSecurityGroupIngress", {"groupId": f"sg-0{ids.hexes(scene.rng, 8)}", "ipPermissions": {"items": []}}),
        ("ec2", "ModifySnapshotAttribute", {"snapshotId": f"snap-0{ids.hexes(scene.rng, 8)}", "attributeType": "CREATE_VOLUME_PERMISSION"}),
        ("cloudtrail", "PutEventSelectors", {"trailName": "org-trail", "eventSelectors": [event_selector(bucket=scene.company.buckets["reports"])]}),
        ("kms", "ScheduleKeyDeletion", {"keyId": ids.guid(scene.rng), "pendingWindowInDays": 30}),
        ("logs", "PutRetentionPolicy", {"logGroupName": "/aws/bedrock/invocations", "retentionInDays": 90}),
        ("logs", "DeleteLogGroup", {"logGroupName": f"/ecs/{scene.rng.choice(scene.company.tasks).name}"}),
        ("lambda", "AddPermission20150331v2", {"functionName": "hook", "principal": "s3.amazonaws.com", "action": "lambda:InvokeFunction"}),
        ("bedrock", "PutModelInvocationLoggingConfiguration", {"loggingConfig": {"textDataDeliveryEnabled": True, "imageDataDeliveryEnabled": True}}),
        ("bedrock", "UpdateGuardrail", {"guardrailIdentifier": "main", "name": "main"}),
        ("bedrock", "StartIngestionJob", {"knowledgeBaseId": ids.letters(scene.rng, 10), "dataSourceId": ids.letters(scene.rng, 10)}),
        ("sagemaker", "CreateTrainingJob", {"trainingJobName": f"weekly-{ids.hexes(scene.rng, 4)}"}),
        ("sagemaker", "UpdateEndpoint", {"endpointName": "ranking", "endpointConfigName": f"c-{ids.hexes(scene.rng, 4)}"}),
        ("ec2", "RunInstances", {"instanceType": scene.rng.choice(("m6i.large", "c7g.xlarge", "g5.xlarge")), "minCount": 1, "maxCount": 1}),
    )
    for service, name, params in scene.rng.sample(work, scene.rng.randrange(1, 3)):
        when = ids.later(when, scene.rng, 15, 200)
        scene.ground.trail.call(when, aws, service, name, region=scene.company.regions[0], params=params, write=True)


def _console(scene: Scene, when: datetime, who: Employee) -> None:
    """Somebody still signs in as an IAM user, now and then with a wrong password first, or without a second factor."""
    trail, ip = scene.ground.trail, scene.address(who)
    user = iam_user(who.account, who.name, who.aws_id, None, ip, who.browser)
    extra = {
        "LoginTo": "https://console.aws.amazon.com/console/home",
        "MobileVersion": "No",
        "MFAUsed": scene.rng.choice(("Yes", "Yes", "Yes", "No")),
    }
    for _ in range(scene.rng.choice((0, 0, 1, 2, 5))):
        failed: Record = {"responseElements": {"ConsoleLogin": "Failure"}, "errorMessage": "Failed authentication", "eventType": "AwsConsoleSignIn"}
        trail.call(when, user, "signin", "ConsoleLogin", write=True, extra=extra, **failed)
        when = ids.later(when, scene.rng, 6, 30)
    trail.call(when, user, "signin", "ConsoleLogin", write=True, result={"ConsoleLogin": "Success"}, extra=extra, eventType="AwsConsoleSignIn")


def _directory(scene: Scene, when: datetime, who: Employee) -> None:
    """Applications, roles, methods: changes of the directory that matter."""
    rng, principal, person = scene.rng, scene.rng.choice(scene.company.principals), scene.rng.choice(scene.company.people)
    by = {"user": {"id": who.oid, "displayName": who.display, "userPrincipalName": who.upn, "ipAddress": scene.address(who), "roles": []}}
    app: Record = {"id": principal.oid, "displayName": principal.name, "type": "ServicePrincipal"}
    user: Record = {"id": person.oid, "displayName": person.display, "type": "User", "userPrincipalName": person.upn}
    described = f'["[KeyIdentifier={ids.guid(rng)},KeyType=Password,KeyUsage=Verify,DisplayName=ci]"]'
    work = (
        (
            "Update application – Certificates and secrets management ",
            "ApplicationManagement",
            "Update",
            app,
            changed("KeyDescription", described, "[]"),
        ),
        ("Add service principal credentials", "ApplicationManagement", "Assign", app, changed("KeyDescription", described, "[]")),
        ("Add app role assignment to service principal", "ApplicationManagement", "Assign", app, changed("AppRole.Value", '"User.Read.All"')),
        ("Consent to application", "ApplicationManagement", "Assign", app, changed("ConsentContext.IsAdminConsent", '"True"')),
        ("Add member to role", "RoleManagement", "Assign", user, changed("Role.DisplayName", '"Helpdesk Administrator"')),
        ("Add eligible member to role", "RoleManagement", "Assign", user, changed("Role.DisplayName", '"Global Administrator"')),
        (
            "Update conditional access policy",
            "Policy",
            "Update",
            {"id": ids.guid(rng), "displayName": "Require MFA", "type": "Policy"},
            changed("x", "1"),
        ),
        ("Admin registered temporary access pass method for user", "UserManagement", "Update", user, changed("x", "1")),
    )
    name, category, kind, target, change = rng.choice(work)
    scene.ground.directory.audit(when, name, category, kind, by, [{**target, "modifiedProperties": [change]}])


def _azure(scene: Scene, when: datetime, who: Employee) -> None:
    company = scene.company
    caller = chains.azure_user(scene.ground, when, who, "portal", scene.address(who), "Owner")
    account = scene.rng.choice(company.openai)
    work = (
        ("Microsoft.CognitiveServices/accounts/listKeys/action", account),
        ("Microsoft.CognitiveServices/accounts/deployments/write", f"{account}/deployments/gpt-4o-mini"),
        ("Microsoft.CognitiveServices/accounts/write", account),
        ("Microsoft.Authorization/roleAssignments/write", company.arm("rg-apps", "Microsoft.Authorization/roleAssignments", ids.guid(scene.rng))),
        ("Microsoft.Insights/diagnosticSettings/write", f"{company.apim}/providers/microsoft.insights/diagnosticSettings/to-siem"),
        ("Microsoft.KeyVault/vaults/accessPolicies/write", company.arm("rg-data", "Microsoft.KeyVault/vaults", "main")),
        ("Microsoft.Compute/virtualMachines/runCommand/action", company.arm("rg-apps", "Microsoft.Compute/virtualMachines", "vm-07")),
        ("Microsoft.Storage/storageAccounts/regenerateKey/action", company.arm("rg-data", "Microsoft.Storage/storageAccounts", "ordersstore")),
        ("Microsoft.Authorization/locks/delete", company.arm("rg-apps", "Microsoft.Authorization/locks", "keep")),
    )
    for operation, resource in scene.rng.sample(work, scene.rng.randrange(1, 3)):
        when = ids.later(when, scene.rng, 20, 200)
        scene.ground.activity.operation(when, caller, operation, resource)


def _gcp(scene: Scene, when: datetime, who: Employee) -> None:
    project = f"projects/{scene.company.project}"
    account = scene.rng.choice(scene.company.service_accounts)
    caller = GcpCaller(who.upn, scene.address(who), GCLOUD)
    name = f"{project}/serviceAccounts/{account.email}"
    work = (
        ("cloudresourcemanager", "SetIamPolicy", project, "resourcemanager.projects.setIamPolicy"),
        ("iam", "google.iam.admin.v1.CreateServiceAccountKey", name, "iam.serviceAccountKeys.create"),
        ("iam", "google.iam.admin.v1.CreateServiceAccount", project, "iam.serviceAccounts.create"),
        (
            "serviceusage",
            "google.api.serviceusage.v1.ServiceUsage.EnableService",
            f"{project}/services/run.googleapis.com",
            "serviceusage.services.enable",
        ),
        ("logging", "google.logging.v2.ConfigServiceV2.UpdateSink", f"{project}/sinks/archive", "logging.sinks.update"),
        ("storage", "storage.setIamPermissions", f"projects/_/buckets/{scene.company.project}-features", "storage.buckets.setIamPolicy"),
        ("compute", "v1.compute.firewalls.insert", f"{project}/global/firewalls/web", "compute.firewalls.create"),
    )
    service, method, resource, permission = scene.rng.choice(work)
    scene.ground.gcp.call(when, caller, service, method, Target(resource, permission, "audited_resource"), request={"name": resource})


def _broken_job(scene: Scene, when: datetime, who: Employee) -> None:
    """A job lost its rights and is refused again and again."""
    user = scene.rng.choice(scene.company.users)
    program = chains.keyed(user, scene.company.egress[user.account], "Boto3/1.28.2")
    service, name = scene.rng.choice((("s3", "ListBuckets"), ("ssm", "GetParameter"), ("sqs", "ReceiveMessage"), ("bedrock", "InvokeModel")))
    for _ in range(scene.rng.randrange(10, 60)):
        when = ids.later(when, scene.rng, 20, 60)
        scene.ground.trail.call(when, program, service, name, error=("AccessDenied", f"not authorized to perform: {service}:{name}"))


def _old_password(scene: Scene, when: datetime, who: Employee) -> None:
    """A forgotten phone keeps trying the password of last month."""
    person = scene.rng.choice(scene.company.people)
    for _ in range(scene.rng.randrange(5, 40)):
        when = ids.later(when, scene.rng, 30, 120)
        scene.ground.directory.user(when, person, "office", person.home_ip, error=50126, interactive=False, mfa=False)


def _expired_secret(scene: Scene, when: datetime, who: Employee) -> None:
    principal = scene.rng.choice(scene.company.principals)
    for _ in range(scene.rng.randrange(4, 20)):
        when = ids.later(when, scene.rng, 60, 180)
        scene.ground.directory.principal(when, principal, scene.company.runners[0], chains.location(2), error=7000215)


WEEKLY: tuple[tuple[Callable[[Scene, datetime, Employee], None], float], ...] = (
    (_joiner, 3),
    (_rights, 9),
    (_platform, 12),
    (_console, 10),
    (_directory, 14),
    (_azure, 12),
    (_gcp, 7),
    (_broken_job, 3),
    (_old_password, 4),
    (_expired_secret, 2),
)
"""How often each happens in a week in a company of sixty; more often in bigger ones."""


class Chores:
    """Administrators at work, nearly always in office hours."""

    def __init__(self, scene: Scene) -> None:
        self.admins = scene.company.jobs("platform", "engineer")[:8]
        self.size = len(scene.company.people) / 60

    def live(self, scene: Scene) -> None:
        for chore, weekly in WEEKLY:
            who = scene.rng.choice(self.admins)
            load = 0.03 + 0.97 * scene.office_load(who.zone)
            for _ in range(scene.count(weekly * self.size * load / 55)):
                chore(scene, scene.at(0, 2500), who)
