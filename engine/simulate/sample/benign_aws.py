"""An ordinary day in the two AWS accounts: services, deployments, monitoring, engineers."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.simulate.native import ids
from engine.simulate.native.actors import AWS_HOME, CLI, SDK, Person
from engine.simulate.native.aws import AwsCaller, iam_user, service
from engine.simulate.native.entries import Record
from engine.simulate.sample.feeds import Stage
from engine.simulate.sample.rhythm import PEOPLE, SERVICES, after, moments
from engine.simulate.sample.world import AWS_DATA, AWS_NAT, AWS_PROD, AWS_SECOND, CI_IPS, OFFICE_IP

KMS_KEY = "arn:aws:kms:{region}:{account}:key/0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0ff"


@dataclass(frozen=True, slots=True)
class Habit:
    """A call somebody makes often. Texts in ``params`` may name {account}, {region}, {role} and {n}."""

    weight: int
    endpoint: str
    name: str
    params: tuple[tuple[str, object], ...] = ()
    write: bool = False
    data: bool = False
    via: str = ""


def habit(weight: int, endpoint: str, name: str, *, write: bool = False, data: bool = False, via: str = "", **params: object) -> Habit:
    return Habit(weight, endpoint, name, tuple(params.items()), write, data, via)


TASK_HABITS = (
    habit(30, "kms", "Decrypt", via="secretsmanager.amazonaws.com", encryptionAlgorithm="SYMMETRIC_DEFAULT"),
    habit(20, "kms", "GenerateDataKey", via="s3.amazonaws.com", keySpec="AES_256", keyId=KMS_KEY),
    habit(8, "ssm", "GetParameters", names=["/{role}/feature-flags"], withDecryption=False),
    habit(4, "secretsmanager", "GetSecretValue", secretId="prod/{role}/database"),
    habit(6, "logs", "CreateLogStream", write=True, logGroupName="/ecs/{role}", logStreamName="{role}/{n}"),
    habit(12, "s3", "GetObject", data=True, bucketName="example-assets-{account}", key="catalogue/{n}.json"),
    habit(5, "s3", "PutObject", data=True, write=True, bucketName="example-orders-{account}", key="{role}/{n}.json"),
    habit(3, "sts", "GetCallerIdentity"),
    habit(3, "ecr", "GetAuthorizationToken"),
    habit(4, "dynamodb", "DescribeTable", tableName="{role}-state"),
)
MONITOR_HABITS = (
    habit(5, "ec2", "DescribeInstances", maxResults=100, filterSet={}, instancesSet={}),
    habit(4, "ec2", "DescribeVolumes", maxResults=100, filterSet={}, volumeSet={}),
    habit(5, "rds", "DescribeDBInstances", maxRecords=100),
    habit(5, "elasticloadbalancing", "DescribeTargetHealth", targetGroupArn="arn:aws:elasticloadbalancing:{region}:{account}:targetgroup/web/{n}"),
    habit(6, "monitoring", "DescribeAlarms", maxRecords=100),
    habit(4, "ecs", "DescribeServices", cluster="shop", services=["orders-api", "search-indexer"]),
    habit(3, "lambda", "ListFunctions20150331", maxItems=50),
    habit(2, "s3", "GetBucketTagging", bucketName="example-assets-{account}", tagging="", Host="example-assets-{account}.s3.amazonaws.com"),
)
CONFIG_HABITS = (
    habit(4, "ec2", "DescribeSecurityGroups", securityGroupSet={}, filterSet={}),
    habit(3, "ec2", "DescribeSubnets", subnetSet={}, filterSet={}),
    habit(3, "iam", "GetAccountPasswordPolicy"),
    habit(3, "s3", "GetBucketEncryption", bucketName="example-orders-{account}", encryption="", Host="s3.{region}.amazonaws.com"),
    habit(2, "rds", "DescribeDBSubnetGroups"),
)
HUMAN_HABITS = (
    habit(6, "ec2", "DescribeInstances", filterSet={}, instancesSet={}),
    habit(5, "s3", "ListBuckets", Host="s3.{region}.amazonaws.com"),
    habit(4, "logs", "FilterLogEvents", logGroupName="/ecs/orders-api", limit=100),
    habit(4, "ecs", "DescribeTasks", cluster="shop", tasks=["{n}"]),
    habit(3, "cloudformation", "DescribeStacks", stackName="shop"),
    habit(2, "iam", "GetRole", roleName="orders-api"),
    habit(2, "iam", "ListRoles", maxItems=100),
    habit(2, "sts", "GetCallerIdentity"),
    habit(2, "monitoring", "GetDashboard", dashboardName="shop"),
)
DEPLOY = (
    habit(1, "ecr", "GetAuthorizationToken"),
    habit(1, "ecr", "InitiateLayerUpload", write=True, repositoryName="shop/web"),
    habit(1, "ecr", "PutImage", write=True, repositoryName="shop/web", imageTag="build-{n}"),
    habit(1, "cloudformation", "CreateChangeSet", write=True, stackName="shop", changeSetName="build-{n}"),
    habit(1, "cloudformation", "DescribeChangeSet", changeSetName="build-{n}"),
    habit(1, "cloudformation", "ExecuteChangeSet", write=True, changeSetName="build-{n}"),
    habit(1, "ecs", "RegisterTaskDefinition", write=True, family="web", requiresCompatibilities=["FARGATE"]),
    habit(1, "ecs", "UpdateService", write=True, cluster="shop", service="web", taskDefinition="web:{n}"),
    habit(1, "ecs", "DescribeServices", cluster="shop", services=["web"]),
)
TASK_ROLES = {AWS_PROD: ("orders-api", "billing-worker", "search-indexer"), AWS_DATA: ("etl-runner", "feature-store")}


def live(stage: Stage, rng: random.Random) -> None:
    """Fill both accounts for the whole simulation."""
    for account in (AWS_PROD, AWS_DATA):
        for role in TASK_ROLES[account]:
            _tasks(stage, rng, account, role)
        _config(stage, rng, account)
        _deployments(stage, rng, account)
    _monitoring(stage, rng)
    for person in stage.world.jobs("platform", "developer", "data", "security"):
        _engineer(stage, rng, person)


def _fill(value: object, slots: dict[str, object]) -> object:
    if isinstance(value, str):
        return value.format(**slots)
    if isinstance(value, list):
        return [_fill(item, slots) for item in value]
    return value


def _do(stage: Stage, rng: random.Random, when: datetime, who: AwsCaller, what: Habit, region: str = AWS_HOME, role: str = "web") -> None:
    slots: dict[str, object] = {"account": who.account, "region": region, "role": role, "n": rng.randrange(1000, 99999)}
    params = {key: _fill(value, slots) for key, value in what.params} or None
    more: Record = {"managementEvent": False, "eventCategory": "Data"} if what.data else {}
    if what.endpoint == "kms":
        arn = KMS_KEY.format(**slots)
        more["resources"] = [{"accountId": who.account, "type": "AWS::KMS::Key", "ARN": arn}]
    if what.data and params:
        bucket = f"arn:aws:s3:::{params['bucketName']}"
        more["resources"] = [
            {"type": "AWS::S3::Object", "ARN": f"{bucket}/{params['key']}"},
            {"accountId": who.account, "type": "AWS::S3::Bucket", "ARN": bucket},
        ]
    error = None
    if what.name == "GetObject" and rng.random() < 0.02:
        error = ("NoSuchKey", "The specified key does not exist.")
    caller = who.via(what.via) if what.via else who
    region = AWS_HOME if what.endpoint == "iam" else region
    stage.feeds.trail.call(when, caller, what.endpoint, what.name, region=region, params=params, error=error, write=what.write, **more)


def _some(rng: random.Random, habits: tuple[Habit, ...], count: int) -> list[Habit]:
    return rng.choices(habits, weights=[h.weight for h in habits], k=count)


def _tasks(stage: Stage, rng: random.Random, account: str, name: str) -> None:
    """A container service: its platform renews the role's session every hour, the code works with it."""
    region = AWS_SECOND if name in ("billing-worker", "feature-store") else AWS_HOME
    role = stage.world.role(account, name)
    for day in range(stage.days):
        for hour in range(24):
            start = after(rng, stage.at(day, hour), 0, 240)
            who, _ = stage.feeds.trail.assume(
                start, service("ecs-tasks.amazonaws.com", account), role, ids.hexes(rng, 32), region=region, ip=AWS_NAT[account], agent=SDK
            )
            load = int(SERVICES[hour] * 4.5 * stage.scale) + rng.randrange(3)
            for what in _some(rng, TASK_HABITS, load):
                _do(stage, rng, after(rng, start, 1, 3300), who, what, region, name)


def _config(stage: Stage, rng: random.Random, account: str) -> None:
    """AWS services that look around in the account by themselves."""
    for when in moments(rng, stage, 140):
        region = rng.choice((AWS_HOME, AWS_HOME, AWS_SECOND))
        name = rng.choice(("config", "config", "trustedadvisor"))
        who = service(f"{name}.amazonaws.com", account)
        _do(stage, rng, when, who, _some(rng, CONFIG_HABITS, 1)[0], region)


def _monitoring(stage: Stage, rng: random.Random) -> None:
    """The monitoring hub in the data account reads both accounts through a role in each, every half hour."""
    hub = stage.world.role(AWS_DATA, "monitoring-hub")
    for day in range(stage.days):
        for half in range(48):
            when = after(rng, stage.at(day, 0, 30 * half), 5, 40)
            home, _ = stage.feeds.trail.assume(
                when, service("ecs-tasks.amazonaws.com", AWS_DATA), hub, ids.hexes(rng, 32), ip=AWS_NAT[AWS_DATA], agent=SDK
            )
            for account in (AWS_PROD, AWS_DATA):
                reader = stage.world.role(account, "monitoring-reader")
                who, _ = stage.feeds.trail.assume(when + timedelta(seconds=3), home, reader, "monitoring-hub")
                for what in _some(rng, MONITOR_HABITS, max(1, int(12 * stage.scale))):
                    _do(stage, rng, after(rng, when, 4, 300), who, what, rng.choice((AWS_HOME, AWS_SECOND)))


def _deployments(stage: Stage, rng: random.Random, account: str) -> None:
    """GitHub Actions deploys through OIDC: no long-lived key, one session a run."""
    role = stage.world.role(account, "github-deploy")
    provider = f"arn:aws:iam::{account}:oidc-provider/token.actions.githubusercontent.com"
    subject = f"repo:example-corp/{'shop' if account == AWS_PROD else 'data'}:ref:refs/heads/main"
    identity = {
        "type": "WebIdentityUser",
        "principalId": f"{provider}:sts.amazonaws.com:{subject}",
        "userName": subject,
        "identityProvider": provider,
    }
    for when in moments(rng, stage, 6, PEOPLE):
        ip = rng.choice(CI_IPS)
        runner = AwsCaller(identity, account, ip, "configure-aws-credentials-for-github-actions")
        token = {"subjectFromWebIdentityToken": subject, "provider": provider, "audience": "sts.amazonaws.com"}
        who, _ = stage.feeds.trail.assume(
            when,
            runner,
            role,
            "GitHubActions",
            name="AssumeRoleWithWebIdentity",
            result=token,
            agent="aws-sdk-js/3.750.0 ua/2.1 os/linux#6.8.0 lang/js md/nodejs#20.18.3",
        )
        for what in DEPLOY:
            when = after(rng, when, 3, 30)
            _do(stage, rng, when, who, what)


def _engineer(stage: Stage, rng: random.Random, person: Person) -> None:
    """An engineer: console in the morning, a command-line session with a second factor later."""
    account = AWS_DATA if person.job == "data" else AWS_PROD
    role = stage.world.role(account, "engineer")
    for day in range(stage.days):
        ip = rng.choice((OFFICE_IP, OFFICE_IP, person.home_ip))
        morning = after(rng, stage.at(day, 7, 30), 0, 7200)
        _console(stage, rng, person, account, morning, ip)
        start = after(rng, morning, 1800, 9000)
        user = iam_user(account, person.name, person.aws_id, person.aws_key, ip, CLI)
        device = {"serialNumber": f"arn:aws:iam::{account}:mfa/{person.name}"}
        who, _ = stage.feeds.trail.assume(start, user, role, person.upn, mfa=True, params=device)
        for _ in range(int(rng.randrange(14, 34) * stage.scale)):
            _do(stage, rng, after(rng, start, 5, 3500), who, _some(rng, HUMAN_HABITS, 1)[0])


def _console(stage: Stage, rng: random.Random, person: Person, account: str, when: datetime, ip: str) -> None:
    user = iam_user(account, person.name, person.aws_id, None, ip, person.browser)
    extra = {"LoginTo": "https://console.aws.amazon.com/console/home", "MobileVersion": "No", "MFAUsed": "Yes"}
    trail = stage.feeds.trail
    if rng.random() < 0.15:
        failed: Record = {"responseElements": {"ConsoleLogin": "Failure"}, "errorMessage": "Failed authentication", "eventType": "AwsConsoleSignIn"}
        trail.call(when - timedelta(seconds=25), user, "signin", "ConsoleLogin", write=True, extra=extra, **failed)
    signed = {"ConsoleLogin": "Success"}
    trail.call(when, user, "signin", "ConsoleLogin", write=True, result=signed, extra=extra, eventType="AwsConsoleSignIn")
    context = {"attributes": {"creationDate": ids.seconds(when), "mfaAuthenticated": "true"}}
    key = ids.access_key(rng, account)
    inside = AwsCaller({**user.identity, "accessKeyId": key, "sessionContext": context}, account, ip, person.browser)
    for what in _some(rng, HUMAN_HABITS, int(rng.randrange(6, 18) * stage.scale)):
        _do(stage, rng, after(rng, when, 20, 1700), inside, what)
