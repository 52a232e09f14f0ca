"""Every decision on what a leaf means, one row each, through the kernel and through the reference evaluator."""

from __future__ import annotations

import ipaddress
import json
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from engine.detect.kernel import detect
from engine.detect.plan import compile_plan
from engine.schema import COLUMNS
from engine.sigma.fields import OPEN
from engine.sigma.tree import (
    And,
    Boolean,
    Cidr,
    Compare,
    Comparison,
    Exists,
    Leaf,
    LogSource,
    Node,
    Not,
    Null,
    Number,
    Or,
    Regex,
    Rule,
    SameAs,
    Text,
    TimePart,
    TimeUnit,
    Wildcard,
    fields,
)
from tests.detect_events import events_of
from tests.reference_evaluator import matches

ANY, ONE = Wildcard.ANY, Wildcard.ONE


def rule(condition: Node, **logsource: str) -> Rule:
    return Rule(uid="r", title="r", level="low", logsource=LogSource(**(logsource or {"product": "aws"})), condition=condition, content_hash="")


def text(field: str | None, *parts: str | Wildcard, cased: bool = False) -> Leaf:
    return Leaf(field, Text(parts, cased))


def contains(field: str | None, value: str, cased: bool = False) -> Leaf:
    return text(field, ANY, value, ANY, cased=cased)


TEN = Cidr(ipaddress.ip_network("10.0.0.0/8"))
SIX = Cidr(ipaddress.ip_network("2001:db8::/32"))

CASES: list[tuple[Node, str, bool]] = [
    # a missing field equals null; not of a false leaf is true
    (Leaf("f", Null()), "{}", True),
    (Leaf("f", Null()), '{"f":null}', True),
    (Leaf("f", Null()), '{"f":""}', False),
    (Leaf("f", Null()), '{"f":[]}', False),
    (Leaf("f", Null()), '{"f":{}}', False),
    (Not(text("f", "x")), "{}", True),
    (Not(text("f", "x")), '{"f":null}', True),
    (Not(Leaf("f", Compare(Comparison.GT, 5))), "{}", True),
    (Not(Leaf("f", Regex("x"))), "{}", True),
    (Not(Or((text("f", "a"), text("f", "b")))), "{}", True),
    # exists: the key is there
    (Leaf("f", Exists(True)), '{"f":null}', True),
    (Leaf("f", Exists(True)), '{"f":[]}', True),
    (Leaf("f", Exists(True)), '{"f":""}', True),
    (Leaf("f", Exists(True)), "{}", False),
    (Leaf("f", Exists(False)), "{}", True),
    (Leaf("f", Exists(False)), '{"f":null}', False),
    # empty text
    (text("f"), '{"f":""}', True),
    (text("f"), '{"f":null}', False),
    (text("f"), "{}", False),
    (text("f"), '{"f":[]}', False),
    (text("f", ANY), '{"f":""}', True),
    (text("f", ANY), "{}", False),
    (text("f", ANY), '{"f":null}', False),
    # lists: any element, nested ones flatten, lists of objects fan out
    (text("f", "b"), '{"f":["a","b"]}', True),
    (text("f", "b"), '{"f":["a",["b"]]}', True),
    (text("a.b", "x"), '{"a":[{"b":"y"},{"b":"x"}]}', True),
    (And((contains("f", "a"), contains("f", "b"))), '{"f":["a","b"]}', True),
    (And((contains("f", "a"), contains("f", "c"))), '{"f":["a","b"]}', False),
    (Not(text("f", "a")), '{"f":["a","b"]}', False),
    (Leaf("f", Null()), '{"f":[1,null]}', True),
    # look-up: the literal key first, names in any case
    (text("a.b", "x"), '{"a.b":"x","a":{"b":"y"}}', True),
    (text("a.b", "y"), '{"a.b":"x","a":{"b":"y"}}', False),
    (text("EVENTname", "x"), '{"eventName":"x"}', True),
    # simple case folding, per code point
    (text("f", "STRASSE"), '{"f":"straße"}', False),
    (text("f", "straẞe"), '{"f":"STRAßE"}', True),
    (text("f", "Kelvin"), '{"f":"\u212aelvin"}', True),
    (text("f", "ΣΑΣ"), '{"f":"σας"}', True),
    (text("f", "I"), '{"f":"ı"}', False),
    (text("f", "Abc", cased=True), '{"f":"abc"}', False),
    (text("f", "Abc", cased=True), '{"f":"Abc"}', True),
    (contains("f", "Abc", cased=True), '{"f":"xAbcx"}', True),
    (contains("f", "Abc", cased=True), '{"f":"xabcx"}', False),
    # wildcards cross newlines and hold each character once
    (text("f", "a", ANY, "b"), '{"f":"a\\n\\nb"}', True),
    (text("f", "a", ONE, "b"), '{"f":"a\\nb"}', True),
    (text("f", "a", ONE, "b"), '{"f":"ab"}', False),
    (text("f", "ab", ANY, "ba"), '{"f":"aba"}', False),
    (text("f", ANY, "a", ONE), '{"f":"xxab"}', True),
    (text("f", ONE, ANY, "a", ONE, "c", ANY), '{"f":"-axabc"}', True),
    (text("f", "a*"), '{"f":"ab"}', False),
    (text("f", "a*"), '{"f":"A*"}', True),
    # regular expressions search and mind case
    (Leaf("f", Regex("b+")), '{"f":"abbc"}', True),
    (Leaf("f", Regex("B")), '{"f":"abc"}', False),
    (Leaf("f", Regex("(?i)B")), '{"f":"abc"}', True),
    (Leaf("f", Regex("^5$")), '{"f":5}', True),
    (Leaf("f", Regex("a.b")), '{"f":"a\\nb"}', False),
    (Leaf("f", Regex('"k":"v')), '{"f":{"k" : "v"}}', True),
    # objects: on compact text, unescaped
    (contains("f", '"k":"a"b"'), '{"f":{"k": "a\\"b"}}', True),
    (contains("f", '{"K":1.50}'), '{"f":{"k" : 1.50}}', True),
    (text("f", ANY, "}"), '{"f":{"k":1}}', True),
    (text("f", '{"k":1}'), '{"f":{"k":1}}', False),
    (contains("f", '"k":1'), '{"f":[{"j":0},{"k":1}]}', True),
    (text("f", ANY), '{"f":{}}', True),
    # numbers
    (text("f", "5"), '{"f":5}', True),
    (text("f", "5"), '{"f":5.0}', True),
    (text("f", "5"), '{"f":"5"}', True),
    (text("f", "5"), '{"f":"5.0"}', False),
    (text("f", "1.0"), '{"f":1.00}', True),
    (contains("f", ".50"), '{"f":1.50}', True),
    (text("f", "1", ANY), '{"f":1e3}', True),
    (Leaf("f", Number(5)), '{"f":5.0}', True),
    (Leaf("f", Number(5)), '{"f":"5"}', True),
    (Leaf("f", Number(5)), '{"f":"five"}', False),
    (Leaf("f", Number(1)), '{"f":true}', False),
    (Leaf("f", Number(9007199254740993)), '{"f":9007199254740992}', False),
    (Leaf("f", Number(1000.0)), '{"f":1e3}', True),
    # booleans
    (Leaf("f", Boolean(True)), '{"f":"TRUE"}', True),
    (Leaf("f", Boolean(True)), '{"f":true}', True),
    (Leaf("f", Boolean(False)), '{"f":true}', False),
    (Leaf("f", Boolean(False)), "{}", False),
    (text("f", "True"), '{"f":true}', True),
    # comparisons
    (Leaf("f", Compare(Comparison.GTE, 10)), '{"f":"14.0"}', True),
    (Leaf("f", Compare(Comparison.LT, 10)), '{"f":"9"}', True),
    (Leaf("f", Compare(Comparison.LT, 10)), '{"f":"a"}', False),
    (Leaf("f", Compare(Comparison.LT, 10)), '{"f":true}', False),
    (Leaf("f", Compare(Comparison.LT, 10)), '{"f":[20,5]}', True),
    (Leaf("f", Compare(Comparison.LTE, 10)), '{"f":10}', True),
    (Leaf("f", Compare(Comparison.EQ, 10)), '{"f":10.0}', True),
    # networks
    (Leaf("f", TEN), '{"f":"10.2.3.4"}', True),
    (Leaf("f", TEN), '{"f":"11.2.3.4"}', False),
    (Leaf("f", TEN), '{"f":"ec2.amazonaws.com"}', False),
    (Leaf("f", SIX), '{"f":"2001:DB8::1"}', True),
    (Leaf("f", TEN), '{"f":"2001:db8::1"}', False),
    # another field
    (Leaf("f", SameAs("g")), '{"f":"A","g":"a"}', True),
    (Leaf("f", SameAs("g", cased=True)), '{"f":"A","g":"a"}', False),
    (Leaf("f", SameAs("g")), '{"f":"A"}', False),
    (Leaf("f", SameAs("g")), "{}", False),
    (Not(Leaf("f", SameAs("g"))), '{"f":"A"}', True),
    (Leaf("f", SameAs("g")), '{"f":["x","y"],"g":["z","Y"]}', True),
    (Leaf("f", SameAs("g", starts=True)), '{"f":"abc","g":"AB"}', True),
    (Leaf("f", SameAs("g", ends=True)), '{"f":"abc","g":"bc"}', True),
    (Leaf("f", SameAs("g", starts=True, ends=True)), '{"f":"abc","g":"b"}', True),
    (Leaf("f", SameAs("g")), '{"f":5,"g":"5.0"}', True),
    # parts of times: UTC, ISO weeks, epoch seconds or milliseconds
    (Leaf("f", TimePart(TimeUnit.HOUR, Comparison.EQ, 23)), '{"f":"2024-12-30T01:30:00+02:00"}', True),
    (Leaf("f", TimePart(TimeUnit.WEEK, Comparison.EQ, 1)), '{"f":"2024-12-30T10:00:00Z"}', True),
    (Leaf("f", TimePart(TimeUnit.YEAR, Comparison.EQ, 2023)), '{"f":1700000000}', True),
    (Leaf("f", TimePart(TimeUnit.YEAR, Comparison.EQ, 2023)), '{"f":"1700000000000"}', True),
    (Leaf("f", TimePart(TimeUnit.YEAR, Comparison.GTE, 0)), '{"f":"soon"}', False),
    # keywords: any scalar leaf, not keys, however the record escapes it
    (contains(None, "evil"), '{"a":{"b":["x","An EVIL thing"]}}', True),
    (contains(None, "evil"), '{"evil":1}', False),
    (contains(None, "42"), '{"a":1427}', True),
    (contains(None, "true"), '{"a":true}', True),
    (contains(None, "ull"), '{"a":null}', False),
    (contains(None, "evil"), '{"a":"\\u0065vil"}', True),
    (contains(None, "a/b"), '{"a":"a\\/b"}', True),
    (contains(None, "kiss"), '{"a":"\u212ai\u017fs"}', True),
    (contains(None, "kiss"), '{"a":"\\u212Ai\\u017Fs"}', True),
    (contains(None, 'say "hi"'), '{"a":"say \\"hi\\""}', True),
    (contains(None, "<b>"), '{"a":"\\u003cb\\u003e"}', True),
    (text(None, ANY, "a", ANY, "b", ANY), '{"x":"a","y":"b"}', False),
    (text(None, ANY, "a", ANY, "b", ANY), '{"x":"a\\nb"}', True),
    (Not(contains(None, "evil")), "{}", True),
]


@pytest.mark.parametrize(("condition", "record", "wanted"), CASES)
def test_leaf(condition: Node, record: str, wanted: bool) -> None:
    plan, errors = compile_plan([rule(condition)], OPEN)
    assert not errors
    assert detect(events_of([record], fields(condition)), plan).height == wanted
    assert matches(condition, record) == wanted


def common(**columns: Any) -> pl.DataFrame:
    return pl.DataFrame(
        [pl.Series(name, values, dtype=COLUMNS[name].dtype) for name, values in {name.replace("__", "."): v for name, v in columns.items()}.items()]
    )


AT = datetime(2024, 12, 30, 23, 5, tzinfo=UTC)
COLUMN_CASES: list[tuple[Node, dict[str, Any], bool]] = [
    (text("api.operation", '"5"'), {"api__operation": ['"5"']}, True),
    (text("api.operation", "5"), {"api__operation": ["5"]}, True),
    (text("api.operation", "{a}"), {"api__operation": ["{a}"]}, True),
    (Leaf("api.operation", Null()), {"api__operation": [None]}, True),
    (Leaf("api.operation", Exists(True)), {"api__operation": [None]}, False),
    (Leaf("status_id", Number(2)), {"status_id": [2]}, True),
    (text("status_id", "2"), {"status_id": [2]}, True),
    (Leaf("x.read_only", Boolean(True)), {"x__read_only": [True]}, True),
    (Leaf("x.ai.latency_ms", Compare(Comparison.GT, 1)), {"x__ai__latency_ms": [1.5]}, True),
    (Leaf("x.ai.latency_ms", Null()), {"x__ai__latency_ms": [float("nan")]}, True),
    (Leaf("time", TimePart(TimeUnit.HOUR, Comparison.EQ, 23)), {"time": [AT]}, True),
    (text("time", "2024-12-30T23", ANY), {"time": [AT]}, True),
    (text("privileges", 'b"c'), {"privileges": [["a", 'B"c']]}, True),
    (Leaf("privileges", Null()), {"privileges": [None]}, True),
    (text("x.ai.guardrail.action", "blocked"), {"x__ai__guardrail": ['{"action":"BLOCKED"}']}, True),
    (Leaf("x.ai.guardrail.action", Exists(False)), {"x__ai__guardrail": ['{"detail":1}']}, True),
    (text("x.ai.tool_calls.name", "shell"), {"x__ai__tool_calls": ['[{"name":"read"},{"name":"shell"}]']}, True),
    (contains("x.ai.guardrail", '"policies":["prompt'), {"x__ai__guardrail": ['{"policies": ["PROMPT_ATTACK"]}']}, True),
]


@pytest.mark.parametrize(("condition", "columns", "wanted"), COLUMN_CASES)
def test_common_column(condition: Node, columns: dict[str, Any], wanted: bool) -> None:
    from dataclasses import replace

    mapping = replace(OPEN, source="aws.example", logsources=(("aws", None, None),))
    plan, errors = compile_plan([rule(condition, product="cloud")], mapping)
    assert not errors
    assert plan.columns == tuple(name.replace("__", ".") for name in columns)
    assert detect(common(**columns), plan).height == wanted


def test_candidates_of_an_alias_form_one_list_valued_field() -> None:
    from dataclasses import replace

    mapping = replace(OPEN, aliases={"src_ip": ("a", "b")})
    conditions = [text("src_ip", "2"), Leaf("src_ip", Null()), Leaf("src_ip", Exists(True)), text("src_ip", "1")]
    plan, errors = compile_plan([rule(condition) for condition in conditions], mapping)
    assert not errors
    assert plan.paths == ("a", "b")
    hits = detect(events_of([json.dumps(record) for record in ({"a": 1, "b": ["2"]}, {"b": "2"}, {})], plan.paths), plan)
    assert hits.rows() == [(0, 0), (0, 2), (0, 3), (1, 0), (1, 2), (2, 1)]
