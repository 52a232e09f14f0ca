"""The engineer on call repairs an outage at night with broad rights."""

from __future__ import annotations

from engine.simulate import chains
from engine.simulate.act import Act, Campaign


def play(a: Act) -> None:
    person = a.pick(a.company.jobs("engineer", "platform"))
    a.now = a.now.replace(hour=2, minute=a.rng.randrange(60))
    ip = person.home_ip
    a.g.directory.user(a.now, person, "aws", ip, location=chains.location(person.place), asn=chains.network(ip))
    who = a.by_saml(person, a.company.role(person.account, "admin"), ip)
    with a.stage("an outage is repaired at night"):
        for name in ("DescribeInstances", "DescribeSecurityGroups", "AuthorizeSecurityGroupIngress", "RebootInstances"):
            a.aws(who, "ec2", name, write=name[0] in "AR")
        a.aws(who, "secretsmanager", "GetSecretValue", params={"secretId": "prod/orders/database"})
        a.aws(
            who, "iam", "AttachRolePolicy", params={"roleName": a.task().name, "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}, write=True
        )
        a.aws(
            who, "iam", "DetachRolePolicy", params={"roleName": a.task().name, "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}, write=True
        )


CAMPAIGN = Campaign("The engineer on call repairs an outage", play, paces=("fast",), attack=False)
