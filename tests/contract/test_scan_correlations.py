"""Correlations in a scan and in `engine.evaluate`: what fires, with which evidence, and what is said of those that cannot."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import engine
from engine.model import AlertKind, State
from engine.pipeline import ScanResult, Settings, scan
from tests.logs import event

NOW = datetime(2026, 3, 4, tzinfo=UTC)
START = datetime(2026, 3, 1, 8, tzinfo=UTC)
BASE = """
title: Denied call
name: denied
id: 11111111-1111-4111-8111-111111111111
level: low
logsource: {product: aws, service: cloudtrail}
detection: {selection: {errorCode: AccessDenied}, condition: selection}
---
title: Policy attached
name: attached
id: 22222222-2222-4222-8222-222222222222
level: low
logsource: {product: aws, service: cloudtrail}
detection: {selection: {eventName: AttachUserPolicy}, condition: selection}
"""
LATER = event(99, "DescribeTrails", eventTime="2026-03-02T00:00:00Z")


def correlation(
    kind: str, rules: str, *, condition: str | None = None, group: str = "actor.user.uid", generate: bool = False, number: int = 3
) -> str:
    made = f"""---
title: Correlated {number}
name: correlated{number}
id: 33333333-3333-4333-8333-{number:012d}
level: high
tags: [attack.t1098]
correlation:
  type: {kind}
  rules: {rules}
  group-by: [{group}]
  timespan: 10m
  generate: {str(generate).lower()}
"""
    return made + (f"  condition: {condition}\n" if condition else "")


def denied(number: int, minutes: float, **changes: Any) -> dict[str, Any]:
    moment = (START + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return event(number, "ListKeys", **({"eventTime": moment, "errorCode": "AccessDenied"} | changes))


def attached(number: int, minutes: float) -> dict[str, Any]:
    return denied(number, minutes, eventName="AttachUserPolicy", errorCode=...)


def run(folder: Path, rules: str, *events: dict[str, Any]) -> ScanResult:
    for number, part in enumerate((events[::2], events[1::2])):
        (folder / f"{number}.json").write_text(json.dumps({"Records": part}))
    return scan([str(folder)], Settings(now=NOW), rules=[rules], builtin=False)


def test_a_burst_becomes_one_alert_with_its_evidence_and_the_rule_stays_silent(tmp_path: Path) -> None:
    burst = [denied(number, number) for number in range(5)]
    result = run(tmp_path, BASE + correlation("event_count", "[denied]", condition="{gte: 5}"), *burst, LATER)
    (alert,) = result.alerts
    assert (alert.kind, alert.state, alert.count) == (AlertKind.CORRELATION, State.LIVE, 5)
    assert [each.uid for each in alert.events] == [f"00000000-0000-4000-8000-{number:012d}|111122223333" for number in range(5)]
    assert alert.group == (("actor.user.uid", "arn:aws:iam::111122223333:user/mallory"),)
    assert [(each.title, each.events) for each in alert.contributions] == [("Denied call", 5)]
    assert "5 events in hits of “Denied call”" in alert.reason
    assert json.loads(alert.evidence["raw_data"])["eventID"] == alert.events[0].uid.partition("|")[0]
    assert result.report.failures == ()
    assert {status.title: (status.outcome, status.alerts) for status in result.report.rules}["Correlated 3"] == ("ran", 1)


def test_generate_keeps_the_alerts_of_the_rules(tmp_path: Path) -> None:
    burst = [denied(number, number) for number in range(5)]
    result = run(tmp_path, BASE + correlation("event_count", "[denied]", condition="{gte: 5}", generate=True), *burst)
    assert sorted(alert.rule.title for alert in result.alerts) == ["Correlated 3", "Denied call"]


def test_what_later_records_could_undo_is_open(tmp_path: Path) -> None:
    rules = BASE + correlation("temporal", "[denied, attached]", condition="denied and not attached")
    result = run(tmp_path, rules, denied(1, 0))
    assert [alert.state for alert in result.alerts] == [State.OPEN]
    assert result.highest is None
    assert any("open" in note for note in result.report.notes)
    assert [alert.state for alert in run(tmp_path, rules, denied(1, 0), LATER).alerts] == [State.LIVE]
    assert run(tmp_path, rules, denied(1, 0), attached(2, 5), LATER).alerts == []


def test_order_and_files_change_nothing(tmp_path: Path) -> None:
    rules = BASE + correlation("temporal_ordered", "[denied, attached]")
    rules += correlation("value_count", "[denied]", condition="{gte: 3, field: eventID}", number=4)
    events = [denied(number, number * 3) for number in range(6)] + [attached(50, 9), attached(51, 40)]
    expected = [(alert.uid, alert.event_uids, alert.reason, alert.state) for alert in run(tmp_path, rules, *events).alerts]
    assert len(expected) == 2
    random.Random(5).shuffle(events)
    found = [(alert.uid, alert.event_uids, alert.reason, alert.state) for alert in run(tmp_path, rules, *events, events[0]).alerts]
    assert found == expected


def test_a_correlation_over_a_correlation_unites_the_evidence(tmp_path: Path) -> None:
    rules = BASE + correlation("event_count", "[denied]", condition="{gte: 3}")
    rules += correlation("temporal_ordered", "[correlated3, attached]", number=4)
    result = run(tmp_path, rules, *[denied(number, number) for number in range(3)], attached(9, 6))
    assert [(alert.rule.title, alert.count) for alert in result.alerts] == [("Correlated 4", 4)]


def test_an_unknown_field_is_refused_once_and_named(tmp_path: Path) -> None:
    result = run(tmp_path, BASE + correlation("event_count", "[denied]", condition="{gte: 1}", group="userIdentity.arm"), denied(1, 0))
    assert [alert.rule.title for alert in result.alerts] == ["Denied call"]
    (failure,) = result.report.failures
    assert "userIdentity.arm" in failure
    assert "did you mean" in failure


def test_a_correlation_whose_rules_cannot_fire_says_so(tmp_path: Path) -> None:
    rules = BASE.replace("product: aws, service: cloudtrail", "product: gcp, service: gcp.audit").replace("errorCode", "protoPayload.methodName")
    rules = rules.replace("eventName", "protoPayload.methodName")
    rules += correlation("event_count", "[denied]", condition="{gte: 1}")
    status = {each.title: each for each in run(tmp_path, rules, denied(1, 0)).report.rules}["Correlated 3"]
    assert status.outcome == "cannot_fire"
    assert "Denied call" in (status.reason or "")


def test_hits_without_a_group_value_are_counted(tmp_path: Path) -> None:
    rules = BASE + correlation("event_count", "[denied]", condition="{gte: 1}", group="requestParameters.never")
    result = run(tmp_path, rules, denied(1, 0), denied(2, 1))
    assert result.alerts == []
    assert any("2 hits without a value" in note for note in result.report.notes)


def test_evaluate_gives_group_span_and_indices_in_order() -> None:
    rules = BASE + correlation("event_count", "[denied]", condition="{gte: 3}", group="who")
    told = ((4, "Eve"), (0, "eve"), (2, "EVE"), (1, "bob"))
    events = [{"errorCode": "AccessDenied", "who": who, "at": f"2026-03-01T08:0{minute}:00Z"} for minute, who in told]
    found = engine.evaluate(rules, events, time_field="at")
    (alert,) = found.alerts
    assert found.errors == []
    assert (alert.rule, alert.group, alert.events) == ("33333333-3333-4333-8333-000000000003", {"who": "eve"}, (1, 2, 0))
    assert (alert.first_time, alert.last_time) == (datetime(2026, 3, 1, 8, 0, tzinfo=UTC), datetime(2026, 3, 1, 8, 4, tzinfo=UTC))
    assert len(found.hits) == 4


def test_evaluate_without_a_time_names_what_it_lacks() -> None:
    rules = BASE + correlation("event_count", "[denied]", condition="{gte: 1}", group="who")
    found = engine.evaluate(rules, [{"errorCode": "AccessDenied", "who": "eve"}])
    assert found.alerts == []
    assert "time_field" in found.errors[0][1]


def test_evaluate_with_a_source_takes_its_time() -> None:
    rules = BASE + correlation("event_count", "[denied]", condition="{gte: 2}", group="userIdentity.userName")
    found = engine.evaluate(rules, [denied(1, 0), denied(2, 5)], source="aws.cloudtrail")
    assert [(alert.group, alert.events) for alert in found.alerts] == [({"userIdentity.userName": "mallory"}, (0, 1))]
