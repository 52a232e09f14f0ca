"""`crosswind simulate`: invented logs with the truth about them."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

DEFAULT_START = "2026-03-02"


def simulate(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where to write: a new or an empty directory.")],
    days: Annotated[int, typer.Option("--days", help="How many days of logs.")] = 7,
    seed: Annotated[int, typer.Option("--seed", help="Equal seeds give equal bytes.")] = 1,
    scale: Annotated[float, typer.Option("--scale", help="How big the company is: 1 is sixty people.")] = 1.0,
    campaigns: Annotated[str, typer.Option("--campaigns", metavar="all|reports|none|d01,r05,…", help="Attack scenarios that are played.")] = "all",
    start: Annotated[str, typer.Option("--start", metavar="DATE", help="First day; it begins at midnight UTC.")] = DEFAULT_START,
) -> int:
    """Write days of invented multi-cloud logs: a company at work, attack campaigns in it, and the truth about every event of them.

    CloudTrail, Bedrock, Entra ID, Azure, GCP, Vertex AI, a model gateway and OpenTelemetry spans come in the files providers deliver, below DIR/logs.
    DIR/truth.json says which events belong to which campaign and stage, who was behind them, and which identities cross clouds. No network, no
    real data: every name, address and key is invented.
    """
    from engine.cli.times import parse_time
    from engine.report.progress import watch
    from engine.simulate.generate import Plan, chosen, generate
    from engine.simulate.summary import account

    begin = parse_time(start, datetime.now(UTC)).replace(hour=0, minute=0, second=0, microsecond=0)
    plan = Plan(days=days, seed=seed, scale=scale, campaigns=chosen(campaigns), start=begin)
    with watch(unit="hours") as progress:
        made = generate(out, plan, progress)
    sys.stdout.write(account(made, out))
    return 0
