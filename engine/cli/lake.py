"""`crosswind lake`: look after the stored events."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from engine.config import Config
    from engine.store.lake import Lake


class Format(StrEnum):
    table = "table"
    json = "json"


lake = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Look after the stored events: what is there, fewer files, nothing older than wanted. Safe beside `crosswind run` and hunts.",
)

ConfigFile = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="The configuration; default `$CROSSWIND_CONFIG`, else `crosswind.toml` here.")
]
Shown = Annotated[Format | None, typer.Option("--format", help="A table on a terminal, JSON when piped.")]


@lake.command()
def status(config: ConfigFile = None, format: Shown = None) -> int:  # noqa: A002
    """Show what each table holds: files, bytes, rows, days, sources, the last batch, and what the directory takes on disk."""
    from engine.store.lake_care import status as look

    _, opened = _open(config)
    _show(look(opened), format)
    return 0


@lake.command()
def compact(config: ConfigFile = None, format: Shown = None) -> int:  # noqa: A002
    """Merge small files and order their rows by actor and operation, so that questions about either read little.

    The files it replaces stay on disk until `crosswind lake vacuum`.
    """
    from engine.store.lake_care import compact as work

    _, opened = _open(config)
    _show(work(opened), format)
    return 0


@lake.command()
def vacuum(
    config: ConfigFile = None,
    hours: Annotated[
        int, typer.Option("--hours", min=1, help="Keep files that were replaced so many hours ago or less: someone may still read them.")
    ] = 24,
    format: Shown = None,  # noqa: A002
) -> int:
    """Delete files that compaction and retention replaced, and what killed runs left behind."""
    from engine.store.lake_care import vacuum as work

    _, opened = _open(config)
    _show(work(opened, grace=timedelta(hours=hours)), format)
    return 0


@lake.command()
def retain(
    days: Annotated[int, typer.Option("--days", min=1, help="Keep events and rejects of so many days.")],
    config: ConfigFile = None,
    hit_days: Annotated[
        int | None, typer.Option("--hit-days", min=1, help="Keep hits of so many days. Default: `hit_retention` under [limits].")
    ] = None,
    format: Shown = None,  # noqa: A002
) -> int:
    """Forget whole days of events, rejects and hits. `crosswind lake vacuum` frees the disk.

    Days are UTC days of event time. Less than the revision horizon is refused: late events could then not revise alerts any more.
    """
    from engine.config.kinds import duration_text
    from engine.errors import UsageError
    from engine.store.lake_care import retain as work

    settings, opened = _open(config)
    day = timedelta(days=1)
    hits = -(-settings.hit_retention // day) if hit_days is None else hit_days
    if min(days, hits) * day < settings.horizon:
        limit = duration_text(settings.horizon)
        raise UsageError(f"{min(days, hits)} days are less than `horizon` under [limits] ({limit}): late events could not revise alerts")
    _show(work(opened, datetime.now(UTC), days=days, hit_days=hits), format)
    return 0


@lake.command()
def renormalize(config: ConfigFile = None, format: Shown = None) -> int:  # noqa: A002
    """Make events again, from their records, that an older version of crosswind's mapping of their source had made.

    Identities stay as they are, and so do hits and alerts. Events that the mapping of today cannot read stay too, and are counted as kept.
    """
    from engine.pipeline.lasting.renormalize import renormalize as work

    _, opened = _open(config)
    _show(work(opened), format)
    return 0


@lake.command()
def verify(config: ConfigFile = None) -> int:
    """Check that every file the lake knows of is there and whole. Names each that is not, and then exits with 3."""
    from engine.documents.escaping import safe_text
    from engine.store.lake_care import verify as look

    _, opened = _open(config)
    wrong = look(opened)
    sys.stdout.write("".join(f"{safe_text(line)}\n" for line in wrong) or "Every file is there and whole.\n")
    return 3 if wrong else 0


def _open(config: Path | None) -> tuple[Config, Lake]:
    from engine.config import load_config
    from engine.store.lake import Lake

    settings = load_config(config, os.environ)
    return settings, Lake.open(settings.lake, create=False)


def _show(rows: Sequence[Any], chosen: Format | None) -> None:
    from engine.report.lake import write_lake

    write_lake(rows, sys.stdout, as_json=chosen is Format.json or (chosen is None and not sys.stdout.isatty()))
