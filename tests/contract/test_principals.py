"""Alerts by who stands behind sessions and keys, whatever order the logs come in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from engine.model import Alert, AlertKind, State
from engine.pipeline import Settings, scan
from tests.conftest import Ran
from tests.logs import event, lines
from tests.running import Place, at, rule

ACCOUNT = "111122223333"
ANA = f"aws.user:arn:aws:iam::{ACCOUNT}:user/ana"
BY_PERSON = """
title: Stopped by one person
id: 00000000-0000-4000-8000-000000000021
level: high
correlation: {type: event_count, rules: [rule1], group-by: [principal.uid], timespan: 6h, condition: {gte: 2}}
"""
OWN_GROUP = rule(2, "DeleteTrail").rstrip() + "\ngroup_by: [principal.uid]\n"


def issued(number: int, minute: int, by: str = "ana") -> dict[str, Any]:
    """A session that ``by`` began: session ``s<number>`` with a key of its own."""
    return event(
        number,
        "AssumeRole",
        eventTime=at(minute),
        eventSource="sts.amazonaws.com",
        userIdentity={"type": "IAMUser", "arn": f"arn:aws:iam::{ACCOUNT}:user/{by}", "principalId": f"AIDA{by.upper()}", "accountId": ACCOUNT},
        requestParameters={"roleArn": f"arn:aws:iam::{ACCOUNT}:role/Shared", "roleSessionName": f"s{number}"},
        responseElements={
            "credentials": {"accessKeyId": f"ASIAEXAMPLE{number:09}", "expiration": "Mar 1, 2026, 11:50:00 PM"},
            "assumedRoleUser": {"assumedRoleId": f"AROAEXAMPLE:s{number}", "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/Shared/s{number}"},
        },
    )


def used(number: int, minute: int, session: int, name: str = "StopLogging") -> dict[str, Any]:
    """A call of the session that event ``session`` began."""
    identity = {
        "type": "AssumedRole",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/Shared/s{session}",
        "principalId": f"AROAEXAMPLE:s{session}",
        "accountId": ACCOUNT,
        "accessKeyId": f"ASIAEXAMPLE{session:09}",
    }
    return event(number, name, eventTime=at(minute), userIdentity=identity)


SESSIONS = [issued(1, 0), issued(2, 5)]
CALLS = [used(11, 30, 1), used(12, 90, 2), used(13, 40, 1, "DeleteTrail"), used(14, 50, 2, "DeleteTrail")]


@pytest.fixture
def run(cli: Callable[..., Ran]) -> Callable[[Place], None]:
    def begin(place: Place) -> None:
        ran = cli("run", "--config", place.config)
        assert ran.code == 0, ran.err

    return begin


def placed(folder: Path) -> Place:
    place = Place(folder)
    place.rules(rule(1), OWN_GROUP, BY_PERSON)
    return place


def said(alerts: dict[str, Alert]) -> list[tuple[str, tuple[tuple[str, str], ...], int, list[str]]]:
    return sorted((each.rule.title, each.group, each.count, [behind.uid for behind in each.principals]) for each in alerts.values())


def test_scan_groups_by_who_stands_behind(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(lines(*CALLS, *SESSIONS))
    texts = ["---".join((rule(1), OWN_GROUP, BY_PERSON))]
    found = scan([str(tmp_path)], Settings(now=datetime(2026, 3, 4, tzinfo=UTC)), rules=texts, builtin=False).alerts
    (correlated,) = [alert for alert in found if alert.kind is AlertKind.CORRELATION]
    assert correlated.group == (("principal.uid", ANA),)
    assert (correlated.count, correlated.state) == (2, State.LIVE)
    (own,) = [alert for alert in found if alert.rule.uid.endswith("2")]
    assert (own.group, own.count) == ((("principal.uid", ANA),), 2)
    assert all([behind.uid for behind in alert.principals] == [ANA] for alert in found)


def test_a_session_explained_three_hours_later_says_the_same(tmp_path: Path, run: Callable[[Place], None]) -> None:
    ordered, late, apart = (placed(tmp_path / name) for name in ("ordered", "late", "apart"))
    ordered.put("a.json", *SESSIONS, *CALLS)
    run(ordered)
    late.put("calls.json", *CALLS)
    run(late)
    before = said(late.alerts())
    assert not any(title == "Stopped by one person" for title, *_ in before)
    assert not any(ANA in behind for *_, behind in before)
    late.put("sessions.json", *SESSIONS, event(90, "ListBuckets", eventTime=at(300)))
    run(late)
    for number, each in enumerate([*SESSIONS, *CALLS]):
        apart.put(f"{number}.json", each)
        run(apart)
    assert ("Stopped by one person", (("principal.uid", ANA),), 2, [ANA]) in said(ordered.alerts())
    assert late.alerts().keys() == ordered.alerts().keys() == apart.alerts().keys()
    assert said(late.alerts()) == said(ordered.alerts()) == said(apart.alerts())


def test_a_session_name_that_anybody_may_choose_puts_nobody_into_a_group(tmp_path: Path) -> None:
    calls = []
    for number, who in ((1, "ana@example.com"), (2, "ana@example.com")):
        identity = {"type": "AssumedRole", "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/R{number}/{who}", "principalId": f"AROAEXAMPLE{number}:{who}"}
        calls.append(event(number, "StopLogging", eventTime=at(number), userIdentity={**identity, "accountId": ACCOUNT}))
    (tmp_path / "a.json").write_bytes(lines(*calls))
    settings = Settings(now=datetime(2026, 3, 4, tzinfo=UTC))
    assert scan([str(tmp_path)], settings, rules=["---".join((rule(1), BY_PERSON))], builtin=False).alerts == []
    found = scan([str(tmp_path)], settings, rules=[rule(1)], builtin=False).alerts
    assert [[behind.uid for behind in alert.principals] for alert in found] == [["email:ana@example.com"]] * 2
    assert all(behind.spoofable and behind.strength == "weak" for alert in found for behind in alert.principals)
