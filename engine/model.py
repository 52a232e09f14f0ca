"""The things crosswind speaks about, as frozen values: no behaviour beyond reading them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any


class Level(IntEnum):
    """Sigma's levels in rising order; the name in lower case is Sigma's word."""

    INFORMATIONAL = 1
    LOW = 2
    MEDIUM = 3
    HIGH = 4
    CRITICAL = 5

    @classmethod
    def of(cls, word: str) -> Level:
        """The level Sigma calls ``word``. Raises KeyError for a word that is not a level."""
        return cls[word.upper()]

    @property
    def word(self) -> str:
        return self.name.lower()


class State(StrEnum):
    """What became of an alert."""

    LIVE = "live"
    OPEN = "open"
    SUPERSEDED = "superseded"
    RETRACTED = "retracted"


class AlertKind(StrEnum):
    """What kind of document raised the alert."""

    RULE = "rule"
    CORRELATION = "correlation"
    ANALYTIC = "analytic"


@dataclass(frozen=True, slots=True)
class Entity:
    """A typed identifier seen in an event: user, credential, session, ip, account, resource, model, user_agent, email."""

    type: str
    value: str


@dataclass(frozen=True, slots=True)
class CloudAccount:
    """A provider (AWS, Azure, GCP, or another name) and the account, subscription or project there."""

    provider: str | None
    account: str | None


@dataclass(frozen=True, slots=True)
class RuleRef:
    """What an alert keeps of the document that raised it."""

    uid: str
    title: str
    level: str
    tags: tuple[str, ...] = ()
    path: str | None = None
    description: str | None = None
    references: tuple[str, ...] = ()
    falsepositives: tuple[str, ...] = ()
    author: str | None = None
    content_hash: str | None = None
    response: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EventRef:
    """Where one event of an alert can be found, and what it did. ``uid`` is x.uid; ``position`` counts records of the object from 0."""

    uid: str
    time: datetime
    source: str
    object: str
    position: int
    operation: str | None = None


@dataclass(frozen=True, slots=True)
class Contribution:
    """A rule whose hits are evidence of a correlation's alert, and how many events it brought."""

    uid: str
    title: str
    events: int


@dataclass(frozen=True, slots=True)
class Alert:
    """What one rule or correlation says about one group of hits.

    ``events`` are the first 20 by (time, uid), ``event_uids`` the first 1,000, ``count`` all of them. ``group`` are the group-by names and values.
    ``evidence`` is the normalised first event (common columns without nulls, raw_data included), before redaction. ``contributions``: of a
    correlation, the rules its evidence comes from.
    """

    uid: str
    state: State
    kind: AlertKind
    rule: RuleRef
    level: Level
    first_time: datetime
    last_time: datetime
    count: int
    sources: tuple[str, ...]
    cloud: tuple[CloudAccount, ...]
    entities: tuple[Entity, ...]
    events: tuple[EventRef, ...]
    event_uids: tuple[str, ...]
    reason: str
    group: tuple[tuple[str, str], ...] = ()
    evidence: dict[str, Any] = field(default_factory=dict)
    contributions: tuple[Contribution, ...] = ()


@dataclass(frozen=True, slots=True)
class Skip:
    """An object, or records of one, that is no log of a known source: counted with its reason, never silently dropped."""

    object: str
    reason: str
    count: int = 1
    position: int | None = None


@dataclass(frozen=True, slots=True)
class Reject:
    """A record, or a whole object (``position`` None), that should have been readable and was not."""

    object: str
    reason: str
    position: int | None = None


@dataclass(frozen=True, slots=True)
class RuleStatus:
    """One loaded document and what became of it in a run: ``ran``, ``failed`` or ``cannot_fire``, with the reason for the last two."""

    uid: str
    title: str
    level: str
    path: str | None
    outcome: str
    reason: str | None = None
    hits: int = 0
    alerts: int = 0


@dataclass(frozen=True, slots=True)
class SourceCount:
    """Events of one source in a run, with the span of their times."""

    source: str
    events: int
    first_time: datetime | None
    last_time: datetime | None


@dataclass(frozen=True, slots=True)
class RunReport:
    """The honest account of one run.

    records = events + duplicates + conflicts + skipped + out_of_range + rejected, in records; ``skips`` and ``rejects`` name objects as well, which
    hold no countable records and stand in ``objects_skipped`` and ``objects_failed``. ``failures`` are one-line messages of everything that failed.
    """

    objects: int = 0
    objects_skipped: int = 0
    objects_failed: int = 0
    bytes_read: int = 0
    bytes_decompressed: int = 0
    records: int = 0
    events: int = 0
    duplicates: int = 0
    conflicts: int = 0
    skipped: int = 0
    out_of_range: int = 0
    rejected: int = 0
    flagged: int = 0
    hits: int = 0
    alerts: int = 0
    alerts_by_level: tuple[tuple[str, int], ...] = ()
    sources: tuple[SourceCount, ...] = ()
    rules: tuple[RuleStatus, ...] = ()
    skips: tuple[Skip, ...] = ()
    rejects: tuple[Reject, ...] = ()
    failures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    seconds_loading: float = 0.0
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class CorrelationAlert:
    """What a correlation says about events in memory.

    ``rule`` is its uid, ``group`` the group-by names and values as in the earliest event, ``events`` the indices of all events that contributed,
    by (time, index).
    """

    uid: str
    rule: str
    title: str
    group: dict[str, str]
    first_time: datetime
    last_time: datetime
    events: tuple[int, ...]
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What `engine.evaluate` returns.

    ``hits`` are (rule uid, index of the event) ordered by (index, rule uid); ``alerts`` is what correlations say, by (first_time, uid); ``errors``
    are the rules that were refused, as (title or path, reason).
    """

    hits: list[tuple[str, int]]
    alerts: list[CorrelationAlert]
    errors: list[tuple[str, str]]
