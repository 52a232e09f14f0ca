"""A GCP service account's identity token opens an AWS role."""

from __future__ import annotations

from engine.simulate import chains
from engine.simulate.act import Act, Campaign
from engine.simulate.campaigns import moves


def play(a: Act) -> None:
    account, target = a.account(), a.account(1)
    role = a.task()
    who = chains.gcp_account(a.company, account, a.exits[0], a.gcp_agent, keyed=True)
    a.is_also(account.email, f"gcp.key:{account.key}", f"gcp.account:{account.email}")
    with a.stage("an identity token is made in GCP", "b78", tags=("attack.t1550.001",)):
        token = a.impersonated(who, target, method="GenerateIdToken", audience=a.rng.choice(("sts.amazonaws.com", "aws", "https://aws.amazon.com")))
    with a.stage("the token opens an AWS role", "d06", tags=("attack.t1199", "attack.t1078.004")):
        name = a.backdoor()
        parent = f"gcp.account:{token.email}"
        aws = a.by_web_identity(role, chains.GOOGLE, target.uid, target.uid, name, a.exits[0], parent, "gcp")
        moves.whoami(a, aws)
    with a.stage("the role is used", "s1", tags=("attack.t1580",)):
        for _ in range(a.rng.randrange(1, 4)):
            a.aws(aws, "iam", a.rng.choice(("ListUsers", "ListRoles", "GetAccountAuthorizationDetails")))
        moves.aws_secrets(a, aws, least=1)
    if a.rng.random() < 0.6:
        with a.stage("a user of its own stays", "s2", tags=("attack.t1136.003",)):
            moves.make_user(a, aws)


CAMPAIGN = Campaign("An identity token of GCP opens an AWS role", play)
