"""Compaction, retention, vacuum and verification change files, never rows."""

from __future__ import annotations

import os
import random
import time
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from engine.errors import StateError
from engine.store import lake_care
from engine.store.lake import Lake
from engine.store.lake_care import compact, on_disk, retain, vacuum, verify
from engine.store.lake_files import write_part
from engine.store.lake_order import ordered
from tests.unit.test_lake import DAY, events, parquet_files, put


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.open(tmp_path / "lake", create=True)


def rows(lake: Lake) -> pl.DataFrame:
    return lake.scan("events").sort("x.source", "x.uid").collect()


def test_compaction_keeps_rows_and_leaves_few_files(lake: Lake) -> None:
    for batch in range(1, 6):
        put(lake, batch, events(10, start=batch * 10), events(3, day=1, start=batch * 3), events(2, source="gcp.audit", start=batch * 2))
    before, version = rows(lake), lake.batch_of("events")
    done = compact(lake)[0]
    assert (done.partitions, done.files_before, done.files_after, done.rows) == (3, 15, 3, 75)
    assert rows(lake).equals(before)
    assert len(lake.files("events")) == 3
    assert lake.batch_of("events") == version
    assert verify(lake) == []
    assert compact(lake)[0].partitions == 0
    put(lake, 6, events(4, start=900))
    assert compact(lake)[0].files_before == 2
    assert rows(lake).height == before.height + 4


def test_compacted_files_are_for_their_owner_alone(lake: Lake) -> None:
    put(lake, 1, events(10))
    compact(lake)
    retain(lake, DAY + timedelta(days=400), days=30)
    assert {path.stat().st_mode & 0o777 for path in lake.path.rglob("*") if path.is_file()} == {0o600}


def test_large_ordered_files_are_left_alone(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lake_care, "_TARGET", 60_000)
    monkeypatch.setattr(lake_care, "_SMALL", 10_000)
    put(lake, 1, events(100))
    compact(lake)
    kept = lake.files("events")
    put(lake, 2, events(100, start=100))
    compact(lake)
    assert set(kept) < set(lake.files("events"))


def test_a_little_that_is_new_does_not_rewrite_the_whole_day(lake: Lake) -> None:
    put(lake, 1, events(40_000))
    compact(lake)
    (day,) = lake.files("events")
    for batch in range(2, 5):
        put(lake, batch, events(2, start=40_000 + batch * 2))
        assert compact(lake)[0].files_after == 1
        assert day in lake.files("events")
        assert len(lake.files("events")) == 2
        assert compact(lake)[0].files_before == 0
    put(lake, 5, events(20_000, start=50_000))
    assert compact(lake)[0].rows == 60_006
    assert len(lake.files("events")) == 1
    assert rows(lake).height == 60_006


def test_a_reader_that_began_before_compaction_and_retention_finishes(lake: Lake) -> None:
    put(lake, 1, events(10))
    put(lake, 2, events(10, start=10))
    reader = lake.scan("events")
    compact(lake)
    retain(lake, DAY + timedelta(days=400), days=30)
    vacuum(lake)
    assert reader.collect().height == 20
    assert lake.scan("events").collect().height == 0


def test_compaction_gives_way_to_whoever_took_a_file_out(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    put(lake, 1, events(10))
    put(lake, 2, events(10, start=10))

    def overtaken(*args: object, **named: object) -> object:
        made = write_part(*args, **named)  # type: ignore[arg-type]
        retain(lake, DAY + timedelta(days=400), days=30)
        return made

    monkeypatch.setattr(lake_care, "write_part", overtaken)
    assert compact(lake)[0].rows == 0
    assert lake.scan("events").collect().height == 0
    vacuum(lake, grace=timedelta(0))
    assert not parquet_files(lake)


def test_a_batch_may_be_committed_while_compaction_is_at_work(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    put(lake, 1, events(10))
    put(lake, 2, events(10, start=10))

    def meanwhile(*args: object, **named: object) -> object:
        put(lake, 3, events(5, start=20))
        return write_part(*args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(lake_care, "write_part", meanwhile)
    assert compact(lake)[0].rows == 20
    assert lake.scan("events").collect().height == 25
    assert lake.batch_of("events") == (3, "d")


def test_retention_takes_whole_days_and_hits_have_their_own(lake: Lake) -> None:
    for table in ("events", "hits"):
        put(lake, 1, *(events(2, day=day).with_columns(pl.lit("r").alias("rule")) for day in range(10)), table=table)
    now = DAY + timedelta(days=9, hours=12)
    taken = {one.table: one for one in retain(lake, now, days=3, hit_days=5)}
    assert (taken["events"].before, taken["events"].rows, taken["events"].files) == (date(2026, 3, 7), 12, 6)
    assert taken["hits"].rows == 8
    assert lake.scan("events").select(pl.col("x.day").min()).collect().item() == date(2026, 3, 7)
    assert lake.batch_of("events") == (1, "d")
    assert retain(lake, now, days=3, hit_days=5)[0].rows == 0


def test_vacuum_deletes_what_nobody_can_read_any_more(lake: Lake) -> None:
    put(lake, 1, events(10))
    put(lake, 2, events(10, start=10))
    compact(lake)
    folder = lake.files("events")[0].parent
    orphans = [folder / "batch-00000003-old.parquet", folder / "batch-00000003-new.parquet"]
    for orphan in orphans:
        orphan.write_bytes(b"killed")
    os.utime(orphans[0], (time.time() - 200_000,) * 2)
    assert vacuum(lake)[0].files == 1
    assert [orphan.exists() for orphan in orphans] == [False, True]
    before = on_disk(lake, "events")
    done = vacuum(lake, grace=timedelta(0))[0]
    assert done.files == 3
    assert done.bytes > 0
    assert on_disk(lake, "events") < before
    assert parquet_files(lake) == set(lake.files("events"))
    assert rows(lake).height == 20


def test_vacuum_takes_empty_folders_away(lake: Lake) -> None:
    put(lake, 1, events(2), events(2, day=40), events(2, source="gcp.audit"))
    retain(lake, DAY + timedelta(days=41), days=30)
    vacuum(lake, grace=timedelta(0))
    folders = {str(path.relative_to(lake.path / "events")) for path in (lake.path / "events").rglob("*=*") if path.is_dir()}
    assert folders == {"x.source=aws.cloudtrail", "x.source=aws.cloudtrail/x.day=2026-04-10"}
    put(lake, 2, events(2))
    assert rows(lake).height == 4


def test_verification_names_what_is_wrong(lake: Lake) -> None:
    put(lake, 1, events(10), events(10, day=1), events(10, day=2))
    assert verify(lake) == []
    missing, cut, broken = lake.files("events")
    missing.unlink()
    cut.write_bytes(cut.read_bytes()[:-5])
    broken.write_bytes(b"x" * broken.stat().st_size)
    wrong = verify(lake)
    assert len(wrong) == 3
    assert any(missing.name in line and line.endswith("is missing") for line in wrong)
    assert any(cut.name in line and "the log says" in line for line in wrong)
    assert any(broken.name in line and line.endswith("cannot be read") for line in wrong)
    with pytest.raises(StateError, match="could not compact"):
        compact(lake)


def groups_with(path: Path, column: str, value: str) -> tuple[int, int]:
    """Row groups of a file whose bounds may hold a value, and all."""
    about = pq.ParquetFile(path).metadata
    at = about.schema.names.index(column) if column in about.schema.names else None
    assert at is not None
    bounds = [about.row_group(n).column(at).statistics for n in range(about.num_row_groups)]
    return sum(one is None or one.min <= value <= one.max for one in bounds), len(bounds)


def test_one_actor_and_day_of_thirty_reads_a_fifth_of_that_day_and_no_other(lake: Lake) -> None:
    chance = random.Random(7)
    actors = [f"arn:aws:iam::1:user/u{n:03}" for n in range(200)]
    weights = [1 / (n + 20) for n in range(200)]
    whole = events(100_000, day=12).with_columns(
        pl.Series("actor.user.uid", chance.choices(actors, weights, k=100_000)),
        pl.Series("api.operation", [f"Op{min(int(chance.expovariate(0.1)), 80)}" for _ in range(100_000)]),
    )
    put(lake, 1, *(events(20, day=day) for day in range(30) if day != 12), *whole.iter_slices(10_000))
    compact(lake)
    day = DAY + timedelta(days=12)
    plan = lake.events_between(None, day, day + timedelta(days=1)).filter(pl.col("actor.user.uid") == actors[60]).explain()
    files = [path for path in lake.files("events") if str(path) in plan]
    assert files
    assert {path.parent.name for path in files} == {"x.day=2026-03-13"}
    for actor in (actors[0], actors[60], actors[199]):
        read, there = map(sum, zip(*(groups_with(path, "actor.user.uid", actor) for path in files), strict=True))
        assert there >= 20
        assert read <= 0.2 * there, actor


def test_order_keeps_every_row_and_brings_values_together() -> None:
    frame = pl.DataFrame({"a": [None, "x", "y", "x"] * 50, "b": [f"{n % 9}" for n in range(200)], "time": [datetime(2026, 1, 1)] * 200})
    done = ordered(frame, ("a", "b"))
    assert done.columns == frame.columns
    assert done.sort("a", "b").equals(frame.sort("a", "b"))
    assert done["a"].rle_id().max() < 30  # type: ignore[operator]
    assert ordered(frame.clear(), ("a",)).height == 0
