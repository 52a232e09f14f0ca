"""Equal records are counted within their object, over all batches it is read in."""

from __future__ import annotations

import polars as pl

from connectors.repeats import Repeats, hashes_of


def records(*rows: tuple[int, int, str]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "object": [f"o{index}" for index, _, _ in rows],
            "object_index": pl.Series([index for index, _, _ in rows], dtype=pl.UInt32),
            "position": [position for _, position, _ in rows],
            "raw_data": [text for _, _, text in rows],
        }
    )


def test_an_object_that_goes_on_in_the_next_batch_is_remembered_and_one_that_ended_is_not() -> None:
    repeats = Repeats()
    assert repeats.count(records((0, 0, "x"), (1, 0, "x"), (1, 1, "y"))) == {}
    assert repeats.count(records((1, 2, "x"), (1, 3, "y"), (1, 4, "y"), (2, 0, "x"))) == {("o1", 2): 1, ("o1", 3): 1, ("o1", 4): 2}
    assert repeats.count(records((3, 0, "x"), (3, 1, "z"))) == {}


def test_what_stood_before_a_range_counts_although_another_object_ends_first() -> None:
    repeats = Repeats()
    assert repeats.count(records((0, 0, "x"))) == {}
    repeats.recall(1, hashes_of(pl.Series(["x", "x"])))
    assert repeats.count(records((0, 1, "x"), (1, 7, "x"))) == {("o0", 1): 1, ("o1", 7): 2}
