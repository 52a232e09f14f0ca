"""`crosswind scan`: the product in one command."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.options import Engine, EngineWord, LevelWord, Master, Pipelines, ShipCode, SparkConf, Variables
from engine.errors import SinkError
from engine.model import Level


class Format(StrEnum):
    table = "table"
    ndjson = "ndjson"
    csv = "csv"
    ecs = "ecs"
    ocsf = "ocsf"


def scan(
    paths: Annotated[list[str], typer.Argument(metavar="PATH…", help="Files, directories or globs with raw logs; `-` reads standard input.")],
    rules: Annotated[list[Path] | None, typer.Option("--rules", help="Sigma rules to run as well: a file or a directory. May be repeated.")] = None,
    no_builtin: Annotated[bool, typer.Option("--no-builtin", help="Run only the rules given with --rules.")] = False,
    pipelines: Pipelines = None,
    variables: Variables = None,
    source: Annotated[str | None, typer.Option("--source", help="Look at one source alone; `crosswind sources` lists them.")] = None,
    start: Annotated[str | None, typer.Option("--from", metavar="TIME", help="Events at or after: `2026-03-01T08:00:00Z`, `-24h`, `7d`.")] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Events before.")] = None,
    min_level: Annotated[LevelWord, typer.Option("--min-level", help="Show alerts at or above this level.")] = LevelWord.low,
    format: Annotated[Format | None, typer.Option("--format", help="A table on a terminal, NDJSON when piped or with -o.")] = None,  # noqa: A002
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write alerts to this file.")] = None,
    fail_on: Annotated[LevelWord | None, typer.Option("--fail-on", help="Exit with 1 when an alert at or above this level was found.")] = None,
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", min=1, help="Threads; changes nothing but time. Default: all cores.")] = None,
    incidents: Annotated[
        Path | None, typer.Option("--incidents", metavar="FILE", help="Write incidents as NDJSON; as OCSF with --format ocsf.")
    ] = None,
    packets: Annotated[Path | None, typer.Option("--packets", metavar="DIR", help="Write a packet of each incident as Markdown and JSON.")] = None,
    page: Annotated[Path | None, typer.Option("--report", metavar="FILE", help="Write the incidents as one HTML page to hand on.")] = None,
    summary: Annotated[Path | None, typer.Option("--summary", metavar="FILE", help="Write the account of the run as JSON.")] = None,
    show_content: Annotated[bool, typer.Option("--show-content", help="Do not redact prompts, completions and credentials.")] = False,
    engine: Engine = EngineWord.local,
    master: Master = None,
    spark_conf: SparkConf = None,
    ship_code: ShipCode = False,
) -> int:
    """Find attacks in raw logs.

    Point it at a folder or bucket dump with any mix of CloudTrail, Azure, Entra ID, GCP and AI inference logs, compressed or not. Alerts go to
    standard output or FILE; progress, the account of what was read, what ran and what could not be seen, and the incidents that the alerts amount
    to, worst first, go to standard error.
    """
    from engine.cli.opened import opened_runner
    from engine.cli.times import parse_time
    from engine.documents.destination import check_outputs, open_output
    from engine.pipeline import Settings
    from engine.pipeline import scan as run
    from engine.report.incident_list import print_incidents
    from engine.report.progress import watch
    from engine.report.summary import exit_code, print_summary, with_failure, write_summary
    from engine.sigma.variables import parse as parse_variables

    now = datetime.now(UTC)
    settings = Settings(now=now, source=source, jobs=jobs, start=parse_time(start, now) if start else None, end=parse_time(end, now) if end else None)
    chosen = format or (Format.table if output is None and sys.stdout.isatty() else Format.ndjson)
    check_outputs(output=output, incidents=incidents, report=page, summary=summary)
    with opened_runner(engine, jobs, master, spark_conf, ship_code) as runner, watch() if runner.shares_memory else nullcontext() as progress:
        result = run(
            paths,
            settings,
            rules=rules or (),
            builtin=not no_builtin,
            placeholders=parse_variables(variables or ()),
            pipelines=pipelines or (),
            min_level=Level.of(min_level),
            stdin=sys.stdin.buffer,
            progress=progress,
            runner=runner,
        )
    report = result.report
    try:
        with open_output(output) as stream:
            if chosen is Format.table:
                from engine.report.table import print_alerts

                print_alerts(result.alerts, stream, show_content=show_content)
            else:
                from engine.documents.output import write

                write(result.alerts, chosen.value, stream, show_content=show_content)
        if incidents is not None:
            from engine.documents.incident_output import write_incidents

            write_incidents(result.incidents, result.raised, incidents, ocsf=chosen is Format.ocsf, show_content=show_content)
        if packets is not None:
            from engine.documents.incident_output import write_packets

            write_packets(result.incidents, result.raised, packets, show_content=show_content)
        if page is not None:
            from engine.report.page.write import write_page

            write_page(result.incidents, result.raised, report, now, page, show_content=show_content)
    except SinkError as error:
        report = with_failure(report, str(error))
    if summary is not None:
        try:
            write_summary(report, summary)
        except SinkError as error:
            report = with_failure(report, str(error))
    print_summary(report)
    print_incidents(result.incidents, sys.stderr, least=Level.of(min_level), show_content=show_content, more="--incidents FILE has all")
    return exit_code(result, Level.of(fail_on) if fail_on else None, report)
