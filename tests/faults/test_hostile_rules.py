"""Correlations, filters and rules made to hurt: each gives one clear message in bounded time, and the rules beside it load."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from engine.sigma.load import load

RULE = "title: Good\nid: good\nname: good\nlogsource: {product: aws}\ndetection: {s: {f: x}, condition: s}\n"
COUNT = "title: Fine\nid: fine\ncorrelation: {type: event_count, rules: good, timespan: 5m, condition: {gte: 5}}\n"
SECONDS = 10.0
"""Each takes well under one second; busy machines take longer."""


def correlation(**section: str) -> str:
    parts = {"type": "temporal", "rules": "[good, good2]", "timespan": "5m"} | {key.replace("_", "-"): value for key, value in section.items()}
    return "title: Bad\ncorrelation:\n" + "".join(f"  {key}: {value}\n" for key, value in parts.items())


def rule(detection: str, condition: str = "s") -> str:
    return f"title: Bad\nlogsource: {{product: aws}}\ndetection:\n  s: {detection}\n  condition: {condition}\n"


def hostile() -> Iterator[tuple[str, str, str]]:
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))
    many = ", ".join(f"n{at}" for at in range(100_000))
    yield "bomb", f"title: Bad\n{bomb}correlation: {{rules: *a8}}\n", "once aliases are expanded"
    yield "bomb of maps", correlation(aliases="&a {x: &b {good: f}, y: *b, z: *missing}"), "stands before its anchor"
    yield "tag", correlation(rules="!!python/object/apply:os.system [id]"), "plain data"
    yield "10 MB", correlation(rules=f"[{'a' * 10_000_000}]"), "at most 1,000,000"
    yield "10 MB of a rule", rule(f"{{f: {'a' * 10_000_000}}}"), "at most 1,000,000"
    yield "100,000 rules", correlation(rules=f"[{many}]"), "100,000 rules; at most"
    yield "100,000 values", rule(f"{{f: [{many}]}}"), "at most 20,000"
    yield "100,000 fields", correlation(group_by=f"[{many}]"), "100,000 fields; at most"
    yield "a long name", correlation(rules=f"[good, {'x' * 500_000}]"), "no rule or correlation has"
    yield "1,000 levels", correlation(condition="(" * 1000 + "good" + ")" * 1000), "more than 50 times"
    yield "1,000 times not", correlation(condition="not " * 1000 + "good"), "more than 50 times"
    yield "a long condition", correlation(condition=" and ".join(["good"] * 100_000)), "at most 20,000 are read"
    yield "1,000 levels of a rule", rule("{f: x}", "(" * 1000 + "s" + ")" * 1000), "more than 50 times"
    yield "nested lists", correlation(rules="[" * 1000 + "]" * 1000), "deeper than 64"
    yield "look-around", rule("{f|re: '(?=x)'}"), "look-around"
    yield "a huge regex", rule("{f|re: '(((a{1000}){1000}){1000})'}"), "regular expression"
    yield "a cycle", correlation(rules="[Bad, good]"), "circle: Bad → Bad"
    yield "a missing rule", correlation(), "has the id, name or title 'good2'"
    yield "a huge timespan", correlation(timespan="999999999y"), "timespan"
    yield "a longer timespan", correlation(timespan="9" * 100_000 + "s"), "timespan"
    yield "a negative timespan", correlation(timespan="-5m"), "timespan"
    yield "a huge number", correlation(condition="{gte: " + "9" * 400 + "}"), "number"
    yield "not a number", correlation(condition="{gte: .nan}"), "number"
    yield "a map for everything", correlation(type="{}", rules="{}", timespan="{}"), "the type of a correlation"
    yield "no section", "title: Bad\ncorrelation:\n", "'correlation' is a map"
    yield "placeholders", rule("{f|expand: '%x%'}"), "%x% has no value"
    yield (
        "a filter that never ends",
        "title: Bad\nlogsource: {product: aws}\nexpires: 99999-01-01\n" + ("filter: {rules: any, s: {f: x}, condition: not s}\n"),
        "'expires' is a date",
    )


@pytest.mark.parametrize(("name", "text", "words"), [pytest.param(*case, id=case[0]) for case in hostile()])
def test_one_message_in_bounded_time_and_the_rest_loads(name: str, text: str, words: str) -> None:
    started = time.monotonic()
    found = load([f"{RULE}---\n{text}---\n{COUNT}"])
    assert time.monotonic() - started < SECONDS
    assert [error.message for error in found.errors if words in error.message] == [error.message for error in found.errors]
    assert len(found.errors) == 1
    assert len(str(found.errors[0])) < 1000
    assert [each.uid for each in found.rules] == ["good"]
    assert [each.uid for each in found.correlations] == ["fine"]


def test_alternatives_are_bounded() -> None:
    names = [f"r{at}" for at in range(40)]
    rules = "---\n".join(RULE.replace("good", name).replace("Good", name) for name in names)
    condition = " and ".join(f"({left} or {right})" for left, right in zip(names[::2], names[1::2], strict=True))
    found = load([f"{rules}---\n{correlation(rules=str(names), condition=condition)}"])
    assert "more than 64 alternatives" in found.errors[0].message
    assert len(found.rules) == 40


def test_a_long_chain_and_a_long_circle_are_no_burden() -> None:
    started = time.monotonic()
    links = [f"title: c{at}\ncorrelation: {{type: temporal, rules: [c{at + 1}, good], timespan: 5m}}\n" for at in range(1000)]
    chain = "---\n".join([RULE, *links, "title: c1000\ncorrelation: {type: temporal, rules: [good], timespan: 5m}\n"])
    assert [each.title for each in load([chain]).correlations] == [f"c{at}" for at in range(1000, -1, -1)]
    circle = load([chain.replace("rules: [good]", "rules: [c0]")])
    assert len(circle.rules) == 1
    assert len(circle.errors) == 1001
    assert all("in a circle: c0 → c1" in error.message and len(error.message) < 1000 for error in circle.errors)
    assert time.monotonic() - started < 6 * SECONDS


def test_a_regular_expression_that_backtracks_elsewhere_is_no_danger() -> None:
    assert load([rule("{f|re: '(a+)+$'}")]).errors == ()
