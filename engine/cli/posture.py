"""`crosswind posture`: what is known of assets, and since when."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.options import Configured, Form


def posture(
    asset: Annotated[str | None, typer.Argument(metavar="[ASSET]", help="Only this asset, or those whose name holds this text.")] = None,
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="What was known then. Default: at the end of what is told.")] = None,
    paths: Annotated[
        list[str] | None, typer.Option("--input", metavar="PATH", help="Read these logs (`-`: standard input) instead of the lake. May be repeated.")
    ] = None,
    source: Annotated[str | None, typer.Option("--source", help="What one source tells alone; `crosswind sources` lists them.")] = None,
    start: Annotated[str | None, typer.Option("--from", metavar="TIME", help="What events at or after tell.")] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="What events before tell.")] = None,
    show_content: Annotated[bool, typer.Option("--show-content", help="Do not redact credentials inside names and values.")] = False,
    config: Configured = None,
    form: Form = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write to this file.")] = None,
) -> int:
    """Show what is known of assets: logging of AI, guardrails, buckets, keys, trust, exposure, each with the event that proves it.

    What no event told is named, with the log that would tell it. A value that may have changed since is stale.
    """
    from engine.cli.options import chosen_form
    from engine.cli.times import parse_time
    from engine.documents.destination import check_outputs, open_output
    from engine.pipeline import Settings
    from engine.pipeline.posture import posture_of
    from engine.report.posture import write_posture
    from engine.report.summary import exit_code_of, print_summary

    now = datetime.now(UTC)
    settings = Settings(now=now, source=source, start=parse_time(start, now) if start else None, end=parse_time(end, now) if end else None)
    moment = parse_time(at, now) if at else None
    check_outputs(output=output)
    found = posture_of(asset, moment, settings, paths=paths, config=config, stdin=sys.stdin.buffer)
    chosen = form.value if form else "ndjson" if output else chosen_form(None)
    with open_output(output) as stream:
        write_posture(found.known, found.unseen, chosen, stream, show_content=show_content)
    if found.report is None:
        return 0
    print_summary(found.report, rules=False)
    return exit_code_of(found.report)
