"""The nightly backup copies objects to the vault account and prunes old ones."""

from __future__ import annotations

from engine.simulate.act import Act, Campaign
from engine.simulate.native.aws import service


def play(a: Act) -> None:
    role = a.task()
    host = service("ecs-tasks.amazonaws.com", role.account)
    who = a.session(host, role, "backup", ip=a.company.egress[role.account])
    bucket, vault = a.company.buckets["backups"], f"vault-{a.company.accounts[-1]}"
    with a.stage("objects are copied to the vault account and old ones removed"):
        for number in range(a.rng.randrange(20, 60)):
            a.s3(who, "CopyObject", vault, f"daily/{number}.tar", source=f"{bucket}/daily/{number}.tar")
        for number in range(a.rng.randrange(12, 30)):
            a.s3(who, "DeleteObject", bucket, f"old/{number}.tar")


CAMPAIGN = Campaign("Backups are copied to the vault and pruned", play, paces=("fast",), attack=False)
