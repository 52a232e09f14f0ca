"""After Google, 2026 (UNC6426): a stolen repository token, a pipeline's role in AWS, and a stack that makes an administrator."""

from __future__ import annotations

from engine.simulate import chains
from engine.simulate.act import Act, Campaign
from engine.simulate.campaigns import moves
from engine.simulate.native import ids
from engine.simulate.native.actors import Role
from engine.simulate.native.aws import AwsCaller
from engine.simulate.native.entries import Record


def play(a: Act) -> None:
    repository, account = a.pick(a.company.repositories), a.pick(a.company.accounts)
    pipeline = a.company.role(account, "deploy")
    subject = chains.github_subject(repository, a.rng, main=False)
    parent = f"oidc.subject:{chains.GITHUB}|{subject}"
    a.is_also(f"github:{repository}", parent)
    runner = a.rng.choice(a.company.runners)
    made = Role(account, f"{a.backdoor()}-role", ids.principal_id(a.rng, "AROA"))
    stack = a.rng.choice(("infra-support", "ci-bootstrap", "app-baseline"))

    def fetch() -> AwsCaller:
        return a.by_web_identity(pipeline, chains.GITHUB, "sts.amazonaws.com", subject, "GitHubActions", runner, parent, "github")

    with a.stage("a workflow on a branch prints its session", "ci_secrets", tags=("attack.t1195", "attack.t1552")):
        moves.whoami(a, fetch())
        mine = a.steal(fetch)
    with a.stage("a stack makes an administrator", "stack_admin", tags=("attack.t1098.003", "attack.t1136.003")):
        moves.whoami(a, mine)
        a.aws(mine, "cloudformation", "ListStacks")
        params: Record = {
            "stackName": stack,
            "capabilities": ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
            "templateBody": "HIDDEN_DUE_TO_SECURITY_REASONS",
        }
        done = {"stackId": f"arn:aws:cloudformation:{a.company.regions[0]}:{account}:stack/{stack}/{ids.guid(a.rng)}"}
        a.aws(mine, "cloudformation", "CreateStack", params=params, result=done, write=True)
        inside = mine.via("cloudformation.amazonaws.com")
        a.aws(inside, "iam", "CreateRole", params={"roleName": made.name, "assumeRolePolicyDocument": _trust(a)}, write=True)
        params = {"roleName": made.name, "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}
        a.aws(inside, "iam", "AttachRolePolicy", params=params, write=True)
    with a.stage("the administrator looks through everything", "cloud_data", tags=("attack.t1580", "attack.t1530")):
        boss = a.session(mine, made, a.backdoor())
        for service, name in (("s3", "ListBuckets"), ("ec2", "DescribeInstances"), ("rds", "DescribeDBInstances"), ("kms", "ListKeys")):
            a.aws(boss, service, name)
        bucket = a.company.buckets[a.rng.choice(("reports", "backups", "state"))]
        for _ in range(a.rng.randrange(15, 70)):
            a.s3(boss, "GetObject", bucket, f"app/{ids.hexes(a.rng, 10)}.json", size=a.rng.randrange(10**3, 10**7))
        for _ in range(a.rng.randrange(1, 6)):
            a.aws(boss, "kms", "Decrypt", params={"encryptionAlgorithm": "SYMMETRIC_DEFAULT", "keyId": ids.guid(a.rng)})
    if a.rng.random() < 0.7:
        with a.stage("production is torn down", "destruction", tags=("attack.t1485",)):
            items = [{"instanceId": f"i-0{ids.hexes(a.rng, 16)}"} for _ in range(a.rng.randrange(2, 9))]
            a.aws(boss, "ec2", "TerminateInstances", params={"instancesSet": {"items": items}}, write=True)
            for _ in range(a.rng.randrange(1, 4)):
                params = {
                    "dBInstanceIdentifier": f"{a.rng.choice(a.company.tasks).name}-db",
                    "skipFinalSnapshot": True,
                    "deleteAutomatedBackups": True,
                }
                a.aws(boss, "rds", "DeleteDBInstance", params=params, write=True)


def _trust(a: Act) -> str:
    who = f"arn:aws:iam::{a.foreign()}:root"
    return '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"' + who + '"},"Action":"sts:AssumeRole"}]}'


CAMPAIGN = Campaign("A stolen repository token ends in an administrator of AWS", play)
