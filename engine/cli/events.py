"""`crosswind events`: see what crosswind understood."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from engine.errors import SinkError


class Format(StrEnum):
    table = "table"
    ndjson = "ndjson"
    csv = "csv"
    parquet = "parquet"


def events(
    paths: Annotated[list[str], typer.Argument(metavar="PATH…", help="Files, directories or globs with raw logs; `-` reads standard input.")],
    source: Annotated[str | None, typer.Option("--source", help="Show one source alone; `crosswind sources` lists them.")] = None,
    columns: Annotated[
        str | None, typer.Option("--columns", metavar="A,B", help="Columns to show, comma separated. Default: all that hold a value.")
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Stop after this many events.")] = None,
    start: Annotated[str | None, typer.Option("--from", metavar="TIME", help="Events at or after: `2026-03-01T08:00:00Z`, `-24h`, `7d`.")] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Events before.")] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Add the record itself as raw_data.")] = False,
    show_content: Annotated[bool, typer.Option("--show-content", help="Do not redact prompts, completions and credentials.")] = False,
    format: Annotated[Format | None, typer.Option("--format", help="A table on a terminal, NDJSON when piped.")] = None,  # noqa: A002
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write to this file.")] = None,
) -> int:
    """Show raw logs as normalised events, one row an event.

    Use it to check that your export was understood before you scan it, or to turn any mix of cloud logs into one table. In NDJSON keys are column
    names and empty values are left out.
    """
    from engine.cli.times import parse_time
    from engine.documents.destination import check_outputs, open_output
    from engine.documents.events import write_events
    from engine.pipeline import Settings
    from engine.pipeline import events as run
    from engine.report.summary import exit_code_of, print_summary, with_failure

    now = datetime.now(UTC)
    settings = Settings(now=now, source=source, start=parse_time(start, now) if start else None, end=parse_time(end, now) if end else None)
    chosen = format or (Format.table if output is None and sys.stdout.isatty() else Format.ndjson)
    names = [name.strip() for name in columns.split(",") if name.strip()] if columns else None
    check_outputs(output=output)
    shown = run(paths, settings, columns=names, limit=limit, stdin=sys.stdin.buffer)
    failure = None
    try:
        with open_output(output) as stream:
            write_events(shown.frames, chosen.value, stream, columns=names, raw=raw, show_content=show_content, path=output)
    except SinkError as error:
        failure = str(error)
    report = with_failure(shown.report, failure) if failure else shown.report
    print_summary(report, rules=False)
    return exit_code_of(report)
