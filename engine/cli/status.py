"""`crosswind status`: how a configured crosswind is doing."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    table = "table"
    json = "json"


def status(
    config: Annotated[Path | None, typer.Option("--config", "-c", metavar="FILE", help="Default: $CROSSWIND_CONFIG, else crosswind.toml.")] = None,
    silent_after: Annotated[
        str, typer.Option("--silent-after", metavar="TIME", help="How long beyond its lateness a source may be without events, such as -24h.")
    ] = "-24h",
    format: Annotated[Format | None, typer.Option("--format", help="Lines on a terminal, JSON when piped.")] = None,  # noqa: A002
) -> int:
    """Show sources, runs, what waits for sinks, rules that cannot fire and disk use. Exits with 3 when something needs attention."""
    import os

    from engine.cli.times import parse_time
    from engine.config import load_config
    from engine.pipeline.watch.status import status as look
    from engine.report.status import write_status

    now = datetime.now(UTC)
    found = look(load_config(config, os.environ), now, silent=now - parse_time(silent_after, now))
    write_status(found, sys.stdout, as_json=format is Format.json or (format is None and not sys.stdout.isatty()))
    return found.exit_code
