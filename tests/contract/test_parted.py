"""Alerts that many hands work out are those that one works out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import polars as pl
import pytest

from engine.correlate.keying import Work
from engine.pipeline.parted import parted
from engine.runners.base import Runner
from engine.sigma.tree import Bound, BoundOperator, Correlation, CorrelationType
from tests.correlation_samples import FEEDS, RULES, SOURCES, START, Case, Event
from tests.property.test_partitions import PLAIN, hits_of, whole


def from_files(folder: Path, name: str) -> Iterator[pl.DataFrame]:
    yield pl.read_parquet(folder / name)


@pytest.fixture(scope="module")
def case() -> Case:
    """A group with half of the hits, and a correlation over a correlation that waits for what is undecided."""
    events = [
        Event(f"e{number}", START + timedelta(hours=number), SOURCES[number % 2], (number % 3,), {"u": (group,), "v": ("x",), "n": ("1",)})
        for number in range(1_500)
        for group in ["heavy" if number % 2 else f"g{number % 50}"]
    ]
    few = Correlation("few", "Few", "low", CorrelationType.EVENT_COUNT, ("r0", "r1"), timedelta(hours=3), "", ("u",), (Bound(BoundOperator.LTE, 2),))
    many = Correlation(
        "many", "Many", "low", CorrelationType.EVENT_COUNT, ("r0", "r1"), timedelta(hours=9), "", ("u",), (Bound(BoundOperator.GTE, 3),)
    )
    over = Correlation(
        "over", "Over", "high", CorrelationType.EVENT_COUNT, ("few", "r2"), timedelta(days=2), "", ("u",), (Bound(BoundOperator.LTE, 9),)
    )
    marks = dict.fromkeys(SOURCES, START + timedelta(hours=1_490))
    return Case(events, [few, many, over], marks)


@pytest.mark.parametrize("tasks", [None, 1, 16])
def test_many_hands_find_the_alerts_of_one(case: Case, divided: Callable[[int | None], Runner], tasks: int | None, tmp_path: Path) -> None:
    hits, work = hits_of(case), Work(PLAIN, range(len(RULES)), case.correlations, frozenset({"few"}), case.watermarks, FEEDS)
    names = [f"{number}.parquet" for number in range(5)]
    for number, name in enumerate(names):
        hits[number::5].write_parquet(tmp_path / name)
    got, expected = parted(divided(tasks), "a test", names, partial(from_files, tmp_path), work), whole(hits, work)
    assert got is not None
    assert len(expected.alerts) > 100
    assert got.alerts == expected.alerts
    assert got.left_out.equals(expected.left_out)
