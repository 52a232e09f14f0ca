"""Correlations: the kernel says what the reference says, and says it of the set of hits alone."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from engine.correlate.correlations import Correlated, correlate
from engine.sigma.tree import Bound, BoundOperator, Correlation, CorrelationType
from tests.correlation_samples import (
    FEEDS,
    FIELDS,
    RULES,
    SOURCES,
    START,
    Case,
    Event,
    cases,
    correlations,
    differences,
    event_lists,
    frame_of,
    hits_of,
    seen,
)
from tests.examples import examples
from tests.reference_correlations import evaluate

CASES = st.booleans().flatmap(lambda chained: cases(chained))


def run(hits: pl.DataFrame, made: Sequence[Correlation], marks: Mapping[str, datetime] | None = None) -> Correlated:
    return correlate(hits, RULES, made, watermarks=marks, feeds=FEEDS)


def check(events: Sequence[Event], made: Sequence[Correlation], marks: Mapping[str, datetime] | None = None) -> None:
    hits = frame_of(events)
    got = run(hits, made, marks)
    wanted, left_out = evaluate(hits_of(events), made, marks, FEEDS)
    assert differences(seen(got, hits, made), wanted, made) == []
    assert {(made[index].uid, reason): count for index, reason, count in got.left_out.iter_rows()} == Counter(left_out)


@given(cases(chained=False))
@examples(200)
def test_kernel_equals_reference(case: Case) -> None:
    check(case.events, case.correlations)


@given(cases(chained=True))
@examples(200)
def test_chains_equal_reference(case: Case) -> None:
    check(case.events, case.correlations)


@given(CASES)
@examples(200)
def test_states_equal_reference(case: Case) -> None:
    check(case.events, case.correlations, case.watermarks)


@given(CASES, st.randoms(use_true_random=False), st.integers(1, 4))
@examples(100)
def test_order_parts_and_copies_change_nothing(case: Case, shuffle: random.Random, parts: int) -> None:
    events, made = case.events, case.correlations
    hits = frame_of(events)
    expected = run(hits, made)
    order = [*range(hits.height), *shuffle.sample(range(hits.height), hits.height // 2)]
    shuffle.shuffle(order)
    mixed = pl.concat([hits[order[index::parts]] for index in range(parts)])
    got = run(mixed, made)
    assert got.alerts.equals(expected.alerts)
    assert got.left_out.equals(expected.left_out)
    assert seen(got, mixed, made) == seen(expected, hits, made)


@given(CASES)
@examples(40)
def test_hits_of_an_earlier_text_of_a_rule_do_not_count(case: Case) -> None:
    events, made = case.events, case.correlations
    hits = frame_of(events)
    old = hits.with_columns(pl.lit("old").alias("rule_hash"), pl.format("{}-old", "x.uid").alias("x.uid"))
    assert run(pl.concat([hits, old]), made).alerts.equals(run(hits, made).alerts)


SPAN = timedelta(minutes=1)


@given(st.data(), event_lists(SPAN), st.integers(0, 12))
@examples(100)
def test_what_is_live_stays_whatever_comes_later(data: st.DataObject, events: list[Event], at: int) -> None:
    made = [data.draw(correlations(SPAN, number, (f"c{number - 1}",) if number else ())) for number in range(2)]
    watermark = START + SPAN * at
    early = [event for event in events if event.time < watermark]
    now = run(frame_of(early), made, {source: watermark for feeds in FEEDS.values() for source in feeds})
    live = set(now.alerts.filter(pl.col("state") == "live")["alert"])
    assert live <= set(run(frame_of(events), made).alerts["alert"])


def test_the_first_of_the_rules_names_the_group() -> None:
    values = {"u": ("A",), "v": ("a",), "n": None}
    event = Event("e", START, SOURCES[0], (1, 2), values)
    aliases = (("who", (("r1", "v"), ("r2", "u"))),)
    bounds = (Bound(BoundOperator.GTE, 1),)
    made = Correlation("c", "C", "low", CorrelationType.EVENT_COUNT, ("r2", "r1"), SPAN, "", group_by=("who",), bounds=bounds, aliases=aliases)
    assert run(frame_of([event]), [made]).alerts["shown"].to_list() == [["A"]]
    check([event], [made])


def test_of_many_group_values_the_least_hundred_count() -> None:
    many = tuple(f"V{number:03}" for number in range(120, 0, -1))
    event = Event("e", START, SOURCES[0], (0,), {"u": many, "v": None, "n": None})
    made = Correlation("c", "C", "low", CorrelationType.EVENT_COUNT, ("r0",), SPAN, "", group_by=("u",), bounds=(Bound(BoundOperator.GTE, 1),))
    found = run(frame_of([event]), [made])
    assert sorted(group[0] for group in found.alerts["group"].to_list()) == [f"v{number:03}" for number in range(1, 101)]
    assert found.left_out["reason"].to_list() == ["more than 100 group values"]
    check([event], [made])


def test_pieces_that_begin_with_the_same_hit_have_different_uids() -> None:
    times = [START + timedelta(hours=hours) for hours in (4, 5, 7, 18, 28.5)]  # from 22:00 over midnight, for more than 24 hours
    events = [Event(f"e{number}", time, SOURCES[0], (0,), dict.fromkeys(FIELDS)) for number, time in enumerate(times)]
    bounds = (Bound(BoundOperator.GTE, 2),)
    made = Correlation("c", "C", "low", CorrelationType.EVENT_COUNT, ("r0",), timedelta(hours=11), "", bounds=bounds)
    found = run(frame_of(events), [made])
    assert found.alerts["first_time"].to_list() == [times[0], times[0]]
    assert found.alerts["alert"].n_unique() == 2
    check(events, [made])
