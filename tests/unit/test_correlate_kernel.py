"""The correlation kernel at its boundaries: ends of windows, ties, groups, pieces, states, chains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from engine.correlate import revision
from engine.correlate.correlations import MANY_GROUPS, NO_GROUP, NO_NUMBER, Correlated, correlate
from engine.correlate.episodes import alert_uid, micros
from engine.correlate.measures import flat, percentiles, sums
from engine.correlate.windows import lay_out, windows
from engine.errors import EngineError
from engine.sigma.tree import And, Bound, BoundOperator, Correlation, CorrelationType, LogSource, Rule, Term

START = datetime(2026, 3, 2, 10, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
RULES = [
    Rule(f"r{n}", f"Rule {n}", level, LogSource(product="aws"), And(()), f"hash{n}", tags=("attack.initial-access", "attack.t1078"))
    for n, level in enumerate(("low", "high", "medium"))
]
GTE, LT, EQ = BoundOperator.GTE, BoundOperator.LT, BoundOperator.EQ


def hit(rule: int, at: timedelta | int, uid: str | None = None, **values: Any) -> dict[str, Any]:
    time = START + (at if isinstance(at, timedelta) else at * MINUTE)
    return {"rule": rule, "time": time, "x.uid": uid or f"{time.isoformat()}/{rule}", "x.source": "aws.cloudtrail", **values}


def frame(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    schema = {"rule": pl.UInt32(), "time": pl.Datetime("us", "UTC"), "x.uid": pl.String(), "x.source": pl.String()}
    return pl.DataFrame(rows, infer_schema_length=None).cast(schema)  # type: ignore[arg-type]


def made(kind: str = "event_count", rules: Sequence[str] = ("r0",), bounds: Sequence[tuple[BoundOperator, float]] = (), **more: Any) -> Correlation:
    if kind.startswith("temporal") and not bounds and "terms" not in more:
        bounds = [(GTE, len(rules))]  # what loading makes of no condition
    given = {"uid": "c", "title": "C", "level": "high", "timespan": 5 * MINUTE, "content_hash": "", **more}
    return Correlation(type=CorrelationType(kind), rules=tuple(rules), bounds=tuple(Bound(*bound) for bound in bounds), **given)


def run(rows: Sequence[Mapping[str, Any]], *correlations: Correlation, at: datetime | None = None) -> Correlated:
    feeds = {rule.uid: frozenset({"aws.cloudtrail"}) for rule in RULES}
    return correlate(frame(rows), RULES, correlations, watermarks=None if at is None else {"aws.cloudtrail": at}, feeds=feeds)


def test_both_ends_of_a_window_belong_to_it() -> None:
    two = made(bounds=[(GTE, 2)])
    assert run([hit(0, 0), hit(0, 5)], two).alerts["value"].to_list() == [2]
    assert run([hit(0, 0), hit(0, 5 * MINUTE + timedelta(microseconds=1))], two).alerts.is_empty()


def test_an_event_counts_once_whatever_the_number_of_rules_and_copies() -> None:
    rows = [hit(0, 0, "a"), hit(1, 0, "a"), hit(0, 0, "a"), hit(0, 0, "b")]
    found = run(rows, made(rules=("r1", "r0"), bounds=[(GTE, 2)]))
    assert found.alerts["value"].to_list() == [2]
    assert sorted((rows[row]["x.uid"], rows[row]["rule"]) for row in found.members["hit"]) == [("a", 0), ("a", 1), ("b", 0)]


def test_hits_at_one_time_share_a_window_and_are_in_any_order() -> None:
    both = made("temporal_ordered", ("r0", "r1"))
    assert run([hit(1, 0), hit(0, 0)], both).alerts.height == 1
    assert run([hit(1, 0), hit(0, 1)], both).alerts.is_empty()
    assert run([hit(1, 0), hit(0, 1)], made("temporal", ("r0", "r1"))).alerts.height == 1
    part = made("temporal_ordered", ("r0", "r1", "r2"), [(GTE, 2)])
    assert run([hit(0, 0), hit(2, 5)], part).alerts["value"].to_list() == [2]


def test_groups_fold_case_and_leave_out_what_has_no_value() -> None:
    rows = [
        hit(0, 0, u=["Ann", "Bob", "bob"]),
        hit(0, 1, u=["ANN"]),
        hit(0, 2, u=[""]),
        hit(0, 3, u=["{}"]),
        hit(0, 4, u=[]),
        hit(0, 4, "none", u=None),
    ]
    found = run([{"native.u": row.pop("u"), **row} for row in rows], made(bounds=[(GTE, 2)], group_by=("u",)))
    assert found.alerts.select("group", "shown").rows() == [(["ann"], ["Ann"])]
    assert found.left_out.rows() == [(0, NO_GROUP, 4)]


def test_a_hit_is_in_at_most_a_hundred_groups() -> None:
    found = run([hit(0, 0, u=[f"v{n:03}" for n in range(101)])], made(bounds=[(GTE, 1)], group_by=("u",)))
    assert found.alerts.height == 100
    assert found.left_out.rows() == [(0, MANY_GROUPS, 1)]


def test_long_runs_are_divided_at_multiples_of_the_longest_length() -> None:
    rows = [hit(0, timedelta(minutes=4 * n), f"e{n:04}") for n in range(15 * 30)]
    found = run(rows, made(bounds=[(GTE, 2)]))
    assert found.alerts["satisfied"].dt.truncate("1d").to_list() == [START.replace(hour=0), START.replace(hour=0) + timedelta(days=1)]
    assert run(rows[: 15 * 23], made(bounds=[(GTE, 2)])).alerts.height == 1


def test_pieces_that_begin_with_one_hit_have_uids_of_their_own() -> None:
    hours = (5, 13, 14, 24, 30)  # 15:00 and 23:00, then 00:00, 10:00 and 16:00 of the next day
    rows = [hit(0, timedelta(hours=hour), f"e{number}") for number, hour in enumerate(hours)]
    found = run(rows, made(bounds=[(GTE, 2)], timespan=timedelta(hours=12)))
    assert found.alerts["first_time"].to_list() == [START + timedelta(hours=5)] * 2
    earlier, later = found.alerts.sort("satisfied")["alert"].to_list()
    assert earlier == alert_uid("c", [], micros(START + timedelta(hours=5)), "e0") != later
    assert found.members.filter(alert=earlier)["hit"].to_list() == [0, 1]
    assert found.members.filter(alert=later)["hit"].to_list() == [0, 1, 2, 3, 4]


def test_the_uid_is_that_of_the_least_hit() -> None:
    found = run([hit(0, 0, "b", u="X"), hit(0, 0, "a", u="x")], made(bounds=[(GTE, 2)], group_by=("u",)))
    assert found.alerts["alert"].to_list() == [alert_uid("c", ["x"], micros(START), "a")]
    assert found.alerts["shown"].to_list() == [["x"]]


def test_upper_bounds_are_tested_on_the_greatest_window_of_a_session() -> None:
    few = made(bounds=[(LT, 3)])
    assert run([hit(0, n) for n in range(4)], few).alerts.is_empty()
    assert run([hit(0, n) for n in range(2)], few).alerts["satisfied"].to_list() == [START + MINUTE]
    assert run([hit(0, 5 * n) for n in range(4)], made(bounds=[(EQ, 2)])).alerts["satisfied"].to_list() == [START + 5 * MINUTE]


def test_a_session_is_open_until_the_watermark_has_passed_its_end() -> None:
    rows, few = [hit(0, 0), hit(0, 1)], made(bounds=[(LT, 3)])
    assert run(rows, few, at=START + 6 * MINUTE).alerts["state"].to_list() == ["open"]
    assert run(rows, few, at=START + 6 * MINUTE + SECOND).alerts["state"].to_list() == ["live"]
    assert run(rows, made(bounds=[(GTE, 2)]), at=START).alerts["state"].to_list() == ["live"]


@pytest.mark.parametrize(("kind", "at", "holds"), [("temporal", -5, False), ("temporal", -6, True), ("temporal", 5, False), ("temporal", 6, True)])
def test_a_rule_under_not_must_stay_away_around_the_window(kind: str, at: int, holds: bool) -> None:
    lone = made(kind, ("r0", "r1"), terms=(Term(("r0",), ("r1",)),))
    assert (run([hit(0, 0), hit(1, at)], lone).alerts.height == 1) is holds


def test_a_rule_under_not_in_order_counts_after_the_first_hit_only() -> None:
    lone = made("temporal_ordered", ("r0", "r1"), terms=(Term(("r0",), ("r1",)),))
    assert run([hit(0, 0), hit(1, 0)], lone).alerts["value"].to_list() == [None]
    assert run([hit(0, 0), hit(1, 5)], lone).alerts.is_empty()
    assert run([hit(0, 0)], lone, at=START + 5 * MINUTE).alerts["state"].to_list() == ["open"]
    assert run([hit(0, 0)], lone, at=START + 6 * MINUTE).alerts["state"].to_list() == ["live"]


def test_numbers_may_be_text_and_others_are_counted() -> None:
    rows = [{"native.n": value, **hit(0, n)} for n, value in enumerate((["1.5", "x"], ["2", "2"], ["-1"], ["0x1"], None))]
    found = run(rows, made("value_sum", bounds=[(GTE, 4.5)], fields=("n",)))
    assert found.alerts.select("value", "satisfied").rows() == [(5.5, START + MINUTE)]
    assert found.left_out.rows() == [(0, NO_NUMBER, 2)]


def test_a_sum_over_negative_numbers_is_open_until_the_window_ends() -> None:
    def state(numbers: Sequence[int]) -> list[str]:
        rows = [hit(0, number, n=value) for number, value in enumerate(numbers)]
        return run(rows, made("value_sum", bounds=[(GTE, 1)], fields=("n",)), at=START).alerts["state"].to_list()

    assert state([-1, 5]) == ["open"]
    assert state([5, 1]) == ["live"]


def test_a_percentile_lies_between_its_neighbours() -> None:
    rows = [hit(0, n, n=value) for n, value in enumerate((1, 2, 4))]
    found = run(rows, made("value_percentile", bounds=[(GTE, 3)], fields=("n",), percentile=75.0))
    assert found.alerts.select("value", "satisfied").rows() == [(3.0, START + 2 * MINUTE)]


def test_distinct_values_are_counted_without_case_and_combined() -> None:
    rows = [hit(0, 0, u=["A", "b"], v=["x", "y"]), hit(0, 1, u=["a"], v=["Y"]), hit(0, 2, u=["c"], v=None)]
    assert run(rows, made("value_count", bounds=[(GTE, 3)], fields=("u",))).alerts["value"].to_list() == [3]
    assert run(rows, made("value_count", bounds=[(GTE, 4)], fields=("u", "v"))).alerts["value"].to_list() == [4]


def test_hits_of_another_version_of_a_rule_are_ignored() -> None:
    rows = [hit(0, 0, rule_hash="hash0"), hit(0, 1, rule_hash="old"), hit(0, 2, rule_hash="hash0")]
    found = run(rows, made(bounds=[(GTE, 2)]))
    assert found.members["hit"].to_list() == [0, 2]


def test_an_alert_enters_another_correlation_as_one_hit() -> None:
    inner = made(bounds=[(GTE, 2)], group_by=("u",), uid="inner")
    outer = made("temporal_ordered", ("inner", "r1"), group_by=("u",), uid="outer")
    rows = [hit(0, 0, u="Eve"), hit(0, 3, u="eve"), hit(1, 8, u="EVE"), hit(1, 2, u="bob")]
    found = run(rows, inner, outer)
    assert found.alerts.filter(correlation=1).select("shown", "first_time", "satisfied", "value").rows() == [(["Eve"], START, START + 8 * MINUTE, 2)]
    uid = found.alerts.filter(correlation=1)["alert"].item()
    assert found.members.filter(alert=uid)["hit"].to_list() == [0, 1, 2]
    assert uid == alert_uid("outer", ["eve"], micros(START + 3 * MINUTE), alert_uid("inner", ["eve"], micros(START), rows[0]["x.uid"]))


def test_an_alert_over_an_open_one_is_open() -> None:
    inner, outer = made(bounds=[(LT, 3)], uid="inner"), made(rules=("inner",), bounds=[(GTE, 1)], uid="outer")
    assert run([hit(0, 0)], inner, outer, at=START + MINUTE).alerts["state"].to_list() == ["open", "open"]
    assert run([hit(0, 0)], inner, outer, at=START + 6 * MINUTE).alerts["state"].to_list() == ["live", "live"]


def test_what_alerts_say_of_their_rule_can_be_counted() -> None:
    rows = [hit(0, 0), hit(1, 1)]
    levels = made("value_count", ("r0", "r1"), [(GTE, 2)], fields=("x.alert.level",), group_by=("x.alert.tactic", "x.alert.source"))
    found = run(rows, levels)
    assert found.alerts["group"].to_list() == [["initial-access", "aws.cloudtrail"]]


def test_an_unknown_rule_is_an_error() -> None:
    with pytest.raises(EngineError, match=r"'C'.*'nobody'"):
        run([hit(0, 0)], made(rules=("nobody",), bounds=[(GTE, 1)]))


def test_groups_over_centuries_are_laid_out_in_several_goes() -> None:
    groups, century = 2_000, 100 * 365 * 86_400 * 10**6
    group = np.repeat(np.arange(groups), 2)
    time = np.tile(np.array([-2 * century, 3 * century]), groups)
    goes = list(lay_out(group, groups, time, 10**6))
    assert len(goes) > 1
    assert sorted(np.concatenate([order for order, _ in goes]).tolist()) == list(range(2 * groups))
    for order, key in goes:
        assert (np.diff(key) > 10**6).all()
        assert (np.diff(group[order]) >= 0).all()


def test_sums_and_percentiles_over_many_windows_are_those_of_each_window() -> None:
    rng = np.random.default_rng(1)
    key = np.sort(rng.integers(0, 5_000, 400))
    numbers = rng.choice([0.1, 0.2, 0.3, 1e16, -1e16, 7.0], 400)
    found = windows(key, 60)
    values = flat(found, np.arange(400), numbers)
    parts = [np.sort(numbers[first : last + 1]) for first, last in zip(found.first, found.last, strict=True)]
    totals = sums(values, average=False)
    totals.settle(np.arange(len(parts)))
    assert totals.value.tolist() == [float(np.cumsum(part)[-1]) for part in parts]
    assert percentiles(values, 50).value == pytest.approx([float(np.median(part)) for part in parts])


def test_alerts_that_are_gone_are_replaced_or_taken_back() -> None:
    def alerts(*rows: tuple[str, str, str, list[str]]) -> pl.DataFrame:
        schema = {"alert": pl.String(), "rule": pl.String(), "rule_hash": pl.String(), "events": pl.List(pl.String())}
        return pl.DataFrame(list(rows), schema=schema, orient="row")

    before = alerts(("a", "r", "1", ["x", "y"]), ("b", "r", "1", ["z"]), ("c", "r", "1", ["w"]), ("d", "s", "1", ["x"]), ("e", "r", "1", ["u", "v"]))
    after = alerts(("n", "r", "1", ["w0", "y"]), ("b", "r", "1", ["z", "z2"]), ("e", "r", "1", ["v", "u"]))
    assert revision.revise(before, after, {"r": "1", "s": "2"}).rows() == [
        ("a", "superseded", revision.LATE_DATA, ["n"]),
        ("b", "revised", revision.LATE_DATA, []),
        ("c", "retracted", revision.LATE_DATA, []),
        ("d", "retracted", revision.RULE_CHANGED, []),
    ]
