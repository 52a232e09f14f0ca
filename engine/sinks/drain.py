"""The outbox is drained: documents are made of the latest states, sent, and what became of them is recorded."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from engine.documents.delivered import Stored, to_delivered
from engine.documents.delivered_incident import Stored as StoredIncident
from engine.documents.delivered_incident import incident_to_delivered
from engine.model import Level, State
from engine.sinks.base import Delivery, Outcome, Sent, Sink, told
from engine.sinks.retrying import never

PAGE = 1000
"""So many rows are read, sent and recorded at a time."""


class Before(Protocol):
    """What the sink was last told about an alert."""

    @property
    def level(self) -> Level: ...
    @property
    def state(self) -> State: ...


class Row(Protocol):
    """One alert or incident that a sink has to be told of, as it stands now. ``before`` is None where the sink never heard of it."""

    @property
    def id(self) -> int: ...
    @property
    def stored(self) -> Stored | StoredIncident: ...
    @property
    def before(self) -> Before | None: ...


class Outbox(Protocol):
    """What has to be delivered: rows by rising id, one a thing; what failed stays until it is delivered or dead. `State` is one."""

    def outbox(self, sink: str, limit: int, after: int = 0) -> Sequence[Row]:
        """The next rows of ``sink`` behind the id ``after``."""
        ...

    def delivered(self, sink: str, ids: Collection[int], now: datetime) -> None:
        """These rows are done, as they were when they were read."""
        ...

    def failed(self, sink: str, failures: Sequence[tuple[int, str]], *, dead: bool, now: datetime) -> None:
        """These (id, reason) were not taken: another run tries again, or they become dead letters."""
        ...


@dataclass(slots=True)
class Drained:
    """What became of the outbox of one sink. ``stopped`` is why the rest was left where it is."""

    sink: str
    delivered: int = 0
    retry: int = 0
    dead: int = 0
    reason: str | None = None
    stopped: str | None = None

    @property
    def failed(self) -> bool:
        return bool(self.retry or self.dead or self.stopped)


def drain(
    outbox: Outbox,
    sinks: Iterable[Sink],
    now: datetime,
    limit: int | None = None,
    *,
    show_content: bool = False,
    stopped: Callable[[], bool] = never,
) -> tuple[Drained, ...]:
    """Send what is in the outbox, sink by sink, at most ``limit`` rows each. What one sink fails to take keeps no other from its own.

    Once ``stopped`` says so, nothing more is sent; the rest waits.
    """
    return tuple(_drain(outbox, sink, now, limit, show_content, stopped) for sink in sinks)


def _drain(outbox: Outbox, sink: Sink, now: datetime, limit: int | None, show_content: bool, stopped: Callable[[], bool]) -> Drained:
    report = Drained(sink.name)
    for rows in _pages(outbox, sink.name, limit):
        if stopped():
            report.stopped = "interrupted"
            break
        deliveries: list[Delivery] = []
        unmade: list[tuple[int, str]] = []
        for row in rows:
            try:
                deliveries.append(_delivery(row, sink, show_content))
            except Exception as error:  # noqa: BLE001 one thing of which no document can be made must not keep the others back
                unmade.append((row.id, told(f"no document could be made: {type(error).__name__}: {error}")))
        outcome = sink.send(deliveries, now, stopped) if deliveries else Outcome()
        outcome.dead += unmade
        _record(outbox, report, outcome, now)
        if outcome.stopped is not None:
            report.stopped = str(outcome.stopped)
            break
    return report


def _pages(outbox: Outbox, sink: str, limit: int | None) -> Iterator[Sequence[Row]]:
    after, left = 0, limit
    while left is None or left > 0:
        rows = outbox.outbox(sink, PAGE if left is None else min(PAGE, left), after)
        if not rows:
            return
        yield rows
        after = rows[-1].id
        left = None if left is None else left - len(rows)


def _delivery(row: Row, sink: Sink, show_content: bool) -> Delivery:
    stored = row.stored
    previous = None if row.before is None else Sent(row.before.level, row.before.state)
    if isinstance(stored, StoredIncident):
        incident = stored.incident
        document = incident_to_delivered(stored, sink.layout, show_content=show_content)
        return Delivery(row.id, incident.uid, stored.revision, document, incident.level, stored.state, previous, incident=True)
    alert = stored.alert
    document = to_delivered(stored, sink.layout, show_content=show_content)
    return Delivery(row.id, alert.uid, stored.revision, document, alert.level, alert.state, previous)


def _record(outbox: Outbox, report: Drained, outcome: Outcome, now: datetime) -> None:
    if outcome.delivered:
        outbox.delivered(report.sink, outcome.delivered, now)
    for failures, dead in ((outcome.retry, False), (outcome.dead, True)):
        if failures:
            outbox.failed(report.sink, failures, dead=dead, now=now)
            report.reason = failures[-1][1]
    report.delivered += len(outcome.delivered)
    report.retry += len(outcome.retry)
    report.dead += len(outcome.dead)
