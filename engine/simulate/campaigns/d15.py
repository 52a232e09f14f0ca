"""From a leaked key to administrator in minutes, by a machine."""

from __future__ import annotations

from engine.simulate.act import Act, Campaign
from engine.simulate.campaigns import moves
from engine.simulate.native import ids
from engine.simulate.native.aws import AwsCaller


def play(a: Act) -> None:
    user = a.user()
    who = moves.stolen(a, user)
    with a.stage("everything is listed at once", "s1", tags=("attack.t1580", "attack.t1526")):
        moves.whoami(a, who)
        for name in ("ListUsers", "ListRoles", "ListAttachedUserPolicies", "GetAccountAuthorizationDetails"):
            a.aws(who, "iam", name, after=(0.2, 2))
        for name in ("DescribeInstances", "DescribeVpcs"):
            a.aws(who, "ec2", name, after=(0.2, 2))
    tasks = [a.task(slot) for slot in range(a.rng.randrange(4, 7))]
    with a.stage("role after role is taken", "d15", tags=("attack.t1550.001",)):
        acting: AwsCaller = who
        for role in tasks:
            error = a.rng.random() < 0.3
            if error:
                denied = ("AccessDenied", "not authorized to perform: sts:AssumeRole")
                a.aws(acting, "sts", "AssumeRole", params={"roleArn": role.arn, "roleSessionName": a.agent[:8]}, error=denied, after=(0.2, 2))
            else:
                acting = a.session(who, role, f"s{ids.hexes(a.rng, 6)}")
    with a.stage("code of a function is changed for its rights", "s2", tags=("attack.t1098.003", "attack.t1648")):
        name = a.task(7).name
        a.aws(acting, "lambda", "UpdateFunctionCode20150331v2", params={"functionName": name}, write=True, after=(1, 5))
        a.aws(acting, "lambda", "Invoke", params={"functionName": name}, write=True, after=(1, 5), data=True)
        a.aws(
            acting, "iam", "AttachUserPolicy", params={"userName": user.name, "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}, write=True
        )
    with a.stage("a new administrator", "s3", tags=("attack.t1136.003",)):
        admin = moves.make_user(a, who)
    with a.stage("machines and models are taken", "b42", "a43", tags=("attack.t1496",)):
        params = {"instanceType": a.rng.choice(("p4d.24xlarge", "g5.48xlarge", "p3.16xlarge")), "minCount": 1, "maxCount": 4}
        a.aws(admin, "ec2", "RunInstances", params=params, write=True)
        moves.invoke(a, admin, a.rng.randrange(10, 40))


CAMPAIGN = Campaign("From a leaked key to administrator in minutes", play, paces=("fast",))
