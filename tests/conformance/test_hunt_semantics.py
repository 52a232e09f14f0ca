"""What a leaf means in SQL: the rows of the kernel's own table, and of docs/semantics.md."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from connectors.sources import load_mappings
from engine.bundled import detections
from engine.detect.program import reads_changes
from engine.errors import UnknownField, UnsupportedFeature
from engine.hunt.regex import translate
from engine.hunt.sql import compile_sql
from engine.pipeline import rule_tests
from engine.sigma.fields import OPEN
from engine.sigma.load import load
from engine.sigma.tree import And, Compare, Comparison, Leaf, Node, Number, Predicate, Regex
from tests.conformance.test_detect_semantics import CASES, COLUMN_CASES, common, contains, rule, text
from tests.hunting import connection, found

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs/semantics.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (not )?`(.+?)` \| `(.+?)` \| (yes|no) \|$", DOCUMENT, re.MULTILINE)


@pytest.mark.parametrize(("condition", "record", "wanted"), CASES)
def test_leaf(condition: Node, record: str, wanted: bool) -> None:
    assert found(rule(condition), [OPEN], pl.DataFrame({"raw_data": [record]})) == [0] * wanted


def test_documented_rows() -> None:
    assert len(ROWS) > 80
    for inverted, item, record, answer in ROWS:
        item = item.replace("\\|", "|")
        detection = f"  selection: {item}" if item.startswith("[") else f"  selection:\n    {item}"
        source = f"title: t\nlogsource: {{product: aws}}\ndetection:\n{detection}\n  condition: {inverted}selection\n"
        ruleset = load([source])
        assert not ruleset.errors
        event = record.replace("\\|", "|")
        assert found(ruleset.rules[0], [OPEN], pl.DataFrame({"raw_data": [event]})) == [0] * (answer == "yes"), (item, record)


AWS = replace(OPEN, source="aws.example", logsources=(("aws", None, None),))


@pytest.mark.parametrize(("condition", "columns", "wanted"), COLUMN_CASES)
def test_common_column(condition: Node, columns: dict[str, Any], wanted: bool) -> None:
    events = common(**columns, x__source=["aws.example"])
    assert found(rule(condition, product="cloud"), [AWS], events) == [0] * wanted


NUMBERS = [
    "-0",
    "0",
    "9007199254740992",
    "9007199254740993",
    "9007199254740992.0",
    "1e400",
    "-1e400",
    "1" * 30,
    "1" * 60,
    "-" + "1" * 60,
    "0.1",
    "5e-1",
]


@pytest.mark.parametrize("wanted", [0, 9007199254740993, 9007199254740992.0, 0.5, -1, 10**30])
def test_numbers_are_never_rounded(wanted: int | float) -> None:
    events = pl.DataFrame({"raw_data": [f'{{"f":{number}}}' for number in NUMBERS]})
    predicates: list[Predicate] = [Number(wanted), *(Compare(operator, wanted) for operator in Comparison)]
    for predicate in predicates:
        condition = Leaf("f", predicate)
        assert found(rule(condition), [OPEN], events) == scanned(condition, events)


ADDRESSES = [
    *("10.0.0.1", "010.0.0.1", "10.0.0", "10.0.0.256", "::", "::1", "1::", "1::2::3", ":1", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::"),
    *("1:2:3:4:5:6:7:8::", "::ffff:10.0.0.1", "fe80::1%eth0", "fe80::1%", "fe80::/10", "2001:DB8:0:0::", "12345::", "2001:db8::10.0.0.300"),
]


@pytest.mark.parametrize("network", ["10.0.0.0/7", "0.0.0.0/0", "::/0", "::/128", "fe80::/10", "2001:db8::/33", "::ffff:0:0/96", "1::/16"])
def test_addresses(network: str) -> None:
    events = pl.DataFrame({"raw_data": [json.dumps({"f": address}) for address in ADDRESSES]})
    ruleset = load([f"title: t\nlogsource: {{product: aws}}\ndetection:\n  s:\n    f|cidr: '{network}'\n  condition: s\n"])
    assert found(ruleset.rules[0], [OPEN], events) == scanned(ruleset.rules[0].condition, events)


def scanned(condition: Node, events: pl.DataFrame) -> list[int]:
    from engine.detect.kernel import detect
    from engine.detect.plan import compile_plan
    from engine.sigma.tree import fields
    from tests.detect_events import events_of

    plan, errors = compile_plan([rule(condition)], OPEN)
    assert not errors
    return list(detect(events_of(events["raw_data"].to_list(), fields(condition)), plan)["row"])


TIMES = [
    *("2024-02-30T00:00:00Z", "2024-12-30T23:59:60Z", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "2024-12-30 23:05:00 UTC"),
    *("2024-12-30T24:00:00Z", "2024-12-30T23:05:00+0130", "-1", "1e3", "1700000059.9999999", "99999999999", "100000000000", "-62135596800", "1e300"),
]


@pytest.mark.parametrize("unit", ["minute", "hour", "day", "week", "month", "year"])
def test_times(unit: str) -> None:
    events = pl.DataFrame({"raw_data": [json.dumps({"f": time}) for time in TIMES]})
    for number in (0, 1, 16, 23, 59, 1970, 2024):
        ruleset = load([f"title: t\nlogsource: {{product: aws}}\ndetection:\n  s:\n    f|{unit}: {number}\n  condition: s\n"])
        assert found(ruleset.rules[0], [OPEN], events) == scanned(ruleset.rules[0].condition, events), number


@pytest.mark.parametrize(
    "pattern", [r"\b{start}x", r"(?x)a b", r"\p{Greek}", "[a&&b]", "[[:alpha:]]", r"\<a", "a**", "a{2000}", "(?U)a+", r"[\W]", "(?-u)a"]
)
def test_expressions_that_are_read_differently_are_refused(pattern: str) -> None:
    with pytest.raises(UnsupportedFeature, match="DuckDB reads"):
        translate(pattern)


CHARACTERS = pl.Series("t", [chr(code) for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF])


@pytest.mark.parametrize("pattern", [r"\d", r"\s", r"\w", r"[\S]", ".", "(?i)[^k]", "(?i)ß", r"[\d_\x41-\x43\]^-]"])
def test_classes_hold_the_same_characters(pattern: str) -> None:
    database = connection()
    database.register("characters", CHARACTERS.to_frame().to_arrow())
    by_sql = database.execute("select t from characters where regexp_matches(t, ?)", [translate(pattern)[0]]).fetchall()
    assert {character for (character,) in by_sql} == set(CHARACTERS.filter(CHARACTERS.str.contains(pattern)))


AZURE = replace(OPEN, source="azure.example", logsources=(("azure", None, None),), embedded=("p", "p.q"))
EMBEDDED = [
    {"p": '{"a": 1.50}'},
    {"p": {"a": 1.50}},
    {"p": ' {"A" : 1.50, "a.b": 1}'},
    {"p": "[REDACTED]"},
    {"p": "{not json"},
    {"p": ['{"a": 1.50}']},
    {"p": '[{"a": 1.50}]'},
    {"p": {"q": '{"a": "x"}'}},
]


def test_objects_written_as_strings() -> None:
    from connectors.normalize import Want, columns_of
    from engine.detect.kernel import detect
    from engine.detect.plan import compile_plan

    raw = pl.Series("raw_data", [json.dumps(record) for record in EMBEDDED])
    for condition in (contains("p.a", "1.5"), text("p.q.a", "x"), contains("p.a.b", "1")):
        rules = [rule(condition, product="azure")]
        plan, _ = compile_plan(rules, AZURE)
        wanted = list(detect(columns_of(raw, AZURE, Want(plan.columns, plan.paths)), plan)["row"])
        events = raw.to_frame().with_columns(pl.lit("azure.example").alias("x.source"))
        assert found(rules[0], [AZURE], events) == wanted


@pytest.mark.parametrize(
    ("condition", "record"),
    [(contains("f", "x"), '{"f":{"a":1,"a":2}}'), (contains(None, "x"), '{"a":1,"a":2}')],
)
def test_what_only_a_scan_can_read_fails_with_its_name(condition: Node, record: str) -> None:
    with pytest.raises(duckdb.Error, match="crosswind: a key stands twice"):
        found(rule(condition), [OPEN], pl.DataFrame({"raw_data": [record]}))


def test_word_boundaries() -> None:
    condition = Leaf("f", Regex(r"(?i)\bkali\b"))
    events = pl.DataFrame({"raw_data": ['{"f":"x Kali/1"}', '{"f":"kalis"}', '{"f":"é"}']})
    assert found(rule(condition), [OPEN], events) == [0] == scanned(condition, events)
    with pytest.raises(duckdb.Error, match="crosswind: a word boundary"):
        found(rule(condition), [OPEN], pl.DataFrame({"raw_data": ['{"f":"ékali"}']}))


def test_a_python_literal_fails_with_its_name() -> None:
    events = pl.DataFrame({"raw_data": [json.dumps({"p": "{'a': True}"})], "x.source": ["azure.example"]})
    with pytest.raises(duckdb.Error, match="can only be read by a scan"):
        found(rule(text("p.a", "x"), product="azure"), [AZURE], events)


def test_errors_name_the_rule() -> None:
    with pytest.raises(UnsupportedFeature, match=r"rule 'r'.*Greek"):
        compile_sql(rule(Leaf("f", Regex(r"\p{Greek}"))), [OPEN])
    with pytest.raises(UnknownField, match="userIdentity"):
        compile_sql(rule(text("userIdentiti.arn", "x"), product="aws", service="cloudtrail"), load_mappings().values())


def test_sources_of_a_rule_are_told_apart() -> None:
    sql = compile_sql(rule(And((text("api.operation", "x"),)), product="cloud", category="api_activity"), load_mappings().values())
    assert "'aws.cloudtrail'" in sql
    assert "class_uid" in sql


def test_bundled_rules_find_what_their_tests_say() -> None:
    """Every rule that ships has a query, but for diff rules; those over the provider's fields find the records of their tests."""
    mappings = load_mappings()
    tried = 0
    for each in load([detections()]).rules:
        if reads_changes(each):
            continue
        sql = compile_sql(each, mappings.values())
        if '"cw.record"' not in sql or each.logsource.product in ("cloud", "ai") or not set(re.findall(r"'(\w+\.\w+)'", sql)) & {"aws.cloudtrail"}:
            continue
        tests = rule_tests(each)
        events = pl.DataFrame({"raw_data": [json.dumps(test["event"]) for test in tests]}).with_columns(pl.lit("aws.cloudtrail").alias("x.source"))
        tried += len(tests)
        assert found(each, [mappings["aws.cloudtrail"]], events) == [row for row, test in enumerate(tests) if test["match"]], each.title
    assert tried > 20
