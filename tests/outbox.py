"""Stored alerts, and an outbox in memory that keeps the promises of the state's."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from engine.config import SinkConfig
from engine.config.keys import SINKS
from engine.documents.delivered import Layout, to_delivered
from engine.documents.delivered_incident import incident_to_delivered
from engine.incidents.kernel import Given, incidents
from engine.model import Alert, Level, State
from engine.sinks.base import Delivery, Sent
from engine.store.records import StoredIncident
from tests.alert_samples import SECRET, alert
from tests.incident_samples import RULES
from tests.incident_samples import alert as incident_alert

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def configured(name: str, kind: str, **options: object) -> SinkConfig:
    """A sink's configuration as the file would give it: ``options`` are checked and converted, the others have their defaults."""
    given = {key.name: options.get(key.name, key.default) for key in SINKS[kind]}
    assert set(options) <= set(given)
    return SinkConfig(name, kind, {key.name: key.kind.convert(given[key.name], Path()) for key in SINKS[kind] if given[key.name] is not None})


@dataclass(frozen=True, slots=True)
class Human:
    status: str = "closed"
    verdict: str | None = "benign"
    reason: str | None = "a planned change"
    assignee: str | None = "ana"


@dataclass(frozen=True, slots=True)
class Kept:
    """A stored alert."""

    alert: Alert
    revision: int = 1
    superseded_by: tuple[str, ...] = ()
    why: str | None = None
    created: datetime = NOW - timedelta(hours=1)
    updated: datetime = NOW
    human: Human | None = None


def kept(number: int = 0, revision: int = 1, **changes: Any) -> Kept:
    """The stored alert with this number as uid; ``changes`` are of the alert, or of what the store knows."""
    own = {name: changes.pop(name) for name in ("why", "superseded_by", "human") if name in changes}
    return Kept(alert(uid=f"{number:032x}", **changes), revision, **own)


def delivery(stored: Kept, layout: Layout = Layout.ECS, *, id: int | None = None, previous: Sent | None = None) -> Delivery:  # noqa: A002
    """``stored`` on its way out; its id is its number plus one."""
    number = int(stored.alert.uid, 16) + 1 if id is None else id
    return Delivery(number, stored.alert.uid, stored.revision, to_delivered(stored, layout), stored.alert.level, stored.alert.state, previous)


def deliveries(numbers: Iterable[int], layout: Layout = Layout.ECS, **changes: Any) -> list[Delivery]:
    return [delivery(kept(number, **changes), layout) for number in numbers]


def incident_delivery(number: int, revision: int, layout: Layout = Layout.ECS, *, previous: Sent | None = None, **changes: Any) -> Delivery:
    """An incident with this number as uid on its way out; its id is the number plus one, and a secret stands in its title."""
    (made,) = incidents([incident_alert("a", 1)], Given(RULES))
    named = replace(made, uid=f"{number:032x}", **{"title": f"used {SECRET}", **changes})
    stored = StoredIncident(named, revision, revision, State.LIVE, None, None, None, None, NOW - timedelta(hours=1), NOW, None)
    document = incident_to_delivered(stored, layout)
    return Delivery(number + 1, named.uid, revision, document, named.level, State.LIVE, previous, incident=True)


LIVE = Sent(Level.HIGH, State.LIVE)


@dataclass(frozen=True, slots=True)
class Row:
    id: int
    stored: Kept
    before: Sent | None


class MemoryOutbox:
    """Rows of one sink by id: one an alert, the latest; what was delivered is remembered by uid."""

    def __init__(self, stored: Iterable[Kept] = ()) -> None:
        self.rows: dict[int, Kept] = {}
        self.told: dict[str, Kept] = {}
        self.dead: dict[int, str] = {}
        self.failures: list[tuple[int, str]] = []
        self._last = 0
        for each in stored:
            self.put(each)

    def put(self, stored: Kept) -> int:
        self.rows = {number: each for number, each in self.rows.items() if each.alert.uid != stored.alert.uid}
        self._last += 1
        self.rows[self._last] = stored
        return self._last

    def outbox(self, sink: str, limit: int, after: int = 0) -> Sequence[Row]:
        waiting = [(number, stored) for number, stored in sorted(self.rows.items()) if number > after and number not in self.dead]
        return [Row(number, stored, self._before(stored)) for number, stored in waiting[:limit]]

    def delivered(self, sink: str, ids: Collection[int], now: datetime) -> None:
        for number in ids:
            if number in self.rows:
                stored = self.rows.pop(number)
                self.told[stored.alert.uid] = stored

    def failed(self, sink: str, failures: Sequence[tuple[int, str]], *, dead: bool, now: datetime) -> None:
        self.failures += failures
        if dead:
            self.dead.update(failures)

    def replay(self) -> None:
        self.dead.clear()

    def _before(self, stored: Kept) -> Sent | None:
        told = self.told.get(stored.alert.uid)
        return None if told is None else Sent(told.alert.level, told.alert.state)


def grown(stored: Kept, **changes: Any) -> Kept:
    """The next revision of ``stored``."""
    return replace(stored, revision=stored.revision + 1, alert=replace(stored.alert, **changes))
