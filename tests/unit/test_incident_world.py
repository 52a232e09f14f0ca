"""What the incidents benchmark makes of logs it read once is what `scan` makes of them."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks.incident_figures import Truth, measure
from benchmarks.incident_world import World
from benchmarks.incidents import left_out, table
from engine.bundled import detections
from engine.incidents.kernel import incidents
from engine.model import Alert, Level
from engine.pipeline import ScanResult, Settings, scan
from engine.simulate.generate import Plan, generate

NOW = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("world") / "out"
    generate(out, Plan(days=1, seed=3, scale=0.01, campaigns=("d01", "d05", "d10", "d25")))
    return out / "logs"


@pytest.fixture(scope="module")
def world(logs: Path) -> World:
    return World.read(logs, NOW)


def scanned(logs: Path, rules: Path | None = None) -> ScanResult:
    return scan([str(logs)], Settings(now=NOW, jobs=1), rules=[rules] if rules else (), builtin=rules is None, min_level=Level.LOW)


def placeless(alerts: list[Alert]) -> list[Alert]:
    """The alerts without the path of their rule: a copy of the rules stands elsewhere."""
    return [replace(alert, rule=replace(alert.rule, path=None)) for alert in alerts]


def test_all_sources_and_rules(logs: Path, world: World) -> None:
    found, asked = world.judged(), scanned(logs)
    assert len(asked.raised) > 10
    assert found.alerts == asked.raised
    assert found.incidents == asked.incidents


def test_without_a_source(logs: Path, world: World, tmp_path: Path) -> None:
    found = world.judged(without={"gcp.audit", "gcp.vertex_ai"})
    (logs / "gcp").rename(tmp_path / "gcp")
    try:
        asked = scanned(logs)
    finally:
        (tmp_path / "gcp").rename(logs / "gcp")
    assert found.alerts == asked.raised
    assert found.incidents == asked.incidents
    assert found.alerts != world.judged().alerts


def test_with_a_correlation_switched_off(logs: Path, world: World, tmp_path: Path) -> None:
    fired = {alert.rule.uid for alert in world.judged().alerts} & set(world.campaigns())
    assert fired, "one of these campaigns has a correlation of its own"
    folder = tmp_path / "detections"
    shutil.copytree(detections(), folder)
    for path in (folder / "correlations").glob("*.yml"):
        if any(uid in path.read_text(encoding="utf-8") for uid in fired):
            path.unlink()
    found, asked = world.judged(off=frozenset(fired)), scanned(logs, folder)
    assert placeless(found.alerts) == placeless(asked.raised)
    assert found.incidents == asked.incidents
    assert not fired & {alert.rule.uid for alert in found.alerts}


def test_levels_of_whole_incidents_are_reached_by_all_their_alerts(world: World) -> None:
    found = world.judged()
    by_uid = {alert.uid: alert for alert in found.alerts}
    sets = [[by_uid[uid] for uid in each.alert_uids] for each in found.incidents]
    told = found.reached(sets)
    assert sum(level == each.level for level, each in zip(told, found.incidents, strict=True)) >= 0.9 * len(sets)
    assert all(level <= max(each.level for each in incidents(alerts, found.given)) for level, alerts in zip(told, sets, strict=True))


def test_each_campaign_is_scored_without_its_own_correlations(logs: Path, world: World) -> None:
    truth = Truth(json.loads((logs.parent / "truth.json").read_text(encoding="utf-8")))
    base = world.judged()
    whole = measure(truth, base.alerts, base.incidents, Level.HIGH)
    found = left_out(world, truth, base, whole, Level.HIGH)
    assert found.campaigns == whole.campaigns == 4
    assert found.right <= whole.right
    assert found.shown >= found.right + whole.loud
    assert "left-out" in table({"catalogue": whole, "left-out": found})
