"""The detection tree: what a Sigma condition means, free of YAML, pySigma and engines.

Leaves say which field (None: every scalar leaf of the record, a keyword) must satisfy which predicate. A leaf is true or false, never null
(design: a missing field equals null). A list-valued field satisfies a leaf when any element does; ``|all`` is an `And` of leaves.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network


class Wildcard(StrEnum):
    """A special part of a pattern: any run of characters (newlines included), or exactly one character."""

    ANY = "*"
    ONE = "?"


@dataclass(frozen=True, slots=True)
class Text:
    """The whole value equals the pattern. ``parts`` are literal strings and wildcards in order; () is the empty string.

    Not ``cased``: compared by simple case folding per code point. contains, startswith and endswith arrive here as wildcards.
    """

    parts: tuple[str | Wildcard, ...]
    cased: bool = False


@dataclass(frozen=True, slots=True)
class Number:
    """The value equals this number: a JSON number of equal value, or a string that is the same numeric text."""

    value: int | float


@dataclass(frozen=True, slots=True)
class Boolean:
    """The value is this boolean, or its name as text in any case."""

    value: bool


@dataclass(frozen=True, slots=True)
class Null:
    """The field is missing or JSON null."""


@dataclass(frozen=True, slots=True)
class Exists:
    """The key is present, even when null or empty (``expected`` True), or absent (False)."""

    expected: bool


@dataclass(frozen=True, slots=True)
class Regex:
    """The pattern (Rust regex syntax, flags as ``(?ims)`` prefix already inside ``pattern``) is found anywhere in the value."""

    pattern: str


@dataclass(frozen=True, slots=True)
class Cidr:
    """The value is an IP address inside the network."""

    network: IPv4Network | IPv6Network


class Comparison(StrEnum):
    LT = "lt"
    LTE = "lte"
    GT = "gt"
    GTE = "gte"
    EQ = "eq"


@dataclass(frozen=True, slots=True)
class Compare:
    """The value, a number or numeric text, compares so to ``number``; anything else is false."""

    operator: Comparison
    number: int | float


class TimeUnit(StrEnum):
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class TimePart:
    """The part of a time value (RFC 3339 text or epoch seconds/milliseconds, read as UTC, ISO weeks) compares so to ``number``."""

    unit: TimeUnit
    operator: Comparison
    number: int | float


@dataclass(frozen=True, slots=True)
class SameAs:
    """The value equals the value of another field, or starts or ends with it, or with both contains it; false where either is missing."""

    field: str
    starts: bool = False
    ends: bool = False
    cased: bool = False


EVENT_TIME = "$time"
"""Field name of the time of the event itself, whatever its source calls it; missing where the source of events is not known."""


@dataclass(frozen=True, slots=True)
class Before:
    """The value is a time (as for `TimePart`) before ``instant`` (UTC, whole seconds)."""

    instant: datetime


Predicate = Text | Number | Boolean | Null | Exists | Regex | Cidr | Compare | TimePart | SameAs | Before


@dataclass(frozen=True, slots=True)
class Leaf:
    """``field`` satisfies ``predicate``; field None means: some scalar leaf of the record contains it (Text predicates come with ANY around them)."""

    field: str | None
    predicate: Predicate


@dataclass(frozen=True, slots=True)
class And:
    args: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    args: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    arg: Node


Node = And | Or | Not | Leaf


@dataclass(frozen=True, slots=True)
class LogSource:
    """Sigma's logsource, each part lower-cased or None."""

    category: str | None = None
    product: str | None = None
    service: str | None = None

    def __str__(self) -> str:
        return "/".join(part for part in (self.product, self.service, self.category) if part) or "any"


DEFAULT_GROUP: tuple[tuple[str, ...], ...] = (("actor.user.uid", "actor.user.credential_uid"), ("cloud.account.uid",), ("resources.uid",))
"""How hits of a rule without ``group_by`` are grouped: by common columns, of each part the first that holds a value."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A loaded Sigma detection rule, filters already applied.

    ``uid`` is the rule's id, else the sha256 of its canonical form; ``content_hash`` changes whenever its meaning does; ``extra`` holds keys the
    specification does not know (log_tier, layer, response, tests, …) as plain values.
    """

    uid: str
    title: str
    level: str
    logsource: LogSource
    condition: Node
    content_hash: str
    name: str | None = None
    status: str | None = None
    description: str | None = None
    author: str | None = None
    date: str | None = None
    references: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    falsepositives: tuple[str, ...] = ()
    path: str | None = None
    line: int | None = None
    group_by: tuple[str, ...] | None = None
    suppress: str | None = None
    extra: tuple[tuple[str, object], ...] = ()


class CorrelationType(StrEnum):
    """Sigma's correlation types; the extended forms are `TEMPORAL` and `TEMPORAL_ORDERED` with ``terms``."""

    EVENT_COUNT = "event_count"
    VALUE_COUNT = "value_count"
    VALUE_SUM = "value_sum"
    VALUE_AVG = "value_avg"
    VALUE_PERCENTILE = "value_percentile"
    VALUE_MEDIAN = "value_median"
    TEMPORAL = "temporal"
    TEMPORAL_ORDERED = "temporal_ordered"


class BoundOperator(StrEnum):
    LT = "lt"
    LTE = "lte"
    GT = "gt"
    GTE = "gte"
    EQ = "eq"
    NEQ = "neq"


@dataclass(frozen=True, slots=True)
class Bound:
    """The measured value compares so to ``number``."""

    operator: BoundOperator
    number: int | float


@dataclass(frozen=True, slots=True)
class Term:
    """One alternative of an extended condition: every rule of ``present`` occurs (``temporal_ordered``: in this order), none of ``absent`` does.

    Both are uids; ``present`` is never empty and in the order of `Correlation.rules`.
    """

    present: tuple[str, ...]
    absent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Correlation:
    """A loaded Sigma correlation, its references resolved to uids of rules or of other correlations.

    ``bounds`` must all hold for what is measured: events, distinct values, sum, average or percentile of ``fields``, or how many of the rules occur
    (`TEMPORAL`) or occur in order (`TEMPORAL_ORDERED`): all, where none was asked for. With ``terms`` (some of them must hold) there are no
    bounds. ``aliases``: alias → (uid of the rule, field of it). ``generate``: the rules referred to keep alerts of their own.
    """

    uid: str
    title: str
    level: str
    type: CorrelationType
    rules: tuple[str, ...]
    timespan: timedelta
    content_hash: str
    group_by: tuple[str, ...] = ()
    bounds: tuple[Bound, ...] = ()
    terms: tuple[Term, ...] = ()
    fields: tuple[str, ...] = ()
    percentile: float = 50.0
    aliases: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()
    generate: bool = False
    name: str | None = None
    status: str | None = None
    description: str | None = None
    author: str | None = None
    date: str | None = None
    references: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    falsepositives: tuple[str, ...] = ()
    path: str | None = None
    line: int | None = None
    extra: tuple[tuple[str, object], ...] = ()

    def field_of(self, name: str, uid: str) -> str | None:
        """What ``name`` (a group-by or counted field, or an alias) is called in hits of ``uid``; None for an alias that leaves this rule out."""
        for alias, targets in self.aliases:
            if alias == name:
                return dict(targets).get(uid)
        return name


def fields(node: Node) -> set[str]:
    """Every field name the tree reads, `SameAs` targets included, keywords excluded."""
    if isinstance(node, Leaf):
        found = set() if node.field is None else {node.field}
        if isinstance(node.predicate, SameAs):
            found.add(node.predicate.field)
        return found
    if isinstance(node, Not):
        return fields(node.arg)
    return set().union(*(fields(arg) for arg in node.args))


def has_keywords(node: Node) -> bool:
    """Whether some leaf searches the whole record."""
    if isinstance(node, Leaf):
        return node.field is None
    if isinstance(node, Not):
        return has_keywords(node.arg)
    return any(has_keywords(arg) for arg in node.args)
