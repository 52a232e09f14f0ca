"""`crosswind rules …` as a person at a terminal and a build server meet it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

Cli = Callable[..., Any]

RULE = """\
title: Trail stopped
id: 11111111-2222-4333-8444-555555555555
name: trail_stopped
tags: [attack.defense-impairment, attack.t1685.002]
logsource: {product: aws, service: cloudtrail}
detection:
  selection:
    eventName: StopLogging
  own:
    userIdentity.arn|endswith: /deploy
  condition: selection and not own
level: high
tests:
  - name: stopped
    match: true
    event: &event
      eventVersion: "1.11"
      eventTime: "2026-11-12T09:14:05Z"
      eventSource: cloudtrail.amazonaws.com
      eventName: StopLogging
      eventID: "1"
      userIdentity: {type: IAMUser, arn: "arn:aws:iam::111122223333:user/alice"}
  - name: by the pipeline
    match: false
    event:
      <<: *event
      userIdentity: {type: IAMUser, arn: "arn:aws:iam::111122223333:user/deploy"}
"""
EVENT = {
    "eventVersion": "1.11",
    "eventTime": "2026-11-12T09:14:05Z",
    "eventSource": "cloudtrail.amazonaws.com",
    "eventName": "StopLogging",
    "eventID": "1",
    "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/deploy"},
}


@pytest.fixture
def rule(tmp_path: Path) -> Path:
    path = tmp_path / "rule.yml"
    path.write_text(RULE)
    return path


def test_check_says_nothing_of_a_good_rule(cli: Cli, rule: Path) -> None:
    ran = cli("rules", "check", rule)
    assert (ran.code, ran.out) == (0, "1 document, 1 ok; nothing to say\n")


@pytest.mark.parametrize(
    ("old", "new", "severity", "place", "said"),
    [
        ("eventName: StopLogging\n  own", "eventNmae: StopLogging\n  own", "error", 8, "did you mean 'eventName'"),
        ("eventName: StopLogging\n  own", "eventName|re: '('\n  own", "error", 11, "is not valid"),
        ("selection and not own", "selection and not them", "error", 11, "no detection is named 'them'"),
        ("match: true", "match: perhaps", "error", 13, "'match' must be true or false"),
        ("service: cloudtrail", "service: cloudtrial", "warning", 5, "did you mean 'aws/cloudtrail'"),
        ("t1685.002", "t9999", "warning", 4, "unknown to ATT&CK"),
        ("name: trail_stopped", "names: trail_stopped", "warning", 3, "did you mean 'name'"),
        ("t1685.002", "t1562.008", "hint", 4, "it is attack.t1685.002 today"),
        ("defense-impairment", "defense_evasion", "hint", 4, "divided this tactic"),
        ("id: 11111111-2222-4333-8444-555555555555\n", "", "hint", 1, "no id"),
    ],
)
def test_check_names_what_is_wrong_and_where(cli: Cli, rule: Path, old: str, new: str, severity: str, place: int, said: str) -> None:
    rule.write_text(RULE.replace(old, new, 1))
    ran = cli("rules", "check", rule, "--format", "json")
    (found,) = json.loads(ran.out)["findings"]
    assert (found["severity"], found["path"], found["line"]) == (severity, str(rule), place)
    assert said in found["message"]
    assert ran.code == (3 if severity == "error" else 0)
    assert f"{rule}:{place}: {severity}: " in cli("rules", "check", rule).out


def test_an_id_that_stands_twice_is_an_error(cli: Cli, rule: Path) -> None:
    (rule.parent / "second.yml").write_text(RULE.replace("StopLogging", "DeleteTrail"))
    ran = cli("rules", "check", rule.parent)
    assert ran.code == 3
    assert "already belongs to the document at" in ran.out


def test_nothing_to_check_is_not_a_success(cli: Cli, tmp_path: Path) -> None:
    for command in ("check", "test", "list", "coverage"):
        ran = cli("rules", command, tmp_path)
        assert (ran.code, ran.out) == (2, "")
        assert "no Sigma documents" in ran.err
    assert cli("rules", "check", tmp_path / "none.yml").code == 2


def test_titles_cannot_command_the_terminal(cli: Cli, rule: Path) -> None:
    rule.write_text(RULE.replace("title: Trail stopped", 'title: "Trail\\e[31m stopped"').replace("t1685.002", "t9999"))
    (rule.parent / "event.json").write_text(json.dumps(EVENT))
    for arguments in (["check", rule], ["list", rule], ["show", rule], ["coverage", rule], ["explain", rule, rule.parent / "event.json"]):
        ran = cli("rules", *arguments)
        assert "\x1b" not in ran.out + ran.err
        assert "\\x1b[31m" in ran.out or arguments[0] == "coverage"


def test_tests_in_rules_are_run_and_reported(cli: Cli, rule: Path) -> None:
    assert cli("rules", "test", rule).out == "1 rule, 2 tests: 2 passed, 0 failed\n"
    rule.write_text(RULE.replace("match: false", "match: true"))
    junit = rule.parent / "junit.xml"
    ran = cli("rules", "test", rule, "--junit", junit)
    assert ran.code == 3
    assert "by the pipeline: should match and does not" in ran.out
    suites = ElementTree.parse(junit).getroot()
    assert (suites.get("tests"), suites.get("failures")) == ("2", "1")
    assert [case.get("name") for case in suites.iter("testcase") if case.find("failure") is not None] == ["by the pipeline"]


def test_list_narrows(cli: Cli, rule: Path) -> None:
    def titles(*options: str) -> list[str]:
        return [each["title"] for each in json.loads(cli("rules", "list", rule, "--format", "json", *options).out)]

    assert titles() == titles("--product", "AWS", "--service", "cloudtrail") == titles("--tag", "t1685") == ["Trail stopped"]
    assert titles("--level", "low") == titles("--tag", "attack.t168") == titles("--product", "gcp") == []
    assert "No rules like that." in cli("rules", "list", rule, "--level", "low").out


@pytest.mark.parametrize("key", ["11111111-2222-4333-8444-555555555555", "111111", "trail_stopped", "Trail Stopped"])
def test_show_finds_a_rule_by_what_it_is_called(cli: Cli, rule: Path, key: str) -> None:
    (view,) = json.loads(cli("rules", "show", key, "--rules", rule, "--format", "json").out)
    assert view["sources"] == ["aws.cloudtrail"]
    assert [read["field"] for read in view["reads"]] == ["eventName", "userIdentity.arn"]
    assert view["anchors"] == ["eventName = 'StopLogging'"]
    assert "T1685.002" in cli("rules", "show", rule).out


def test_show_helps_who_mistypes(cli: Cli, rule: Path) -> None:
    ran = cli("rules", "show", "trail_stoped", "--rules", rule)
    assert ran.code == 2
    assert "did you mean 'trail_stopped'" in ran.err


def test_explain_says_which_part_failed_and_what_it_saw(cli: Cli, rule: Path) -> None:
    other = EVENT | {"userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/alice"}}
    ran = cli("rules", "explain", "trail_stopped", "-", "--rules", rule, stdin=json.dumps([EVENT, other]).encode())
    first, second = ran.out.split("\n\n")[1:]
    assert "does not match" in first
    assert "✓ eventName = 'StopLogging'" in first
    assert "✗ not" in first
    assert "✓ userIdentity.arn ends with '/deploy'" in first
    assert "user/deploy" in first
    assert "MATCHES" in second
    assert "✗ userIdentity.arn ends with" in second


def test_explain_of_a_strange_record_says_so(cli: Cli, rule: Path) -> None:
    ran = cli("rules", "explain", "trail_stopped", "-", "--rules", rule, stdin=b'{"eventName": "StopLogging"}')
    assert "not run" in ran.out
    assert "--source" in ran.out
    forced = cli("rules", "explain", "trail_stopped", "-", "--rules", rule, "--source", "aws.cloudtrail", stdin=b'{"eventName": "StopLogging"}')
    assert "MATCHES" in forced.out


def test_coverage_counts_and_gives_a_navigator_layer(cli: Cli, rule: Path) -> None:
    found = json.loads(cli("rules", "coverage", rule, "--format", "json").out)
    assert {(each["uid"], len(each["rules"])) for each in found["entries"] if each["rules"]} == {("TA0112", 1), ("T1685.002", 1)}
    layer = rule.parent / "layer.json"
    assert cli("rules", "coverage", rule, "--format", "navigator", "-o", layer).code == 0
    made = json.loads(layer.read_text())
    assert made["versions"]["layer"] == "4.5"
    assert {each["techniqueID"]: each.get("score") for each in made["techniques"]} == {"T1685.002": 1, "T1685": None}


def test_coverage_tells_what_cannot_fire_on_given_logs(cli: Cli, rule: Path) -> None:
    logs = rule.parent / "logs"
    logs.mkdir()
    ran = cli("rules", "coverage", rule, "--input", logs)
    assert "1 cannot fire on this input" in ran.out
    assert "no aws.cloudtrail events in this input" in ran.out


def test_coverage_loads_rules_as_a_scan_would(cli: Cli, rule: Path) -> None:
    """With logs too: a rule that waits for values, and whose fields a pipeline renames, is neither refused nor idle."""
    pipeline = rule.parent / "mapping.pipeline"
    pipeline.write_text("transformations: [{type: field_name_mapping, mapping: {action: eventName}}]\n")
    rule.write_text(RULE.replace("    eventName: StopLogging", "    action|expand: '%actions%'", 1))
    events = rule.parent / "event.json"
    events.write_text(json.dumps(EVENT))
    given = ("rules", "coverage", rule, "--input", events, "--format", "json")
    assert cli(*given).code == 3
    assert json.loads(cli(*given, "--var", "actions=StopLogging").out)["idle"]
    ran = cli(*given, "--var", "actions=StopLogging", "--pipeline", pipeline)
    assert (ran.code, ran.err) == (0, "")
    assert json.loads(ran.out)["idle"] == []


@pytest.mark.parametrize("logsource", ["aws/cloudtrail", "aws/bedrock", "azure/signinlogs", "gcp/gcp.audit", "ai", "cloud/authentication"])
def test_a_new_rule_passes_check_and_test_as_it_is(cli: Cli, tmp_path: Path, logsource: str) -> None:
    path = tmp_path / "new.yml"
    assert cli("rules", "new", "--logsource", logsource, "-o", path).code == 0
    assert "1 ok; nothing to say" in cli("rules", "check", path).out
    assert "2 passed, 0 failed" in cli("rules", "test", path).out
    assert cli("rules", "new", "-o", path).code == 2


def test_a_new_rule_needs_a_log_source_that_exists(cli: Cli) -> None:
    ran = cli("rules", "new", "--logsource", "aws/cloudtrial")
    assert ran.code == 2
    assert "did you mean 'aws/cloudtrail'" in ran.err
