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
class Origin:
    """Who stands behind events of an alert: an entity (`engine.identity.entities`), how strong the evidence is, whether whoever acted chose some of
    it, and whether it led to different identities, so that this is the last sure one. `identity show` has the proof.
    """

    uid: str
    strength: str
    spoofable: bool = False
    contested: bool = False


@dataclass(frozen=True, slots=True)
class Alert:
    """What one rule or correlation says about one group of hits.

    ``events`` are the first 20 by (time, uid), ``event_uids`` the first 1,000, ``count`` all of them. ``group`` are the group-by names and values.
    ``evidence`` is the normalised first event (common columns without nulls, raw_data included), before redaction. ``contributions``: of a
    correlation, the rules its evidence comes from. ``principals``: who stands behind ``event_uids``, the first 10 by uid.
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
    principals: tuple[Origin, ...] = ()


class Strength(StrEnum):
    """How much a join proves: ``strong`` one credential, session or chain; ``medium`` one principal or target; ``weak`` a likeness."""

    STRONG = "strong"
    MEDIUM = "medium"
    WEAK = "weak"


@dataclass(frozen=True, slots=True)
class Join:
    """Why two alerts belong together.

    ``a`` and ``b`` are alert uids, ``a`` the earlier. ``reason`` is a word of the vocabulary of Microsoft Defender: ``sameActor``,
    ``eventSequence``, ``sameTargetedAsset``, ``sharedIndicators``. ``key`` is the entity they share (``type:value``), ``evidence`` the uids of the
    events that prove it.
    """

    a: str
    b: str
    reason: str
    strength: Strength
    key: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Factor:
    """One step of a score.

    ``name``: ``alert`` (``value`` its risk, ``points`` what its rank leaves of it, ``about`` its uid), ``rest`` (the alerts beyond the first 100, as
    one), ``combined``, then what multiplies: ``tactics``, ``clouds``, ``trust``, last ``cap``; there ``points`` is the score after the step.
    ``why`` has every number that went in.
    """

    name: str
    value: float
    points: float
    why: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Principal:
    """The person or workload behind an incident: entity text, how well it is proven, and the uids of the events that prove it."""

    entity: str
    strength: Strength
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TacticStep:
    """The first time an incident shows a tactic: ATT&CK's word for it (``credential-access``), and the uid of the alert that showed it."""

    tactic: str
    time: datetime
    alert: str


@dataclass(frozen=True, slots=True)
class Blast:
    """What was touched: entity texts, sorted, at most 100 of each; ``left_out`` counts those beyond.

    ``data`` are the stores of data and secrets among what was read or written.
    """

    read: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class NextHunt:
    """A saved hunt worth running next, with its parameters, and why."""

    name: str
    parameters: tuple[tuple[str, str], ...]
    why: str


@dataclass(frozen=True, slots=True)
class Containment:
    """A command to copy, never run by crosswind: where, what it does, and its text with every value quoted for a shell."""

    provider: str
    what: str
    command: str


@dataclass(frozen=True, slots=True)
class Held:
    """How many alerts of an incident hang together, in its largest part, by ``strong`` joins alone and by strong and ``medium`` ones; 0 where nobody
    counted.
    """

    strong: int = 0
    medium: int = 0


@dataclass(frozen=True, slots=True)
class Incident:
    """Alerts that belong together, and why: a pure function of the alerts, the identity edges and the facts.

    ``uid`` is made of the earliest alert and its strongest key. ``score`` is 0 to 100, rebuilt by hand from ``factors``; ``level`` follows from it.
    ``principals`` are who acted, best proven first. ``tactics`` stand in order of time. ``alert_uids`` are all members by (first_time, uid),
    ``event_uids`` the first 1,000 of their events, ``events`` how many those alerts count. ``joins`` are what holds the alerts together, at most
    1,000, strongest first; ``joins_total`` counts all. ``confidence`` is the strength of the joins that hold three quarters of its alerts
    together when weaker ones are left out, strong for a single alert; ``held`` has the numbers. ``responsibility``: who must act, of saas, paas
    and iaas. ``continues`` is the incident before it that was cut off for length, ``continued_by`` the one after it. ``notes`` are sentences on
    what was left out of joining, and why. ``status`` is what people made of it; the kernel leaves it ``open``. ``component`` names everything
    that hangs together over any join, pieces of it and what was kept apart among them, by the uid of its earliest alert: incidents of one
    component are to be worked out together.
    """

    uid: str
    level: Level
    score: float
    title: str
    first_time: datetime
    last_time: datetime
    confidence: Strength
    principals: tuple[Principal, ...]
    clouds: tuple[CloudAccount, ...]
    sources: tuple[str, ...]
    tactics: tuple[TacticStep, ...]
    alert_uids: tuple[str, ...]
    event_uids: tuple[str, ...]
    events: int
    joins: tuple[Join, ...]
    joins_total: int
    factors: tuple[Factor, ...]
    blast: Blast
    responsibility: tuple[str, ...] = ()
    next_hunts: tuple[NextHunt, ...] = ()
    containment: tuple[Containment, ...] = ()
    continues: str | None = None
    continued_by: str | None = None
    notes: tuple[str, ...] = ()
    status: str = "open"
    component: str = ""
    held: Held = Held()


@dataclass(frozen=True, slots=True)
class Redirect:
    """An incident uid that is gone: ``new`` holds its alerts now, None where all were withdrawn; ``reason`` is merged, revised or withdrawn."""

    old: str
    new: str | None
    reason: str


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
