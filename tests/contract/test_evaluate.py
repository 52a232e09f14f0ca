"""`engine.evaluate`: rules on events that are in memory already."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

import engine
from engine import UsageError, evaluate

ROOT = Path(__file__).resolve().parents[2]
TRAIL = ROOT / "detections" / "aws" / "cloudtrail"

STOP = {"eventSource": "cloudtrail.amazonaws.com", "eventName": "StopLogging"}
RULE = """
title: Logging stopped
id: 0a1b2c3d-0000-4000-8000-000000000001
logsource: {product: aws, service: cloudtrail}
detection:
  selection:
    eventName: StopLogging
  condition: selection
level: high
"""
UID = "0a1b2c3d-0000-4000-8000-000000000001"


def rule(detection: str, *, number: int = 2, logsource: str = "{category: anything}", with_id: bool = True) -> str:
    identity = f"id: 0a1b2c3d-0000-4000-8000-{number:012d}\n" if with_id else ""
    return f"title: Rule {number}\n{identity}logsource: {logsource}\ndetection:\n  selection:\n    {detection}\n  condition: selection\n"


def uid(number: int) -> str:
    return f"0a1b2c3d-0000-4000-8000-{number:012d}"


def test_the_example_of_the_readme() -> None:
    found = engine.evaluate("detections/aws/cloudtrail" if Path("detections").is_dir() else TRAIL, [STOP])
    assert len(found.hits) == 1
    assert found.hits[0][1] == 0
    assert found.errors == []


@pytest.mark.parametrize("form", ["text", "path", "path text", "directory", "list"])
def test_rules_come_as_text_path_directory_or_list(form: str, tmp_path: Path) -> None:
    file = tmp_path / "rule.yml"
    file.write_text(RULE, encoding="utf-8")
    given: Any = {"text": RULE, "path": file, "path text": str(file), "directory": tmp_path, "list": [RULE, TRAIL]}[form]
    found = evaluate(given, [STOP, {"eventName": "other"}])
    assert (UID, 0) in found.hits
    assert {index for _, index in found.hits} == {0}
    assert found.errors == []


def test_hits_are_ordered_by_event_then_rule() -> None:
    rules = [rule("a|exists: true", number=9), rule("a: 1", number=3), rule("b: 2", number=5)]
    found = evaluate(rules, ({"a": 1, "b": 2} if n % 2 else {"a": 1} for n in range(3)))
    assert found.hits == [(uid(3), 0), (uid(9), 0), (uid(3), 1), (uid(5), 1), (uid(9), 1), (uid(3), 2), (uid(9), 2)]


def test_without_a_source_the_log_source_does_not_matter() -> None:
    assert evaluate([RULE, rule("eventName: StopLogging", logsource="{product: windows, service: sysmon}")], [STOP]).hits == [(UID, 0), (uid(2), 0)]


def test_with_a_source_only_its_rules_run_and_events_need_no_shape() -> None:
    other = rule("eventName: StopLogging", logsource="{product: windows, service: sysmon}")
    assert evaluate([RULE, other], [STOP, {"eventName": "StopLogging"}, {}], source="aws.cloudtrail").hits == [(UID, 0), (UID, 1)]


def test_a_named_source_has_its_aliases_and_common_columns() -> None:
    events = [{"eventName": "GetObject", "sourceIPAddress": "203.0.113.9"}, {"sourceIPAddress": "198.51.100.4"}]
    cloud = rule("src_endpoint.ip: 203.0.113.9", logsource="{product: cloud}")
    column = rule("src_endpoint.ip|cidr: 198.51.100.0/24", number=3, logsource="{product: aws, service: cloudtrail}")
    native = rule("sourceIPAddress|cidr: 203.0.113.0/24", number=4, logsource="{product: aws, service: cloudtrail}")
    assert evaluate([cloud, column, native], events, source="aws.cloudtrail").hits == [(uid(2), 0), (uid(4), 0), (uid(3), 1)]


def test_rules_for_inference_run_through_an_inference_source() -> None:
    call = {
        "schemaType": "ModelInvocationLog",
        "timestamp": "2026-03-01T12:00:00Z",
        "accountId": "111122223333",
        "requestId": "r-1",
        "operation": "InvokeModel",
        "modelId": "example.model-v1",
    }
    rules = [rule("ai_model.name|exists: true", logsource="{product: ai}"), rule("api.operation: InvokeModel", number=3, logsource="{product: ai}")]
    found = evaluate(rules, [call], source="aws.bedrock_invocation")
    assert found.errors == []
    assert (uid(3), 0) in found.hits
    assert evaluate(rules, [call], source="aws.cloudtrail").hits == []


def test_events_with_an_equal_uid_count_once() -> None:
    events: list[dict[str, Any]] = [{"id": "x", "a": 1}, {"id": "x", "a": 1}, {"a": 1}, {"a": 1}, {"id": "y", "a": 1}]
    assert evaluate(rule("a: 1"), events, uid_field="id").hits == [(uid(2), n) for n in (0, 2, 3, 4)]
    assert len(evaluate(rule("a: 1"), events).hits) == 5


@pytest.mark.parametrize("value", [["x", "y"], {"k": 1}, 5, True, ""])
def test_any_value_may_be_a_uid(value: Any) -> None:
    assert len(evaluate(rule("a: 1"), [{"id": value, "a": 1}] * 2, uid_field="id").hits) == 1


def test_a_nested_uid_field_is_found() -> None:
    events: list[dict[str, Any]] = [{"metadata": {"uid": "x"}, "a": 1}] * 2 + [{"metadata.uid": "x", "a": 1}]
    assert evaluate(rule("a: 1"), events, uid_field="metadata.uid").hits == [(uid(2), 0)]


def test_a_rule_without_id_is_named_by_the_sha256_of_its_canonical_form() -> None:
    first = evaluate(rule("a: 1", with_id=False), [{"a": 1}]).hits
    again = evaluate("# another comment\n" + rule("a:   1", with_id=False), [{"a": 1}]).hits
    other = evaluate(rule("a: [1, 2]", with_id=False), [{"a": 1}]).hits
    assert first == again != other
    assert len(first[0][0]) == len(sha256().hexdigest())
    with pytest.raises(ValueError, match="badly formed"):
        UUID(first[0][0])


def test_refused_rules_are_named_and_stop_no_other() -> None:
    broken = "title: Broken\nlogsource: {product: aws}\ndetection:\n  selection:\n    a|nonsense: 1\n  condition: selection\n"
    lookaround = rule("a|re: '(?=x)y'", number=7)
    found = evaluate([broken, lookaround, rule("a: 1")], [{"a": 1}])
    assert found.hits == [(uid(2), 0)]
    assert [name for name, _ in found.errors] == ["Broken", "Rule 7"]
    assert all(why for _, why in found.errors)


def test_an_unknown_field_of_a_closed_source_is_an_error_that_helps() -> None:
    found = evaluate(rule("eventNam: x", logsource="{product: aws, service: cloudtrail}"), [STOP], source="aws.cloudtrail")
    assert found.hits == []
    assert "eventName" in found.errors[0][1]


def test_placeholders() -> None:
    text = rule('a|expand: "%names%"')
    assert evaluate(text, [{"a": "eve"}, {"a": "bob"}], placeholders={"names": ["eve", "mallory"]}).hits == [(uid(2), 0)]
    refused = evaluate(text, [{"a": "eve"}])
    assert refused.hits == []
    assert "names" in refused.errors[0][1]


def test_wrong_use_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no source 'aws\.cloudtrial'.*aws\.cloudtrail"):
        evaluate(RULE, [STOP], source="aws.cloudtrial")
    with pytest.raises(UsageError, match=r"nowhere\.yml"):
        evaluate(tmp_path / "nowhere.yml", [STOP])


def test_values_json_does_not_have_are_accepted() -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    events: list[dict[Any, Any]] = [{"at": noon, "a": 1}, {"a": {1, 2}}, {"a": b"x"}, {"a": UUID(int=1)}, {"a": float("nan")}, {"a": 2**70}, {1: "x"}]
    rules = [rule("at|startswith: '2026-03-01T12:00:00'"), rule(f"a: {2**70}", number=3), rule("a: null", number=4)]
    assert evaluate(rules, events).hits == [(uid(2), 0), (uid(4), 4), (uid(3), 5), (uid(4), 6)]


def test_lone_surrogates_and_wild_text_are_kept_apart() -> None:
    events = [{"a": "\ud83d"}, {"a": "x\x00y"}, {"a": "\u2028"}, {"\ud800": "b"}]
    assert evaluate(rule('a|contains: "\\0"'), events).hits == [(uid(2), 1)]


def test_list_fields_nested_fields_and_keywords() -> None:
    events: list[dict[str, Any]] = [{"r": [{"n": "x"}, {"n": "y"}]}, {"r": {"n": "y"}}, {"note": "the needle here"}]
    keywords = f"title: K\nid: {uid(3)}\nlogsource: {{category: any}}\ndetection:\n  k: [needle]\n  condition: k\n"
    assert evaluate([rule("r.n: y"), keywords], events).hits == [(uid(2), 0), (uid(2), 1), (uid(3), 2)]


@pytest.mark.parametrize("events", [[], [{}]])
def test_nothing_gives_nothing(events: list[dict[str, Any]]) -> None:
    found = evaluate([RULE], events, time_field="eventTime", uid_field="eventID")
    assert (found.hits, found.alerts, found.errors) == ([], [], [])
    assert evaluate([], [STOP]).hits == []


def test_event_order_does_not_change_which_events_match() -> None:
    events = [{"eventName": name, "n": n} for n, name in enumerate(("a", "StopLogging", "b", "STOPLOGGING"))]
    forward = {json.dumps(events[index]) for _, index in evaluate(RULE, events).hits}
    backward = {json.dumps(events[::-1][index]) for _, index in evaluate(RULE, events[::-1]).hits}
    assert forward == backward
    assert len(forward) == 2


def test_many_events_and_all_rules_at_once() -> None:
    timed = {**STOP, "eventTime": "2026-03-01T08:00:00Z"}
    events = [{**timed, "eventName": "StopLogging" if n % 1000 == 0 else f"Describe{n % 50}", "eventID": f"e-{n}"} for n in range(30_000)]
    found = evaluate(ROOT / "detections", events, source="aws.cloudtrail")
    assert found.errors == []
    assert sorted({index for _, index in found.hits}) == list(range(0, 30_000, 1000))
