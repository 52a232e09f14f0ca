"""Every value modifier, as the tree it becomes. Both supported versions of pySigma must give these very trees."""

from __future__ import annotations

from base64 import b64encode
from ipaddress import ip_network
from typing import Any

import pytest
import yaml

from engine.errors import RuleError, UnsupportedFeature
from engine.sigma.load import load
from engine.sigma.tree import (
    And,
    Boolean,
    Cidr,
    Compare,
    Comparison,
    Exists,
    Leaf,
    Node,
    Not,
    Null,
    Number,
    Or,
    Predicate,
    Regex,
    SameAs,
    Text,
    TimePart,
    TimeUnit,
    Wildcard,
)

ANY, ONE = Wildcard.ANY, Wildcard.ONE
PLACEHOLDERS = {"name": ["ann", "b*"], "other": ["x", "y"], "dots": ["a.b"]}


def refusal(detection: Any) -> RuleError:
    ruleset = load([document(detection)], placeholders=PLACEHOLDERS)
    assert not ruleset.rules
    return ruleset.errors[0]


def document(detection: Any) -> str:
    rule = {"title": "r", "logsource": {"product": "aws"}, "detection": {"selection": detection, "condition": "selection"}}
    return yaml.safe_dump(rule, sort_keys=False, allow_unicode=True)


def tree(detection: Any) -> Node:
    ruleset = load([document(detection)], placeholders=PLACEHOLDERS)
    assert not ruleset.errors, str(ruleset.errors[0])
    return ruleset.rules[0].condition


def text(*parts: str | Wildcard, cased: bool = False) -> Text:
    return Text(parts, cased)


@pytest.mark.parametrize(
    ("key", "value", "predicate"),
    [
        ("f", "a", text("a")),
        ("f", "", text()),
        ("f", "a*b?c", text("a", ANY, "b", ONE, "c")),
        ("f", r"a\*b\?c", text("a*b?c")),
        ("f", r"a\b\\c", text(r"a\b\c")),
        ("f", r"a\\*", text("a\\", ANY)),
        ("f", r"a\\\*", text(r"a\*")),
        ("f", "a***b", text("a", ANY, "b")),
        ("f", 5, Number(5)),
        ("f", 5.0, Number(5)),
        ("f", 1.5, Number(1.5)),
        ("f", 106372935493827163549, Number(106372935493827163549)),
        ("f", True, Boolean(True)),
        ("f", None, Null()),
        ("f|contains", "a", text(ANY, "a", ANY)),
        ("f|contains", "*a*", text(ANY, "a", ANY)),
        ("f|contains", "", text(ANY)),
        ("f|contains", 5, text(ANY, "5", ANY)),
        ("f|contains", True, text(ANY, "true", ANY)),
        ("f|startswith", "a", text("a", ANY)),
        ("f|endswith", "a", text(ANY, "a")),
        ("f|endswith", 7, text(ANY, "7")),
        ("f|cased", "A", text("A", cased=True)),
        ("f|contains|cased", "A", text(ANY, "A", ANY, cased=True)),
        ("f|cased|contains", "A", text(ANY, "A", ANY, cased=True)),
        ("f|exists", True, Exists(True)),
        ("f|exists", False, Exists(False)),
        ("f|exists", [True], Exists(True)),
        ("f|re", "a.*b$", Regex("a.*b$")),
        ("f|re", r"\*\\?", Regex(r"\*\\?")),
        ("f|re", 404, Regex("404")),
        ("f|re|i", "a", Regex("(?i)a")),
        ("f|re|s|m|i", "a", Regex("(?ims)a")),
        ("f|re|ignorecase|multiline|dotall", "a", Regex("(?ims)a")),
        ("f|re|contains", "a|b", Regex("a|b")),
        ("f|re|startswith", "a|b", Regex(r"\A(?:a|b)")),
        ("f|re|endswith", "a|b", Regex(r"(?:a|b)\z")),
        ("f|re|i|startswith", "a", Regex(r"(?i)\A(?:a)")),
        ("f|re", r"\p{Lu}[a-z]{2,1200}", Regex(r"\p{Lu}[a-z]{2,1200}")),
        ("f|cidr", "10.0.0.0/8", Cidr(ip_network("10.0.0.0/8"))),
        ("f|cidr", "10.1.2.3/8", Cidr(ip_network("10.0.0.0/8"))),
        ("f|cidr", "203.0.113.9", Cidr(ip_network("203.0.113.9/32"))),
        ("f|cidr", "2001:db8::/32", Cidr(ip_network("2001:db8::/32"))),
        ("f|lt", 5, Compare(Comparison.LT, 5)),
        ("f|lte", 5.5, Compare(Comparison.LTE, 5.5)),
        ("f|gt", "5", Compare(Comparison.GT, 5)),
        ("f|gte", "-2.5", Compare(Comparison.GTE, -2.5)),
        ("f|minute", 5, TimePart(TimeUnit.MINUTE, Comparison.EQ, 5)),
        ("f|hour", 5, TimePart(TimeUnit.HOUR, Comparison.EQ, 5)),
        ("f|day", 5, TimePart(TimeUnit.DAY, Comparison.EQ, 5)),
        ("f|week", 5, TimePart(TimeUnit.WEEK, Comparison.EQ, 5)),
        ("f|month", 5, TimePart(TimeUnit.MONTH, Comparison.EQ, 5)),
        ("f|year", 2026, TimePart(TimeUnit.YEAR, Comparison.EQ, 2026)),
        ("f|hour|gte", 22, TimePart(TimeUnit.HOUR, Comparison.GTE, 22)),
        ("f|hour|lt", "6", TimePart(TimeUnit.HOUR, Comparison.LT, 6)),
        ("f|fieldref", "g", SameAs("g")),
        ("f|fieldref|startswith", "g", SameAs("g", starts=True)),
        ("f|fieldref|endswith", "g", SameAs("g", ends=True)),
        ("f|fieldref|contains", "g", SameAs("g", starts=True, ends=True)),
        ("f|cased|fieldref", "g", SameAs("g", cased=True)),
        ("f|fieldref|startswith|cased", "g", SameAs("g", starts=True, cased=True)),
        ("f|base64", "foo", text("Zm9v")),
        ("f|base64", "fo", text("Zm8=")),
        ("f|base64", r"a\*b", text("YSpi")),
        ("f|base64|contains", "ä", text(ANY, "w6Q=", ANY)),
        ("f|wide", "ab", text("a\0b\0")),
        ("f|utf16be", "ab", text("\0a\0b")),
        ("f|utf16", "ab", text("\ufeffa\0b\0")),
        ("f|wide", "a*b", text("a\0", ANY, "b\0")),
        ("f|wide|base64", "ab", text("YQBiAA==")),
        ("f|utf16le|base64", "ab", text("YQBiAA==")),
        ("f|utf16be|base64", "ab", text("AGEAYg==")),
        ("f|utf16|base64", "ab", text("//5hAGIA")),
        ("f|wide|base64", "ä", text("5AA=")),
        ("f|expand", "%dots%", text("a.b")),
        ("f|re|expand", "^%dots%$", Regex(r"^a\.b$")),
        ("f|expand", r"\%plain%dots%", text("%plaina.b")),
        ("f|expand", r"CORP\\%dots%", text(r"CORP\a.b")),
        ("f|expand", "100%", text("100%")),
        ("f", "%name%", text("%name%")),
    ],
)
def test_modifier_becomes_predicate(key: str, value: Any, predicate: Predicate) -> None:
    assert tree({key: value}) == Leaf("f", predicate)


@pytest.mark.parametrize(
    ("key", "value", "predicates"),
    [
        ("f", ["a", "b"], [text("a"), text("b")]),
        ("f", ["a", None, 1], [text("a"), Null(), Number(1)]),
        ("f|base64offset", "foobar", [text("Zm9vYmFy"), text("Zvb2Jhc"), text("mb29iYX")]),
        ("f|base64offset|contains", "fo", [text(ANY, "Zm", ANY), text(ANY, "Zv", ANY), text(ANY, "mb", ANY)]),
        ("f|base64offset", "äö", [text("w6TDt"), text("Okw7"), text("DpMO2")]),
        ("f|wide|base64offset|contains", "a", [text(ANY, "YQ", ANY), text(ANY, "EA", ANY), text(ANY, "hA", ANY)]),
        ("f|windash", "x -a", [text(f"x {dash}a") for dash in "-/–—―"]),
        ("f|windash|contains", "-a", [text(ANY, f"{dash}a", ANY) for dash in "-/–—―"]),
        ("f|cased|windash", "-A", [text(f"{dash}A", cased=True) for dash in "-/–—―"]),
        ("f|windash", "a-b", [text("a-b")]),
        ("f|expand", "x%name%", [text("xann"), text("xb", ANY)]),
        ("f|contains|expand", "%name%", [text(ANY, "ann", ANY), text(ANY, "b", ANY)]),
        ("f|expand", "%other%%other%", [text("xx"), text("xy"), text("yx"), text("yy")]),
        ("f|re|expand", "^%name%$", [Regex("^ann$"), Regex("^b.*$")]),
    ],
)
def test_values_and_variants_are_alternatives(key: str, value: Any, predicates: list[Predicate]) -> None:
    leaves = tuple(Leaf("f", predicate) for predicate in predicates)
    assert tree({key: value}) == (Or(leaves) if len(leaves) > 1 else leaves[0])


def test_all_joins_values_but_not_the_variants_of_one_value() -> None:
    assert tree({"f|contains|all": ["a", "b"]}) == And((Leaf("f", text(ANY, "a", ANY)), Leaf("f", text(ANY, "b", ANY))))
    variants = Or(tuple(Leaf("f", text(f"{dash}a")) for dash in "-/–—―"))
    assert tree({"f|windash|all": ["-a", "b"]}) == And((variants, Leaf("f", text("b"))))
    assert tree({"f|expand|all": ["%other%", "b"]}) == And((Or((Leaf("f", text("x")), Leaf("f", text("y")))), Leaf("f", text("b"))))


def test_all_with_one_value_is_that_value() -> None:
    assert tree({"f|contains|all": "a"}) == Leaf("f", text(ANY, "a", ANY))


def test_neq_negates_the_whole_item() -> None:
    a, b = Leaf("f", text("a")), Leaf("f", text("b"))
    assert tree({"f|neq": "a"}) == Not(a)
    assert tree({"f|neq": ["a", "b"]}) == Not(Or((a, b)))
    assert tree({"f|all|neq": ["a", "b"]}) == Not(And((a, b)))
    assert tree({"f|fieldref|neq": "g"}) == Not(Leaf("f", SameAs("g")))
    assert tree({"f|neq": None}) == Not(Leaf("f", Null()))


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("f|containz", "a", "did you mean 'contains'"),
        ("f|contains", None, "needs text, not null"),
        ("f|lt", "five", "needs a number"),
        ("f|gt", True, "needs a number"),
        ("f|gt", None, "needs a number"),
        ("f|exists", "maybe", "true or false"),
        ("f|cidr", "10.0.0.0/40", "10.0.0.0/40"),
        ("f|cidr", "not-an-ip", "not-an-ip"),
        ("f|base64", "a*", "wildcards"),
        ("f|base64", "", "nothing to encode"),
        ("f|base64offset", "a", "two bytes"),
        ("f|wide", "ä", "ASCII"),
        ("f|windash", "-a -b -c -d", "at most 3"),
        ("f|fieldref", "g*", "wildcards"),
        ("f|contains|re", "a", "must come first"),
        ("f|expand", "%nobody%", "%nobody% has no value"),
        ("f|re", "(", "not valid"),
        ("f", {"a": "b"}, "dots"),
        ("f", [["a"]], "dots"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(key: str, value: Any, words: str) -> None:
    error = refusal({"x": "y", key: value})
    assert words in error.message
    assert key in error.message or "regular expression" in error.message


@pytest.mark.parametrize("pattern", ["(?=a)b", "(?<!a)b", r"(a)\1"])
def test_look_around_and_back_references_are_unsupported(pattern: str) -> None:
    error = refusal({"f|re": pattern})
    assert isinstance(error, UnsupportedFeature)
    assert error.rule == "r"


@pytest.mark.parametrize("plain", ["fo", "foo", "föo", "curl -s"])
def test_base64offset_finds_the_text_wherever_it_stands(plain: str) -> None:
    node = tree({"f|base64offset|contains": plain})
    assert isinstance(node, Or)
    variants = [str(leaf.predicate.parts[1]) for leaf in node.args if isinstance(leaf, Leaf) and isinstance(leaf.predicate, Text)]
    for before in range(6):
        for after in range(4):
            encoded = b64encode(b"\xff" * before + plain.encode() + b"\xaa" * after).decode()
            assert any(variant in encoded for variant in variants), (before, after)


SCALARS = """\
title: r
logsource: {product: aws}
detection:
  s:
    f: [no, 010, 12:30, 2024-01-01, 1e3, 0x10, ~, .5]
    g|contains: 1.10
  condition: s
"""


def test_scalars_are_read_as_yaml_1_2_has_them() -> None:
    values: list[Predicate] = [text("no"), text("010"), text("12:30"), text("2024-01-01"), Number(1000), Number(16), Null(), Number(0.5)]
    alternatives = Or(tuple(Leaf("f", value) for value in values))
    assert load([SCALARS]).rules[0].condition == And((alternatives, Leaf("g", text(ANY, "1.10", ANY))))
