"""A workload takes its orders over a model's interface."""

from __future__ import annotations

from engine.simulate.act import Act, Campaign
from engine.simulate.campaigns import moves
from engine.simulate.native import bedrock, ids
from engine.simulate.native.aws import service


def play(a: Act) -> None:
    role = a.task()
    region = a.company.regions[0]
    who = a.session(service("ec2.amazonaws.com", role.account), role, f"i-0{ids.hexes(a.rng, 16)}", ip=a.company.egress[role.account], region=region)
    model = a.rng.choice(a.company.models)
    period = a.rng.choice((300, 600, 900))
    with a.stage("a beacon over the model", "a57", tags=("atlas.aml.t0096", "attack.t1102")):
        for _ in range(a.rng.randrange(14, 40)):
            body = ids.hexes(a.rng, a.rng.randrange(120, 400))
            a.converse(who, bedrock.converse(model, body, ids.hexes(a.rng, 60)), region=region, after=(period * 0.97, period * 1.03))
    with a.stage("the workload looks around", "s1", tags=("attack.t1580",)):
        moves.whoami(a, who)
        for name in a.rng.sample(("ListUsers", "ListRoles", "ListAccessKeys"), 2):
            a.aws(who, "iam", name, error=("AccessDenied", "not authorized") if a.rng.random() < 0.6 else None)
        moves.aws_secrets(a, who, least=1)
    with a.stage("data leaves", "s2", tags=("attack.t1567",)):
        for number in range(a.rng.randrange(8, 40)):
            a.s3(who, "GetObject", a.company.buckets["reports"], f"finance/{number}.xlsx", size=a.rng.randrange(10**4, 10**7))


CAMPAIGN = Campaign("A workload is commanded over a model's interface", play, paces=("fast",))
