"""Dedupe over a whole run, whatever the order and number of batches."""

from __future__ import annotations

import random
from collections.abc import Sequence
from hashlib import sha256

import polars as pl
import pytest

from engine.store import memory
from engine.store.memory import EventIndex, Place


def frame(rows: Sequence[tuple[str, str, int]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"x.uid": pl.String, "raw_data": pl.String, "x.position": pl.Int64}, orient="row")


def index_of(batches: Sequence[Sequence[tuple[str, str, int, int]]]) -> EventIndex:
    """Batches of (uid, text, object, position)."""
    index = EventIndex()
    for batch in batches:
        events = frame([(uid, text, position) for uid, text, _, position in batch])
        index.add(EventIndex.pack(events, pl.Series([obj for _, _, obj, _ in batch], dtype=pl.UInt32), 3))
    return index


def never(_: Sequence[Place]) -> dict[Place, str]:
    raise AssertionError("nothing had to be read again")


def test_the_first_of_equal_records_stays() -> None:
    losers = index_of([[("a", "x", 1, 0), ("b", "y", 1, 1)], [("a", "x", 0, 5)]]).resolve(never)
    assert losers.places.rows() == [(1, 0)]
    assert (losers.duplicates, losers.conflicts, losers.duplicates_by_source) == (1, 0, {3: 1})


def test_no_events_and_no_duplicates_lose_nothing() -> None:
    assert index_of([]).resolve(never).places.height == 0
    assert index_of([[("a", "x", 0, 0), ("b", "x", 0, 1)]]).resolve(never).places.height == 0


def test_of_different_records_the_greater_sha256_wins_in_any_order() -> None:
    rows = [("a", "one", 0, 0), ("a", "two", 0, 1), ("a", "one", 1, 0), ("a", "three", 2, 0), ("z", "q", 2, 1)]
    texts = {(obj, position): text for _, text, obj, position in rows}
    best = max(("one", "two", "three"), key=lambda text: sha256(text.encode()).digest())
    for seed in range(6):
        shuffled = random.Random(seed).sample(rows, len(rows))
        losers = index_of([[row] for row in shuffled]).resolve(lambda places: {place: texts[place] for place in places})
        kept = [row for row in rows if (row[2], row[3]) not in set(losers.places.rows())]
        assert [row[1] for row in kept] == [best, "q"]
        assert losers.duplicates + losers.conflicts == 3
        assert losers.conflicts == sum(row[1] != best and row[0] == "a" for row in rows)


def test_what_goes_to_disk_gives_the_same_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(1)
    rows = [(f"u{rng.randrange(300)}", "same", rng.randrange(5), n) for n in range(900)]
    batches = [rows[n : n + 50] for n in range(0, 900, 50)]
    in_memory = index_of(batches).resolve(never)
    monkeypatch.setattr(memory, "_IN_MEMORY", 120)
    index = index_of(batches)
    on_disk = index.resolve(never)
    index.close()
    assert sorted(on_disk.places.rows()) == sorted(in_memory.places.rows())
    assert on_disk.duplicates == in_memory.duplicates == 900 - len({row[0] for row in rows})
