"""An AWS role's session goes on into GCP."""

from __future__ import annotations

from engine.simulate import chains
from engine.simulate.act import Act, Campaign
from engine.simulate.campaigns import moves
from engine.simulate.native import ids
from engine.simulate.native.aws import service


def play(a: Act) -> None:
    role, account = a.task(), a.account()
    name = f"i-0{ids.hexes(a.rng, 16)}"
    host = service("ec2.amazonaws.com", role.account)
    aws = a.steal(lambda: a.session(host, role, name, ip=a.company.egress[role.account], region=a.company.regions[0]))
    with a.stage("an instance's credentials are used elsewhere", "s1", tags=("attack.t1552.005", "attack.t1078.004")):
        moves.whoami(a, aws)
        for _ in range(a.rng.randrange(1, 5)):
            a.aws(aws, "iam", a.rng.choice(("ListRoles", "GetRole", "ListAttachedRolePolicies")), error=("AccessDenied", "not authorized"))
    a.is_also(f"{role.account}/{role.name}", f"aws.session:{role.uid}:{name}", f"aws.key:{aws.identity['accessKeyId']}")
    arn = aws.identity["arn"]
    with a.stage("the session is exchanged for a GCP token", "d08", tags=("attack.t1199", "attack.t1550.001")):
        outside = a.by_exchange(arn, "aws-pool", arn, a.exits[0], f"aws.session:{role.uid}:{name}", "aws")
        gcp = a.impersonated(outside, account)
    with a.stage("secrets and data are read in GCP", "s2", tags=("attack.t1555.006", "attack.t1530")):
        if a.rng.random() < 0.7:
            moves.gcp_secrets(a, gcp, least=2)
        for number in range(a.rng.randrange(10, 60)):
            thing = f"projects/_/buckets/{a.company.project}-features/objects/export/{number}.parquet"
            a.gcp(gcp, "storage", "storage.objects.get", thing, "storage.objects.get", kind="gcs_bucket", log="data_access")
    if a.rng.random() < 0.5:
        with a.stage("a key is made to stay", "b74", tags=("attack.t1098.001",)):
            moves.service_key(a, chains.gcp_account(a.company, account, a.exits[0], a.gcp_agent))


CAMPAIGN = Campaign("An AWS session goes on into GCP by token exchange", play)
