"""A restore test reads a whole bucket of weights and writes it back."""

from __future__ import annotations

from engine.simulate.act import Act, Campaign
from engine.simulate.native.aws import service


def play(a: Act) -> None:
    role = a.task()
    who = a.session(service("ecs-tasks.amazonaws.com", role.account), role, "restore-test", ip=a.company.egress[role.account])
    bucket = a.company.buckets["models"]
    with a.stage("weights are read and written back"):
        for number in range(a.rng.randrange(10, 40)):
            a.s3(who, "GetObject", bucket, f"ranker/{number}/model.safetensors", size=10**9)
            a.s3(who, "PutObject", f"{bucket}-restore", f"ranker/{number}/model.safetensors", size=10**9)


CAMPAIGN = Campaign("A restore test reads and writes all weights", play, paces=("fast",), attack=False)
