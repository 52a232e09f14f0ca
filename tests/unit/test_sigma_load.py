"""Documents of every shape: what is loaded, what is refused, and where the refusal says it happened."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from engine import evaluate
from engine.errors import RuleError, UsageError
from engine.sigma.load import load
from engine.sigma.ruleset import RuleSet
from engine.sigma.tree import EVENT_TIME, And, Before, Leaf, LogSource, Not, Or, Text

ID = "11111111-2222-4333-8444-555555555555"
OTHER_ID = "11111111-2222-4333-8444-666666666666"
RULE = """\
title: A rule
logsource:
  product: aws
  service: cloudtrail
detection:
  selection:
    eventName: DeleteTrail
  condition: selection
"""


def leaf(value: str, field: str = "eventName") -> Leaf:
    return Leaf(field, Text((value,)))


def only_error(*sources: str | Path) -> RuleError:
    errors = load(sources).errors
    assert len(errors) == 1, [str(error) for error in errors]
    return errors[0]


def titles(ruleset: RuleSet) -> list[str]:
    assert not ruleset.errors, str(ruleset.errors[0])
    return [rule.title for rule in ruleset.rules]


def test_every_part_of_a_rule_arrives() -> None:
    text = f"""\
title: Full
id: {ID.upper()}
name: full
status: Test
description: |
  two
  lines
references: https://example.com/a
author: [ann, bob]
date: 2026-01-02
modified: 2026/02/03
tags: [attack.t1078, no-namespace, 5]
falsepositives:
  - admins
level: HIGH
group_by: [userIdentity.arn]
suppress: 6h
layer: control
tests:
  - {{match: true, event: {{eventName: DeleteTrail, eventTime: 2026-01-02T03:04:05Z, n: 1.50}}}}
"""
    rule = load([text + RULE.split("\n", 1)[1]]).rules[0]
    assert (rule.uid, rule.name, rule.status, rule.level, rule.date) == (ID, "full", "test", "high", "2026-01-02")
    assert (rule.description, rule.author, rule.references) == ("two\nlines\n", "ann, bob", ("https://example.com/a",))
    assert (rule.tags, rule.falsepositives) == (("attack.t1078", "no-namespace", "5"), ("admins",))
    assert (rule.group_by, rule.suppress, rule.logsource) == (("userIdentity.arn",), "6h", LogSource(None, "aws", "cloudtrail"))
    event = {"eventName": "DeleteTrail", "eventTime": "2026-01-02T03:04:05Z", "n": 1.5}
    assert dict(rule.extra) == {"layer": "control", "tests": [{"match": True, "event": event}]}
    assert all(type(value) in (str, list) for _, value in rule.extra)
    assert pickle.loads(pickle.dumps(rule)) == rule


def test_a_bare_rule_has_defaults_and_a_stable_uid() -> None:
    rule = load([RULE]).rules[0]
    assert (rule.level, rule.path, rule.line, rule.extra, rule.group_by) == ("medium", "<text>", 1, (), None)
    assert rule.uid == load(["# moved\n" + RULE]).rules[0].uid
    assert len(rule.uid) == len(rule.content_hash) == 64
    assert rule.uid != load([RULE.replace("A rule", "B rule")]).rules[0].uid


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        (("A rule", "B rule"), False),
        (("title:", "description: d\ntitle:"), False),
        (("DeleteTrail", "StopLogging"), True),
        (("DeleteTrail", r"'Delete\*'"), True),
        (("eventName:", "eventName|cased:"), True),
        (("title:", "level: high\ntitle:"), True),
        (("title:", "suppress: 1h\ntitle:"), True),
        (("title:", "group_by: [a]\ntitle:"), True),
        (("cloudtrail", "bedrock"), True),
    ],
)
def test_content_hash_changes_with_the_meaning_only(change: tuple[str, str], changed: bool) -> None:
    before, after = load([RULE]).rules[0], load([RULE.replace(*change)]).rules[0]
    assert (before.content_hash != after.content_hash) is changed


def test_a_literal_star_is_not_a_wildcard_in_the_hash() -> None:
    star, escaped = (load([RULE.replace("DeleteTrail", value)]).rules[0] for value in ("'*a'", r"'\*a'"))
    assert star.content_hash != escaped.content_hash


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        (("title: A rule", "title:"), 1, "needs a title"),
        (("title: A rule", "id: x"), 1, "needs a title"),
        (("logsource:\n  product: aws\n  service: cloudtrail\n", ""), 1, "no 'logsource'"),
        (("  product: aws\n  service: cloudtrail", "  definition: x"), 2, "neither product"),
        (("  product: aws", "  product: [aws]"), 2, "logsource.product"),
        (("eventName: DeleteTrail", "eventName|nope: DeleteTrail"), 7, "unknown modifier"),
        (("eventName: DeleteTrail", "eventName|re: '('"), 8, "not valid"),
        (("condition: selection", "condition: other"), 8, "no detection is named 'other'"),
        (("  condition: selection\n", ""), 5, "has no 'condition'"),
        (("  selection:\n    eventName: DeleteTrail\n", ""), 6, "no detection is defined"),
        (("detection:", "detections:"), 1, "no 'detection' section"),
        (("title:", "level: severe\ntitle:"), 1, "is none of informational"),
        (("title:", "status: fine\ntitle:"), 1, "is none of stable"),
        (("title:", "suppress: 1h30m\ntitle:"), 1, "timespan"),
        (("title:", "suppress: 0h\ntitle:"), 1, "timespan"),
        (("title:", "suppress: 400d\ntitle:"), 1, "timespan"),
        (("title:", "group_by: [5]\ntitle:"), 1, "field names"),
        (("title:", "id: []\ntitle:"), 1, "'id' is a text"),
        (("title:", "author: {a: b}\ntitle:"), 1, "'author' is a text"),
    ],
)
def test_a_broken_part_is_named_with_its_line(tmp_path: Path, change: tuple[str, str], line: int, words: str) -> None:
    assert change[0] in RULE
    path = tmp_path / "rule.yml"
    path.write_text(RULE.replace(*change))
    error = only_error(path)
    assert words in error.message
    assert str(error).startswith(f"{path}:{line}: ")


BOMB = "a: &a [x, x]\n" + "".join(f"{name}: &{name} [{', '.join(['*' + before] * 12)}]\n" for before, name in pairwise("abcdefg"))


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("title: [a\nlogsource: b\n", 2, "not YAML"),
        ("title: a\n\ttab: b\n", 2, "not YAML"),
        ("- a\n- b\n", 1, "is a map"),
        ("just text\nmore\n", 1, "is a map"),
        ("title: !!python/object/apply:os.system [id]\nx: 1\n", 1, "tag"),
        ("title: a\nlevel: !env X\n", 2, "tag"),
        ("title: a\ntitle: b\n", 2, "stands twice (first in line 1)"),
        ("title: a\n? [b]\n: c\n", 2, "key must be plain"),
        ("title: a\nb: *nowhere\n", 2, "nowhere"),
        ("title: a\nb: &b [*b]\n", 2, "alias *b"),
        ("title: a\nb: " + "[" * 100_000 + "]" * 100_000 + "\n", 2, "deeper than 64"),
        (BOMB, 6, "values"),
        ("title: " + "a" * 1_000_001 + "\n", 1, "characters"),
        ("title: a\n<<: b\n", 1, "merges maps"),
    ],
)
def test_hostile_or_broken_yaml_is_refused_and_the_next_document_loads(text: str, line: int, words: str) -> None:
    ruleset = load([f"{text}---\n{RULE}"])
    assert [rule.title for rule in ruleset.rules] == ["A rule"]
    error = ruleset.errors[0]
    assert words in error.message
    assert (error.path, error.line) == ("<text>", line)


def test_anchors_aliases_and_merge_keys_are_understood() -> None:
    text = RULE.replace("  selection:", "  base: &base\n    a: b\n  selection:\n    <<: *base").replace(
        "condition: selection", "condition: base or selection"
    )
    assert load([text]).rules[0].condition == Or((leaf("b", "a"), And((leaf("DeleteTrail"), leaf("b", "a")))))


def test_documents_of_one_file_keep_their_lines() -> None:
    text = f"%YAML 1.2\n---\n# first\n\n{RULE}...\n---\n\n---\n{RULE.replace('A rule', 'B rule')}"
    assert [(rule.title, rule.line) for rule in load([text]).rules] == [("A rule", 5), ("B rule", 17)]


def test_global_reset_and_repeat_shape_the_documents_that_follow() -> None:
    text = """\
action: global
title: Shared
logsource: {product: aws}
detection: {condition: s}
---
id: a1
detection: {s: {f: a}}
---
action: repeat
id: a2
detection: {s: {f: b}}
---
action: reset
---
id: a3
title: Alone
logsource: {product: gcp}
detection: {s: {f: c}, condition: s}
"""
    ruleset = load([text])
    assert titles(ruleset) == ["Shared", "Shared", "Alone"]
    assert [(rule.uid, rule.condition, rule.line) for rule in ruleset.rules] == [
        ("a1", leaf("a", "f"), 6),
        ("a2", leaf("b", "f"), 9),
        ("a3", leaf("c", "f"), 15),
    ]
    assert all("action" not in dict(rule.extra) for rule in ruleset.rules)
    assert "unknown action 'again'" in only_error("action: again\ntitle: x\n").message


def test_directories_are_read_in_order_and_files_once(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name, title in (("b.yml", "B"), ("a.yaml", "A"), ("sub/c.YML", "C"), ("ignored.txt", "D")):
        (tmp_path / name).write_text(RULE.replace("A rule", title))
    assert titles(load([tmp_path, tmp_path / "b.yml", str(tmp_path)])) == ["A", "B", "C"]
    assert titles(load([tmp_path / "ignored.txt"])) == ["D"]
    with pytest.raises(UsageError, match="no such rule file"):
        load([tmp_path / "missing.yml"])


@pytest.mark.parametrize(
    ("given", "hint"),
    [("{title: a}", "rules given as text have more than one line"), ("x" * 5000, "…: no such rule file"), ("a\0b", "no such rule file")],
    ids=["text on one line", "name too long", "NUL byte"],
)
def test_what_is_no_path_at_all_is_named_in_few_words(given: str, hint: str) -> None:
    with pytest.raises(UsageError, match=hint) as raised:
        load([given])
    assert len(str(raised.value)) < 300


def test_a_file_that_is_not_utf8_is_an_error_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_bytes(b"title: a\nb: \xff\n")
    (tmp_path / "b.yml").write_text("\ufeff" + RULE)
    ruleset = load([tmp_path])
    assert [rule.title for rule in ruleset.rules] == ["A rule"]
    assert str(ruleset.errors[0]) == f"{tmp_path / 'a.yml'}:2: not UTF-8: byte 0xff"


def test_an_id_may_stand_once_unless_the_content_is_the_same() -> None:
    first = f"id: {ID}\n{RULE}"
    assert len(load([first, first.replace("A rule", "renamed")]).rules) == 1
    ruleset = load([first, first.replace("DeleteTrail", "StopLogging").replace(ID, ID.upper())])
    assert len(ruleset.rules) == 1
    assert f"{ID} already belongs to the document at <text>:1" in str(ruleset.errors[0])


def test_ids_need_not_be_uuids() -> None:
    assert load(["id: my-rule\n" + RULE]).rules[0].uid == "my-rule"
    assert load(["id: 123\n" + RULE]).rules[0].uid == "123"


def test_analytics_are_kept_whole() -> None:
    ruleset = load([f"{RULE}---\ntitle: N\nid: {ID}\nname: n\nanalytic: {{type: first_seen}}\n"])
    (analytic,) = ruleset.others
    assert (analytic.kind, analytic.uid, analytic.name, analytic.title, analytic.line) == ("analytic", ID, "n", "N", 10)
    assert analytic.content["analytic"] == {"type": "first_seen"}
    assert type(analytic.content) is dict


FILTER = """\
title: Known admins
logsource:
  product: aws
filter:
  rules: {rules}
  selection:
    user: admin
  condition: not selection
"""


@pytest.mark.parametrize("rules", ["any", "Any", "[]", f"[{ID}]", ID.upper(), "[the_name]", "[A rule]", f"[{OTHER_ID}, the_name]"])
def test_a_filter_is_joined_to_the_rules_it_names(rules: str) -> None:
    rule = load([f"id: {ID}\nname: the_name\n{RULE}", FILTER.format(rules=rules)]).rules[0]
    assert rule.condition == And((leaf("DeleteTrail"), Not(leaf("admin", "user"))))
    assert rule.content_hash != load([RULE]).rules[0].content_hash


@pytest.mark.parametrize(
    ("rules", "logsource"),
    [(f"[{OTHER_ID}]", "product: aws"), ("any", "product: gcp"), ("any", "product: aws\n  category: x"), ("any", "service: bedrock")],
)
def test_a_filter_leaves_other_rules_alone_and_that_is_noted(rules: str, logsource: str) -> None:
    ruleset = load([f"id: {ID}\n{RULE}", FILTER.format(rules=rules).replace("product: aws", logsource)])
    assert ruleset.rules[0].condition == leaf("DeleteTrail")
    assert "filter 'Known admins'" in ruleset.notes[0]


def test_a_filter_never_touches_selectors_of_the_rule() -> None:
    rule = RULE.replace("condition: selection", "condition: 1 of them")
    condition = load([rule, FILTER.format(rules="any").replace("not selection", "not 1 of sel*")]).rules[0].condition
    assert condition == And((leaf("DeleteTrail"), Not(leaf("admin", "user"))))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("  rules: any\n", ""), "names its 'rules'"),
        (("rules: any", "rules: [{a: b}]"), "list of rule ids"),
        (("  condition: not selection\n", ""), "exactly one condition"),
        (("condition: not selection", "condition: [a, b]"), "exactly one condition"),
        (("condition: not selection", "condition: not other"), "no detection is named"),
        (("logsource:\n  product: aws\n", ""), "no 'logsource'"),
        (("  rules:", "  expires: 2026-01-01\n  rules:"), "'expires' stands beside"),
        (("  rules:", "  owner: ann\n  rules:"), "'owner' stands beside"),
        (("title:", "expires: next year\ntitle:"), "'expires' is a date"),
        (("title:", "expires: 2026\ntitle:"), "'expires' is a date"),
        (("title:", "expires: 2026-02-30\ntitle:"), "'expires' is a date"),
        (("title:", "expires: 0001-01-01T00:00:00+14:00\ntitle:"), "'expires' is a date"),
        (("title:", "owner: {a: b}\ntitle:"), "'owner' is a text"),
    ],
)
def test_a_broken_filter_filters_nothing_and_says_so(change: tuple[str, str], words: str) -> None:
    text = FILTER.format(rules="any")
    assert change[0] in text
    ruleset = load([RULE, text.replace(*change)])
    assert ruleset.rules[0].condition == leaf("DeleteTrail")
    assert words in ruleset.errors[0].message


@pytest.mark.parametrize("expires", ["2026-03-01", "2026-03-01T00:00:00Z", "2026-03-01T01:00+01:00"])
def test_a_filter_that_expires_holds_for_older_events_only(expires: str) -> None:
    text = f"expires: {expires}\nowner: ann\n{FILTER.format(rules='any')}"
    instant = datetime(2026, 3, 1, tzinfo=UTC)
    ruleset = load([RULE, text], now=instant)
    ends = Or((Not(leaf("admin", "user")), Not(Leaf(EVENT_TIME, Before(instant)))))
    assert ruleset.rules[0].condition == And((leaf("DeleteTrail"), ends))
    assert ruleset.notes == ("<text>:1: filter 'Known admins' of ann expired at 2026-03-01T00:00:00Z; it holds for older events only",)
    assert load([RULE, text], now=datetime(2026, 2, 28, tzinfo=UTC)).notes == load([RULE, text]).notes == ()
    assert ruleset.rules[0].content_hash != load([RULE, FILTER.format(rules="any")]).rules[0].content_hash


def test_an_expired_filter_lets_younger_events_through() -> None:
    rules = f"{RULE}---\nexpires: 2026-03-01\n{FILTER.format(rules='any').replace('user:', 'userAgent:')}"
    times = ("2026-02-28T23:59:59Z", "2026-03-01T00:00:00Z", "2026-03-02T10:00:00Z")
    events = [{"eventName": "DeleteTrail", "userAgent": agent, "eventTime": time} for agent in ("admin", "other") for time in times]
    assert [index for _, index in evaluate(rules, events, source="aws.cloudtrail").hits] == [1, 2, 3, 4, 5]
    assert [index for _, index in evaluate(rules, events).hits] == [0, 1, 2, 3, 4, 5]


def test_placeholders_without_values_name_those_there_are() -> None:
    text = RULE.replace("eventName: DeleteTrail", "eventName|expand: '%admins%'")
    assert "%admins% has no value" in only_error(text).message
    assert load([text], placeholders={"admins": ["ann"]}).rules[0].condition == leaf("ann")
    assert "values: users" in load([text], placeholders={"users": ["ann"], "admins": []}).errors[0].message.replace("admins, ", "")
    big = {"a": [str(n) for n in range(200)]}
    assert "40,000" in load([RULE.replace("eventName: DeleteTrail", "f|expand: '%a%%a%'")], placeholders=big).errors[0].message
