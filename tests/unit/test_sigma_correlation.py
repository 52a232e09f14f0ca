"""Correlation documents: what they become, how references are resolved, and what is refused where."""

from __future__ import annotations

import pickle
from datetime import timedelta

import pytest

from engine.errors import RuleError
from engine.sigma.correlation import silenced
from engine.sigma.load import load
from engine.sigma.ruleset import RuleSet
from engine.sigma.tree import Bound, BoundOperator, Correlation, CorrelationType, Term

RULES = "---\n".join(
    f"title: Rule {name}\nid: id-{name}\nname: {name}\nlogsource: {{product: aws}}\ndetection: {{s: {{eventName: {name}}}, condition: s}}\n"
    for name in "abcd"
)
COUNT = {"type": "event_count", "rules": "a", "timespan": "5m", "condition": "{gte: 5}"}


def document(name: str, head: str = "", **section: str) -> str:
    body = "".join(f"  {key.replace('_', '-')}: {value}\n" for key, value in section.items())
    return f"---\ntitle: {name.upper()}\nid: id-{name}\nname: {name}\n{head}correlation:\n{body}"


def loaded(*documents: str) -> RuleSet:
    ruleset = load([RULES + "".join(documents)])
    assert not ruleset.errors, str(ruleset.errors[0])
    assert len(ruleset.rules) == 4
    return ruleset


def one(**section: str) -> Correlation:
    return loaded(document("x", **section)).correlations[0]


def only_error(*documents: str) -> RuleError:
    ruleset = load([RULES + "".join(documents)])
    assert len(ruleset.rules) == 4
    assert len(ruleset.errors) == 1, [str(error) for error in ruleset.errors]
    return ruleset.errors[0]


def test_every_part_of_a_correlation_arrives() -> None:
    head = "level: HIGH\nstatus: test\ntags: [attack.t1078]\nauthor: ann\nresponse: [look]\n"
    section = {
        "type": "value_percentile",
        "rules": "[a, id-b]",
        "group_by": "[who, x.alert.source]",
        "timespan": "2h",
        "condition": "{gt: 100, lte: '200.5', field: n, percentile: 99.5}",
        "aliases": "{who: {a: user, Rule b: actor}}",
        "generate": "true",
    }
    ruleset = loaded(document("x", head, **section))
    found = ruleset.correlations[0]
    assert (found.uid, found.name, found.title, found.level, found.status, found.author) == ("id-x", "x", "X", "high", "test", "ann")
    assert (found.type, found.rules, found.timespan) == (CorrelationType.VALUE_PERCENTILE, ("id-a", "id-b"), timedelta(hours=2))
    assert (found.group_by, found.fields, found.percentile, found.generate) == (("who", "x.alert.source"), ("n",), 99.5, True)
    assert found.bounds == (Bound(BoundOperator.LTE, 200.5), Bound(BoundOperator.GT, 100))
    assert found.aliases == (("who", (("id-a", "user"), ("id-b", "actor"))),)
    assert (found.path, found.line, dict(found.extra)) == ("<text>", 25, {"response": ["look"]})
    assert (found.field_of("who", "id-b"), found.field_of("n", "id-b")) == ("actor", "n")
    assert pickle.loads(pickle.dumps(found)) == found
    assert ruleset.others == ()


def test_temporal_types_want_all_rules_unless_told_otherwise() -> None:
    assert one(type="temporal", rules="[a, b, c]", timespan="1h").bounds == (Bound(BoundOperator.GTE, 3),)
    assert one(type="temporal_ordered", rules="[a, b, c]", timespan="1h", condition="{gte: 2}").bounds == (Bound(BoundOperator.GTE, 2),)
    assert one(type="value_count", rules="a", timespan="1d", condition="{gte: 2, field: [u, v]}").fields == ("u", "v")


@pytest.mark.parametrize(
    ("rules", "condition", "terms"),
    [
        ("[a, b]", "a and not b", [("a", "b")]),
        ("[a, b, c]", "a and not (b or c)", [("a", "bc")]),
        ("[a, b, c]", "(a or b) and not c", [("a", "c"), ("b", "c")]),
        ("[a, b]", "not (not a or b)", [("a", "b")]),
        ("[a, b, c]", "a and (not b or not c)", [("a", "b"), ("a", "c")]),
        ("[a, b]", "(a or b) and not (a and b)", [("a", "b"), ("b", "a")]),
        ("[a, b]", "b and a", [("ab", "")]),
        ("[a, Rule b]", "id-a and not Rule b", [("a", "b")]),
        ("[a, b]", "a or a and not b", [("a", ""), ("a", "b")]),
    ],
)
def test_extended_conditions_become_alternatives(rules: str, condition: str, terms: list[tuple[str, str]]) -> None:
    found = one(type="temporal", rules=rules, timespan="1h", condition=condition)
    assert found.bounds == ()
    expected = {Term(tuple(f"id-{each}" for each in present), tuple(f"id-{each}" for each in absent)) for present, absent in terms}
    assert set(found.terms) == expected
    assert len(found.terms) == len(terms)


def test_rules_may_be_left_to_the_condition() -> None:
    assert one(type="temporal_ordered", timespan="1h", condition="b and a").terms == (Term(("id-b", "id-a")),)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"type": "flood"}, "one of event_count"),
        ({"type": "[a]"}, "one of event_count"),
        ({"rules": "[]"}, "'rules' lists"),
        ({"rules": "[{a: b}]"}, "'rules' lists"),
        ({"rules": "[a, Rule a]"}, "twice"),
        ({"rules": "nobody"}, "has the id, name or title 'nobody'"),
        ({"timespan": "5"}, "timespan"),
        ({"timespan": "1h30m"}, "timespan"),
        ({"timespan": "400d"}, "timespan"),
        ({"timespan": "~"}, "needs a 'timespan'"),
        ({"group_by": "[5]"}, "'group-by' is the name"),
        ({"group_by": "x.alert.score"}, "of alerts there are x.alert.rule"),
        ({"groupby": "u"}, "did you mean 'group-by'"),
        ({"window": "sliding"}, "has no key 'window'"),
        ({"generate": "1"}, "true or false"),
        ({"condition": "5"}, "needs a 'condition'"),
        ({"condition": "a"}, "belongs to temporal"),
        ({"condition": "{}"}, "compares nothing"),
        ({"condition": "{gte: many}"}, "needs a number"),
        ({"condition": "{gte: true}"}, "needs a number"),
        ({"condition": "{gte: 99999999999999999999}"}, "no longer exact"),
        ({"condition": "{atleast: 5}"}, "has no key 'atleast'"),
        ({"condition": "{gte: 5, field: u}"}, "value_count does"),
        ({"condition": "{gt: 5, lt: 6}"}, "can never hold"),
        ({"condition": "{lt: 1}"}, "one event at least"),
        ({"condition": "{gte: 5, percentile: 5}"}, "belongs to value_percentile"),
        ({"type": "temporal", "condition": "{gte: 2}"}, "can never hold"),
        ({"type": "value_count"}, "needs a 'field'"),
        ({"type": "value_sum", "condition": "{gte: 5, field: [u, v]}"}, "takes one 'field'"),
        ({"type": "value_percentile", "condition": "{gte: 5, field: u, percentile: 101}"}, "from 0 to 100"),
        ({"aliases": "[a]"}, "'aliases' is a map"),
        ({"aliases": "{u: x}"}, "alias 'u' is a map"),
        ({"aliases": "{u: {b: x}}"}, "alias 'u': 'b' is not listed in 'rules'"),
        ({"aliases": "{u: {a: x, id-a: y}}"}, "alias 'u' names the rule 'id-a' twice"),
        ({"aliases": "{x.alert.rule: {a: x}}"}, "would hide"),
        ({"type": "temporal", "rules": "[a, b]", "condition": "a"}, "does not say 'b'"),
        ({"type": "temporal", "rules": "[a, b]", "condition": "a or (b and not b)"}, "does not depend on 'b'"),
        ({"type": "temporal", "rules": "[a, b]", "condition": "a and not c"}, "condition: 'c' is not listed"),
        ({"type": "temporal", "rules": "[a, b]", "condition": "a or not b"}, "'not' alone"),
        ({"type": "temporal", "rules": "[a]", "condition": "a and not a"}, "contradicts itself"),
        ({"type": "temporal", "rules": "[a, b]", "condition": "a and"}, "ends where"),
        ({"type": "temporal", "rules": "[a, b]", "condition": "a b"}, "expected at column 3"),
        ({"type": "temporal", "rules": "[a, b]", "condition": "a AND b"}, "lower case: 'and'"),
        ({"type": "temporal", "rules": "[a, b]", "condition": "(a and b"}, "')'"),
    ],
)
def test_a_broken_part_is_named_and_nothing_else_is_lost(section: dict[str, str], words: str) -> None:
    error = only_error(document("x", **(COUNT | section)), document("y", **COUNT))
    assert words in error.message
    assert error.rule == "X"
    assert error.path == "<text>"
    assert error.line is not None
    assert 25 <= error.line <= 36


@pytest.mark.parametrize(
    ("head", "words"),
    [("group_by: [u]\n", "'group-by'"), ("detection: {}\n", "divided by ---"), ("timespan: 5m\n", "inside"), ("level: bad\n", "level")],
)
def test_keys_that_belong_elsewhere_are_not_ignored(head: str, words: str) -> None:
    assert words in only_error(document("x", head, **COUNT)).message


def test_references_reach_across_files_by_id_name_and_title_in_any_order() -> None:
    outer = document("outer", type="temporal", rules="[inner, id-c]", timespan="1d", group_by="u").removeprefix("---\n")
    inner = document("inner", **(COUNT | {"rules": "[ID-A, B, Rule c]", "group_by": "u"})).removeprefix("---\n")
    ruleset = load([outer, inner, RULES])
    assert not ruleset.errors
    assert [(each.uid, each.rules) for each in ruleset.correlations] == [("id-inner", ("id-a", "id-b", "id-c")), ("id-outer", ("id-inner", "id-c"))]
    assert ruleset.notes == ("<text>:1: correlation 'INNER' refers by title to 'Rule c'; give the rule a name, titles change",)


def test_circles_are_named_and_stop_what_stands_on_them() -> None:
    chain = {"p": "[q, a]", "q": "[r, a]", "r": "[p, b]", "s": "[p, a]", "t": "[a, b]", "self": "[self, a]"}
    ruleset = load([RULES + "".join(document(name, type="temporal", rules=rules, timespan="1h") for name, rules in chain.items())])
    assert [each.name for each in ruleset.correlations] == ["t"]
    messages = {error.rule: error.message for error in ruleset.errors}
    assert messages["P"] == messages["Q"] == messages["R"] == "correlations refer to each other in a circle: p → q → r → p"
    assert messages["SELF"].endswith("circle: self → self")
    assert messages["S"].startswith("refers to 'p', which is refused (<text>:")


def test_names_that_two_documents_bear_are_refused_only_where_they_are_used() -> None:
    twins = RULES.replace("name: b", "name: a").replace("title: Rule d", "title: Rule c")
    ruleset = load([twins + document("x", **COUNT) + document("y", **(COUNT | {"rules": "Rule c"})) + document("z", **(COUNT | {"rules": "id-b"}))])
    assert [error.message.split(" (")[0] for error in ruleset.errors] == ["'a' is the name of 2 rules", "'Rule c' is the title of 2 rules"]
    assert [each.name for each in ruleset.correlations] == ["z"]


def test_a_refused_rule_refuses_what_refers_to_it_with_its_reason() -> None:
    broken = RULES.replace("{eventName: a}", "{eventName|nope: a}")
    chain = {"x": "a", "y": "x", "z": "y", "ok": "b"}
    ruleset = load([broken + "".join(document(name, **(COUNT | {"rules": rules})) for name, rules in chain.items())])
    assert [each.name for each in ruleset.correlations] == ["ok"]
    assert [error.rule for error in ruleset.errors] == ["Rule a", "X", "Y", "Z"]
    assert all("unknown modifier 'nope'" in error.message for error in ruleset.errors)
    assert len(ruleset.errors[3].message) < 2 * len(ruleset.errors[1].message)


@pytest.mark.parametrize(
    ("outer", "words"),
    [
        ({"group_by": "u"}, None),
        ({"group_by": "who"}, None),
        ({"group_by": "x.alert.level"}, None),
        ({"group_by": "w", "aliases": "{w: {inner: who}}"}, None),
        ({"group_by": "eventName"}, "reads 'eventName' of the correlation 'INNER'"),
        ({"group_by": "w", "aliases": "{w: {inner: user}}"}, "reads 'user'"),
        ({"type": "value_count", "condition": "{gte: 2, field: n}"}, "its group-by fields (u, who)"),
    ],
)
def test_a_correlation_reads_of_another_only_what_its_alerts_have(outer: dict[str, str], words: str | None) -> None:
    inner = document("inner", **(COUNT | {"group_by": "[u, who]", "aliases": "{who: {a: user}}"}))
    text = inner + document("outer", **(COUNT | {"rules": "inner"} | outer))
    if words is None:
        assert [each.name for each in loaded(text).correlations] == ["inner", "outer"]
    else:
        assert words in only_error(text).message


def test_an_alias_that_leaves_a_rule_out_is_noted() -> None:
    ruleset = loaded(document("x", **(COUNT | {"rules": "[a, b]", "group_by": "w", "aliases": "{w: {a: user}}"})))
    assert "alias 'w' stands for no field of 1 of its rules" in ruleset.notes[0]
    assert ruleset.correlations[0].field_of("w", "id-b") is None


def test_ids_and_hashes_follow_the_meaning() -> None:
    base = one(**COUNT)
    for change in ({"timespan": "6m"}, {"rules": "b"}, {"condition": "{gte: 6}"}, {"group_by": "u"}, {"generate": "true"}):
        assert one(**(COUNT | change)).content_hash != base.content_hash
    assert one(**(COUNT | {"timespan": "300s", "rules": "[id-a]"})).content_hash == base.content_hash
    assert len(loaded(document("x", **COUNT), document("x", **COUNT)).correlations) == 1
    again = only_error(document("x", **COUNT), document("x", **(COUNT | {"timespan": "6m"})))
    assert "id id-x already belongs to the document at <text>:25" in again.message
    unnamed = document("x", **COUNT).replace("id: id-x\n", "")
    assert len(loaded(unnamed, unnamed).correlations[0].uid) == 64


def test_rules_are_silenced_unless_some_correlation_generates() -> None:
    quiet = document("x", **(COUNT | {"rules": "[a, b]"}))
    loud = document("y", **(COUNT | {"rules": "[b, x]", "generate": "true"}))
    outer = document("z", **(COUNT | {"rules": "[y]"}))
    assert silenced(loaded(quiet, loud, outer).correlations) == {"id-a", "id-y"}
