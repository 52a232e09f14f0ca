"""After Safe and Mandiant, 2025: a developer's sessions are taken from his machine, and a page the customers trust is changed."""

from __future__ import annotations

from engine.simulate.act import Act, Campaign
from engine.simulate.native import ids
from engine.simulate.native.aws import AwsCaller


def play(a: Act) -> None:
    person = a.person()
    role = a.company.role(person.account, "engineer")
    home = a.company.offices[0]
    agent = a.rng.choice(("aws-cli/2.15.9 Python/3.11.6 Linux/6.6.9-arm64 md/distrib#kali.2024", a.agent))
    a.is_also(person.upn, f"aws.user:{person.arn}", f"email:{person.upn}")
    site = a.company.buckets["reports"]

    def fetch() -> AwsCaller:
        return a.by_saml(person, role, home)

    with a.stage("a session is taken from a developer's machine", "stolen_session", tags=("attack.t1539", "attack.t1550.001")):
        mine = a.steal(fetch)
        mine = AwsCaller(mine.identity, mine.account, a.exit(), agent)
        a.aws(mine, "sts", "GetCallerIdentity")
    with a.stage("a second factor of its own is refused", "persistence", tags=("attack.t1098.005",)):
        for name in ("CreateVirtualMFADevice", "EnableMFADevice")[: a.rng.randrange(1, 3)]:
            a.aws(mine, "iam", name, params={"userName": person.name}, error=("AccessDenied", f"not authorized to perform: iam:{name}"), write=True)
    with a.stage("the account is looked through for days", "recon", tags=("attack.t1580", "attack.t1619", "attack.t1069.003")):
        for _ in range(a.rng.randrange(2, 5)):
            for service, name in a.rng.sample(
                (
                    ("s3", "ListBuckets"),
                    ("iam", "ListRoles"),
                    ("iam", "ListAttachedRolePolicies"),
                    ("cloudfront", "ListDistributions"),
                    ("ecs", "ListClusters"),
                    ("ecr", "DescribeRepositories"),
                    ("lambda", "ListFunctions20150331"),
                    ("organizations", "ListAccounts"),
                ),
                a.rng.randrange(3, 7),
            ):
                refused = ("AccessDenied", f"not authorized to perform: {service}:{name}") if a.rng.random() < 0.3 else None
                a.aws(mine, service, name, error=refused, after=(5, 600))
    with a.stage("a page the customers trust is replaced", "tampering", tags=("attack.t1565.001", "attack.t1195.002")):
        key = f"_next/static/chunks/pages/_app-{ids.hexes(a.rng, 16)}.js"
        a.s3(mine, "GetObject", site, key, size=900_000)
        a.s3(mine, "PutObject", site, key, size=904_000)
        params = {"distributionId": ids.letters(a.rng, 14, ids.BASE32), "invalidationBatch": {"paths": {"quantity": 1, "items": ["/*"]}}}
        a.aws(mine, "cloudfront", "CreateInvalidation", params=params, write=True, region="us-east-1")
    if a.rng.random() < 0.6:
        with a.stage("it is put back after the theft", "cleanup", tags=("attack.t1070",)):
            a.s3(mine, "PutObject", site, key, size=900_000)


CAMPAIGN = Campaign("A developer's sessions are taken and a trusted page is changed", play, paces=("steady", "slow"))
