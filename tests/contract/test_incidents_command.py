"""`crosswind incidents`: what a person at a terminal and a program behind a pipe get."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.incidents.kernel import Given, incidents
from engine.model import Level
from engine.store.state import State as Store
from tests.alert_samples import SECRET
from tests.conftest import Ran
from tests.incident_samples import ANA, EVE, KEY, RULES, alert, edges
from tests.states import commit

ONE = alert("one", 10, "looks", entities=[("credential", KEY)], level=Level.HIGH)
TWO = replace(alert("two", 11, "takes", entities=[("credential", KEY)], level=Level.HIGH), reason=f"used {SECRET}")
OTHER = alert("other", 10, entities=[("user", ANA)])
QUIET = alert("quiet", 10, entities=[("user", EVE + "2")], level=Level.INFORMATIONAL)
GIVEN = Given(RULES, edges(("key_of", f"aws.key:{KEY}", f"aws.user:{EVE}", 0)))
Incidents = Callable[..., Ran]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    path = tmp_path / "state.db"
    with Store.open(path) as state:
        alerts = [ONE, TWO, OTHER, QUIET]
        commit(state, 1, alerts=alerts, incidents=incidents(alerts, GIVEN))
    return path


@pytest.fixture
def told(place: Path, cli: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> Incidents:
    monkeypatch.setenv("CROSSWIND_USER", "ann")
    return lambda *arguments: cli("incidents", *arguments, "--state", place)


def rows(ran: Ran) -> list[dict[str, Any]]:
    assert ran.code == 0, ran.err
    return [json.loads(line) for line in ran.out.splitlines()]


def uid_of(*alerts: Any) -> str:
    return incidents(alerts, GIVEN)[0].uid


def test_list_shows_what_stands_the_worst_first(told: Incidents) -> None:
    assert [row["uid"] for row in rows(told("list"))] == [uid_of(ONE, TWO), uid_of(OTHER)]
    assert len(rows(told("list", "--all"))) == 3
    assert [row["alert_uids"] for row in rows(told("list", "--min-level", "high"))] == [["one", "two"]]
    assert [row["alerts"] for row in rows(told("list", "--limit", "1"))] == [2]
    assert told("list", "--from", "2026-04-01").out == ""
    assert told("list", "--status", "closed").out == ""
    ran = told("list", "--format", "table")
    assert "2 incidents" in ran.out
    assert SECRET not in ran.out


def test_show_lays_one_open(told: Incidents, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    ran = told("show", uid_of(ONE, TWO)[:10], "--format", "table", "--report", str(page))
    assert ran.code == 0, ran.err
    for said in ("who", f"aws.user:{EVE} (strong, proof p-0)", "in this order", "discovery", "credential-access", "why they belong together (strong)",
                 f"one and two: sameActor, strong, aws.key:{KEY}", "how the score came about", "combined", "contain: commands to check and copy",
                 "aws iam update-access-key", "look next", "crosswind hunt run key-use"):  # fmt: skip
        assert said in ran.out, said
    assert SECRET not in ran.out + page.read_text()
    assert EVE in page.read_text()
    (row,) = rows(told("show", uid_of(ONE, TWO)))
    assert row["joins"][0]["evidence"] == ["e-one", "e-two"]
    assert row["history"] == []
    assert told("show", "zz").code == 2


def test_people_work_incidents(told: Incidents) -> None:
    uid = uid_of(ONE, TWO)
    (row,) = rows(told("assign", uid[:8], "--to", "bob"))
    assert (row["status"], row["human"]["assignee"]) == ("acknowledged", "bob")
    assert rows(told("note", uid, "asked bob"))[0]["human"]["notes"][0]["text"] == "asked bob"
    (row,) = rows(told("close", uid, "--verdict", "true-positive", "--reason", "keys were sold"))
    assert (row["status"], row["human"]["verdict"], row["human"]["reason"]) == ("closed", "true-positive", "keys were sold")
    assert [row["uid"] for row in rows(told("list"))] == [uid_of(OTHER)]
    assert "keys were sold" in told("show", uid, "--format", "table").out
    (row,) = rows(told("reopen", uid))
    assert (row["status"], row["human"].get("verdict")) == ("open", None)
    assert [change["who"] for change in rows(told("show", uid))[0]["history"]] == ["ann"] * 4
    assert told("close", "zz", "--verdict", "benign").code == 2


def test_since_goes_on_from_the_last_look(told: Incidents, place: Path) -> None:
    assert len(rows(told("since"))) == 3
    assert told("since").out == ""
    grown = [alert("more", 12, "takes", entities=[("user", ANA)])]
    with Store.open(place) as state:
        components = {each.incident.component for each in state.incidents() if "other" in each.incident.alert_uids}
        commit(state, 2, incidents=incidents([OTHER, *grown], GIVEN), components=components)
    ran = told("since")
    assert [row["alert_uids"] for row in rows(ran)] == [["other", "more"]]
    number = rows(told("since", "0"))[-1]["sequence"]
    assert ran.err.splitlines()[-1] == f"up to change {number}"
    assert len(rows(told("since", str(number - 1)))) == 1
