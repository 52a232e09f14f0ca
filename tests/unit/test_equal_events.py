"""Of the identities of earlier events those that new ones may have are told from the others."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from engine.pipeline.far import equal_events
from engine.pipeline.far.equal_events import NewOnes
from engine.store.lake_tables import UID_HIGH


def identities(count: int, seed: int) -> pl.DataFrame:
    chance = random.Random(seed)
    return pl.DataFrame({UID_HIGH: [chance.getrandbits(64) for _ in range(count)]}, schema={UID_HIGH: pl.UInt64()})


def told(folder: Path, parts: Sequence[pl.DataFrame]) -> NewOnes | None:
    for number, part in enumerate(parts):
        part.write_parquet(folder / f"{number}.ids")
    return NewOnes.of(folder, [f"{number}.ids" for number in range(len(parts))], sum(part.height for part in parts))


def test_every_new_identity_is_among_them_and_few_others_are(tmp_path: Path) -> None:
    parts, others = [identities(3_000, 1), identities(4_000, 2)], identities(50_000, 3)
    extremes = pl.DataFrame({UID_HIGH: [0, 7, 8, 2**63, 2**64 - 1]}, schema={UID_HIGH: pl.UInt64()})
    new = told(tmp_path, [*parts, extremes])
    assert new is not None
    for part in (*parts, extremes):
        assert new.among(part).equals(part)
    assert 0 < new.among(others).height < others.height / 12
    assert new.among(others.clear()).height == 0


def test_no_new_identity_is_among_none(tmp_path: Path) -> None:
    new = told(tmp_path, [])
    assert new is not None
    assert new.among(identities(1_000, 4)).height == 0


def test_too_many_are_not_told_from_others(tmp_path: Path) -> None:
    assert NewOnes.of(tmp_path, [], 1 << equal_events._MOST_BITS) is None
    assert list(tmp_path.iterdir()) == []
