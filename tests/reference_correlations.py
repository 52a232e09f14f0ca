"""What a correlation means, slowly: every window of every group looked at in plain Python, written from the semantics alone.

Of the engine only the tree's classes, the identity of alerts and case folding are shared.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from engine.correlate.episodes import alert_uid, micros
from engine.sigma.folding import fold
from engine.sigma.tree import Bound, Correlation, CorrelationType, Term

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = timedelta(hours=24)
NUMERIC = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
MOST_GROUP_VALUES = 100
TEMPORAL = (CorrelationType.TEMPORAL, CorrelationType.TEMPORAL_ORDERED)
PER_WINDOW = (CorrelationType.VALUE_AVG, CorrelationType.VALUE_PERCENTILE, CorrelationType.VALUE_MEDIAN)
NUMBERS = (CorrelationType.VALUE_SUM, *PER_WINDOW)
Number = int | float


@dataclass(frozen=True, eq=False)
class Hit:
    """A rule matched an event, or a correlation gave an alert (``evidence``: (time, event uid, rule) of the plain hits behind it)."""

    rule: str
    time: datetime
    uid: str
    sources: tuple[str, ...] = ("s",)
    level: str = "low"
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    chained: frozenset[tuple[datetime, str, str]] | None = None
    state: str = "live"

    @property
    def evidence(self) -> frozenset[tuple[datetime, str, str]]:
        return frozenset([(self.time, self.uid, self.rule)]) if self.chained is None else self.chained


@dataclass(frozen=True)
class Found:
    """An alert. ``state`` is "either" where a later look at inner ones may matter or not; ``uid`` is None where two pieces begin alike."""

    correlation: str
    group: tuple[str, ...]
    shown: tuple[frozenset[str], ...]  # what may be shown of each group-by field
    uid: str | None
    state: str
    first_time: datetime
    last_time: datetime
    satisfied: datetime
    value: Number | None
    members: frozenset[tuple[str, str]]  # (rule, event uid)
    hits: tuple[Hit, ...]


@dataclass(frozen=True, eq=False)
class Window:
    end: datetime
    hits: tuple[Hit, ...]
    value: Number | None
    decided: datetime | None = None  # live when the watermark is beyond; None: at once


def evaluate(
    hits: Iterable[Hit],
    correlations: Sequence[Correlation],
    watermarks: Mapping[str, datetime] | None = None,
    feeds: Mapping[str, frozenset[str]] | None = None,
) -> tuple[list[Found], Counter[tuple[str, str]]]:
    """All alerts of all correlations, and how many hits each left out for which reason."""
    known: dict[tuple[str, str], Hit] = {}
    for hit in hits:
        known.setdefault((hit.rule, hit.uid), hit)
    pool, found, left_out = list(known.values()), list[Found](), Counter[tuple[str, str]]()
    by_uid = {correlation.uid: correlation for correlation in correlations}
    for correlation in correlations:
        taking_part = [hit for hit in pool if hit.rule in correlation.rules]
        watermark = watermark_of(correlation, by_uid, watermarks, feeds)
        for (group, members), shown in groups(correlation, taking_part, left_out):
            for alert in alerts_of_group(correlation, group, members, shown, watermark, any(uid in by_uid for uid in correlation.rules)):
                found.append(alert)
                pool.append(as_hit(correlation, alert))
    return found, +left_out


def watermark_of(
    correlation: Correlation,
    by_uid: Mapping[str, Correlation],
    watermarks: Mapping[str, datetime] | None,
    feeds: Mapping[str, frozenset[str]] | None,
) -> datetime | None:
    if watermarks is None:
        return None
    sources = set[str]()
    todo = list(correlation.rules)
    while todo:
        uid = todo.pop()
        if uid in by_uid:
            todo += by_uid[uid].rules
        else:
            sources |= (feeds or {}).get(uid, frozenset())
    return min((watermarks[source] for source in sources if source in watermarks), default=None)


def as_hit(correlation: Correlation, alert: Found) -> Hit:
    sources = tuple(sorted({source for hit in alert.hits for source in hit.sources}))
    values = {name: (min(shown),) for name, shown in zip(correlation.group_by, alert.shown, strict=True)}
    evidence = frozenset(each for hit in alert.hits for each in hit.evidence)
    return Hit(correlation.uid, alert.satisfied, alert.uid or "", sources, correlation.level, values, evidence, alert.state)


def values_of(correlation: Correlation, hit: Hit, name: str) -> list[str]:
    """The values of a group-by or counted field, empty ones left out."""
    real = correlation.field_of(name, hit.rule)
    if real is None:
        return []
    alert = {"x.alert.rule": (hit.rule,), "x.alert.level": (hit.level,), "x.alert.source": hit.sources}
    return [value for value in alert.get(real, hit.values.get(real, ())) if value]


Shown = dict[Hit, tuple[frozenset[str], ...]]


def groups(
    correlation: Correlation, hits: Sequence[Hit], left_out: Counter[tuple[str, str]]
) -> list[tuple[tuple[tuple[str, ...], list[Hit]], Shown]]:
    """(folded group, its hits) and how each hit spells the group."""
    made: dict[tuple[str, ...], Shown] = {}
    for hit in hits:
        spelt = [values_of(correlation, hit, name) for name in correlation.group_by]
        if not all(spelt):
            left_out[correlation.uid, "no group-by value"] += 1
            continue
        distinct = [sorted({fold(value) for value in values}) for values in spelt]
        if any(len(values) > MOST_GROUP_VALUES for values in distinct):
            left_out[correlation.uid, "more than 100 group values"] += 1
        for group in itertools.product(*(values[:MOST_GROUP_VALUES] for values in distinct)):
            shown = tuple(frozenset(value for value in values if fold(value) == part) for values, part in zip(spelt, group, strict=True))
            made.setdefault(group, {})[hit] = shown
    if correlation.type in NUMBERS:
        grouped = {hit for members in made.values() for hit in members}
        other = [hit for hit in grouped if any(number(value) is None for value in values_of(correlation, hit, correlation.fields[0]))]
        left_out[correlation.uid, "not a number"] += len(other)
    return [((group, list(shown)), shown) for group, shown in sorted(made.items(), key=lambda item: item[0])]


def once(correlation: Correlation, hits: Iterable[Hit]) -> list[Hit]:
    """Each event once, under the first of the rules it matches."""
    events: dict[str, Hit] = {}
    for hit in sorted(hits, key=lambda hit: correlation.rules.index(hit.rule)):
        events.setdefault(hit.uid, hit)
    return list(events.values())


def number(value: str) -> Number | None:
    if not NUMERIC.fullmatch(value):
        return None
    return float(value) if any(sign in value for sign in ".eE") else int(value)


def alerts_of_group(
    correlation: Correlation,
    group: tuple[str, ...],
    hits: Sequence[Hit],
    shown: Shown,
    watermark: datetime | None,
    outer: bool,
) -> list[Found]:
    windows = extended_windows(correlation, hits) if correlation.terms else satisfied_windows(correlation, hits)
    found = list[Found]()
    for run in merged(windows):
        uids = set[str | None]()
        for piece in pieces(run, max(correlation.timespan, DAY)):
            alert = alert_of(correlation, group, piece, shown, watermark, outer)
            found.append(replace(alert, uid=None) if alert.uid in uids else alert)
            uids.add(alert.uid)
    return found


def satisfied_windows(correlation: Correlation, hits: Sequence[Hit]) -> list[Window]:
    windows = list[Window]()
    for end in sorted({hit.time for hit in hits}):
        inside = [hit for hit in hits if end - correlation.timespan <= hit.time <= end]
        value, negative = measure(correlation, inside)
        wait = correlation.type in PER_WINDOW or negative
        windows.append(Window(end, tuple(inside), value, end if wait else None))
    if correlation.type in PER_WINDOW or all(bound.operator in ("gt", "gte") for bound in correlation.bounds):
        return [window for window in windows if holds(correlation, window.value)]
    chosen = list[Window]()
    for session in sessions(windows, correlation.timespan):
        measured = [window for window in session if window.value is not None]
        if measured:
            greatest = max(measured, key=lambda window: (window.value or 0, EPOCH - window.end))
            if holds(correlation, greatest.value):
                chosen.append(replace(greatest, decided=session[-1].end + correlation.timespan))
    return chosen


def sessions(windows: Sequence[Window], gap: timedelta) -> list[list[Window]]:
    made = list[list[Window]]()
    for window in windows:
        if made and window.end - made[-1][-1].end <= gap:
            made[-1].append(window)
        else:
            made.append([window])
    return made


def measure(correlation: Correlation, hits: Sequence[Hit]) -> tuple[Number | None, bool]:
    """What a window measures, and whether it is a sum with a negative number in it."""
    kind = correlation.type
    if kind is CorrelationType.TEMPORAL:
        return len({hit.rule for hit in hits}), False
    if kind is CorrelationType.TEMPORAL_ORDERED:
        return longest_in_order(correlation.rules, hits), False
    events = once(correlation, hits)
    if kind is CorrelationType.EVENT_COUNT:
        return len(events), False
    if kind is CorrelationType.VALUE_COUNT:
        combinations = set[tuple[str, ...]]()
        for hit in events:
            combinations.update(itertools.product(*([fold(value) for value in values_of(correlation, hit, name)] for name in correlation.fields)))
        return len(combinations), False
    (name,) = correlation.fields
    texts = [value for hit in events for value in values_of(correlation, hit, name)]
    numbers = sorted(each for each in map(number, texts) if each is not None)
    if not numbers:
        return None, False
    if kind is CorrelationType.VALUE_SUM:
        return sum(numbers), numbers[0] < 0
    if kind is CorrelationType.VALUE_AVG:
        return sum(numbers) / len(numbers), False
    return at_percentile(numbers, 50.0 if kind is CorrelationType.VALUE_MEDIAN else correlation.percentile), False


def at_percentile(numbers: Sequence[Number], percentile: float) -> Number:
    place = (len(numbers) - 1) * percentile / 100
    below = int(place)
    above = min(below + 1, len(numbers) - 1)
    return numbers[below] + (numbers[above] - numbers[below]) * (place - below)


def longest_in_order(rules: Sequence[str], hits: Sequence[Hit]) -> int:
    """The most rules that can be picked, left to right, each with a hit not before the one picked for the last."""
    best = 0
    for size in range(1, len(rules) + 1):
        if any(in_order(picked, hits) for picked in itertools.combinations(rules, size)):
            best = size
    return best


def in_order(rules: Sequence[str], hits: Sequence[Hit]) -> bool:
    at = EPOCH
    for rule in rules:
        later = [hit.time for hit in hits if hit.rule == rule and hit.time >= at]
        if not later:
            return False
        at = min(later)
    return True


def holds(correlation: Correlation, value: Number | None) -> bool:
    if value is None:
        return False
    return all(within(value, bound) for bound in correlation.bounds)


def within(value: Number, bound: Bound) -> bool:
    limit = bound.number
    return bool(
        {
            "lt": value < limit,
            "lte": value <= limit,
            "gt": value > limit,
            "gte": value >= limit,
            "eq": value == limit,
            "neq": value != limit,
        }[bound.operator]
    )


def extended_windows(correlation: Correlation, hits: Sequence[Hit]) -> list[Window]:
    wanted = {uid for term in correlation.terms for uid in term.present}
    positive = [hit for hit in hits if hit.rule in wanted]
    chosen = list[Window]()
    for end in sorted({hit.time for hit in positive}):
        inside = tuple(hit for hit in positive if end - correlation.timespan <= hit.time <= end)
        true = [term for term in correlation.terms if term_holds(correlation, term, inside, end, hits)]
        if true:
            chosen.append(Window(end, inside, None, end + correlation.timespan if all(term.absent for term in true) else None))
    return chosen


def term_holds(correlation: Correlation, term: Term, inside: Sequence[Hit], end: datetime, hits: Sequence[Hit]) -> bool:
    first = min(hit.time for hit in inside)
    ordered = correlation.type is CorrelationType.TEMPORAL_ORDERED
    if ordered and not in_order(term.present, inside):
        return False
    if not {hit.rule for hit in inside} >= set(term.present):
        return False
    for hit in hits:
        since = hit.time > first if ordered else hit.time >= first - correlation.timespan
        if hit.rule in term.absent and since and hit.time <= end + correlation.timespan:
            return False
    return True


def merged(windows: Sequence[Window]) -> list[list[Window]]:
    """Windows, by their ends, joined wherever two share a hit."""
    runs = list[list[Window]]()
    for window in windows:
        touching = [run for run in runs if any(set(window.hits) & set(other.hits) for other in run)]
        runs = [run for run in runs if run not in touching] + [[*itertools.chain(*touching), window]]
    return runs


def pieces(run: Sequence[Window], longest: timedelta) -> list[list[Window]]:
    times = [hit.time for window in run for hit in window.hits]
    if max(times) - min(times) <= longest:
        return [list(run)]
    made: dict[int, list[Window]] = {}
    for window in run:
        made.setdefault((window.end - EPOCH) // longest, []).append(window)
    return list(made.values())


def alert_of(
    correlation: Correlation,
    group: tuple[str, ...],
    windows: Sequence[Window],
    shown: Shown,
    watermark: datetime | None,
    outer: bool,
) -> Found:
    hits = sorted({hit for window in windows for hit in window.hits}, key=lambda hit: (hit.time, hit.uid, correlation.rules.index(hit.rule)))
    evidence = {each for hit in hits for each in hit.evidence}
    first = min(windows, key=lambda window: window.end)
    values = [window.value for window in windows if window.value is not None]
    return Found(
        correlation=correlation.uid,
        group=group,
        shown=shown[hits[0]],
        uid=alert_uid(correlation.uid, group, micros(hits[0].time), hits[0].uid) if hits[0].uid else None,
        state=state_of(windows, hits, watermark, outer),
        first_time=min(time for time, _, _ in evidence),
        last_time=max(time for time, _, _ in evidence),
        satisfied=first.end,
        value=first.value if correlation.type in PER_WINDOW else max(values, default=None),
        members=frozenset((rule, uid) for _, uid, rule in evidence),
        hits=tuple(hits),
    )


def state_of(windows: Sequence[Window], hits: Sequence[Hit], watermark: datetime | None, outer: bool) -> str:
    if watermark is None:
        return "live"
    inner = {hit.state for hit in hits}
    states = {state_of_window(window, watermark, outer) for window in windows}
    if "open" in inner or states == {"open"}:
        return "open"
    return "live" if "live" in states and "either" not in inner else "either"


def state_of_window(window: Window, watermark: datetime, outer: bool) -> str:
    if window.decided is None:
        return "live"
    if window.decided >= watermark:
        return "open"
    return "either" if outer else "live"
