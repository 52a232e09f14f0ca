"""Rules written with any modifiers: what loads means the same to the kernel and to the reference evaluator."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.detect.kernel import detect
from engine.detect.plan import compile_plan
from engine.sigma.fields import OPEN
from engine.sigma.load import load
from engine.sigma.tree import fields
from tests.detect_events import events_of
from tests.examples import examples
from tests.reference_evaluator import matches

PIECES = ["a", "B", "ab", "ß", "\u212a", " -a", " /b", "*", "?", "\\", "\\*", "\\?", "\\\\", ".", "5", '"', "\n"]
VALUES = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=4).map("".join),
    st.sampled_from([0, 5, 1.5, -1, True, False, None, "5", "5.0", "10.0.0.0/8", "2001:db8::5/32", "^a", r"\d", "g", "foo"]),
)
CHAINS = st.sampled_from(
    [
        "-",
        "contains",
        "startswith",
        "endswith",
        "cased",
        "contains|cased",
        "startswith|cased",
        "endswith|cased",
        "all",
        "contains|all",
        "exists",
        "neq",
        "contains|neq",
        "startswith|neq",
        "windash",
        "windash|contains",
        "windash|contains|all",
        "base64",
        "base64|contains",
        "base64offset",
        "base64offset|contains",
        "wide|base64",
        "utf16le|base64",
        "utf16be|base64",
        "utf16|base64offset|contains",
        "re",
        "re|i",
        "re|m",
        "re|s",
        "re|i|m|s",
        "re|all",
        "lt",
        "lte",
        "gt",
        "gte",
        "cidr",
        "cidr|neq",
        "minute",
        "hour",
        "day",
        "week",
        "month",
        "year",
        "hour|gte",
        "hour|lt",
        "day|lte",
        "week|gt",
    ]
)
REFERENCES = st.sampled_from(["fieldref", "fieldref|neq", "fieldref|startswith", "fieldref|endswith", "fieldref|contains", "fieldref|cased"])
NAMES = st.sampled_from(["f", "g", "o.f"])
VALUED = st.tuples(NAMES, CHAINS, st.one_of(VALUES, st.lists(VALUES, min_size=1, max_size=3)))
ITEMS = st.one_of(*[VALUED] * 6, st.tuples(NAMES, REFERENCES, NAMES))
TEXTS = st.one_of(
    st.lists(st.sampled_from([piece.replace("\\\\", "\\") for piece in PIECES]), max_size=4).map("".join),
    st.sampled_from(["", "5", "5.0", "10.1.2.3", "2001:DB8::1", "Zm9v", "eGZvbw==", "YQBiAA==", "x \u2013a y", "2024-12-30T23:59:59Z", "foo"]),
)
LEAVES = st.one_of(TEXTS, TEXTS, st.sampled_from([0, 5, 5.0, 1.5, -1, 1700000000, True, False, None]))
CELLS = st.one_of(LEAVES, LEAVES, st.lists(LEAVES, max_size=3), st.dictionaries(st.sampled_from("fk"), LEAVES, max_size=2))
EVENTS = st.dictionaries(st.sampled_from(["f", "f", "g", "G", "o", "o.f"]), CELLS, max_size=4)


def text_of(number: int, field: str, chain: str, value: Any) -> str:
    key = json.dumps(field if chain == "-" else f"{field}|{chain}")
    identity = f"title: Rule {number}\nid: 0a1b2c3d-0000-4000-8000-{number:012d}\nlogsource: {{category: any}}\n"
    return f"{identity}detection:\n  s:\n    {key}: {json.dumps(value)}\n  condition: s\n"


@given(st.lists(ITEMS, min_size=3, max_size=6), st.lists(EVENTS, min_size=4, max_size=10))
@examples(300)
def test_rules_of_any_modifier_equal_reference(items: list[tuple[str, str, Any]], found: list[dict[str, Any]]) -> None:
    ruleset = load([text_of(number, *item) for number, item in enumerate(items)])
    assert len(ruleset.rules) + len(ruleset.errors) == len(items)
    records = [json.dumps(event, ensure_ascii=False) for event in found]
    plan, errors = compile_plan(ruleset.rules, OPEN)
    assert not errors
    paths = set[str]().union(*(fields(rule.condition) for rule in ruleset.rules))
    wanted = [(row, number) for row, record in enumerate(records) for number, rule in enumerate(ruleset.rules) if matches(rule.condition, record)]
    assert detect(events_of(records, paths), plan).rows() == wanted
