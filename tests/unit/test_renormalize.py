"""Events made again by the mapping of today: values change, identities and counts do not."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from connectors.normalize import normalize
from connectors.sources import load_mappings
from engine.pipeline.lasting.renormalize import renormalize
from engine.store.lake import Lake
from engine.store.lake_care import compact, verify
from tests.unit.test_lake import parquet_files, put

CLOUDTRAIL = load_mappings()["aws.cloudtrail"]
NOW = datetime(2026, 4, 1, tzinfo=UTC)


def record(n: int, **more: object) -> str:
    base = {
        "eventVersion": "1.08",
        "eventTime": f"2026-03-01T00:00:{n % 60:02}Z",
        "eventID": f"id-{n}",
        "eventSource": "iam.amazonaws.com",
        "eventName": f"Op{n % 3}",
        "awsRegion": "eu-west-1",
        "recipientAccountId": "111122223333",
        "userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::111122223333:user/u{n % 2}"},
    }
    return json.dumps(base | more)


def normalised(texts: list[str]) -> pl.DataFrame:
    records = pl.DataFrame({"raw_data": texts, "object": "file:///a", "position": list(range(len(texts))), "repaired": False})
    return normalize(records, CLOUDTRAIL, now=NOW).events


def as_older(events: pl.DataFrame) -> pl.DataFrame:
    """As a mapping before today's would have stored it: a column wrong, another missing."""
    return events.with_columns(
        pl.lit("wrong").alias("api.operation"),
        pl.lit(None, pl.String()).alias("actor.user.uid"),
        pl.lit(CLOUDTRAIL.version - 1, pl.Int64()).alias("x.mapping_version"),
    )


def as_today(events: pl.DataFrame) -> pl.DataFrame:
    return events.with_columns(pl.lit(CLOUDTRAIL.version, pl.Int64()).alias("x.mapping_version"))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.open(tmp_path / "lake", create=True)


def rows(lake: Lake) -> pl.DataFrame:
    return lake.scan("events").sort("x.uid").collect()


def test_events_of_an_older_mapping_become_those_of_today(lake: Lake, tmp_path: Path) -> None:
    events = normalised([record(n) for n in range(10)])
    put(lake, 1, as_older(events[:6]), as_today(events[6:8]))
    put(lake, 2, as_today(events[8:]))
    other = Lake.open(tmp_path / "other", create=True)
    put(other, 1, as_today(events[:8]))
    put(other, 2, as_today(events[8:]))
    (done,) = renormalize(lake)
    assert (done.source, done.files, done.rows, done.kept) == ("aws.cloudtrail", 1, 6, 0)
    assert rows(lake).equals(rows(other))
    assert lake.batch_of("events") == (2, "d")
    assert verify(lake) == []
    assert renormalize(lake) == []
    compact(lake)
    assert rows(lake).equals(rows(other))


def test_a_day_that_changes_moves_the_row(lake: Lake) -> None:
    events = normalised([record(1), record(2)])
    wrong = pl.when(pl.col("x.position") == 0).then(pl.col("time") - pl.duration(days=3)).otherwise(pl.col("time")).alias("time")
    put(lake, 1, as_older(events).with_columns(wrong))
    renormalize(lake)
    assert rows(lake)["x.day"].unique().to_list() == [datetime(2026, 3, 1).date()]
    assert rows(lake).height == 2


def test_what_the_mapping_of_today_refuses_stays_as_it_was(lake: Lake) -> None:
    events = normalised([record(1), record(2), record(3)])
    broken = pl.when(pl.col("x.position") == 1).then(pl.lit(record(2, eventTime="never"))).otherwise(pl.col("raw_data")).alias("raw_data")
    put(lake, 1, as_older(events).with_columns(broken))
    (done,) = renormalize(lake)
    assert (done.rows, done.kept) == (2, 1)
    assert rows(lake)["api.operation"].sort().to_list() == ["Op0", "Op1", "wrong"]
    (again,) = renormalize(lake)
    assert (again.files, again.rows, again.kept) == (0, 0, 1)


def test_identities_and_what_was_odd_about_a_record_stay(lake: Lake) -> None:
    events = normalised([record(1)])
    flags = pl.Series("x.flags", [["utf8_repaired", "future_time", "unmapped:risk_level"]])
    put(lake, 1, as_older(events).with_columns(flags, pl.lit("an identity of old").alias("x.uid")))
    before = rows(lake)
    renormalize(lake)
    after = rows(lake)
    same = ["x.uid", "x.uid_high", "x.uid_low", "x.content_hash", "x.object", "x.position", "x.batch", "raw_data", "time"]
    assert after.select(same).equals(before.select(same))
    assert after["x.flags"].to_list() == [["utf8_repaired", "future_time"]]


def test_a_file_that_is_gone_meanwhile_is_left(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.pipeline.lasting import renormalize as module
    from engine.store.lake_files import write_part

    put(lake, 1, as_older(normalised([record(1)])))

    def overtaken(*args: object, **named: object) -> object:
        made = write_part(*args, **named)  # type: ignore[arg-type]
        compact(lake)
        return made

    monkeypatch.setattr(module, "write_part", overtaken)
    assert renormalize(lake) == []
    assert rows(lake).height == 1
    monkeypatch.undo()
    assert renormalize(lake)[0].rows == 1
    assert rows(lake)["api.operation"].to_list() == ["Op1"]
    assert len(lake.files("events")) == 1
    assert len(parquet_files(lake)) == 3
