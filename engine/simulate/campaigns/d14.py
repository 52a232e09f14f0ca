"""An instance's credentials find a key in stored state, and the key opens a second account."""

from __future__ import annotations

from engine.simulate.act import Act, Campaign
from engine.simulate.campaigns import moves
from engine.simulate.native import ids
from engine.simulate.native.aws import iam_user, service


def play(a: Act) -> None:
    role, found = a.task(), a.user(1)
    other = next(account for account in a.company.accounts if account != found.account)
    name = f"i-0{ids.hexes(a.rng, 16)}"
    host = service("ec2.amazonaws.com", role.account)
    who = a.steal(lambda: a.session(host, role, name, ip=a.company.egress[role.account], region=a.company.regions[0]))
    a.is_also(f"{role.account}/{role.name}", f"aws.session:{role.uid}:{name}", f"aws.key:{who.identity['accessKeyId']}")
    with a.stage("an instance's credentials are used elsewhere", "s1", tags=("attack.t1552.005",)):
        moves.whoami(a, who)
        a.aws(who, "s3", "ListBuckets")
    bucket = a.company.buckets["state"]
    with a.stage("stored state is read", "s2", tags=("attack.t1530", "attack.t1552.001")):
        for number in range(a.rng.randrange(3, 15)):
            a.s3(who, "GetObject", bucket, f"env/{number}/terraform.tfstate", size=a.rng.randrange(10**4, 10**6))
        if a.rng.random() < 0.5:
            moves.aws_secrets(a, who, least=1)
    key = iam_user(found.account, found.name, found.uid, found.key, a.exits[0], a.agent)
    a.is_also(found.name, f"aws.key:{found.key}")
    with a.stage("a key found there is used", "s3", tags=("attack.t1078.004",)):
        first = moves.whoami(a, key)
        a.aws(key, "iam", "ListAttachedUserPolicies", params={"userName": found.name})
    a.link("key_found", f"aws.session:{role.uid}:{name}", f"aws.key:{found.key}", ("aws", "aws"), a.told.stages[1].entries[-1], first)
    with a.stage("the second account is entered", "d14", tags=("attack.t1550.001", "attack.t1199")):
        inside = a.session(key, a.company.role(other, a.rng.choice(("admin", "readonly", "engineer"))), a.backdoor())
        for name in a.rng.sample(("ListUsers", "ListRoles", "GetAccountSummary", "ListAccountAliases"), 3):
            a.aws(inside, "iam", name)
    if a.rng.random() < 0.6:
        with a.stage("the trail is stopped", "s4", tags=("attack.t1685.002",)):
            arn = f"arn:aws:cloudtrail:us-east-1:{other}:trail/org-trail"
            a.aws(inside, "cloudtrail", a.rng.choice(("StopLogging", "DeleteTrail")), params={"name": arn}, write=True)


CAMPAIGN = Campaign("An instance's credentials lead over stored state into a second account", play)
