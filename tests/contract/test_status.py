"""`crosswind status`: what it shows, and when it asks for attention."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.config import load_config
from engine.pipeline.watch.status import status
from engine.report.status import Status
from tests.conftest import Ran
from tests.killing import child, ended
from tests.running import Place, call, rule

LONG_AGO = "-9000d"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    found = Place(tmp_path / "place")
    found.rules(rule(1), rule(2).replace("aws", "gcp").replace("cloudtrail", "gcp.audit").replace("eventName", "gcp.audit.method_name"))
    found.put("a.json", call(1, 0))
    return found


@pytest.fixture
def cli_status(cli: Callable[..., Ran], place: Place) -> Callable[..., Ran]:
    return lambda *arguments: cli("status", "--config", place.config, *arguments)


def look(place: Place, **later: Any) -> Status:
    return status(load_config(place.config, {}), datetime.now(UTC) + timedelta(**later), silent=timedelta(days=9000))


def test_all_is_well(cli: Callable[..., Ran], cli_status: Callable[..., Ran], place: Place) -> None:
    assert cli("run", "--config", place.config).code == 0
    ran = cli_status("--silent-after", LONG_AGO, "--format", "json")
    assert ran.code == 0, ran.out
    found = json.loads(ran.out)
    assert found["attention"] == []
    assert [(each["source"], each["latest"]) for each in found["logs"]] == [("aws.cloudtrail", "2026-03-01T08:00:00+00:00")]
    assert found["logs"][0]["lag_seconds"] > 0
    assert [(each["batch"], each["outcome"]) for each in found["runs"]] == [(1, "done")]
    assert found["outbox"] == [{"sink": "out", "waiting": 0, "oldest": None, "failing": 0, "dead": 0}]
    assert [each["uid"][-1] for each in found["unable"]] == ["2"]
    assert min(found["lake_bytes"], found["state_bytes"]) > 1000
    table = cli_status("--silent-after", LONG_AGO, "--format", "table")
    assert table.code == 0
    assert "source    trail" in table.out
    assert "ATTENTION" not in table.out


def test_a_source_that_is_configured_no_more_is_named(cli: Callable[..., Ran], cli_status: Callable[..., Ran], place: Place) -> None:
    assert cli("run", "--config", place.config).code == 0
    place.config.write_text(place.config.read_text().replace("[source.trail]", "[source.renamed]"))
    assert [(each.name, each.objects, each.until) for each in look(place).removed] == [("trail", 1, None)]
    assert cli("run", "--config", place.config).code == 0
    (left,) = look(place).removed
    assert left.until is not None
    assert timedelta(days=29) < left.until - datetime.now(UTC) <= timedelta(days=30)
    assert "trail                    configured no more; 1 objects are remembered until 2" in cli_status("--format", "table").out


def test_before_the_first_run(cli_status: Callable[..., Ran]) -> None:
    ran = cli_status()
    assert ran.code == 3
    assert "`crosswind run` makes it" in ran.err


def test_silent_sources(cli: Callable[..., Ran], cli_status: Callable[..., Ran], place: Place) -> None:
    assert cli("run", "--config", place.config).code == 0
    ran = cli_status("--format", "table")
    assert ran.code == 3
    assert "ATTENTION aws.cloudtrail is silent" in ran.out
    (said,) = status(load_config(place.config, {}), datetime(2026, 3, 3, tzinfo=UTC)).attention
    assert said.startswith("aws.cloudtrail is silent")
    place.configure(sources='[source.trail]\npath = "logs"\n[source.new]\npath = "new"\n')
    assert "source new was never looked through" in look(place).attention


def test_a_batch_that_hangs_and_runs_that_fail(cli: Callable[..., Ran], place: Place) -> None:
    ended(child(place.config, "commit", 1, "before"))
    assert look(place).attention == ["source trail was never looked through"]
    found = look(place, hours=2)
    assert found.plan is not None
    assert any("batch 1 was planned 2 hours ago" in said for said in found.attention)
    assert cli("run", "--config", place.config).code == 0
    lake = place.root / "lake"
    lake.chmod(0o700)
    (place.root / "lake" / "hits").rename(place.root / "hits")
    assert cli("run", "--config", place.config).code == 3
    (place.root / "lake" / "hits").rename(place.root / "other")
    (place.root / "hits").rename(place.root / "lake" / "hits")
    assert any("the last run failed" in said for said in look(place).attention)


def test_alerts_that_cannot_be_delivered(cli: Callable[..., Ran], place: Place) -> None:
    (place.root / "alerts.ndjson").mkdir()
    assert cli("run", "--config", place.config).code == 3
    found = look(place)
    assert [each.waiting for each in found.outbox] == [2], "an alert and its incident"
    assert any(said.startswith("the last run failed: sink out") for said in found.attention)
    assert "sink out: 2 deliveries wait since 3 hours" in look(place, hours=3).attention
