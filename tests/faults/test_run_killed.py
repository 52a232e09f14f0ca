"""A run that is killed anywhere and started again ends as one that never was."""

from __future__ import annotations

import json
import random
import shutil
import signal
import time
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from engine.store.alert_rows import AlertQuery
from tests.conftest import Ran
from tests.examples import LONG
from tests.killing import child, ended
from tests.logs import event
from tests.running import Place, call, many, rule

RUNS = 60 if settings().max_examples < LONG else 200
"""Kills at a random instant; the greater number with the profile `long`."""

POINTS = [
    *((step, number, when) for step in ("write_plan", "commit") for number in (1, 2) for when in ("before", "after")),
    *(("lake", number, when) for number in range(1, 9) for when in ("before", "after")),
    *((step, 1, when) for step in ("send", "delivered") for when in ("before", "after")),
]


def clashing() -> tuple[dict[str, Any], dict[str, Any]]:
    """Two records with one identity; the first raises an alert and gives way to the second."""
    other = call(50, 900, "Other")
    ones = (call(50, 900, requestID=f"request-{number}") for number in range(99))
    return next(one for one in ones if _rank(one) < _rank(other)), other


def _rank(record: dict[str, Any]) -> bytes:
    return sha256(json.dumps(record).encode()).digest()


class Story:
    """A place with one batch done and news of every kind: a rule changed, new, late, repeated and clashing records, and bad ones."""

    def __init__(self, root: Path) -> None:
        self.place = Place(root / "place")
        self.kept = root / "kept"
        lesser, greater = clashing()
        self.place.rules(rule(1), rule(2, "Other", "low"), rule(3, "DeleteTrail"), many(2, 2))
        self.place.put("a.json", call(1, 30), call(2, 35), call(3, 300, "DeleteTrail"), lesser, call(51, 45, "Other"))
        assert ended(child(self.place.config)) == 0
        self.place.rules(rule(1), rule(2, "Other", "low"), rule(3, "DeleteTrail", title="Gone"), rule(4, "DescribeTrails"), many(2, 2))
        path = self.place.put("b.json", call(4, 0), call(1, 30), greater, call(5, 301, "DeleteTrail"), call(6, 50, "Other"), call(7, 600))
        with path.open("ab") as file:
            file.write(b'{"eventVersion": "1.08", "eventTime": "never", "eventSource": "x.amazonaws.com", "eventName": "Bad", "eventID": "bad"}\n')
        self.place.put("c.json", event(60, "DescribeTrails"))
        shutil.copytree(self.place.root, self.kept)
        assert ended(child(self.place.config)) == 3, "the bad record is named"
        self.result = self.outcome()
        assert {standing for *_, standing in self.result["alerts"]} == {"live", "superseded", "retracted"}
        assert {each[2] for each in self.result["incidents"]} >= {"live", "superseded"}
        assert any(document["kind"] == "incident" for document in self.result["delivered"])

    def again(self) -> None:
        """Everything as it was before the second run."""
        shutil.rmtree(self.place.root)
        shutil.copytree(self.kept, self.place.root)

    def outcome(self) -> dict[str, Any]:
        """What is stored and delivered, without when."""
        lake = self.place.lake()
        with self.place.state() as state:
            assert state.open_plan() is None
            assert [depth.waiting for depth in state.depths()] in ([], [0])
            stored = state.alerts(AlertQuery())
            grouped = state.incidents()
            seen = state.seen("trail", [str(path) for path in sorted(self.place.logs.iterdir())])
            last = state.last_batch()
        told = [{key: value for key, value in document.items() if key not in ("created", "updated")} for document in self.place.told()]
        return {
            "events": lake.scan("events").collect().sort("x.uid").to_dicts(),
            "hits": lake.scan("hits").collect().sort("rule", "x.uid", "x.rule_hash").to_dicts(),
            "rejects": lake.scan("rejects").select("object", "position", "reason", "x.batch").collect().sort("position").to_dicts(),
            "alerts": sorted((each.alert.uid, each.alert, each.why, each.superseded_by, each.revision, each.alert.state.value) for each in stored),
            "incidents": sorted(
                (each.incident.uid, repr(each.incident), each.state.value, each.why, each.moved_to, each.revision) for each in grouped
            ),
            "delivered": sorted(told, key=lambda each: (each["uid"], each["revision"])),
            "seen": {uri: {name: value for name, value in row.items() if name != "version"} for uri, row in seen.items()},
            "batch": last,
        }


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return Story(tmp_path_factory.mktemp("story"))


@pytest.mark.parametrize(("step", "number", "when"), POINTS)
def test_killed_at_a_step(story: Story, step: str, number: int, when: str) -> None:
    story.again()
    assert ended(child(story.place.config, step, number, when)) == -signal.SIGKILL
    assert ended(child(story.place.config)) in (0, 3)
    assert story.outcome() == story.result


def test_killed_at_any_moment(story: Story) -> None:
    story.again()
    began = time.monotonic()
    ended(child(story.place.config))
    usual = time.monotonic() - began
    chance = random.Random(7)
    for _ in range(RUNS):
        story.again()
        for _ in range(chance.choice((1, 1, 2))):
            process = child(story.place.config)
            process.join(chance.uniform(0, usual))
            process.kill()
            process.join(60)
        assert ended(child(story.place.config)) in (0, 3)
        assert story.outcome() == story.result


def test_rules_changed_again_while_a_batch_was_half_done(story: Story, cli: Callable[..., Ran]) -> None:
    """The killed batch is finished as it was planned, and the rules of today hold for everything in the end."""
    story.again()
    place = story.place
    newest = (rule(1), rule(2, "Other", "low"), rule(3, "DescribeTrails"), many(2, 3))
    place.rules(*newest)
    assert cli("run", "--config", place.config).code == 3
    wanted = place.alerts()
    for number in range(1, 9):
        story.again()
        assert ended(child(place.config, "lake", number, "after")) == -signal.SIGKILL
        place.rules(*newest)
        assert cli("run", "--config", place.config).code in (0, 3)
        assert place.alerts() == wanted


def test_a_clock_that_was_set_back(story: Story) -> None:
    story.again()
    assert ended(child(story.place.config, late=-timedelta(days=2))) == 3
    assert ended(child(story.place.config)) == 0
    assert story.outcome() == story.result
