"""Models are switched on and used by nobody's application."""

from __future__ import annotations

from engine.simulate import chains
from engine.simulate.act import Act, Campaign
from engine.simulate.campaigns import moves
from engine.simulate.native import ids
from engine.simulate.native.aws import iam_user


def play(a: Act) -> None:
    person = a.person()
    ip = a.exits[0]
    who = chains.own_user(person, ip, a.agent)
    a.is_also(person.upn, f"aws.key:{person.aws_key}", f"email:{person.upn}")
    with a.stage("model access is switched on by hand", "b08", tags=("attack.t1098",)):
        a.aws(who, "bedrock", "ListFoundationModels")
        moves.enable_models(a, who)
    name = f"BedrockAPIKey-{ids.letters(a.rng, 4, '0123456789abcdef')}"
    with a.stage("a key for models is made", "b15", tags=("attack.t1098.001",)):
        a.aws(who, "iam", "CreateUser", params={"userName": name}, write=True)
        credential = {"serviceUserName": f"{name}-at-{who.account}", "serviceName": "bedrock.amazonaws.com", "status": "Active"}
        params = {"userName": name, "serviceName": "bedrock.amazonaws.com"}
        a.aws(who, "iam", "CreateServiceSpecificCredential", params=params, result={"serviceSpecificCredential": credential}, write=True)
    shadow = iam_user(who.account, name, ids.principal_id(a.rng, "AIDA"), ids.plain_key(a.rng, who.account, kind="ABSK"), ip, a.agent)
    a.link("bedrock_key", f"aws.key:{person.aws_key}", f"aws.user:arn:aws:iam::{who.account}:user/{name}", ("aws", "aws"))
    with a.stage("an unknown application uses it", "d26", tags=("atlas.aml.t0040",)):
        moves.invoke(a, shadow, a.rng.randrange(20, 120), models=1, lure=0.0, bearer=True)


CAMPAIGN = Campaign("Models are used by an application nobody registered", play)
