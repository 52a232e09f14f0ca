"""A pod's service-account token is used from outside the cluster."""

from __future__ import annotations

from engine.simulate.act import Act, Campaign
from engine.simulate.campaigns import moves
from engine.simulate.native import ids


def play(a: Act) -> None:
    role = a.task()
    issuer = f"oidc.eks.{a.company.regions[0]}.amazonaws.com/id/{role.uid[4:14]}0123456789ABCDEF012345"
    subject = f"system:serviceaccount:apps:{role.name}"
    parent = f"oidc.subject:{issuer}|{subject}"
    a.is_also(f"{role.account}/{role.name}", parent)
    with a.stage("a pod's token is exchanged elsewhere", "d13", tags=("attack.t1550", "attack.t1528")):
        name = f"botocore-session-{int(a.now.timestamp())}"
        who = a.by_web_identity(role, issuer, "sts.amazonaws.com", subject, name, a.exits[0], parent, "k8s")
        moves.whoami(a, who)
    with a.stage("the account is looked at", "s1", tags=("attack.t1526", "attack.t1580")):
        for name in a.rng.sample(("ListBuckets", "DescribeInstances", "ListUsers", "ListRoles", "ListFunctions20150331", "DescribeDBInstances"), 4):
            service = {"L": "iam", "D": "ec2"}[name[0]] if name not in ("ListBuckets", "ListFunctions20150331", "DescribeDBInstances") else "s3"
            service = {"ListFunctions20150331": "lambda", "DescribeDBInstances": "rds"}.get(name, service)
            error = ("AccessDenied", "not authorized") if a.rng.random() < 0.4 else None
            a.aws(who, service, name, error=error)
    with a.stage("secrets are taken", "s2", tags=("attack.t1555.006",)):
        moves.aws_secrets(a, who)
    if a.rng.random() < 0.5:
        with a.stage("a function keeps the door open", "s3", tags=("attack.t1098", "attack.t1648")):
            params = {"functionName": a.backdoor(), "runtime": "python3.12", "role": role.arn, "code": {"zipFile": ids.hexes(a.rng, 12)}}
            a.aws(who, "lambda", "CreateFunction20150331", params=params, write=True)


CAMPAIGN = Campaign("A pod's token is used from outside the cluster", play)
