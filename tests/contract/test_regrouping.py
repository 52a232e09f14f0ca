"""What a batch reads of the lake to put alerts into incidents: what they name, and of other days only what was not counted before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from engine.config import load_config
from engine.identity.edges import EDGES
from engine.incidents.sightings import sightings_of, totals_of
from engine.pipeline.lasting import origins
from engine.pipeline.lasting.lake_identities import KEPT, edges_about, sightings_about
from engine.pipeline.watch.scheduled import run as work
from engine.store.lake import Lake
from tests.incident_samples import EVE, KEY, edges
from tests.running import Place, call

DAY = 24 * 60
NOW = datetime(2026, 4, 20, tzinfo=UTC)


def made(place: Place) -> dict[str, tuple[int, int]]:
    """Each file of counted sightings with what tells that it is still the same one."""
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in (place.root / "lake" / KEPT).iterdir()}


def test_a_batch_counts_again_only_the_days_it_changed(tmp_path: Path) -> None:
    place = Place(tmp_path / "place")
    for day in range(30):
        place.put(f"{day:02d}.json", *(call(100 * day + n, DAY * day + n, "StopLogging" if n == 0 else "GetUser") for n in range(20)))
    work(load_config(place.config, {}), lambda: NOW)
    before = made(place)
    assert len(before) == 30
    place.put("late.json", call(5_000, DAY * 29 + 50))
    assert work(load_config(place.config, {}), lambda: NOW).batches[0].incidents
    after = made(place)
    assert len(after) == 30
    assert {name for name in after if after[name] != before.get(name)} == {name for name in after if name.startswith("2026-03-30-")}


def test_what_was_counted_is_what_the_events_say(tmp_path: Path) -> None:
    place = Place(tmp_path / "place")
    addresses = ("203.0.113.7", "203.0.113.8", "198.51.100.9")
    for day in range(3):
        calls = [call(100 * day + n, DAY * day + 7 * n, sourceIPAddress=addresses[n % 3]) for n in range(12)]
        place.put(f"{day}.json", *calls)
        work(load_config(place.config, {}), lambda: NOW)
    lake = place.lake()
    all_of = sightings_of(lake.scan("events"))
    start = datetime(2026, 3, 1, tzinfo=UTC)
    seen, totals = sightings_about(lake, ["ip:203.0.113.7", "ip:192.0.2.1"], start, start + timedelta(days=2))
    assert sorted(seen.rows()) == sorted(set(all_of.filter(pl.col("entity") == "ip:203.0.113.7").rows()))
    assert totals.sort(pl.all()).equals(totals_of(all_of).collect().sort(pl.all()))


def lake_with(path: Path, *parts: pl.DataFrame) -> Lake:
    lake = Lake.open(path, create=True)
    for number, part in enumerate(parts, 1):
        with lake.writer("edges", number) as writer:
            writer.write(part)
            writer.commit("0" * 64)
    return lake


def sessions_of(key: str, size: int, start: int = 0) -> pl.DataFrame:
    return edges(*(("issued_key", f"aws.key:ASIA{start + n:016d}", f"aws.key:{key}", 0) for n in range(size)))


def test_edges_are_read_of_what_alerts_name_alone(tmp_path: Path) -> None:
    lake = lake_with(
        tmp_path / "lake",
        sessions_of("AKIAOTHEROTHEROTHER1", 2_000),
        edges(("key_of", f"aws.key:{KEY}", f"aws.user:{EVE}", 0), ("created_key", f"aws.key:{KEY}", "email:ana@example.com", 0)),
    )
    parts = edges_about(lake, pl.Series(["aws.key:ASIA0000000000000007", f"aws.key:{KEY}"]), pl.Series(["p-8"]))
    found = pl.concat(parts).select(list(EDGES)).unique()
    assert sorted(found["child"]) == ["aws.key:AKIAIOSFODNN7EXAMPLE"] * 2 + ["aws.key:ASIA0000000000000007", "aws.key:ASIA0000000000000008"]


def test_what_new_edges_lead_down_to_is_bounded_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = lake_with(tmp_path / "lake", sessions_of(KEY, 60))
    for most, cut in ((60, True), (61, False)):
        below = origins.followed(lake, pl.Series([f"aws.key:{KEY}"]), "parent", "child", most)
        assert (below.edges.height, below.cut) == (60, cut)
    few = origins.followed(lake, pl.Series([f"aws.key:{KEY}"]), "parent", "child", 10)
    assert sorted(few.edges["child"]) == [f"aws.key:ASIA{n:016d}" for n in range(11)]
    monkeypatch.setattr(origins, "BELOW", 10)
    new = edges(("key_of", f"aws.key:{KEY}", f"aws.user:{EVE}", 0))
    assert origins.touched_by([new], lake, 2, {}, {}) == ({}, [origins.CUT.format(10)])
