"""Incidents of `run`: the same as those of `scan`, however the logs come, and told at its end."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.config import load_config
from engine.pipeline import ScanResult
from engine.pipeline.watch.scheduled import run as work
from tests.conftest import SAMPLE, Ran
from tests.property.test_run_batches import NOW
from tests.running import Place, call, rule

KEY = "ASIAZZZZZZZZZZEXAMPLE"
SESSION = "arn:aws:sts::111122223333:assumed-role/deploy/one"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "place")


def test_a_run_in_parts_says_what_a_scan_says(place: Place, sample_scan: ScanResult) -> None:
    """The last files first: edges arrive after what they explain, alerts grow, merge and are superseded."""
    place.config.write_text(place.config.read_text().replace("builtin = false", "builtin = true"))
    files = sorted(path for path in (SAMPLE / "logs").rglob("*") if path.is_file())
    parts = [files[index::3] for index in (2, 1, 0)]
    for part in parts:
        for path in part:
            target = place.logs / path.relative_to(SAMPLE / "logs")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        done = work(load_config(place.config, {}), lambda: NOW)
        assert done.batches[0].incidents
    assert place.incidents() == {each.uid: each for each in sample_scan.incidents}
    with place.state() as state:
        for stored in state.incidents():
            assert (stored.moved_to is None) == (stored.state.value != "superseded")


def session(number: int, minute: int, name: str) -> dict[str, object]:
    who = {"type": "AssumedRole", "arn": SESSION, "accountId": "111122223333", "accessKeyId": KEY, "principalId": "AROAEXAMPLEEXAMPLE:one"}
    return call(number, minute, name, userIdentity=who)


def test_an_edge_that_comes_late_joins_what_stood_apart(place: Place, cli: Callable[..., Ran]) -> None:
    """What a user did by itself, and what a session did that, as only a later file tells, was begun by that user."""
    place.rules(rule(1), rule(2, "DeleteTrail"))
    user = {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/eve", "accountId": "111122223333", "userName": "eve"}
    assumed = call(
        3, 5, "AssumeRole", userIdentity=user, eventSource="sts.amazonaws.com",
        responseElements={"credentials": {"accessKeyId": KEY}, "assumedRoleUser": {"arn": SESSION, "assumedRoleId": "AROAEXAMPLEEXAMPLE:one"}},
    )  # fmt: skip
    place.put("a.json", call(1, 0, "StopLogging", userIdentity=user), session(2, 10, "DeleteTrail"))
    assert cli("run", "--config", place.config).code == 0
    assert sorted(len(each.alert_uids) for each in place.incidents().values()) == [1, 1]
    place.put("b.json", assumed)
    ran = cli("run", "--config", place.config)
    (joined,) = place.incidents().values()
    assert len(joined.alert_uids) == 2
    assert joined.uid in ran.err
    assert "1 merged or withdrawn" in ran.err
    late = place.incidents()
    other = Place(place.root.parent / "other")
    other.rules(rule(1), rule(2, "DeleteTrail"))
    other.put("a.json", assumed, call(1, 0, "StopLogging", userIdentity=user), session(2, 10, "DeleteTrail"))
    assert cli("run", "--config", other.config).code == 0
    assert other.incidents() == late
    gone = [document for document in place.told() if document["kind"] == "incident" and document.get("moved_to")]
    assert [document["moved_to"] for document in gone] == [joined.uid]
    summary = json.loads(cli("status", "--config", place.config, "--format", "json").out)
    assert sum(summary["incidents"].values()) == 1
