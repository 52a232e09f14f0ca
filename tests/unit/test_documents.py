"""Alerts as NDJSON, CSV, ECS and OCSF documents."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import schema
from engine.correlate import evidence
from engine.documents.ecs import to_ecs
from engine.documents.escaping import csv_cell, safe_json, safe_text
from engine.documents.native import to_native
from engine.documents.ocsf import attacks, to_ocsf
from engine.documents.output import CSV_COLUMNS, write
from engine.documents.taxonomy import resolve
from engine.model import Alert, AlertKind, CloudAccount, Entity, Level, RuleRef, State
from tests.alert_samples import AI_EVIDENCE, EVE, SECRET, TRAIL, alert
from tests.ocsf_checker import problems


def test_the_native_document_has_the_promised_keys_in_order() -> None:
    document = to_native(alert())
    assert list(document) == [
        "uid", "state", "kind", "rule", "level", "first_time", "last_time", "count", "sources", "cloud", "entities", "reason", "group", "events",
        "event_uids", "evidence",
    ]  # fmt: skip
    assert document["first_time"] == "2026-03-01T12:00:00.123456Z"
    assert document["cloud"] == [{"provider": "AWS", "account": "111122223333"}]
    assert document["group"] == {"actor.user.uid": EVE, "cloud.account.uid": "none"}
    assert document["events"][0]["position"] == 3
    assert document["evidence"]["time"] == "2026-03-01T12:00:00.123456Z"
    assert document["evidence"]["raw_data"] == '{"eventName":"DeleteTrail","n":1.50}'


def test_ecs_is_an_alert_that_kibana_promotes() -> None:
    document = to_ecs(alert())
    assert (document["event"]["kind"], document["event"]["severity"], document["event"]["risk_score"]) == ("alert", 73, 73.0)
    assert document["message"] == "Trail deleted"
    assert document["@timestamp"] == "2026-03-01T12:04:00.123456Z"
    assert "ingested" not in document["event"]
    assert document["data_stream"] == {"type": "logs", "dataset": "crosswind.alert", "namespace": "default"}
    assert document["source"] == {"ip": "203.0.113.7", "address": "203.0.113.7", "geo": {"country_iso_code": "NL"}, "as": {"number": 64500}}
    assert document["cloud"]["account"] == {"id": "111122223333"}
    assert document["related"] == {"ip": ["203.0.113.7"], "user": [EVE, "eve"]}
    assert document["crosswind"]["alert"]["event_uids"] == ["e-1|111122223333", "e-2|111122223333"]


@pytest.mark.parametrize(("level", "severity"), [("low", 21), ("medium", 47), ("high", 73), ("critical", 99)])
def test_ecs_severities(level: str, severity: int) -> None:
    assert to_ecs(alert(level=Level.of(level)))["event"]["severity"] == severity


@pytest.mark.parametrize("change", [{"level": Level.INFORMATIONAL}, {"state": State.RETRACTED}, {"state": State.SUPERSEDED}])
def test_what_asks_for_no_attention_is_no_ecs_alert(change: dict[str, Any]) -> None:
    assert to_ecs(alert(**change))["event"]["kind"] == "event"


def test_a_caller_that_is_no_address_is_no_ecs_ip() -> None:
    document = to_ecs(alert(evidence={"src_endpoint.domain": "lambda.amazonaws.com"}, entities=(Entity("ip", "nonsense"),)))
    assert document["source"] == {"address": "lambda.amazonaws.com"}
    assert "related" not in document


def test_revoked_techniques_are_replaced_and_defense_evasion_is_resolved_by_them() -> None:
    threat = to_ecs(alert())["threat"]
    assert threat["framework"] == ["MITRE ATT&CK"]
    assert threat["tactic"]["id"] == ["TA0112"]
    assert threat["technique"]["id"] == ["T1685"]
    assert threat["technique"]["subtechnique"]["id"] == ["T1685.002"]
    assert threat["technique"]["subtechnique"]["reference"] == ["https://attack.mitre.org/techniques/T1685/002"]


def test_tags_of_all_taxonomies_are_read() -> None:
    threats = resolve(
        ["attack.credential_access", "attack.t9999", "atlas.aml.t0051.000", "atlas.aml.ta0005", "owasp.llm01", "owasp.asi01-2026", "cve.2026-1"]
    )
    assert [tactic.uid for tactic in threats.tactics] == ["AML.TA0005", "TA0006"]
    assert [(technique.uid, technique.parent and technique.parent.uid) for technique in threats.techniques] == [
        ("AML.T0051.000", "AML.T0051"),
        ("T9999", None),
    ]
    assert [risk.uid for risk in threats.risks] == ["ASI01", "LLM01:2025"]
    assert [tactic.uid for tactic in resolve(["attack.defense-evasion"]).tactics] == ["TA0005", "TA0112"]
    assert resolve(["attack.defense_evasion", "attack.t1548"]).tactics == ()
    assert [technique.uid for technique in resolve(["attack.t1562", "attack.t1562.001", "attack.t1685"]).techniques] == ["T1685"]


def test_attacks_pair_techniques_with_the_tactics_they_serve() -> None:
    entries = attacks(resolve(["attack.persistence", "attack.t1078.004", "attack.impact"]))
    assert [(entry.get("tactic", {}).get("uid"), entry.get("sub_technique", {}).get("uid")) for entry in entries] == [
        ("TA0003", "T1078.004"),
        ("TA0040", None),
    ]


def test_the_ocsf_finding_is_valid_and_complete() -> None:
    document = to_ocsf(alert())
    assert problems(document) == []
    assert document["type_uid"] == 200401
    assert document["finding_info"]["attacks"][0]["sub_technique"]["uid"] == "T1685.002"
    assert document["resources"] == [{"uid": TRAIL, "type": "AWS::CloudTrail::Trail", "role_id": 1}]
    assert document["finding_info"]["related_events"][0]["type_uid"] == 600304
    assert document["metadata"]["profiles"] == ["cloud"]
    assert {observable["type_id"] for observable in document["observables"]} == {2, 4, 5, 10, 16, 19, 31}


def test_without_a_provider_there_is_no_cloud_profile() -> None:
    document = to_ocsf(alert(cloud=(CloudAccount(None, "key-7"),), evidence={"x.source": "ai.litellm"}))
    assert problems(document) == []
    assert "cloud" not in document
    assert "profiles" not in document["metadata"]


def test_ai_detail_is_in_gen_ai_and_in_unmapped_without_its_texts() -> None:
    ai = alert(evidence=AI_EVIDENCE)
    ecs, ocsf = to_ecs(ai), to_ocsf(ai)
    assert ecs["gen_ai"]["request"] == {"model": "example-model"}
    assert ecs["gen_ai"]["usage"] == {"input_tokens": 12, "output_tokens": 30}
    assert ocsf["unmapped"]["ai"]["ai_model.name"] == "example-model"
    assert problems(ocsf) == []


@pytest.mark.parametrize("layout", ["ndjson", "csv", "ecs", "ocsf"])
def test_no_output_holds_prompts_or_credentials_unless_asked_to(layout: str) -> None:
    leaky = alert(evidence=AI_EVIDENCE, reason=f"used {SECRET}", entities=(Entity("user_agent", f"curl password={SECRET}"),))
    hidden, shown = io.StringIO(), io.StringIO()
    assert write([leaky], layout, hidden) == 1
    write([leaky], layout, shown, show_content=True)
    assert "My plan" not in hidden.getvalue()
    assert SECRET not in hidden.getvalue()
    assert SECRET in shown.getvalue()
    assert ("My plan" in shown.getvalue()) == (layout != "csv")


@pytest.mark.parametrize("layout", ["ndjson", "ecs", "ocsf"])
def test_one_json_line_an_alert_that_no_terminal_obeys(layout: str) -> None:
    hostile = "\x1b]0;owned\x07\n\x9b31m\u202e\u2028end"
    stream = io.StringIO()
    write([alert(reason=hostile), alert()], layout, stream)
    lines = stream.getvalue().split("\n")
    assert lines[2:] == [""]
    assert safe_json(lines[0]) == lines[0]
    assert hostile in list(walk(json.loads(lines[0])))


def walk(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for item in value.values():
            yield from walk(item)
    elif isinstance(value, list):
        for item in value:
            yield from walk(item)
    else:
        yield value


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", " =", "＝"])
def test_csv_formulas_are_neutralised(start: str) -> None:
    stream = io.StringIO()
    write([alert(reason=f"{start}HYPERLINK(1)", count=-1)], "csv", stream)
    [row] = csv.DictReader(io.StringIO(stream.getvalue()))
    assert tuple(row) == CSV_COLUMNS
    assert row["reason"].startswith("'")
    assert row["users"] == EVE


def test_plain_cells_stay_and_control_characters_are_visible() -> None:
    assert csv_cell("plain, text") == "plain, text"
    assert csv_cell("") == ""
    assert safe_text("a\x1b[31m\nb\x00\u202e") == "a\\x1b[31m\\nb\\x00\\u202e"


def test_an_unknown_format_is_an_error() -> None:
    with pytest.raises(ValueError, match="xml"):
        write([], "xml", io.StringIO())


TEXT = st.one_of(st.text(max_size=12), st.sampled_from(["203.0.113.7", "::ffff:198.51.100.1", "fe80::1%eth0", "a@b.example", "12.000.22.33", EVE]))
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "string": TEXT,
    "json": TEXT,
    "int": st.integers(-(2**63), 2**63 - 1) | st.integers(0, 5),
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "bool": st.booleans(),
    "time": st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)),
    "list": st.lists(TEXT, max_size=3),
}
EVIDENCE = st.fixed_dictionaries(
    {}, optional={name: KINDS[schema.COLUMNS[name].kind] for name in (*evidence.COLUMNS, *evidence.OPTIONAL) if name != "x.position"}
)
TAGS = st.lists(st.sampled_from(["attack.t1078.004", "attack.t1562", "attack.persistence", "atlas.aml.t0051.000", "attack.t0", "owasp.llm01", "x"]))
ALERTS = st.builds(
    alert,
    state=st.sampled_from(State),
    kind=st.sampled_from(AlertKind),
    level=st.sampled_from(Level),
    rule=st.builds(RuleRef, uid=TEXT, title=TEXT, level=st.just("low"), tags=TAGS.map(tuple), path=st.none() | TEXT, description=st.none() | TEXT),
    cloud=st.lists(st.builds(CloudAccount, st.none() | TEXT, st.none() | TEXT), max_size=2).map(tuple),
    entities=st.lists(st.builds(Entity, st.sampled_from(["ip", "user"]), TEXT), max_size=2).map(tuple),
    reason=TEXT,
    evidence=EVIDENCE,
)


@settings(max_examples=150, deadline=None)
@given(ALERTS)
def test_every_alert_makes_valid_documents(made: Alert) -> None:
    assert problems(to_ocsf(made)) == []
    for layout in ("ndjson", "csv", "ecs", "ocsf"):
        once, again = io.StringIO(), io.StringIO()
        write([made], layout, once)
        write([made], layout, again)
        assert once.getvalue() == again.getvalue()
        assert once.getvalue().count("\n") == (2 if layout == "csv" else 1)
        once.getvalue().encode()


@pytest.mark.parametrize("layout", ["ndjson", "csv", "ecs", "ocsf"])
def test_ids_and_operations_of_events_hold_no_secret(layout: str) -> None:
    plain = alert()
    secret = "password=hunter2hunter2"
    events = tuple(replace(event, uid=secret, operation=secret) for event in plain.events)
    stream = io.StringIO()
    write([replace(plain, events=events, event_uids=(secret,), cloud=(CloudAccount("AWS", secret),))], layout, stream)
    assert "hunter2" not in stream.getvalue()
