"""Every type of correlation: hits that satisfy it, hits that do not, hits exactly at the ends of windows. Kernel and reference agree on each."""

from __future__ import annotations

import random
import textwrap
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from engine.correlate import evidence
from engine.correlate.correlations import correlate
from engine.correlate.keying import Work
from engine.sigma.load import load
from engine.sigma.ruleset import RuleSet
from tests.property.test_partitions import check
from tests.reference_correlations import Hit, evaluate

START = datetime(2026, 3, 1, tzinfo=UTC)
RULE = "title: {0}\nname: {0}\nid: 0a1b2c3d-0000-4000-8000-00000000000{0}\nlogsource: {{category: any}}\ndetection: {{s: {{f: {0}}}, condition: s}}\n"
Event = tuple[str, float] | tuple[str, float, dict[str, Any]]
"""The rules it matches by letter, seconds, values."""


@dataclass(frozen=True)
class Row:
    """A correlation (without ``type`` and ``rules``: those of the table), events, and the events of each alert by number, with its value."""

    correlation: str
    events: list[Event]
    alerts: list[tuple[set[int], float | None]] = field(default_factory=list)


def rules_of(letters: str, correlation: str) -> RuleSet:
    documents = [RULE.format(letter) for letter in letters]
    documents.append(f"title: x\nid: 0a1b2c3d-0000-4000-8000-000000000001\ncorrelation:\n{textwrap.indent(correlation, '  ')}\n")
    found = load(["---\n".join(documents)])
    assert not found.errors
    return found


def texts(value: Any) -> list[str]:
    return [str(each) for each in (value if isinstance(value, list) else [value])]


def outcome(found: RuleSet, events: list[Event]) -> list[tuple[set[int], float | None]]:
    """What the kernel gives, after the reference and the kernel on parts of the hits have given the same."""
    index = {rule.title: number for number, rule in enumerate(found.rules)}
    rows: list[dict[str, Any]] = []
    for number, (letters, second, *rest) in enumerate(events):
        values = {f"native.{name}": texts(value) for name, value in (rest[0] if rest else {}).items()}
        base = {"time": START + timedelta(seconds=second), "x.uid": f"e{number:02}", "x.source": "any", **values}
        rows += [{"rule": index[letter], **base} for letter in letters if letter in index]
    names = sorted({name for row in rows for name in row if name.startswith("native.")})
    schema = {"rule": pl.UInt32(), "time": pl.Datetime("us", "UTC"), "x.uid": pl.String(), "x.source": pl.String()}
    hits = pl.DataFrame(rows, schema=schema | dict.fromkeys(names, pl.List(pl.String())))
    got = correlate(hits, found.rules, found.correlations)
    uids = hits["x.uid"].to_list()
    members = {alert: {int(uids[hit][1:]) for hit in part["hit"]} for (alert,), part in got.members.group_by("alert")}
    kernel = sorted(((members[row["alert"]], row["value"]) for row in got.alerts.iter_rows(named=True)), key=lambda alert: sorted(alert[0]))
    plain = [
        Hit(
            found.rules[row["rule"]].uid,
            row["time"],
            row["x.uid"],
            ("any",),
            values={name.removeprefix("native."): tuple(row.get(name, ())) for name in names},
        )
        for row in rows
    ]
    reference, _ = evaluate(plain, found.correlations)
    slow = sorted((({int(uid[1:]) for _, uid in alert.members}, alert.value) for alert in reference), key=lambda alert: sorted(alert[0]))
    assert kernel == slow
    check(evidence.complete(hits), Work(found.rules, range(len(found.rules)), found.correlations), 3, random.Random(len(events)))
    return kernel


def at(*seconds: float, rule: str = "a", **values: Any) -> list[Event]:
    return [(rule, second, values) for second in seconds]


def numbers(*values: Any) -> list[Event]:
    """Hits a second apart with a number each."""
    return [("a", second, {"n": value}) for second, value in enumerate(values)]


MINUTE = "timespan: 1m\n"
COUNT = "type: event_count\nrules: [a]\n" + MINUTE
VALUES = "type: value_count\nrules: [a]\n" + MINUTE
SUM = "type: value_sum\nrules: [a]\n" + MINUTE
AVG = "type: value_avg\nrules: [a]\n" + MINUTE
PERCENTILE = "type: value_percentile\nrules: [a]\n" + MINUTE
MEDIAN = "type: value_median\nrules: [a]\n" + MINUTE
TEMPORAL = "type: temporal\nrules: [a, b]\n" + MINUTE
ORDERED = "type: temporal_ordered\nrules: [a, b]\n" + MINUTE
DAYS = "type: event_count\nrules: [a]\ntimespan: 10h\n"
HOUR = 3600.0

TABLES: dict[str, list[Row]] = {
    "event_count": [
        Row(COUNT + "condition: {gte: 2}", at(0, 60), [({0, 1}, 2)]),
        Row(COUNT + "condition: {gte: 2}", at(0, 60.000001)),
        Row(COUNT + "condition: {gte: 3}", at(5, 5, 5), [({0, 1, 2}, 3)]),
        Row(COUNT + "condition: {gt: 2}", at(0, 1)),
        Row(COUNT + "condition: {gt: 2}", at(0, 1, 2), [({0, 1, 2}, 3)]),
        Row(COUNT + "condition: {gte: 2}", at(0, 50, 100), [({0, 1, 2}, 2)]),  # two windows share a hit
        Row(COUNT + "condition: {gte: 2}", at(0, 50, 120, 170), [({0, 1}, 2), ({2, 3}, 2)]),
        Row(COUNT + "condition: {gte: 1}", []),
        Row("type: event_count\nrules: [a, b]\n" + MINUTE + "condition: {gte: 2}", [("ab", 0)]),  # one event that matches two rules
        Row("type: event_count\nrules: [a, b]\n" + MINUTE + "condition: {gte: 2}", [("a", 0), ("b", 1)], [({0, 1}, 2)]),
    ],
    "upper bounds are tested on sessions": [
        Row(COUNT + "condition: {lt: 3}", at(0, 1), [({0, 1}, 2)]),
        Row(COUNT + "condition: {lt: 3}", at(0, 1, 2)),
        Row(COUNT + "condition: {lte: 2}", at(0, 60, 120), [({0, 1}, 2)]),  # the first of equally great windows
        Row(COUNT + "condition: {eq: 2}", at(0, 1, 100, 101, 102), [({0, 1}, 2)]),
        Row(COUNT + "condition: {neq: 2}", at(0, 1, 100, 101, 102), [({2, 3, 4}, 3)]),
        Row(COUNT + "condition: {eq: 1}", at(0, 60.000001), [({0}, 1), ({1}, 1)]),
        Row(COUNT + "condition: {eq: 1}", at(0, 60)),
        Row(COUNT + "condition: {gt: 1, lte: 3}", at(0, 1, 2), [({0, 1, 2}, 3)]),
        Row(COUNT + "condition: {gt: 1, lte: 3}", at(0, 1, 2, 3)),
        Row(COUNT + "condition: {gt: 1, lte: 3}", at(0)),
    ],
    "group-by": [
        Row(COUNT + "group-by: [u]\ncondition: {gte: 2}", at(0, u="Eve") + at(1, u="EVE"), [({0, 1}, 2)]),
        Row(COUNT + "group-by: [u]\ncondition: {gte: 2}", at(0, u="eve") + at(1, u="bob")),
        Row(COUNT + "group-by: [u]\ncondition: {gte: 1}", at(0) + at(1, u="") + at(2, u=[])),
        Row(COUNT + "group-by: [u]\ncondition: {gte: 2}", at(0, u=["x", "y"]) + at(1, u=["y", "z"]), [({0, 1}, 2)]),
        Row(COUNT + "group-by: [u, v]\ncondition: {gte: 2}", at(0, 1, u="x", v="y") + at(2, u="x", v="z"), [({0, 1}, 2)]),
        Row(COUNT + "group-by: [u, v]\ncondition: {gte: 1}", at(0, u="x")),
        Row(COUNT + "condition: {gte: 2}", at(0, u="x") + at(1), [({0, 1}, 2)]),
    ],
    "aliases": [
        Row(
            "type: temporal\nrules: [a, b]\ntimespan: 1m\ngroup-by: [who]\naliases: {who: {a: u, b: v}}",
            [("a", 0, {"u": "eve", "v": "x"}), ("b", 60, {"u": "y", "v": "EVE"})],
            [({0, 1}, 2)],
        ),
        Row(
            "type: temporal\nrules: [a, b]\ntimespan: 1m\ngroup-by: [who]\naliases: {who: {a: u, b: v}}",
            [("a", 0, {"u": "eve"}), ("b", 1, {"u": "eve"})],
        ),
    ],
    "value_count": [
        Row(VALUES + "condition: {field: v, gte: 2}", at(0, v="x") + at(60, v="y"), [({0, 1}, 2)]),
        Row(VALUES + "condition: {field: v, gte: 2}", at(0, v="x") + at(60.000001, v="y")),
        Row(VALUES + "condition: {field: v, gte: 2}", at(0, v="x") + at(1, v="X")),
        Row(VALUES + "condition: {field: v, gte: 2}", at(0, v=["x", "y"]), [({0}, 2)]),
        Row(VALUES + "condition: {field: v, gte: 1}", at(0)),
        Row(VALUES + "condition: {field: [u, v], gte: 2}", at(0, u="x", v="y") + at(1, u="x", v="z"), [({0, 1}, 2)]),
        Row(VALUES + "condition: {field: [u, v], gte: 2}", at(0, u="x", v="y") + at(1, u="x")),
        Row(VALUES + "condition: {field: v, lte: 1}", at(0, 1, 2, v="x"), [({0}, 1)]),
        Row(VALUES + "condition: {field: v, lte: 1}", at(0, v="x") + at(30, v="y")),
    ],
    "value_sum": [
        Row(SUM + "condition: {field: n, gte: 5}", numbers(2, 3), [({0, 1}, 5)]),
        Row(SUM + "condition: {field: n, gt: 5}", numbers(2, 3)),
        Row(SUM + "condition: {field: n, gte: 5}", numbers("2", "3.0"), [({0, 1}, 5)]),
        Row(SUM + "condition: {field: n, gte: 5}", numbers([2, 3]), [({0}, 5)]),
        Row(SUM + "condition: {field: n, gte: 0}", numbers("many")),
        Row(SUM + "condition: {field: n, lt: 5}", numbers("many")),
        Row(SUM + "condition: {field: n, gte: 5}", numbers(5, -3), [({0}, 5)]),
        Row(SUM + "condition: {field: n, lt: 6}", numbers(2, 3), [({0, 1}, 5)]),
        Row(SUM + "condition: {field: n, lt: 5}", numbers(2, 3)),
    ],
    "value_avg": [
        Row(AVG + "condition: {field: n, gt: 2}", numbers(1, 2, 6), [({0, 1, 2}, 3)]),
        Row(AVG + "condition: {field: n, gte: 3}", numbers(1, 2, 6), [({0, 1, 2}, 3)]),
        Row(AVG + "condition: {field: n, gt: 3}", numbers(1, 2, 6)),
        Row(AVG + "condition: {field: n, lt: 2}", numbers(1, 2, 6), [({0, 1}, 1)]),
        Row(AVG + "condition: {field: n, lt: 2}", numbers("x")),
        Row(AVG + "condition: {field: n, eq: 1.5}", numbers(1, "x", 2), [({0, 1, 2}, 1.5)]),
    ],
    "value_percentile": [
        Row(PERCENTILE + "condition: {field: n, gte: 10, percentile: 100}", numbers(1, 10), [({0, 1}, 10)]),
        Row(PERCENTILE + "condition: {field: n, lte: 1, percentile: 0}", numbers(3, 1), [({0, 1}, 1)]),
        Row(PERCENTILE + "condition: {field: n, eq: 2.5, percentile: 75}", numbers(1, 3), [({0, 1}, 2.5)]),
        Row(PERCENTILE + "condition: {field: n, eq: 2}", numbers(1, 3), [({0, 1}, 2)]),
        Row(PERCENTILE + "condition: {field: n, gt: 2}", numbers(1, 3)),
    ],
    "value_median": [
        Row(MEDIAN + "condition: {field: n, gte: 2}", numbers(1, 2, 9), [({0, 1, 2}, 2)]),
        Row(MEDIAN + "condition: {field: n, eq: 1.5}", numbers(1, 2), [({0, 1}, 1.5)]),
        Row(MEDIAN + "condition: {field: n, gt: 2}", numbers(1, 2, 2)),
    ],
    "temporal": [
        Row(TEMPORAL, [("a", 0), ("b", 60)], [({0, 1}, 2)]),
        Row(TEMPORAL, [("b", 0), ("a", 60)], [({0, 1}, 2)]),
        Row(TEMPORAL, [("a", 0), ("b", 60.000001)]),
        Row(TEMPORAL, [("ab", 0)], [({0}, 2)]),
        Row(TEMPORAL, at(0, 1, 2)),
        Row(TEMPORAL + "condition: {gte: 1}", at(0), [({0}, 1)]),
        Row(TEMPORAL + "condition: {lt: 2}", at(0), [({0}, 1)]),
        Row(TEMPORAL + "condition: {lt: 2}", [("a", 0), ("b", 1)]),
    ],
    "temporal_ordered": [
        Row(ORDERED, [("a", 0), ("b", 60)], [({0, 1}, 2)]),
        Row(ORDERED, [("b", 0), ("a", 60)]),
        Row(ORDERED, [("b", 5), ("a", 5)], [({0, 1}, 2)]),
        Row(ORDERED, [("ab", 5)], [({0}, 2)]),
        Row(ORDERED, [("a", 0), ("b", 60.000001)]),
        Row(ORDERED, [("b", 0), ("a", 10), ("b", 20)], [({0, 1, 2}, 2)]),
        Row("type: temporal_ordered\nrules: [a, b, c]\n" + MINUTE, [("a", 0), ("c", 1), ("b", 2)]),
        Row("type: temporal_ordered\nrules: [a, b, c]\n" + MINUTE + "condition: {gte: 2}", [("a", 0), ("c", 1), ("b", 2)], [({0, 1, 2}, 2)]),
    ],
    "extended, temporal": [
        Row(TEMPORAL + "condition: a and b", [("b", 0), ("a", 60)], [({0, 1}, None)]),
        Row(TEMPORAL + "condition: a or b", [("b", 0)], [({0}, None)]),
        Row(TEMPORAL + "condition: a and not b", [("a", 100)], [({0}, None)]),
        Row(TEMPORAL + "condition: a and not b", [("a", 100), ("b", 160)]),
        Row(TEMPORAL + "condition: a and not b", [("a", 100), ("b", 160.000001)], [({0}, None)]),
        Row(TEMPORAL + "condition: a and not b", [("a", 100), ("b", 40)]),
        Row(TEMPORAL + "condition: a and not b", [("a", 100), ("b", 39.999999)], [({0}, None)]),
        Row(TEMPORAL + "condition: a and not b", [("ab", 100)]),
    ],
    "extended, temporal_ordered": [
        Row(ORDERED + "condition: a and b", [("a", 0), ("b", 60)], [({0, 1}, None)]),
        Row(ORDERED + "condition: a and b", [("b", 0), ("a", 60)]),
        Row(ORDERED + "condition: a and not b", [("a", 100), ("b", 40)], [({0}, None)]),
        Row(ORDERED + "condition: a and not b", [("ab", 100)], [({0}, None)]),
        Row(ORDERED + "condition: a and not b", [("a", 100), ("b", 160)]),
        Row(ORDERED + "condition: a and not b", [("a", 100), ("b", 160.000001)], [({0}, None)]),
    ],
    "long runs are divided": [
        Row(DAYS + "condition: {gte: 2}", at(12 * HOUR, 20 * HOUR, 28 * HOUR, 36 * HOUR), [({0, 1, 2, 3}, 2)]),  # 24 hours, not longer
        Row(DAYS + "condition: {gte: 2}", at(11 * HOUR, 20 * HOUR, 28 * HOUR, 36 * HOUR), [({0, 1}, 2), ({1, 2, 3}, 2)]),
        Row(DAYS + "condition: {gte: 2}", at(10 * HOUR, 20 * HOUR, 24 * HOUR, 34 * HOUR, 44 * HOUR), [({0, 1}, 2), ({1, 2, 3, 4}, 2)]),
    ],
}


@pytest.mark.parametrize("name", TABLES)
def test_correlation(name: str) -> None:
    for row in TABLES[name]:
        assert (
            outcome(rules_of("abc" if "[a, b, c]" in row.correlation else "ab" if "[a, b]" in row.correlation else "a", row.correlation), row.events)
            == row.alerts
        ), row
