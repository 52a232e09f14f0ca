"""Hits worked on in parts make the alerts that all hits make at once."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from engine.correlate import evidence
from engine.correlate.alerts import alerts
from engine.correlate.correlated_alerts import correlated_alerts
from engine.correlate.correlations import correlate
from engine.correlate.keying import Work
from engine.correlate.layout import Layout, lay_out, weights
from engine.correlate.partitions import Gathered, found, gathered, scattered, settle, stages, undecided
from engine.model import Alert, State
from engine.runners.base import Runner, Stage
from engine.sigma.tree import Bound, BoundOperator, Correlation, CorrelationType
from tests.correlation_samples import FEEDS, FIELDS, RULES, SOURCES, START, Case, Event, cases, correlations, frame_of
from tests.examples import examples

PLAIN = (RULES[0], replace(RULES[1], group_by=("u", "v"), suppress="3h"), replace(RULES[2], group_by=()))
"""The rules of the samples, as plain rules that group in three ways."""
CASES = st.booleans().flatmap(lambda chained: cases(chained))


def whole(hits: pl.DataFrame, work: Work) -> Gathered:
    chosen = hits.filter(pl.col("rule").is_in(list(work.plain)))
    told = correlate(hits, work.rules, work.correlations, watermarks=work.watermarks, feeds=work.feeds)
    made = [*alerts(chosen, work.rules), *correlated_alerts(told, hits, work.rules, work.correlations)]
    kept = [alert for alert in made if alert.rule.uid not in work.quiet]
    return Gathered(sorted(kept, key=lambda alert: (alert.first_time, alert.uid)), told.left_out.sort("correlation", "reason"))


def through_arrow(frame: pl.DataFrame) -> pl.DataFrame:
    back = pl.from_arrow(frame.to_arrow())
    assert isinstance(back, pl.DataFrame)
    return back


def in_parts(pieces: Sequence[pl.DataFrame], work: Work, parts: int) -> Gathered:
    """As on a cluster: ``pieces`` are what the tasks read, parts get what tasks send, in no certain order."""
    layout = lay_out(pl.concat([weights(piece, work) for piece in pieces]).group_by("kind", "bin", "day").agg(pl.col("hits").sum()), work, parts)
    sent = pl.concat([through_arrow(scattered(piece, work, layout)) for piece in pieces])
    there = {part: frame for (part,), frame in sent.group_by("part")}
    settled: dict[str, int] = {}
    for stage in stages(work):
        settled = settle([through_arrow(undecided(frame, part, work, layout, settled)) for part, frame in there.items()], work, stage, settled)
    return gathered(through_arrow(found(frame, part, work, layout, settled)) for part, frame in there.items())


def check(hits: pl.DataFrame, work: Work, parts: int, shuffle: random.Random) -> list[Alert]:
    expected = whole(hits, work)
    order = list(range(hits.height))
    shuffle.shuffle(order)
    count = shuffle.randint(1, 4)
    got = in_parts([hits[order[index::count]] for index in range(count)], work, parts)
    assert got.alerts == expected.alerts
    assert got.left_out.equals(expected.left_out)
    return got.alerts


def hits_of(case: Case) -> pl.DataFrame:
    """Copies and all, with what plain rules and alerts need."""
    return evidence.complete(frame_of(case.events)).with_columns(pl.col("native.u").list.first().alias("actor.user.uid"))


@given(CASES, st.randoms(use_true_random=False), st.integers(1, 8))
@examples(20)
def test_parts_say_what_all_hits_say(case: Case, shuffle: random.Random, parts: int) -> None:
    check(hits_of(case), Work(PLAIN, (0, 1, 2), case.correlations, frozenset({"c1"}), case.watermarks or None, FEEDS), parts, shuffle)


@st.composite
def long_cases(draw: st.DrawFn) -> Case:
    """Weeks of events, close enough for long runs, so that heavy groups are divided by time: half of all are in one group."""
    unit = draw(st.sampled_from([timedelta(hours=1), timedelta(hours=3), timedelta(hours=9)]))
    chance = random.Random(draw(st.integers(0, 2**32)))
    at, events = START, list[Event]()
    for number in range(chance.randint(60, 120)):
        at += unit * chance.choice((0, 0.1, 0.5, 1, 2, 3, 4, 20))
        values = ("a", "a", "2") if chance.random() < 0.5 else (chance.choice("abAc"), chance.choice("ab"), chance.choice(("1", "2", "-1", "x")))
        rules = (0, 1, 2) if chance.random() < 0.1 else (chance.randrange(3),)
        events.append(Event(f"e{number}", at, chance.choice(SOURCES), rules, {name: (text,) for name, text in zip(FIELDS, values, strict=True)}))
    chained = draw(st.booleans())
    made = [draw(correlations(unit, number, (f"c{number - 1}",) if chained and number else ())) for number in range(3)]
    if draw(st.booleans()):  # no sessions, which are not divided
        made = [one if one.terms else replace(one, bounds=(Bound(BoundOperator.GTE, draw(st.integers(1, 3))),), group_by=()) for one in made]
    late = {source: chance.choice(events).time for source in SOURCES}
    return Case(events, made, draw(st.sampled_from([{}, late])))


@given(long_cases(), st.randoms(use_true_random=False), st.integers(2, 16))
@examples(20)
def test_heavy_groups_are_divided_by_time(case: Case, shuffle: random.Random, parts: int) -> None:
    check(hits_of(case), Work(PLAIN, (0, 1, 2), case.correlations, frozenset(), case.watermarks or None, FEEDS), parts, shuffle)


@dataclass(frozen=True)
class Deal:
    """Work of a runner: a task is a piece of the hits."""

    work: Work
    layout: Layout

    def __call__(self, hits: pl.DataFrame) -> Iterator[tuple[int, pl.DataFrame]]:
        for (part,), rows in scattered(hits, self.work, self.layout).partition_by("part", as_dict=True, include_key=False).items():
            yield int(part), rows


@dataclass(frozen=True)
class Find:
    work: Work
    layout: Layout

    def __call__(self, part: int, frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
        return found(pl.concat(frames), part, self.work, self.layout, {})


@given(long_cases(), st.integers(1, 64))
@examples(2)
def test_every_runner_says_what_the_kernel_says(anywhere: Runner, case: Case, parts: int) -> None:
    hits, work = hits_of(case), Work(PLAIN, (0, 1, 2), case.correlations)
    layout = lay_out(weights(hits, work), work, parts)
    got = gathered(anywhere.heaps(Stage("parts"), Deal(work, layout), [hits[start::3] for start in range(3)], Find(work, layout)))
    expected = whole(hits, work)
    assert got.alerts == expected.alerts
    assert got.left_out.equals(expected.left_out)


def at(hours: float, group: str) -> Event:
    values = {"u": (group,), "v": None, "n": None}
    return Event(f"{group}{hours}", START + timedelta(hours=hours), SOURCES[0], (0,), values)


def counted(number: int, rules: tuple[str, ...], bound: Bound, hours: int) -> Correlation:
    kind = CorrelationType.EVENT_COUNT
    return Correlation(f"c{number}", "C", "low", kind, rules, timedelta(hours=hours), "", group_by=("u",), bounds=(bound,))


def test_a_long_session_is_not_divided() -> None:
    """One hour of weeks without a pause decides about all of them."""
    chance = random.Random(5)
    busy = [at(24 * day + part / 50, "a") for day in range(30) for part in range(1, 20 if day == 3 else chance.randint(2, 9))]
    case = Case([at(hour, "a") for hour in range(30 * 24)] + busy + [at(5, "b")], [counted(0, ("r0",), Bound(BoundOperator.LTE, 12), 2)], {})
    found = check(hits_of(case), Work(PLAIN, (), case.correlations), 8, random.Random(1))
    assert [alert.group for alert in found] == [(("u", "b"),)]


def test_what_is_undecided_in_one_part_holds_back_alerts_of_another() -> None:
    few = Bound(BoundOperator.LTE, 9)
    case = Case([at(0, "a"), *(at(half / 2, "b") for half in range(-4, 20))], [counted(0, ("r0",), few, 1), counted(1, ("c0",), few, 1)], {})
    work = Work(PLAIN, (), case.correlations, frozenset({"c0"}), {SOURCES[0]: START + timedelta(hours=9)}, FEEDS)
    hits = hits_of(case)
    sent = scattered(hits, work, lay_out(weights(hits, work), work, 8))
    assert sent.group_by("part").agg(pl.col("actor.user.uid").n_unique())["actor.user.uid"].max() == 1
    found = check(hits, work, 8, random.Random(1))
    assert {(alert.group[0][1], alert.state) for alert in found} == {("a", State.OPEN), ("b", State.OPEN)}


def test_one_group_with_half_of_the_hits_goes_to_many_parts() -> None:
    events = [at(hour * 3, "heavy") for hour in range(60 * 8)] + [at(number * 3, f"g{number}") for number in range(60 * 8)]
    case = Case(events, [counted(0, ("r0",), Bound(BoundOperator.GTE, 2), 4)], {})
    hits, work = hits_of(case), Work(PLAIN, (), case.correlations)
    sent = scattered(hits, work, lay_out(weights(hits, work), work, 8))
    parts = sent.group_by("part").agg(heavy=(pl.col("actor.user.uid") == "heavy").sum())
    assert parts["heavy"].max() < 60 * 8 / 2  # type: ignore[operator]
    assert sent.height < 2 * hits.height
    assert check(hits, work, 8, random.Random(2))
