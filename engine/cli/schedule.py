"""`crosswind schedule`: the jobs of the configuration, when they are due."""

from __future__ import annotations

import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer


def schedule(
    config: Annotated[Path | None, typer.Option("--config", "-c", metavar="FILE", help="Default: $CROSSWIND_CONFIG, else crosswind.toml.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Run every job now, one after another, and exit.")] = False,
    show: Annotated[bool, typer.Option("--list", help="List the jobs, when each is due next and how its last run ended; run none.")] = False,
    metrics_port: Annotated[
        str | None,
        typer.Option(
            "--metrics-port", metavar="[ADDRESS:]PORT", help="Serve /metrics and /healthz on this machine (127.0.0.1, or another of its own)."
        ),
    ] = None,
    begun_by: Annotated[int | None, typer.Option("--begun-by", hidden=True, help="This is the process of a job of that scheduler.")] = None,
    words: Annotated[list[str] | None, typer.Argument(hidden=True, help="The command of the job.")] = None,
) -> int:
    """Run the jobs of crosswind.toml when they are due, until SIGTERM or Ctrl-C.

    Several schedulers may share one state: each run of a job is begun by one of them, and taken over by another when that one is killed.
    """
    from engine.errors import UsageError

    if begun_by is not None:
        return _job(begun_by, words or [])
    if words:
        raise UsageError(f"schedule takes no words such as {words[0]!r}: its jobs stand in crosswind.toml as [job.NAME]")
    if ((once or show) and metrics_port is not None) or (once and show):
        raise UsageError("--once, --list and --metrics-port exclude each other")
    from engine.config import load_config

    settings = load_config(config, os.environ)
    if show:
        return _list(settings)
    from engine.pipeline.watch import serve
    from engine.schedule.logs import logger

    if once:
        return 0 if serve.schedule_once(settings, logger()) else 3
    serve.schedule(settings, logger(), metrics_at=metrics_port)
    return 0


def _list(settings: Any) -> int:
    from engine.documents.destination import open_output
    from engine.pipeline.watch.serve import upcoming
    from engine.report.job_list import print_jobs

    found = upcoming(settings)
    with open_output(None) as stream:
        if stream.isatty():
            print_jobs(found, stream)
            return 0
        for each in found:
            document = {
                "job": each.job.name,
                "command": list(each.job.command),
                "next": _moment(each.next),
                "last": _moment(each.last),
                "outcome": each.outcome,
            }
            stream.write(json.dumps(document, ensure_ascii=False) + "\n")
    return 0


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _job(scheduler: int, words: list[str]) -> int:
    """Be the process of a job: end when the scheduler does, and tell it whether another try may help."""
    from engine.cli.app import app
    from engine.documents.escaping import safe_text
    from engine.errors import CrosswindError
    from engine.schedule.child import TRY_AGAIN, tie

    tie(scheduler)
    try:
        code = app(words, standalone_mode=False)
    except CrosswindError as error:
        if not error.transient:
            raise
        sys.stderr.write(f"crosswind: {safe_text(str(error))}\n")
        return TRY_AGAIN
    return code if isinstance(code, int) else 0
