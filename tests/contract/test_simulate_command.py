"""`crosswind simulate`: what it writes is understood to the last record, and its truth is about events that are there once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from engine.model import Level
from engine.pipeline import ScanResult, Settings, scan
from engine.pipeline.show import events
from engine.simulate.campaigns import CAMPAIGNS
from engine.simulate.generate import Plan, generate

Cli = Callable[..., Any]
NOW = datetime(2026, 4, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated") / "out"
    generate(folder, Plan(days=2, seed=4, scale=0.1))
    return folder


@pytest.fixture(scope="module")
def scanned(out: Path) -> ScanResult:
    return scan([str(out / "logs")], Settings(now=NOW), min_level=Level.LOW)


def test_every_record_is_understood(scanned: ScanResult, out: Path) -> None:
    report = scanned.report
    assert report.rejected == report.skipped == report.conflicts == report.out_of_range == 0
    assert report.duplicates > 0
    told = orjson.loads((out / "truth.json").read_bytes())["records"]
    assert {source.source for source in report.sources} == set(told)
    assert sum(told.values()) == report.records


def test_events_of_the_truth_are_there_once(out: Path) -> None:
    truth = orjson.loads((out / "truth.json").read_bytes())
    found: Counter[str] = Counter()
    for frame in events([str(out / "logs")], Settings(now=NOW), columns=["x.uid"]).frames:
        found.update(frame["x.uid"].to_list())
    assert {where["campaign"] for where in truth["events"].values()} >= set(CAMPAIGNS)
    assert {uid: found[uid] for uid in truth["events"] if found[uid] != 1} == {}
    for one in truth["campaigns"]:
        for link in one["links"]:
            assert {uid for uid in link["event_uids"] if found[uid] != 1} == set()


def test_attacks_raise_alerts_and_life_goes_on_quietly(scanned: ScanResult, out: Path) -> None:
    told = orjson.loads((out / "truth.json").read_bytes())["events"]
    of_attacks = Counter(told[event.uid]["campaign"] for alert in scanned.alerts for event in alert.events if event.uid in told)
    assert len(set(of_attacks) & set(CAMPAIGNS)) >= 15
    others = [alert for alert in scanned.alerts if alert.level >= Level.HIGH and not any(event.uid in told for event in alert.events)]
    assert len(others) <= 3


def test_the_command_says_what_it_made(cli: Cli, tmp_path: Path) -> None:
    ran = cli("simulate", "--days", "1", "--seed", "9", "--scale", "0.02", "--campaigns", "d05,d27", "--out", tmp_path / "new")
    assert ran.code == 0, ran.err
    assert "aws.cloudtrail" in ran.out
    assert "d05  Secrets of several clouds are read from one place: " in ran.out
    assert "d01" not in ran.out
    assert str(tmp_path / "new" / "truth.json") in ran.out
    again = cli("simulate", "--days", "1", "--out", tmp_path / "new")
    assert again.code == 2
    assert "not an empty directory" in again.err
    wrong = cli("simulate", "--campaigns", "d77", "--out", tmp_path / "other")
    assert wrong.code == 2
    assert "no campaign d77: choose all, reports, none or some of d01," in wrong.err
    assert not (tmp_path / "other").exists()


def test_the_start_is_a_day(cli: Cli, tmp_path: Path) -> None:
    ran = cli("simulate", "--days", "1", "--scale", "0.02", "--campaigns", "none", "--start", "2025-11-29", "--out", tmp_path / "new")
    assert ran.code == 0, ran.err
    assert orjson.loads((tmp_path / "new" / "truth.json").read_bytes())["start"] == "2025-11-29T00:00:00Z"
    assert list((tmp_path / "new/logs").rglob("2025/11/29"))
    wrong = cli("simulate", "--start", "tomorrow", "--out", tmp_path / "other")
    assert wrong.code == 2
