"""What goes into the state and comes out of it, as frozen values."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from engine.model import Alert, Incident, Level, State

ALERT = "alert"
"""The kind of thing alerts are, in the outbox and in human state."""
INCIDENT = "incident"
"""The kind of thing incidents are there."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one batch is to read: written before any work, so that a restart repeats exactly it. ``objects`` is JSON text."""

    batch: int
    sources: tuple[str, ...]
    objects: str
    digest: str
    created: datetime
    rules_digest: str


class SeenObject(Protocol):
    """What was taken of an object so far."""

    @property
    def uri(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def size(self) -> int: ...

    @property
    def end(self) -> int: ...

    @property
    def prefix(self) -> str: ...

    @property
    def tail(self) -> str: ...

    @property
    def records(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Ended:
    """An alert that stands no more: superseded (``by`` which alerts) or retracted, and why."""

    uid: str
    state: State
    reason: str
    by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BatchResult:
    """Everything one batch changes in the state.

    ``alerts`` are new, changed or merely found again; ``seen`` has every configured source that was looked through, with the objects to remember;
    ``latest`` the greatest event time of each ``x.source``; ``rule_hashes`` all rules that ran; ``sinks`` who is told of what changed at or above
    ``min_level``, and of what they were told of before. ``incidents`` are all that the standing incidents of ``components`` and the alerts around the
    new ones are now.
    """

    batch: int
    alerts: Sequence[Alert] = ()
    ended: Sequence[Ended] = ()
    seen: Mapping[str, Sequence[SeenObject]] = field(default_factory=dict)
    latest: Mapping[str, datetime] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)
    rule_hashes: Mapping[str, str] = field(default_factory=dict)
    sinks: Sequence[str] = ()
    min_level: Level = Level.INFORMATIONAL
    incidents: Sequence[Incident] = ()
    components: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Committed:
    """What a commit did. ``already``: the batch was done before, and nothing was touched."""

    batch: int
    already: bool = False
    created: int = 0
    changed: int = 0
    ended: int = 0
    unchanged: int = 0
    queued: int = 0
    incidents: IncidentCounts = field(default_factory=lambda: IncidentCounts())


@dataclass(frozen=True, slots=True)
class IncidentCounts:
    """What a commit did to incidents; ``uids`` are those that are new or changed and stand."""

    created: int = 0
    changed: int = 0
    ended: int = 0
    uids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """A remark somebody left."""

    who: str
    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class HumanState:
    """What people made of an alert or an incident: ``status`` open, acknowledged or closed; ``verdict`` true-positive, benign or false-positive."""

    status: str
    assignee: str | None
    verdict: str | None
    reason: str | None
    who: str
    at: datetime
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class HumanChange:
    """One change somebody made; None is what it left alone, an empty text what it took away."""

    who: str
    at: datetime
    status: str | None
    assignee: str | None
    verdict: str | None
    reason: str | None
    note: str | None


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """An alert with what the store knows about it. ``sequence`` is the number of its last change among all changes of alerts."""

    alert: Alert
    revision: int
    sequence: int
    superseded_by: tuple[str, ...]
    why: str | None
    created: datetime
    updated: datetime
    human: HumanState | None


@dataclass(frozen=True, slots=True)
class StoredIncident:
    """An incident with what the store knows about it.

    ``state`` is live, superseded (it is part of ``moved_to`` now) or retracted (its alerts were withdrawn), ``why`` is merged, revised or withdrawn.
    ``follows`` is the incident that people had closed when evidence came that belongs to it, ``followed_by`` the one that such evidence opened.
    """

    incident: Incident
    revision: int
    sequence: int
    state: State
    why: str | None
    moved_to: str | None
    follows: str | None
    followed_by: str | None
    created: datetime
    updated: datetime
    human: HumanState | None


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a sink was last told about an alert or an incident."""

    revision: int
    level: Level
    state: State


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One thing a sink has to be told: the alert or incident as it stands now.

    ``before``: what this sink was told last, None where it never heard of it.
    """

    id: int
    sink: str
    kind: str
    uid: str
    revision: int
    attempts: int
    created: datetime
    stored: StoredAlert | StoredIncident
    before: Delivered | None

    @property
    def first(self) -> bool:
        """Whether the sink hears of it for the first time."""
        return self.before is None

    @property
    def rose(self) -> bool:
        """Whether the level is higher than what the sink was told last."""
        now = self.stored.alert.level if isinstance(self.stored, StoredAlert) else self.stored.incident.level
        return self.before is not None and now > self.before.level


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What a sink's server refused for good, and why."""

    id: int
    sink: str
    kind: str
    uid: str
    revision: int
    attempts: int
    reason: str
    tried: datetime


@dataclass(frozen=True, slots=True)
class Depth:
    """How much waits for a sink, since when, and how much was refused for good."""

    sink: str
    waiting: int
    oldest: datetime | None
    failing: int
    dead: int


@dataclass(frozen=True, slots=True)
class Run:
    """One run that ended: ``outcome`` is a word, ``counts`` its report, ``errors`` what failed in it."""

    id: int
    batch: int | None
    started: datetime
    finished: datetime
    outcome: str
    counts: Mapping[str, Any]
    errors: tuple[str, ...]
