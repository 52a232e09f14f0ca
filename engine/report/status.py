"""How a configured crosswind is doing, for people and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import TextIO

from engine.documents.escaping import safe_json, safe_text
from engine.documents.redaction import redact_text
from engine.store.pruning import AWAY

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Source:
    """A configured source, and when it was last looked through."""

    name: str
    path: tuple[str, ...]
    collected: datetime | None


@dataclass(frozen=True, slots=True)
class RemovedSource:
    """A source that was taken out of the configuration: how many of its objects are remembered, and until when (None: no run knows of it yet)."""

    name: str
    objects: int
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Logs:
    """The logs of one kind: the greatest event time, the time before which nothing more is expected, and how late events may be."""

    source: str
    latest: datetime
    watermark: datetime
    lateness: timedelta


@dataclass(frozen=True, slots=True)
class RunStatus:
    """A run that ended."""

    finished: datetime
    batch: int | None
    outcome: str
    errors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlanStatus:
    """A batch that is planned and not done."""

    batch: int
    created: datetime
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outbox:
    """What waits for a sink, since when, how much of that was tried in vain, and what was refused for good."""

    sink: str
    waiting: int = 0
    oldest: datetime | None = None
    failing: int = 0
    dead: int = 0


@dataclass(frozen=True, slots=True)
class Unable:
    """A rule that cannot fire on what was seen so far."""

    uid: str
    title: str
    reason: str


@dataclass(slots=True)
class Status:
    """Everything together.

    ``incidents``: how many stand that nobody has closed, by level. ``attention``: sentences on what somebody should look at.
    """

    now: datetime
    sources: list[Source]
    logs: list[Logs]
    runs: list[RunStatus]
    plan: PlanStatus | None
    outbox: list[Outbox]
    unable: list[Unable]
    lake_bytes: int
    state_bytes: int | None
    incidents: dict[str, int] = field(default_factory=dict)
    attention: list[str] = field(default_factory=list)
    removed: list[RemovedSource] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """3 where something needs attention, else 0."""
        return 3 if self.attention else 0


def write_status(status: Status, stream: TextIO, *, as_json: bool) -> None:
    """Write ``status``: one JSON object, or lines for people."""
    if as_json:
        document = asdict(status) | {"logs": [asdict(each) | {"lag_seconds": (status.now - each.latest).total_seconds()} for each in status.logs]}
        stream.write(safe_json(redact_text(json.dumps(document, default=_plain, ensure_ascii=False))) + "\n")
        return
    stream.writelines(f"{safe_text(redact_text(line))}\n" for line in _lines(status))


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return value.total_seconds() if isinstance(value, timedelta) else str(value)


def _lines(status: Status) -> Iterator[str]:
    for source in status.sources:
        yield f"source    {source.name:<24} {'never looked through' if source.collected is None else f'looked through {_time(source.collected)}'}"
    for each in status.removed:
        until = f"until {AWAY.days} days after the next run" if each.until is None else f"until {_time(each.until)}"
        yield f"removed   {each.name:<24} configured no more; {each.objects:,} objects are remembered {until}"
    for logs in status.logs:
        yield f"logs      {logs.source:<24} up to {_time(logs.latest)}, complete up to {_time(logs.watermark)}"
    for run in status.runs[:SHOWN]:
        what = "nothing new" if run.batch is None else f"batch {run.batch}"
        more = f"; {len(run.errors):,} failures, such as {run.errors[0]}" if run.errors else ""
        yield f"run       {_time(run.finished):<24} {run.outcome}, {what if run.outcome == 'done' else 'no batch closed'}{more}"
    if status.plan is not None:
        yield f"planned   batch {status.plan.batch} of {', '.join(status.plan.sources) or 'stored events'} at {_time(status.plan.created)}"
    told = ", ".join(f"{count:,} {level}" for level, count in status.incidents.items())
    yield f"incidents {f'{told} stand open' if told else 'none stands open'}"
    for sink in status.outbox:
        since = f" since {_time(sink.oldest)}" if sink.oldest is not None else ""
        yield f"sink      {sink.sink:<24} {sink.waiting:,} deliveries wait{since}, {sink.dead:,} refused for good"
    if status.unable:
        shown = ", ".join(rule.title for rule in status.unable[:SHOWN])
        yield f"rules     {len(status.unable):,} cannot fire on the logs seen so far: {shown}{', …' if len(status.unable) > SHOWN else ''}"
    state = "" if status.state_bytes is None else f", state {status.state_bytes / 1e6:,.1f} MB"
    yield f"disk      lake {status.lake_bytes / 1e6:,.1f} MB{state}"
    for sentence in status.attention:
        yield f"ATTENTION {sentence}"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}Z"
