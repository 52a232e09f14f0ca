"""Every form of condition and of detection, as the tree it becomes."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from engine.errors import RuleError, UnsupportedFeature
from engine.sigma.load import load
from engine.sigma.ruleset import RuleSet
from engine.sigma.tree import And, Leaf, Node, Not, Null, Or, Regex, Text, Wildcard

ANY = Wildcard.ANY


def loaded(condition: Any, detections: dict[str, Any]) -> RuleSet:
    rule = {"title": "r", "logsource": {"product": "aws"}, "detection": {**detections, "condition": condition}}
    return load([yaml.safe_dump(rule, sort_keys=False, width=10**6)])


def tree(condition: Any, detections: dict[str, Any]) -> Node:
    ruleset = loaded(condition, detections)
    assert not ruleset.errors, str(ruleset.errors[0])
    return ruleset.rules[0].condition


def refusal(condition: Any, detections: dict[str, Any]) -> RuleError:
    ruleset = loaded(condition, detections)
    assert not ruleset.rules
    return ruleset.errors[0]


def leaf(value: str, field: str | None = "f") -> Leaf:
    return Leaf(field, Text((value,)))


def keyword(*parts: str | Wildcard, cased: bool = False) -> Leaf:
    return Leaf(None, Text((ANY, *parts, ANY), cased))


A, B, C, D = leaf("a"), leaf("b"), leaf("c"), leaf("d")
NAMED = {"a": {"f": "a"}, "b": {"f": "b"}, "x_c": {"f": "c"}, "x_d": {"f": "d"}, "_hidden": {"f": "e"}}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("a", A),
        ("_hidden", leaf("e")),
        ("not a", Not(A)),
        ("not not a", Not(Not(A))),
        ("a and b", And((A, B))),
        ("a or b and x_c", Or((A, And((B, C))))),
        ("(a or b) and x_c", And((Or((A, B)), C))),
        ("(a or b)and(x_c)", And((Or((A, B)), C))),
        ("not a and b", And((Not(A), B))),
        ("not (a and b)", Not(And((A, B)))),
        ("a and (b and (x_c))", And((A, B, C))),
        ("a\n  or\tb", Or((A, B))),
        ("1 of x_*", Or((C, D))),
        ("any of x_*", Or((C, D))),
        ("all of x_*", And((C, D))),
        ("1 of *_c", C),
        ("not 1 of x*", Not(Or((C, D)))),
        ("a and 1 of x* and b", And((A, Or((C, D)), B))),
        ("1 of them", Or((A, B, C, D))),
        ("all of them", And((A, B, C, D))),
        ("1 of *", Or((A, B, C, D))),
        ("1 of _*", leaf("e")),
        ("1 of _hidden", leaf("e")),
        (["a", "b"], Or((A, B))),
        (["a or b", "x_c"], Or((A, B, C))),
    ],
)
def test_condition_becomes_tree(condition: Any, expected: Node) -> None:
    assert tree(condition, NAMED) == expected


@pytest.mark.parametrize("name", ["notsel", "android", "or-gate", "1of", "them2", "of", "sel.ection", "ünïcode", "all_of_it"])
def test_any_name_can_be_used(name: str) -> None:
    assert tree(f"{name} and not b", {name: {"f": "a"}, "b": {"f": "b"}}) == And((A, Not(B)))


def test_name_patterns_mean_themselves_beside_the_star() -> None:
    assert tree("1 of s-e.l*", {"s-e.l1": {"f": "a"}, "s-exl2": {"f": "b"}}) == A
    assert tree("1 of s*x*x", {"sxox": {"f": "a"}, "sx": {"f": "b"}, "sxx_": {"f": "c"}}) == A
    assert tree("1 of *" + "a*" * 30 + "b", {"a" * 60: {"f": "b"}, "a" * 60 + "b": {"f": "a"}}) == A


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("", "a condition is text"),
        (None, "a condition is text"),
        (5, "a condition is text"),
        ([], "missing"),
        ("missing", "no detection is named 'missing'"),
        ("a and", "ends too early"),
        ("a b", "'and', 'or' or ')' expected at column 3"),
        ("a not b", "expected at column 3"),
        ("and a", "a detection name expected at column 1"),
        ("a AND b", "lower case: 'and'"),
        ("(a", "lacks 1 closing"),
        ("a)", "')' without '('"),
        ("()", "a detection name expected"),
        ("1 of y*", "matches no detection"),
        ("all of y*", "matches no detection"),
        ("1 of", "name pattern"),
        ("1 of (a)", "name pattern"),
        ("2 of x_*", "'2 of' is not Sigma"),
        ("a | count() > 5", "correlation"),
        ("(" * 1000 + "a" + ")" * 1000, "more than 50 times"),
        (" and ".join(["a"] * 9000), "characters"),
        ("not " * 4000 + "a", "more than 50 times"),
    ],
)
def test_broken_condition_is_refused_with_the_reason(condition: Any, words: str) -> None:
    assert words in refusal(condition, NAMED).message


def test_only_hidden_names_leave_them_without_a_match() -> None:
    assert "matches no detection" in refusal("1 of them", {"_a": {"f": "a"}}).message


@pytest.mark.parametrize(
    ("detection", "expected"),
    [
        ({"f": "a", "g": "b"}, And((A, leaf("b", "g")))),
        ([{"f": "a"}, {"f": "b"}], Or((A, B))),
        ([{"f": "a", "g": "b"}, {"f": "b"}], Or((And((A, leaf("b", "g"))), B))),
        ("evil", keyword("evil")),
        (["evil", "bad*one"], Or((keyword("evil"), keyword("bad", ANY, "one")))),
        ([4624], keyword("4624")),
        ([True], keyword("true")),
        (["*evil*"], keyword("evil")),
        (["evil", {"f": "a"}], Or((keyword("evil"), A))),
        ({"|all": ["evil", "bad"]}, And((keyword("evil"), keyword("bad")))),
        ({"|contains|all": ["evil", "bad"]}, And((keyword("evil"), keyword("bad")))),
        ({"|cased": "Evil"}, keyword("Evil", cased=True)),
        ({"|re": "ev.l"}, Leaf(None, Regex("ev.l"))),
        ({"|re|i": ["ev.l"]}, Leaf(None, Regex("(?i)ev.l"))),
        ({"|windash": "-x"}, Or(tuple(keyword(f"{dash}x") for dash in "-/–—―"))),
        ({"|base64": "foo"}, keyword("Zm9v")),
        ({"f": "a", "|contains": "evil"}, And((A, keyword("evil")))),
        ({5: "a"}, leaf("a", "5")),
        ({"f": []}, Leaf("f", Null())),
    ],
)
def test_detection_becomes_tree(detection: Any, expected: Node) -> None:
    assert tree("s", {"s": detection}) == expected


@pytest.mark.parametrize(
    ("detection", "words"),
    [
        ({}, "is empty"),
        ([], "is empty"),
        (None, "is empty"),
        ([{"f": "a"}, {}], "is empty"),
        ([None, "a"], "needs a field"),
        ({"|cidr": "10.0.0.0/8"}, "needs a field"),
        ({"|lt": 5}, "needs a field"),
        ({"|exists": True}, "must be applied to field"),
        ("*", "matches every record"),
        ("", "matches every record"),
    ],
)
def test_broken_detection_is_refused_with_the_reason(detection: Any, words: str) -> None:
    assert words in refusal("s", {"s": detection}).message


def test_old_aggregation_is_unsupported() -> None:
    assert isinstance(refusal("a | count() > 5", NAMED), UnsupportedFeature)
    assert "timeframe" in refusal("a", {**NAMED, "timeframe": "5m"}).message
