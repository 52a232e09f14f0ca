"""`crosswind identity`: who stands behind a session, key, token or address."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

identity = typer.Typer(no_args_is_help=True, help="Who stands behind a session, key, token or address, and what came from it.")


class Format(StrEnum):
    table = "table"
    json = "json"


@identity.callback()
def group() -> None:
    """Who stands behind a session, key, token or address, and what came from it."""


@identity.command()
def show(
    identifier: Annotated[
        str, typer.Argument(metavar="IDENTIFIER", help="A key id, session, ARN, object id, token id, e-mail address, …, alone or as `type:value`.")
    ],
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="When it acted. Default: the last time anything tells of it.")] = None,
    paths: Annotated[
        list[str] | None, typer.Option("--input", metavar="PATH", help="Read these logs (`-`: standard input) instead of the lake. May be repeated.")
    ] = None,
    source: Annotated[str | None, typer.Option("--source", help="Read events of one source alone; `crosswind sources` lists them.")] = None,
    start: Annotated[str | None, typer.Option("--from", metavar="TIME", help="Read events at or after.")] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Read events before.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many identities, where it names several.")] = 20,
    show_content: Annotated[bool, typer.Option("--show-content", help="Do not redact credentials inside identifiers.")] = False,
    config: Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Configuration file that names the lake.")] = None,
    form: Annotated[Format | None, typer.Option("--format", help="Text, or a line of JSON for each identity. Default: text on a terminal.")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write to this file.")] = None,
) -> int:
    """Show where an identity came from and what came from it, with the event that proves each step.

    Names an identifier several identities, each is shown. Evidence that whoever acted could choose is marked spoofable; it is never strong.
    """
    from engine.cli.times import parse_time
    from engine.documents.destination import check_outputs, open_output
    from engine.pipeline import Settings
    from engine.pipeline.identity import known_of
    from engine.report.identity import write_identities
    from engine.report.summary import exit_code_of, print_summary

    now = datetime.now(UTC)
    settings = Settings(now=now, source=source, start=parse_time(start, now) if start else None, end=parse_time(end, now) if end else None)
    moment = parse_time(at, now) if at else None
    check_outputs(output=output)
    found = known_of(identifier, moment, settings, paths=paths, config=config, stdin=sys.stdin.buffer, limit=limit)
    chosen = form or (Format.table if output is None and sys.stdout.isatty() else Format.json)
    with open_output(output) as stream:
        write_identities(found.accounts, chosen.value, stream, show_content=show_content)
    if found.count > len(found.accounts):
        sys.stderr.write(f"{len(found.accounts):,} of {found.count:,} identities shown; `--limit {found.count}` shows all\n")
    if found.report is None:
        return 0
    print_summary(found.report, rules=False)
    return exit_code_of(found.report)
