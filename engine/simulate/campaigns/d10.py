"""A rogue identity provider is trusted, then used for the first time."""

from __future__ import annotations

from engine.simulate import chains
from engine.simulate.act import Act, Campaign
from engine.simulate.campaigns import moves
from engine.simulate.native import ids


def play(a: Act) -> None:
    person = a.person()
    issuer = f"{a.backdoor()}.example.net"
    role = a.company.role(person.account, "admin")
    who = chains.own_user(person, a.exits[0], a.agent)
    a.is_also(person.upn, f"aws.key:{person.aws_key}", f"aws.user:{person.arn}")
    with a.stage("an administrator's key looks around", "s1", tags=("attack.t1078.004", "attack.t1580")):
        moves.whoami(a, who)
        for name in a.rng.sample(("ListOpenIDConnectProviders", "ListSAMLProviders", "ListRoles"), 2):
            a.aws(who, "iam", name)
    with a.stage("a provider of its own is trusted", "d10", tags=("attack.t1484.002",)):
        arn = f"arn:aws:iam::{person.account}:oidc-provider/{issuer}"
        asked = {"url": f"https://{issuer}", "clientIDList": ["sts.amazonaws.com"], "thumbprintList": [ids.hexes(a.rng, 40)]}
        made = a.aws(who, "iam", "CreateOpenIDConnectProvider", params=asked, result={"openIDConnectProviderArn": arn}, write=True)
        policy = (
            '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"'
            + arn
            + '"},"Action":"sts:AssumeRoleWithWebIdentity"}]}'
        )
        a.aws(who, "iam", "UpdateAssumeRolePolicy", params={"roleName": role.name, "policyDocument": policy}, write=True)
    with a.stage("the first login through it", "d10", tags=("attack.t1199", "attack.t1550.001")):
        aws = a.by_web_identity(role, issuer, "sts.amazonaws.com", a.backdoor(), a.backdoor(), a.exit(), f"aws.key:{person.aws_key}", "aws")
        moves.whoami(a, aws)
        a.link("rogue_trust", f"aws.key:{person.aws_key}", f"oidc.subject:{issuer}", ("aws", "aws"), made)
    if a.rng.random() < 0.5:
        account = a.account()
        with a.stage("GCP trusts it too", "d10", tags=("attack.t1484.002",)):
            gcp = chains.gcp_account(a.company, account, a.exits[0], a.gcp_agent, keyed=True)
            name = f"projects/{a.company.project_number}/locations/global/workloadIdentityPools/{a.backdoor()}"
            method = "google.iam.v1.WorkloadIdentityPools.CreateWorkloadIdentityPoolProvider"
            request = {"workloadIdentityPoolProvider": {"oidc": {"issuerUri": f"https://{issuer}"}}}
            made = a.gcp(gcp, "iam", method, name, "iam.workloadIdentityPoolProviders.create", request=request)
        proof = (a.told.stages[1].entries[0], made)
        a.link("same_provider", f"aws.key:{person.aws_key}", f"gcp.key:{account.key}", ("aws", "gcp"), *proof)
    with a.stage("the role is used", "s2", tags=("attack.t1136.003",)):
        moves.make_user(a, aws)


CAMPAIGN = Campaign("A rogue identity provider is trusted and used", play)
