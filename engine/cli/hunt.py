"""`crosswind hunt`: ask the lake."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.options import Engine, EngineWord, LevelWord, Master, Pipelines, ShipCode, SparkConf, Variables
from engine.cli.scan import Format as AlertFormat
from engine.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from engine.hunt.session import Answer

hunt = typer.Typer(no_args_is_help=True, help="Ask the stored events: SQL, saved hunts, any Sigma rule, the fields of a source, one event.")


class Format(StrEnum):
    table = "table"
    ndjson = "ndjson"
    csv = "csv"


class PlainFormat(StrEnum):
    table = "table"
    ndjson = "ndjson"


ConfigFile = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Default: $CROSSWIND_CONFIG, or crosswind.toml here.")]
LakeFolder = Annotated[Path | None, typer.Option("--lake", metavar="DIR", help="Ask this lake instead of the configured one; it has no alerts.")]
Start = Annotated[str | None, typer.Option("--from", metavar="TIME", help="Events at or after: `2026-03-01T08:00:00Z`, `-24h`, `30d`.")]
End = Annotated[str | None, typer.Option("--to", metavar="TIME", help="Events before.")]
Limit = Annotated[int, typer.Option("--limit", min=1, help="Most rows.")]
Timeout = Annotated[float, typer.Option("--timeout", min=0.1, metavar="SECONDS", help="Give up after so long.")]
Memory = Annotated[str, typer.Option("--memory", metavar="SIZE", help="Most memory of a query: `2GB`, `500MB`.")]
ShowContent = Annotated[bool, typer.Option("--show-content", help="Do not redact prompts, completions and credentials.")]
RowFormat = Annotated[Format | None, typer.Option("--format", help="A table on a terminal, NDJSON when piped or with -o.")]
Output = Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write to this file.")]


@hunt.command()
def sql(
    query: Annotated[str, typer.Argument(metavar="SELECT", help="One SELECT; `-` reads it from standard input.")],
    config: ConfigFile = None,
    lake: LakeFolder = None,
    start: Start = None,
    end: End = None,
    limit: Limit = 1000,
    timeout: Timeout = 60.0,
    memory: Memory = "2GB",
    show_content: ShowContent = False,
    format: RowFormat = None,  # noqa: A002
    output: Output = None,
) -> int:
    """Ask with SQL (DuckDB's).

    Views: `events`, `hits`, `alerts`, and one a source such as `aws_cloudtrail`. Columns with dots stand in double quotes. `field(raw_data, 'a.b')`
    reads any field of the record, `field_list` all its values. Nothing but the lake can be read, and nothing can be written.
    """
    from engine.hunt.session import Bounds
    from engine.pipeline.hunts.hunting import open_lake

    text = sys.stdin.read() if query == "-" else query
    began, ended = _range(start, end)
    answer = open_lake(lake, config=config).sql(text, start=began, end=ended, bounds=Bounds(limit, timeout, memory))
    return _show(answer, format, output, show_content)


@hunt.command(name="run")
def run_saved(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A saved hunt; `crosswind hunt list` shows them.")],
    params: Annotated[list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="A value it asks for. May be repeated.")] = None,
    config: ConfigFile = None,
    lake: LakeFolder = None,
    start: Start = None,
    end: End = None,
    limit: Limit = 1000,
    timeout: Timeout = 60.0,
    memory: Memory = "2GB",
    show_content: ShowContent = False,
    format: RowFormat = None,  # noqa: A002
    output: Output = None,
) -> int:
    """Run a saved hunt."""
    from datetime import UTC, datetime

    from engine.cli.times import parse_time
    from engine.hunt.saved import hunt_of
    from engine.hunt.session import Bounds
    from engine.pipeline.hunts.hunting import open_lake

    now = datetime.now(UTC)
    began, ended = _range(start, end)
    opened = open_lake(lake, config=config)
    found = hunt_of(opened.hunts(), name)
    given = _pairs(params or ())
    values = found.bound(given, lambda text: parse_time(text, now))
    if found.sql is None:
        result = opened.sigma(f"{found.sigma}\n", now=now, start=began, end=ended)
        return _show_alerts(result, AlertFormat(format.value) if format else None, output, show_content, None)
    answer = opened.sql(found.sql, values, start=began, end=ended, bounds=Bounds(limit, timeout, memory))
    return _show(answer, format, output, show_content, found.pivot)


@hunt.command(name="list")
def list_saved(
    config: ConfigFile = None,
    format: Annotated[PlainFormat | None, typer.Option("--format", help="A table on a terminal, NDJSON when piped.")] = None,  # noqa: A002
) -> int:
    """List the saved hunts."""
    from engine.pipeline.hunts.hunting import saved_hunts
    from engine.report.hunts import write_hunts

    write_hunts(saved_hunts(config).values(), _plain(format), sys.stdout)
    return 0


@hunt.command()
def sigma(
    rule: Annotated[Path, typer.Argument(metavar="RULE.yml", help="A file or directory with rules and correlations.")],
    config: ConfigFile = None,
    lake: LakeFolder = None,
    start: Start = None,
    end: End = None,
    pipelines: Pipelines = None,
    variables: Variables = None,
    min_level: Annotated[LevelWord, typer.Option("--min-level", help="Show alerts at or above this level.")] = LevelWord.informational,
    fail_on: Annotated[LevelWord | None, typer.Option("--fail-on", help="Exit with 1 when an alert at or above this level was found.")] = None,
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", min=1, help="Threads; changes nothing but time. Default: all cores.")] = None,
    show_content: ShowContent = False,
    format: Annotated[AlertFormat | None, typer.Option("--format", help="A table on a terminal, NDJSON when piped or with -o.")] = None,  # noqa: A002
    output: Output = None,
    engine: Engine = EngineWord.local,
    master: Master = None,
    spark_conf: SparkConf = None,
    ship_code: ShipCode = False,
) -> int:
    """Run any Sigma rule or correlation over the stored events, whether it was loaded when they came or not."""
    from datetime import UTC, datetime

    from engine.cli.opened import opened_runner
    from engine.model import Level
    from engine.pipeline.hunts.hunting import open_lake
    from engine.sigma.variables import parse as parse_variables

    began, ended = _range(start, end)
    opened = open_lake(lake, config=config)
    with opened_runner(engine, jobs, master, spark_conf, ship_code) as runner:
        result = opened.sigma(
            rule,
            now=datetime.now(UTC),
            start=began,
            end=ended,
            placeholders=parse_variables(variables or ()),
            pipelines=pipelines or (),
            min_level=Level.of(min_level),
            jobs=jobs,
            runner=runner,
        )
    return _show_alerts(result, format, output, show_content, fail_on)


@hunt.command()
def fields(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A source; `crosswind sources` lists them.")],
    config: ConfigFile = None,
    lake: LakeFolder = None,
    start: Start = None,
    end: End = None,
    show_content: ShowContent = False,
    format: Annotated[PlainFormat | None, typer.Option("--format", help="A table on a terminal, NDJSON when piped.")] = None,  # noqa: A002
) -> int:
    """Show what is there of a source: columns and fields of its records, how full they are and their most frequent values."""
    from engine.pipeline.hunts.events import field_use
    from engine.pipeline.hunts.hunting import open_lake
    from engine.report.hunts import write_fields

    began, ended = _range(start, end)
    total, uses = field_use(open_lake(lake, config=config).lake, source, began, ended, show_content=show_content)
    write_fields(source, total, uses, _plain(format), sys.stdout)
    return 0


@hunt.command()
def show(
    uid: Annotated[str, typer.Argument(metavar="EVENT_UID", help="The x.uid of an event, or how it alone begins.")],
    config: ConfigFile = None,
    lake: LakeFolder = None,
    start: Start = None,
    end: End = None,
    show_content: ShowContent = False,
    format: Annotated[PlainFormat | None, typer.Option("--format", help="Text on a terminal, NDJSON when piped.")] = None,  # noqa: A002
) -> int:
    """Show one event: its record, its columns and where it came from."""
    from engine.pipeline.hunts.events import stored_event
    from engine.pipeline.hunts.hunting import open_lake
    from engine.report.hunts import pivot_line, write_event

    began, ended = _range(start, end)
    found = stored_event(open_lake(lake, config=config).lake, uid, began, ended, show_content=show_content)
    write_event(found.columns, found.record, _plain(format), sys.stdout)
    _tell(pivot_line([{name: value for name, value in found.columns.items() if name not in ("x.uid", "x.source")}]))
    return 0


# --- shared ---------------------------------------------------------------------------------------------------------------------------------------


def _range(start: str | None, end: str | None) -> tuple[datetime | None, datetime | None]:
    from datetime import UTC, datetime

    from engine.cli.times import parse_time

    now = datetime.now(UTC)
    began, ended = parse_time(start, now) if start else None, parse_time(end, now) if end else None
    if began is not None and ended is not None and began >= ended:
        raise UsageError(f"--from {began.isoformat()} is not before --to {ended.isoformat()}")
    return began, ended


def _pairs(params: list[str] | tuple[()]) -> dict[str, str]:
    found: dict[str, str] = {}
    for param in params:
        name, equals, value = param.partition("=")
        if not equals or not name:
            raise UsageError(f"--param {param!r}: write NAME=VALUE")
        found[name.strip()] = value
    return found


def _plain(chosen: PlainFormat | None) -> str:
    return chosen.value if chosen else "table" if sys.stdout.isatty() else "ndjson"


def _tell(line: str | None) -> None:
    if line:
        sys.stderr.write(f"{line}\n")


def _show(answer: Answer, chosen: Format | None, output: Path | None, show_content: bool, pivot: tuple[str, ...] = ()) -> int:
    from engine.documents.destination import check_outputs, open_output
    from engine.documents.rows import may_hold_content, redacted, write_rows
    from engine.report.hunts import pivot_line

    check_outputs(output=output)
    layout = chosen.value if chosen else "table" if output is None and sys.stdout.isatty() else "ndjson"
    content = may_hold_content(answer.sql, answer.reads)
    rows = answer.rows.to_dicts() if show_content else [redacted(row, content=content) for row in answer.rows.iter_rows(named=True)]
    with open_output(output) as stream:
        write_rows(answer.rows.columns, rows, layout, stream)
    more = "; there are more (--limit)" if answer.more else ""
    _tell(f"{len(rows):,} row{'' if len(rows) == 1 else 's'} in {answer.seconds:.1f} s{more}")
    _tell(pivot_line(rows, pivot))
    return 0


def _show_alerts(result: Any, chosen: AlertFormat | None, output: Path | None, show_content: bool, fail_on: LevelWord | None) -> int:
    from engine.documents.destination import check_outputs, open_output
    from engine.documents.output import write
    from engine.model import Level
    from engine.report.hunts import alerts_pivot, told
    from engine.report.table import print_alerts

    check_outputs(output=output)
    layout = chosen or (AlertFormat.table if output is None and sys.stdout.isatty() else AlertFormat.ndjson)
    with open_output(output) as stream:
        if layout is AlertFormat.table:
            print_alerts(result.alerts, stream, show_content=show_content)
        else:
            write(result.alerts, layout.value, stream, show_content=show_content)
    for line in told(result):
        _tell(line)
    _tell(alerts_pivot(result.alerts))
    if result.failures:
        return 3
    return int(fail_on is not None and result.highest is not None and result.highest >= Level.of(fail_on))
