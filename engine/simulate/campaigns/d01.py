"""A program's leaked AWS key is used to resell models."""

from __future__ import annotations

from engine.simulate.act import Act, Campaign
from engine.simulate.campaigns import moves


def play(a: Act) -> None:
    user = a.user()
    who = moves.stolen(a, user)
    with a.stage("a leaked key is tried", "a46", tags=("attack.t1078.004",)):
        moves.whoami(a, who)
        if a.rng.random() < 0.5:
            a.aws(who, "iam", "GetUser", error=("AccessDenied", "not authorized to perform: iam:GetUser"))
    with a.stage("models are looked for", "b11", tags=("attack.t1526", "atlas.aml.t0075")):
        moves.bedrock_recon(a, who)
        if a.rng.random() < 0.7:
            moves.bedrock_probe(a, who)
    if a.rng.random() < 0.75:
        with a.stage("model access is bought", "b08", tags=("attack.t1098", "attack.t1496.004")):
            moves.enable_models(a, who)
    if a.rng.random() < 0.6:
        with a.stage("a second way in is made", "b15", tags=("attack.t1136.003",)):
            who = moves.make_user(a, who)
    with a.stage("the invocation log is looked at or cut", "b12", "b01", tags=("attack.t1685.002",)):
        if a.rng.random() < 0.5:
            moves.cut_invocation_log(a, who)
        else:
            a.aws(who, "bedrock", "GetModelInvocationLoggingConfiguration")
    with a.stage("models are used in bulk", "a43", "a39", tags=("attack.t1496.004", "atlas.aml.t0034")):
        moves.invoke(a, who, a.rng.randrange(80, 400), models=a.rng.randrange(1, 4), spread=a.rng.randrange(1, 5))


CAMPAIGN = Campaign("A leaked AWS key is used to resell models", play)
