"""After Unit 42, 2024: keys from exposed environment files, functions that search for more, and a store held for ransom."""

from __future__ import annotations

from engine.simulate import lexicon
from engine.simulate.act import Act, Campaign
from engine.simulate.campaigns import moves
from engine.simulate.native import ids
from engine.simulate.native.actors import Role


def play(a: Act) -> None:
    who = moves.stolen(a, a.user())
    role = Role(who.account, a.rng.choice(("lambda-ex", "lambda-exec", "fn-basic")), ids.principal_id(a.rng, "AROA"))
    with a.stage("the key asks what it may do", "key_from_file", tags=("attack.t1078.004", "attack.t1087.004", "attack.t1580")):
        moves.whoami(a, who)
        a.aws(who, "iam", "ListUsers")
        a.aws(who, "s3", "ListBuckets")
    with a.stage("a role with all rights is made", "escalation", tags=("attack.t1098.003",)):
        trust = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
        made = {"role": {"roleName": role.name, "arn": role.arn, "roleId": role.uid}}
        a.aws(who, "iam", "CreateRole", params={"roleName": role.name, "assumeRolePolicyDocument": trust}, result=made, write=True)
        a.aws(who, "iam", "AttachRolePolicy", params={"roleName": role.name, "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}, write=True)
    if a.rng.random() < 0.6:
        with a.stage("machines and stacks are refused", "execution", tags=("attack.t1578.002",)):
            for service, name in (("ec2", "RunInstances"), ("cloudformation", "CreateStack"))[: a.rng.randrange(1, 3)]:
                a.aws(
                    who, service, name, error=("Client.UnauthorizedOperation" if service == "ec2" else "AccessDenied", "not authorized"), write=True
                )
    with a.stage("functions that search the internet start in many regions", "execution", tags=("attack.t1648", "attack.t1595")):
        for region in a.rng.sample(lexicon.REGIONS, a.rng.randrange(2, 8)):
            params = {
                "functionName": a.rng.choice(("ex", "scan", "fn-1")),
                "runtime": "python3.9",
                "role": role.arn,
                "timeout": 900,
                "memorySize": 3008,
            }
            a.aws(who, "lambda", "CreateFunction20150331", params=params, region=region, write=True, after=(1, 6))
            a.aws(who, "lambda", "Invoke", params={"functionName": params["functionName"], "invocationType": "Event"}, region=region, write=True)
    bucket = a.company.buckets[a.rng.choice(("reports", "backups", "training"))]
    a.told.resources.append(f"arn:aws:s3:::{bucket}")
    keys = [f"data/{ids.hexes(a.rng, 8)}.csv" for _ in range(a.rng.randrange(25, 110))]
    with a.stage("a store is read out", "exfiltration", tags=("attack.t1530",)):
        who = type(who)(who.identity, who.account, a.exits[-1], "[S3 Browser/11.6.7 (https://s3browser.example)]")
        a.aws(who, "s3", "GetBucketVersioning", params={"bucketName": bucket})
        for key in keys:
            a.s3(who, "GetObject", bucket, key, size=a.rng.randrange(10**4, 10**8))
    with a.stage("it is emptied and a note is left", "ransom", tags=("attack.t1485", "attack.t1657")):
        for key in keys:
            a.s3(who, "DeleteObject", bucket, key)
        a.s3(who, "PutObject", bucket, a.rng.choice(("README.txt", "RECOVERY.txt", "!_read_me.html")), size=1200)


CAMPAIGN = Campaign("Keys from environment files end in a ransom", play)
