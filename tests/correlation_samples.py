"""Hits and correlations made at random, small enough that ties, ends of windows, merges and pieces are frequent; how to compare what comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
from hypothesis import strategies as st

from engine.correlate.correlations import Correlated
from engine.sigma.tree import And, Bound, BoundOperator, Correlation, CorrelationType, LogSource, Rule, Term
from tests.reference_correlations import TEMPORAL, Found, Hit

START = datetime(2026, 3, 1, 18, tzinfo=UTC)
RULES = tuple(
    Rule(f"r{number}", f"Rule {number}", level, LogSource(product="aws"), And(()), f"h{number}")
    for number, level in enumerate(("low", "high", "low"))
)
UIDS = tuple(rule.uid for rule in RULES)
FIELDS = ("u", "v", "n")
SOURCES = ("aws.cloudtrail", "gcp.audit")
FEEDS = {"r0": frozenset(SOURCES), "r1": frozenset(SOURCES[:1]), "r2": frozenset(SOURCES[1:])}
SCHEMA = {"rule": pl.UInt32(), "time": pl.Datetime("us", "UTC"), "x.uid": pl.String(), "x.source": pl.String(), "rule_hash": pl.String()}


@dataclass(frozen=True)
class Event:
    """One event and the rules it matches."""

    uid: str
    time: datetime
    source: str
    rules: tuple[int, ...]
    values: Mapping[str, tuple[str, ...] | None]


def hits_of(events: Sequence[Event]) -> list[Hit]:
    """What the reference evaluator reads."""
    return [
        Hit(UIDS[rule], event.time, event.uid, (event.source,), RULES[rule].level, {name: texts or () for name, texts in event.values.items()})
        for event in events
        for rule in event.rules
    ]


def frame_of(events: Sequence[Event]) -> pl.DataFrame:
    """What the kernel reads."""
    rows: list[dict[str, Any]] = [
        {"rule": rule, "time": event.time, "x.uid": event.uid, "x.source": event.source, "rule_hash": f"h{rule}"}
        | {f"native.{name}": None if texts is None else list(texts) for name, texts in event.values.items()}
        for event in events
        for rule in event.rules
    ]
    return pl.DataFrame(rows, schema=SCHEMA | {f"native.{name}": pl.List(pl.String()) for name in FIELDS}, orient="row")


def seen(correlated: Correlated, hits: pl.DataFrame, correlations: Sequence[Correlation]) -> list[dict[str, Any]]:
    """The kernel's alerts as plain values, sorted."""
    rows, uids = hits["rule"].to_list(), hits["x.uid"].to_list()
    members: dict[str, set[tuple[str, str]]] = {}
    for alert, hit in correlated.members.select("alert", "hit").iter_rows():
        members.setdefault(alert, set()).add((UIDS[rows[hit]], uids[hit]))
    return sorted(
        (
            row | {"correlation": correlations[row["correlation"]].uid, "members": frozenset(members[row["alert"]])}
            for row in correlated.alerts.iter_rows(named=True)
        ),
        key=lambda row: (row["correlation"], row["group"], row["satisfied"]),
    )


def differences(got: Sequence[Mapping[str, Any]], wanted: Sequence[Found], correlations: Sequence[Correlation]) -> list[str]:
    """What the kernel says otherwise than the reference, in words; nothing where they agree."""
    expected = sorted(wanted, key=lambda alert: (alert.correlation, alert.group, alert.satisfied))
    keys = [(row["correlation"], tuple(row["group"]), row["satisfied"]) for row in got]
    expected_keys = [(alert.correlation, alert.group, alert.satisfied) for alert in expected]
    if keys != expected_keys:
        return [f"alerts {keys}, expected {expected_keys}"]
    by_uid = {correlation.uid: correlation for correlation in correlations}
    found = list[str]()
    for row, alert in zip(got, expected, strict=True):
        checks = {
            "alert": alert.uid is None or row["alert"] == alert.uid,
            "state": alert.state == "either" or row["state"] == alert.state,
            "first_time": row["first_time"] == alert.first_time,
            "last_time": row["last_time"] == alert.last_time,
            "value": row["value"] == alert.value,
            "shown": len(row["shown"]) == len(alert.shown) and all(one in many for one, many in zip(row["shown"], alert.shown, strict=True)),
            "members": same_members(by_uid[alert.correlation], row["members"], alert.members),
        }
        found += [f"{name} {row[name]}, expected {alert}" for name, good in checks.items() if not good]
    return found


def same_members(correlation: Correlation, got: frozenset[tuple[str, str]], wanted: frozenset[tuple[str, str]]) -> bool:
    """Equal; where an event counts once for all rules, under any of those it matches."""
    if correlation.type in TEMPORAL:
        return got == wanted
    return got <= wanted and {uid for _, uid in got} == {uid for _, uid in wanted}


# Strategies


def _texts(*choices: tuple[str, ...] | None) -> st.SearchStrategy[tuple[str, ...] | None]:
    return st.sampled_from(choices)


NAMES = _texts(None, (), ("",), ("a",), ("a",), ("A",), ("b",), ("a", "B"), ("k",), ("\u212a",), ("", "c"))
NUMBERS = _texts(None, ("1",), ("2",), ("2",), ("-1",), ("1.5",), ("x",), ("2", "3"), ("1e1", "x"), ("true",), ("0",))
UNITS = st.sampled_from([timedelta(minutes=1), timedelta(hours=6)])
JITTER = st.sampled_from([0, 0, 0, 0, 1, -1]).map(lambda microseconds: timedelta(microseconds=microseconds))


@st.composite
def event_lists(draw: st.DrawFn, unit: timedelta, most: int = 14, reach: int = 12) -> list[Event]:
    made = draw(
        st.lists(
            st.tuples(
                st.integers(0, reach),
                JITTER,
                st.sampled_from(SOURCES),
                st.sets(st.integers(0, 2), min_size=1, max_size=2),
                st.tuples(NAMES, NAMES, NUMBERS),
            ),
            max_size=most,
        )
    )
    return [
        Event(f"e{number * 7 % 17:02}-{number}", START + unit * at + jitter, source, tuple(sorted(rules)), dict(zip(FIELDS, values, strict=True)))
        for number, (at, jitter, source, rules, values) in enumerate(made)
    ]


GROUP_BY = st.sampled_from([(), (), ("u",), ("who",), ("u", "v"), ("who", "v"), ("x.alert.rule",), ("x.alert.level", "u")])
ALIASES = st.sampled_from(
    [
        (("who", (("r0", "u"), ("r1", "v"), ("r2", "u"), ("c0", "u"), ("c1", "who"))),),
        (("who", (("r0", "v"), ("r2", "u"), ("c0", "who"))),),
    ]
)


@st.composite
def bounds(draw: st.DrawFn, kind: CorrelationType, rules: int) -> tuple[Bound, ...]:
    numbers = st.integers(1, 4) if kind not in TEMPORAL else st.integers(1, rules)
    if kind.startswith("value_") and kind is not CorrelationType.VALUE_COUNT:
        numbers = st.sampled_from([-1, 0, 1, 1.5, 2, 3])
    if kind in TEMPORAL and draw(st.booleans()):
        return (Bound(BoundOperator.GTE, rules),)  # what loading makes of no condition
    operators = draw(st.lists(st.sampled_from(list(BoundOperator)), min_size=1, max_size=2, unique=True))
    if draw(st.booleans()):
        operators = [BoundOperator.GTE]
    return tuple(Bound(operator, draw(numbers)) for operator in operators)


@st.composite
def terms(draw: st.DrawFn, rules: tuple[str, ...]) -> tuple[Term, ...]:
    made = list[Term]()
    for _ in range(draw(st.integers(1, 2))):
        signs = draw(st.lists(st.sampled_from("+-."), min_size=len(rules), max_size=len(rules)))
        present = tuple(rule for rule, sign in zip(rules, signs, strict=True) if sign == "+") or rules[:1]
        absent = tuple(rule for rule, sign in zip(rules, signs, strict=True) if sign == "-" and rule not in present)
        made.append(Term(present, absent))
    return tuple(made)


@st.composite
def correlations(draw: st.DrawFn, unit: timedelta, number: int, inner: tuple[str, ...] = ()) -> Correlation:
    """A correlation of some of `RULES` and of the correlations ``inner``."""
    kind = draw(st.sampled_from([*CorrelationType, *TEMPORAL]))
    pool = [*UIDS, *inner]
    rules = tuple(draw(st.permutations(pool))[: draw(st.integers(1 if kind not in TEMPORAL else 2, len(pool)))])
    if inner and inner[-1] not in rules:
        rules = (*rules, inner[-1])
    extended = kind in TEMPORAL and draw(st.booleans())
    counted = {
        CorrelationType.EVENT_COUNT: (),
        CorrelationType.TEMPORAL: (),
        CorrelationType.TEMPORAL_ORDERED: (),
        CorrelationType.VALUE_COUNT: draw(st.sampled_from([("v",), ("u", "v"), ("who",), ("x.alert.source",), ("n",)])),
    }.get(kind, ("n",))
    return Correlation(
        uid=f"c{number}",
        title=f"Correlation {number}",
        level="medium",
        type=kind,
        rules=rules,
        timespan=unit * draw(st.integers(1, 5)),
        content_hash="",
        group_by=draw(GROUP_BY),
        bounds=() if extended else draw(bounds(kind, len(rules))),
        terms=draw(terms(rules)) if extended else (),
        fields=counted,
        percentile=draw(st.sampled_from([0.0, 25.0, 50.0, 75.0, 100.0])),
        aliases=draw(ALIASES),
    )


@dataclass(frozen=True)
class Case:
    """Events, correlations over them, and watermarks of some sources."""

    events: list[Event]
    correlations: list[Correlation]
    watermarks: dict[str, datetime]


@st.composite
def cases(draw: st.DrawFn, chained: bool) -> Case:
    """With ``chained`` each correlation names the one before, else each is for itself."""
    unit = draw(UNITS)
    events = draw(event_lists(unit))
    made = [draw(correlations(unit, number, (f"c{number - 1}",) if chained and number else ())) for number in range(3 if chained else 6)]
    times = st.integers(0, 16).map(lambda at: START + unit * at)
    return Case(events, made, draw(st.dictionaries(st.sampled_from([*SOURCES, "other"]), times, max_size=2)))
