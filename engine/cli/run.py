"""`crosswind run`: what is new in the configured sources, once."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.options import Engine, EngineWord, Master, ShipCode, SparkConf
from engine.errors import UsageError


def run(
    config: Annotated[Path | None, typer.Option("--config", "-c", metavar="FILE", help="Default: $CROSSWIND_CONFIG, else crosswind.toml.")] = None,
    sources: Annotated[
        list[str] | None, typer.Option("--source", help="Only this configured source; with --backfill, read it again. May be repeated.")
    ] = None,
    backfill: Annotated[
        bool, typer.Option("--backfill", help="Look again between --from and --to: all rules at stored events, or at --source anew.")
    ] = False,
    start: Annotated[str | None, typer.Option("--from", metavar="TIME", help="With --backfill: events at or after.")] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="With --backfill: events before.")] = None,
    no_deliver: Annotated[bool, typer.Option("--no-deliver", help="Leave new alerts in the outbox.")] = False,
    summary: Annotated[Path | None, typer.Option("--summary", metavar="FILE", help="Write the account of the run as JSON.")] = None,
    engine: Engine = EngineWord.local,
    master: Master = None,
    spark_conf: SparkConf = None,
    ship_code: ShipCode = False,
) -> int:
    """Collect what is new, run the rules, store events and alerts, and deliver alerts.

    Reads crosswind.toml. Every record is taken once, however often and wherever a run was cut off: the next one finishes what the last one began.
    """
    import json
    import os

    from engine.cli.opened import opened_runner
    from engine.cli.times import parse_time
    from engine.config import load_config
    from engine.documents.destination import check_outputs, open_output
    from engine.pipeline.watch.scheduled import Backfill
    from engine.pipeline.watch.scheduled import run as work
    from engine.report.batches import exit_code, print_run, to_json

    now = datetime.now(UTC)
    if (start or end) and not backfill:
        raise UsageError("--from and --to go with --backfill")
    check_outputs(summary=summary)
    again = Backfill(parse_time(start, now) if start else None, parse_time(end, now) if end else None) if backfill else None
    settings = load_config(config, os.environ)
    jobs = settings.jobs_threads if master is None else None
    with opened_runner(engine, jobs, master, spark_conf, ship_code) as runner:
        found = work(settings, lambda: datetime.now(UTC), only=sources or (), backfill=again, deliver=not no_deliver, runner=runner)
    print_run(found, sys.stderr)
    if summary is not None:
        with open_output(summary) as stream:
            stream.write(json.dumps(to_json(found), indent=2, ensure_ascii=False) + "\n")
    return exit_code(found)
