"""After Google, 2025 (UNC6395): keys out of support cases, which a stolen token of a chat product opened, are tried one after the other."""

from __future__ import annotations

from engine.simulate.act import Act, Campaign
from engine.simulate.campaigns import moves
from engine.simulate.native import ids
from engine.simulate.native.aws import AwsCaller, iam_user


def play(a: Act) -> None:
    first, second, principal = a.user(), a.user(1), a.principal()
    agent = a.rng.choice(("python-requests/2.32.4", "Python/3.11 aiohttp/3.12.15", a.agent))
    found: list[AwsCaller] = []
    for user in (first, second):
        a.is_also(user.name, f"aws.key:{user.key}")
        found.append(iam_user(user.account, user.name, user.uid, user.key, a.exit(), agent))
    with a.stage("keys from support cases are tried", "keys_in_cases", tags=("attack.t1552", "attack.t1078.004")):
        for who in found:
            moves.whoami(a, who)
            a.aws(
                who,
                "iam",
                a.rng.choice(("ListAttachedUserPolicies", "GetUser")),
                error=("AccessDenied", "not authorized") if a.rng.random() < 0.5 else None,
            )
    bucket = a.company.buckets[a.rng.choice(("reports", "backups"))]
    with a.stage("data is listed and taken", "cloud_data", tags=("attack.t1619", "attack.t1530")):
        who = found[0]
        a.aws(who, "s3", "ListBuckets")
        a.aws(who, "s3", "GetBucketLocation", params={"bucketName": bucket})
        for _ in range(a.rng.randrange(20, 90)):
            a.s3(
                AwsCaller(who.identity, who.account, a.exit(), agent),
                "GetObject",
                bucket,
                f"export/{ids.hexes(a.rng, 10)}.csv",
                size=a.rng.randrange(10**4, 10**7),
            )
    if a.rng.random() < 0.6:
        with a.stage("the second key reads secrets", "cloud_data", tags=("attack.t1555.006",)):
            moves.aws_secrets(a, found[1])
    with a.stage("a secret for Azure from the same cases is tried", "keys_in_cases", tags=("attack.t1078.004", "attack.t1552")):
        inside = a.in_azure(principal, a.exits[0])
        moves.azure_storage_keys(a, inside, a.rng.randrange(2, 6))
    proof = (a.told.stages[0].entries[0], a.told.stages[-1].entries[0])
    a.link("same_actor", f"aws.key:{first.key}", f"entra.object:{principal.oid}", ("aws", "azure"), *proof)


CAMPAIGN = Campaign("Keys out of support cases are tried in two clouds", play)
