"""`crosswind alerts`: what a person at a terminal and a program behind a pipe get."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.model import Level, State
from engine.store.records import Ended
from engine.store.state import State as Store
from tests.alert_samples import AI_EVIDENCE, EVE, SECRET, alert
from tests.conftest import Ran
from tests.states import commit, later

A, B, C = (f"{letter}" * 32 for letter in "abc")
Alerts = Callable[..., Ran]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    path = tmp_path / "state.db"
    rule = replace(alert().rule, response=("Turn the trail on again.",), falsepositives=("a rebuild",))
    ai = alert(uid=B, evidence=AI_EVIDENCE, level=Level.LOW, rule=replace(rule, uid="r-2"), first_time=later(60), last_time=later(61))
    with Store.open(path) as state:
        commit(state, 1, alerts=[alert(uid=A, rule=rule, reason=f"used {SECRET}\x1b[31m"), ai, alert(uid=C)])
        commit(state, 2, ended=[Ended(C, State.SUPERSEDED, "late events joined it", (A,))])
    return path


@pytest.fixture
def alerts(place: Path, cli: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> Alerts:
    monkeypatch.setenv("CROSSWIND_USER", "ann")
    return lambda *arguments: cli("alerts", *arguments, "--state", place)


def rows(ran: Ran) -> list[dict[str, Any]]:
    assert ran.code == 0, ran.err
    return [json.loads(line) for line in ran.out.splitlines()]


def test_list_shows_what_stands_and_is_not_closed(alerts: Alerts) -> None:
    assert [row["uid"] for row in rows(alerts("list"))] == [A, B]
    assert [row["uid"] for row in rows(alerts("list", "--all"))] == [A, B, C]
    assert [row["uid"] for row in rows(alerts("list", "--min-level", "medium"))] == [A]
    assert [row["uid"] for row in rows(alerts("list", "--rule", "r-2"))] == [B]
    assert [row["uid"] for row in rows(alerts("list", "--from", "2026-03-01T12:30:00Z"))] == [B]
    assert [row["uid"] for row in rows(alerts("list", "--limit", "1"))] == [B]
    assert alerts("list", "--from", "2026-04-01").out == ""
    assert alerts("list", "--status", "closed").out == ""


def test_list_for_people_is_a_line_each(alerts: Alerts) -> None:
    ran = alerts("list", "--all", "--format", "table")
    lines = ran.out.splitlines()
    assert (len(lines), lines[-1]) == (4, "3 alerts")
    assert lines[0].startswith("aaaaaaaaaaaa  high           open            -           2026-03-01 12:04  Trail deleted  ×2")
    assert "[superseded]" in lines[2]
    assert alerts("list", "--rule", "none", "--format", "table").out == "No alerts like that.\n"


def test_nothing_private_and_nothing_a_terminal_obeys_is_shown(alerts: Alerts) -> None:
    for command in (("list", "--all"), ("show", "a"), ("show", "b"), ("since", "0")):
        for form in ("table", "ndjson"):
            out = alerts(*command, "--format", form).out
            assert out
            assert SECRET not in out
            assert "My plan is secret" not in out
            assert "\x1b" not in out
    assert "My plan is secret" in alerts("show", "b", "--show-content").out


def test_show_lays_an_alert_open(alerts: Alerts) -> None:
    out = alerts("show", "aaaa", "--format", "table").out
    wanted = (
        "HIGH  Trail deleted", f"{A}, revision 1, change 1", "live; nobody has taken it", "T1562.008", "may be harmless: a rebuild",
        "DeleteTrail  aws.cloudtrail  a.json.gz:3", "src_endpoint.ip", '{"eventName":"DeleteTrail","n":1.50}', "  1. Turn the trail on again.",
        "crosswind hunt show 'e-1|111122223333'", "and 1 more",
    )  # fmt: skip
    assert [text for text in wanted if text not in out] == []
    assert "superseded by aaaaaaaaaaaa: late events joined it" in alerts("show", "c", "--format", "table").out


def test_next_hunts_are_commands_that_shells_and_sql_take_literally(place: Path, alerts: Alerts) -> None:
    odd = "eve'; drop table events; --"
    with Store.open(place) as state:
        commit(state, 3, alerts=[alert(uid=A, evidence={**alert().evidence, "actor.user.uid": odd})])
    (row,) = rows(alerts("show", A))
    words = [shlex.split(hunt) for hunt in row["next_hunts"]]
    assert {(len(each), each[0], each[1]) for each in words} == {(4, "crosswind", "hunt")}
    assert any("""where "actor.user.uid" = 'eve''; drop table events; --' order""" in each[3] for each in words)


def test_people_work_alerts(alerts: Alerts) -> None:
    (row,) = rows(alerts("assign", "aaaa", "--to", "bob"))
    assert (row["status"], row["assignee"]) == ("acknowledged", "bob")
    (row,) = rows(alerts("note", "aaaa", "asked eve, she does not know", "--as", "bob"))
    assert [(note["who"], note["text"]) for note in row["notes"]] == [("bob", "asked eve, she does not know")]
    closed = rows(alerts("close", "aaaa", "b", "b", "--verdict", "false-positive", "--reason", "a drill"))
    assert [(row["uid"], row["status"], row["verdict"], row["verdict_reason"]) for row in closed] == [
        (A, "closed", "false-positive", "a drill"),
        (B, "closed", "false-positive", "a drill"),
    ]
    assert alerts("list").out == ""
    assert [row["uid"] for row in rows(alerts("list", "--status", "closed"))] == [A, B]
    (row,) = rows(alerts("reopen", "aaaa", "--reason", "it was no drill"))
    assert (row["status"], row["verdict"], row["verdict_reason"], row["assignee"]) == ("open", None, "it was no drill", "bob")
    (row,) = rows(alerts("show", "aaaa"))
    assert [(each["who"], *sorted(each.keys() - {"who", "at"})) for each in row["history"]] == [
        ("ann", "assignee", "status"),
        ("bob", "note"),
        ("ann", "reason", "status", "verdict"),
        ("ann", "reason", "status", "verdict"),
    ]
    told = alerts("show", "aaaa", "--format", "table").out
    assert "assigned to bob" in told
    assert "bob  note: asked eve, she does not know" in told


def test_a_mistake_in_one_uid_changes_nothing(alerts: Alerts) -> None:
    ran = alerts("close", "aaaa", "zz", "--verdict", "benign")
    assert (ran.code, "there is no alert 'zz'" in ran.err) == (2, True)
    assert [row["uid"] for row in rows(alerts("list"))] == [A, B]


def test_since_shows_what_is_new_since_my_last_look(place: Path, alerts: Alerts) -> None:
    assert [row["uid"] for row in rows(alerts("since"))] == [A, B, C]
    assert (alerts("since").out, alerts("since").err) == ("", "up to change 4\n")
    with Store.open(place) as state:
        commit(state, 3, alerts=[alert(uid=B, count=7)])
    assert [row["uid"] for row in rows(alerts("since", "--as", "bob"))] == [A, C, B]
    assert [(row["uid"], row["revision"], row["sequence"]) for row in rows(alerts("since"))] == [(B, 2, 5)]
    assert [row["uid"] for row in rows(alerts("since", "3"))] == [C, B]
    assert alerts("since", "99").err == "up to change 99\n"


def test_who_changes_must_be_known(alerts: Alerts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CROSSWIND_USER")
    monkeypatch.setenv("USER", "carol")
    assert [note["who"] for note in rows(alerts("note", "a", "hm"))[0]["notes"]] == ["carol"]
    monkeypatch.delenv("USER")
    for command in (("note", "a", "hm"), ("since",), ("close", "a", "--verdict", "benign")):
        ran = alerts(*command)
        assert (ran.code, "--as NAME" in ran.err) == (2, True)


def test_the_state_comes_from_the_configuration(place: Path, cli: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place.parent)
    monkeypatch.delenv("CROSSWIND_CONFIG", raising=False)
    missing = cli("alerts", "list")
    assert (missing.code, "crosswind.toml" in missing.err) == (2, True)
    Path("crosswind.toml").write_text(f'[state]\nurl = "{place.name}"\n')
    assert [row["uid"] for row in rows(cli("alerts", "list"))] == [A, B]
    Path("crosswind.toml").write_text('[state]\nurl = "other.db"\n')
    absent = cli("alerts", "list")
    assert (absent.code, "there is no state at" in absent.err, Path("other.db").exists()) == (3, True, False)


def test_words_that_are_none_are_refused(alerts: Alerts) -> None:
    for command in (("close", "a", "--verdict", "fine"), ("close", "a"), ("list", "--status", "done"), ("note", "a", " ")):
        assert alerts(*command).code == 2
    assert EVE in alerts("show", "a").out
