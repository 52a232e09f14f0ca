"""Objects in batches: equal records of an object are told apart however it is divided."""

from __future__ import annotations

import random
from pathlib import Path

import polars as pl
import pytest

from connectors import batches, repeats
from connectors.repeats import Repeats
from connectors.transports.base import Limits


def counted(folder: Path, limits: Limits) -> tuple[int, dict[tuple[str, int], int]]:
    """Number of batches, and how many equal records stood before each record."""
    given = batches.list_input([str(folder)], limits, None)
    found = [batch for stream in given.streams(limits) for batch in stream]
    return len(found), {(Path(uri).name, at): number for batch in found for (uri, at), number in batch.repeats.items()}


def test_equal_records_are_counted_over_the_batches_of_their_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(7)
    expected: dict[tuple[str, int], int] = {}
    for name in ("a.ndjson", "b.ndjson", "c.ndjson"):
        values = [draw.randrange(150) for _ in range(400)]
        (tmp_path / name).write_text("".join(f'{{"same":{value:010d}}}\n'.replace(":0", ":1") for value in values))
        expected |= {(name, at): number for at, value in enumerate(values) if (number := values[:at].count(value))}
    limits = Limits(chunk_bytes=1_000, block_bytes=500)
    assert counted(tmp_path, limits) == (1, expected)
    monkeypatch.setattr(batches, "BATCH_BYTES", 2_000)
    number, found = counted(tmp_path, limits)
    assert number > 5
    assert found == expected


def test_records_far_back_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "MEMORY", 3)
    counter = Repeats()

    def count(*values: str, start: int, index: int = 0) -> dict[tuple[str, int], int]:
        places = pl.DataFrame({"position": range(start, start + len(values)), "object": ["a"] * len(values), "raw_data": values})
        return counter.count(places.with_columns(object_index=pl.lit(index, dtype=pl.UInt32)))

    assert count("x", "y", "x", start=0) == {("a", 2): 1}
    assert count("x", start=3) == {("a", 3): 2}
    assert count("y", "z", "z", "x", start=4) == {("a", 4): 1, ("a", 6): 1, ("a", 7): 2}
    assert count("y", start=8) == {}
    assert count("z", start=0, index=1) == {}
    assert count(start=0, index=1) == {}


def test_batches_get_smaller_towards_the_end_of_the_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(40):
        (tmp_path / f"{number:02d}.ndjson").write_text("".join(f'{{"number":{number * 100 + at:06d}}}\n'.replace(":0", ":1") for at in range(50)))
    monkeypatch.setattr(batches, "BATCH_BYTES", 8_000)
    monkeypatch.setattr(batches, "SMALL_BATCH_BYTES", 2_000)
    monkeypatch.setattr(batches, "STREAM_BYTES", 20_000)
    first, last = (
        [batch.decompressed for batch in stream if batch.records.height]
        for stream in batches.list_input([str(tmp_path)], Limits(), None).streams(Limits())
    )
    assert min(first[:-1]) >= 7_000
    assert first[0] > last[0] > last[-1]
    assert last == sorted(last, reverse=True)
    assert last[-1] < 4_000
