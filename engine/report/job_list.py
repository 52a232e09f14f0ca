"""Jobs for people: what runs when, and how it went."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from engine.config import JobConfig
from engine.config.kinds import duration_text
from engine.documents.escaping import safe_text


class Upcoming(Protocol):
    """A job with its next and its last run."""

    @property
    def job(self) -> JobConfig: ...
    @property
    def next(self) -> datetime: ...
    @property
    def last(self) -> datetime | None: ...
    @property
    def outcome(self) -> str | None: ...


def print_jobs(jobs: Sequence[Upcoming], stream: TextIO) -> None:
    """One line a job."""
    table = Table(box=None, pad_edge=False)
    for name in ("job", "command", "when", "next", "last", "outcome"):
        table.add_column(name)
    for each in jobs:
        job = each.job
        when = f"every {duration_text(job.every)}" if job.every is not None else f"{job.cron} {job.timezone}"
        values = (job.name, " ".join(job.command), when, _moment(each.next), _moment(each.last), each.outcome or "")
        table.add_row(*(Text(safe_text(value)) for value in values))
    Console(file=stream, highlight=False).print(table)


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}Z" if moment else ""
