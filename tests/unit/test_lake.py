"""The lake: rows come back as written, one commit a batch, nothing half done."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import polars as pl
import pytest

from engine import schema
from engine.errors import StateError
from engine.store import lake_writer
from engine.store.fingerprints import with_fingerprints
from engine.store.lake import Lake
from engine.store.lake_tables import CONTENT, EVENTS, TABLES, UID_HIGH, UID_LOW

DAY = datetime(2026, 3, 1, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[2]


def events(count: int, *, day: int = 0, source: str = "aws.cloudtrail", start: int = 0, actors: int = 5) -> pl.DataFrame:
    rows = range(start, start + count)
    made = pl.DataFrame(
        {
            "time": [DAY + timedelta(days=day, seconds=n % 86_000, microseconds=n % 1_000_000) for n in rows],
            "x.uid": [f"{source}-{day}-{n}" for n in rows],
            "x.source": source,
            "x.object": "file:///logs/a.json",
            "x.position": list(rows),
            "api.operation": [f"Op{n % 7}" for n in rows],
            "actor.user.uid": [f"user-{n % actors}" for n in rows],
            "raw_data": [f'{{"n":{n}}}' for n in rows],
            "native.errorCode": '"x"',
        },
        schema_overrides={"time": schema.DTYPES["time"]},
    )
    return made.with_columns(pl.lit(3, dtype=pl.Int64).alias("x.mapping_version"))


def put(lake: Lake, batch: int, *frames: pl.DataFrame, digest: str = "d", table: str = "events") -> bool:
    with lake.writer(table, batch) as writer:
        for frame in frames:
            writer.write(frame)
        return writer.commit(digest)


def parquet_files(lake: Lake) -> set[Path]:
    return set(lake.path.rglob("*.parquet")) - set(lake.path.rglob("*checkpoint*"))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.open(tmp_path / "lake", create=True)


def test_every_column_comes_back_as_it_was_written(lake: Lake) -> None:
    values = {"string": "ä\x00|", "int": -5, "float": 0.5, "bool": True, "list": ["a", "b"], "json": '{"a":1}'}
    row = {name: DAY if column.kind == "time" else values[column.kind] for name, column in schema.STORED.items()}
    row |= {"x.source": "aws.cloudtrail", "x.mapping_version": 2}
    frame = pl.DataFrame([row], schema={name: dtype for name, dtype in EVENTS.columns.items() if name in row})
    put(lake, 1, frame)
    back = lake.scan("events").collect()
    assert dict(back.schema) == dict(EVENTS.columns)
    assert back.select(frame.columns).equals(frame)
    assert back.select("x.batch", "x.day").row(0) == (1, DAY.date())


def test_hits_and_rejects_come_back(lake: Lake) -> None:
    hits = events(3).with_columns(pl.lit("r1").alias("rule"), pl.lit("h").alias("x.rule_hash"), pl.lit('{"a":["b"]}').alias("x.fields"))
    put(lake, 1, hits, table="hits")
    rejects = pl.DataFrame({"object": ["o"], "position": [4], "reason": ["no time"], "source": ["s"], "x.day": [DAY.date()]})
    put(lake, 1, rejects, table="rejects")
    assert lake.hits_between(["r1"], DAY, DAY + timedelta(seconds=2)).select("x.fields", "x.position").collect().height == 2
    assert lake.hits_between(["other"], None, None).collect().height == 0
    assert lake.scan("rejects").select(rejects.columns).collect().equals(rejects)


def test_provider_fields_are_not_stored(lake: Lake) -> None:
    put(lake, 1, events(1))
    assert not [name for name in lake.scan("events").collect_schema() if name.startswith("native.")]
    assert "native" not in pl.read_parquet_schema(lake.files("events")[0])


def test_nothing_is_visible_before_the_commit_and_nothing_stays_after_an_abort(lake: Lake) -> None:
    writer = lake.writer("events", 1)
    writer.write(events(60_000))
    assert parquet_files(lake)
    assert lake.scan("events").collect().height == 0
    writer.abort()
    assert not parquet_files(lake)
    assert lake.batch_of("events") == (0, None)


def test_a_batch_is_committed_once(lake: Lake) -> None:
    assert put(lake, 1, events(4), digest="a")
    before = parquet_files(lake)
    assert not put(lake, 1, events(4), digest="a")
    assert parquet_files(lake) == before
    assert lake.scan("events").collect().height == 4
    assert lake.batch_of("events") == (1, "a")


@pytest.mark.parametrize(("batch", "digest"), [(2, "other"), (1, "a")])
def test_a_foreign_plan_or_a_later_batch_is_refused(lake: Lake, batch: int, digest: str) -> None:
    put(lake, 1, events(1), digest="a")
    put(lake, 2, events(1, start=1), digest="b")
    before = parquet_files(lake)
    with pytest.raises(StateError, match="crosswind state repair"):
        put(lake, batch, events(1, start=2), digest=digest)
    assert parquet_files(lake) == before
    assert lake.scan("events").collect().height == 2


def test_an_empty_batch_leaves_its_number(lake: Lake) -> None:
    assert put(lake, 1)
    assert put(lake, 2, events(3).clear())
    assert lake.batch_of("events") == (2, "d")
    assert lake.scan("events").collect().height == 0


def test_the_number_of_a_batch_outlives_other_commits(lake: Lake) -> None:
    put(lake, 1, events(1), digest="a")
    for batch in range(2, 60):
        put(lake, batch, digest=f"plan {batch}")
    assert lake.batch_of("events") == (59, "plan 59")
    assert list((lake.path / "events/_delta_log").glob("*checkpoint*"))


def test_two_writers_of_one_batch_end_in_one_commit(lake: Lake) -> None:
    first, second = lake.writer("events", 1), lake.writer("events", 1)
    first.write(events(5))
    second.write(events(5))
    assert first.commit("a")
    assert not second.commit("a")
    assert lake.scan("events").collect().height == 5
    assert len(parquet_files(lake)) == 1


def test_a_commit_that_was_overtaken_is_tried_again(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.store import lake_writer
    from engine.store.lake_files import load as real

    overtaken: list[int] = []

    def load_and_be_overtaken(root: Path, table: object) -> object:
        there = real(root, table)  # type: ignore[arg-type]
        if not overtaken:
            overtaken.append(1)
            put(lake, 1, events(1))
        return there

    monkeypatch.setattr(lake_writer, "load", load_and_be_overtaken)
    assert put(lake, 2, events(1, start=1))
    assert lake.scan("events").select("x.batch").collect().to_series().sort().to_list() == [1, 2]


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0o000)
    try:
        lake = Lake.open(tmp_path / "some/lake", create=True)
        for batch in range(1, 52):  # 50 commits make a checkpoint
            put(lake, batch, events(2, start=batch * 2))
        assert os.umask(0o000) == 0
    finally:
        os.umask(before)
    for path in [tmp_path / "some", *(tmp_path / "some").rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_rows_are_taken_back_from_files_and_from_what_waits(lake: Lake) -> None:
    with lake.writer("events", 1) as writer:
        writer.write(events(60_000))
        writer.write(events(10, start=60_000))
        writer.drop(pl.DataFrame({"x.object": ["file:///logs/a.json"] * 2 + ["other"], "x.position": [17, 60_003, 18]}))
        writer.commit("d")
    left = lake.scan("events").select("x.position").collect().to_series()
    assert sorted(set(range(60_010)) - set(left.to_list())) == [17, 60_003]
    assert parquet_files(lake) == set(lake.files("events"))


def test_a_file_of_which_nothing_is_left_goes(lake: Lake) -> None:
    with lake.writer("events", 1) as writer:
        writer.write(events(50_000))
        writer.drop(events(50_000).select("x.object", "x.position"))
        writer.commit("d")
    assert not parquet_files(lake)


def test_rows_of_earlier_batches_are_withdrawn_with_the_commit(lake: Lake) -> None:
    put(lake, 1, events(10), events(5, day=1))
    with lake.writer("events", 2) as writer:
        writer.write(events(1, start=3).with_columns(pl.lit("{}").alias("raw_data")))
        writer.withdraw(pl.DataFrame({"x.source": ["aws.cloudtrail"], "x.day": [DAY.date()], "x.uid": ["aws.cloudtrail-0-3"]}))
        assert lake.scan("events").collect().height == 15
        assert writer.commit("d")
    rows = lake.scan("events").select("x.uid", "raw_data", "x.batch").collect()
    assert rows.height == 15
    assert rows.filter(pl.col("x.uid") == "aws.cloudtrail-0-3").rows() == [("aws.cloudtrail-0-3", "{}", 2)]


def test_hits_of_withdrawn_events_go_and_those_of_other_sources_stay(lake: Lake) -> None:
    hits = pl.concat([events(2), events(2).with_columns(pl.lit("gcp.audit").alias("x.source"))])
    put(lake, 1, hits, table="hits")
    with lake.writer("hits", 2) as writer:
        writer.withdraw(pl.DataFrame({"x.source": ["gcp.audit"], "x.day": [DAY.date()], "x.uid": ["aws.cloudtrail-0-1"]}))
        writer.commit("d")
    left = lake.scan("hits").select("x.source", "x.uid").collect().sort("x.source", "x.uid").rows()
    assert left == [("aws.cloudtrail", "aws.cloudtrail-0-0"), ("aws.cloudtrail", "aws.cloudtrail-0-1"), ("gcp.audit", "aws.cloudtrail-0-0")]


def test_what_is_known_is_numbers_that_never_change(lake: Lake) -> None:
    put(lake, 1, events(3))
    put(lake, 2, events(2, start=3))
    known = lake.known([("aws.cloudtrail", DAY.date())], 2, with_fingerprints(events(5)))
    digest = sha256(b"aws.cloudtrail-0-0").digest()
    expected = (int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:16], "big"), int.from_bytes(sha256(b'{"n":0}').digest()[:8], "big"))
    assert known.height == 3
    assert expected in known.select(UID_HIGH, UID_LOW, CONTENT).rows()
    assert known.select(UID_HIGH, UID_LOW, CONTENT).dtypes == [pl.UInt64] * 3
    new = with_fingerprints(events(2, start=2))
    assert lake.known([("aws.cloudtrail", DAY.date())], 9, new).height == 2
    beside = {step: lake.known([("aws.cloudtrail", DAY.date() + timedelta(days=step))], 9, new).height for step in (-2, -1, 1, 2)}
    assert beside == {-2: 0, -1: 2, 1: 2, 2: 0}
    assert lake.known([("gcp.audit", DAY.date())], 9, new).height == 0
    assert lake.known([], 9, new).height == 0


def test_fingerprints_of_slices_and_of_odd_texts() -> None:
    frame = pl.DataFrame({"x.uid": ["", "é" * 40, "b", None], "raw_data": ["1", "2", "3" * 4000, "4"]}).slice(1, 2)
    made = with_fingerprints(frame)
    assert made[CONTENT].to_list() == [int.from_bytes(sha256(text.encode()).digest()[:8], "big") for text in ("2", "3" * 4000)]
    assert with_fingerprints(made).equals(made)
    assert with_fingerprints(frame.clear()).height == 0


def test_events_between_are_half_open_and_touch_no_other_day(lake: Lake) -> None:
    put(lake, 1, *(events(10, day=day) for day in range(5)), events(10, source="gcp.audit"))
    found = lake.events_between(["aws.cloudtrail"], DAY + timedelta(days=2), DAY + timedelta(days=3), ["x.uid", "time"])
    assert found.collect().height == 10
    plan = found.explain()
    assert plan.count(".parquet") == 1
    assert "2026-03-03" in plan
    assert lake.events_between(None, DAY + timedelta(seconds=3, microseconds=3), DAY + timedelta(seconds=5), ["x.uid"]).collect().height == 4


def test_bounds_in_the_log_hold_every_row(lake: Lake) -> None:
    last = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    put(lake, 1, events(2).with_columns(pl.Series("time", [DAY + timedelta(microseconds=1), DAY + timedelta(microseconds=999_999)])))
    assert lake.scan("events").filter(pl.col("time") > DAY + timedelta(microseconds=999_998)).collect().height == 1
    put(lake, 2, events(1, start=9).with_columns(pl.lit(last).alias("time")))
    assert lake.scan("events").filter(pl.col("time") >= last).collect().height == 1
    put(lake, 3, events(1, start=10).with_columns(pl.lit("z" * 5000).alias("actor.user.uid")))
    assert lake.scan("events").filter(pl.col("actor.user.uid") == "z" * 5000).collect().height == 1


def test_what_a_table_holds(lake: Lake) -> None:
    put(lake, 1, events(10), events(4, day=3, source="gcp.audit"))
    extent = lake.extent("events")
    assert (extent.files, extent.rows, extent.sources) == (2, 14, ("aws.cloudtrail", "gcp.audit"))
    assert (extent.first_day, extent.last_day) == (date(2026, 3, 1), date(2026, 3, 4))
    assert extent.bytes == sum(path.stat().st_size for path in lake.files("events"))
    assert lake.files("events", sources=["gcp.audit"]) == lake.files("events", start=DAY + timedelta(days=1))
    assert lake.extent("hits").rows == 0


def test_a_column_of_a_later_version_is_null_in_old_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from engine.store import lake, lake_writer

    older = replace(EVENTS, columns={name: dtype for name, dtype in EVENTS.columns.items() if name not in ("risk_level", "privileges")})
    with monkeypatch.context() as old:
        old.setitem(TABLES, "events", older)
        old.setattr(lake_writer, "EVENTS", older)
        put(lake.Lake.open(tmp_path, create=True), 1, events(2))
    reader = Lake.open(tmp_path, create=False)
    assert reader.scan("events").select("risk_level", "privileges").collect().null_count().row(0) == (2, 2)
    there = Lake.open(tmp_path, create=True)
    put(there, 2, events(1, start=5).with_columns(pl.lit("high").alias("risk_level")))
    assert there.scan("events").select("risk_level").collect().to_series().sort().to_list() == [None, None, "high"]
    assert there.batch_of("events") == (2, "d")


def test_where_there_is_no_lake(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"there is no lake at .*nowhere"):
        Lake.open(tmp_path / "nowhere", create=False)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("name", ["my lake", "Größe é", "a+b &d;e'f"])
def test_paths_with_spaces_and_letters_of_all_kinds(tmp_path: Path, name: str) -> None:
    lake = Lake.open(tmp_path / name, create=True)
    put(lake, 1, events(10), events(5, day=1))
    assert lake.events_between(None, DAY, DAY + timedelta(days=1)).collect().height == 10
    assert lake.known([("aws.cloudtrail", DAY.date())], 2, with_fingerprints(events(10))).height == 10
    assert all(path.exists() for path in lake.files("events"))


@pytest.mark.parametrize("name", ["a%20b", "a*", "a?", "[a]", "a#b", "a=b"])
def test_paths_that_readers_would_take_for_patterns_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(StateError, match="choose another directory"):
        Lake.open(tmp_path / name, create=True)


def test_a_file_is_no_lake(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("x")
    with pytest.raises(StateError, match="A lake is a directory"):
        Lake.open(tmp_path / "lake", create=True)


def test_a_lake_that_was_begun_is_finished(tmp_path: Path) -> None:
    (tmp_path / "events/_delta_log").mkdir(parents=True)
    assert put(Lake.open(tmp_path, create=True), 1, events(1))


def test_few_rows_of_a_large_frame_wait_without_it(lake: Lake) -> None:
    with lake.writer("events", 1) as writer:
        for n in range(4):
            large = events(2_000, start=n * 2_000).with_columns((pl.lit("x" * 20_000) + pl.col("x.uid")).alias("raw_data"))
            writer.write(large.slice(7, 5).with_columns(pl.col("time") + pl.duration(days=n % 2)))
        assert not parquet_files(lake)
        assert sum(writer._sizes.values()) < 1_000_000
        writer.commit("d")
    assert len(lake.files("events")) == 2


def test_rows_for_a_whole_file_take_along_what_waits(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lake_writer, "_AT_ONCE", 10)
    with lake.writer("events", 1) as writer:
        writer.write(events(4))
        assert not parquet_files(lake)
        writer.write(pl.concat([events(9, start=4), events(5, start=4, day=1)]))
        assert not parquet_files(lake)
        writer.write(events(10, start=13))
        assert len(parquet_files(lake)) == 1
        writer.drop(events(1, start=2).select("x.object", "x.position"))
        writer.commit("d")
    assert sorted(lake.scan("events").filter(pl.col("x.day") == DAY.date()).collect()["x.position"]) == [0, 1, *range(3, 23)]
    assert lake.scan("events").collect().height == 27


def test_threads_may_write_at_the_same_time(lake: Lake) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with lake.writer("events", 1) as writer, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: writer.write(events(3_000, day=n % 3, start=n * 3_000)), range(40)))
        writer.commit("d")
    assert lake.scan("events").select(pl.col("x.uid").n_unique()).collect().item() == 120_000
    assert parquet_files(lake) == set(lake.files("events"))


CHILD = """
import os, resource, signal, sys
sys.path.insert(0, {root!r})
from pathlib import Path
from tests.unit.test_lake import events
from engine.errors import StateError
from engine.store.lake import Lake
lake = Lake.open(Path({lake!r}), create=False)
writer = lake.writer("events", 2)
{body}
"""


def child(lake: Lake, body: str) -> subprocess.CompletedProcess[str]:
    code = CHILD.format(root=str(ROOT), lake=str(lake.path), body=body)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)


def test_a_full_disk_leaves_the_table_as_it_was(lake: Lake) -> None:
    put(lake, 1, events(5))
    before = parquet_files(lake)
    body = """
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    with writer:
        writer.write(events(60_000, start=10))
        writer.commit("b")
except StateError as error:
    print(error)
"""
    done = child(lake, body)
    assert "The disk is full: make room and run again" in done.stdout, done
    assert parquet_files(lake) == before
    assert lake.scan("events").collect().height == 5
    assert put(lake, 2, events(5, start=10))


def test_a_full_disk_at_the_commit_itself(lake: Lake) -> None:
    body = """
writer.write(events(10))
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
writer._flush(next(iter(writer._waiting)))
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 100_000))
try:
    with writer:
        writer.commit("b")
except StateError as error:
    print(error)
"""
    done = child(lake, body)
    assert "The disk is full" in done.stdout, done
    assert lake.batch_of("events") == (0, None)
    assert not parquet_files(lake)
    assert put(lake, 2, events(5, start=10))


def test_killed_between_files_and_commit(lake: Lake) -> None:
    put(lake, 1, events(5))
    done = child(lake, "writer.write(events(60_000, start=10))\nos.kill(os.getpid(), signal.SIGKILL)")
    assert done.returncode == -signal.SIGKILL
    assert len(parquet_files(lake)) > 1
    assert lake.batch_of("events") == (1, "d")
    assert lake.scan("events").collect().height == 5
    assert put(lake, 2, events(60_000, start=10))
    assert lake.scan("events").collect().height == 60_005


def test_the_log_says_who_wrote_what(lake: Lake) -> None:
    put(lake, 1, events(1), digest="plan")
    commit = [json.loads(line) for line in (lake.path / f"events/_delta_log/{1:020}.json").read_text().splitlines()]
    assert commit[0]["commitInfo"]["crosswind.batch"] == 1
    assert commit[0]["commitInfo"]["crosswind.plan"] == "plan"
    assert {"txn": {"appId": "crosswind.events", "version": 1}}.items() <= {k: v for line in commit for k, v in line.items()}.items()
