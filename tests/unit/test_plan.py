"""Compiling rules: which run, what they read, what is refused, and what the batch is asked first."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import polars as pl
import pytest

from engine.detect.kernel import detect
from engine.detect.plan import compile_plan
from engine.errors import EngineError, UnknownField, UnsupportedFeature
from engine.schema import Mapping
from engine.sigma.fields import OPEN
from engine.sigma.tree import And, Exists, Leaf, LogSource, Node, Not, Or, Regex, Rule, Text, Wildcard
from tests.detect_events import events_of

MAPPING = replace(
    OPEN, source="aws.example", logsources=(("aws", "cloudtrail", None),), closed=("",), fields=("eventName", "eventSource", "requestParameters")
)


def rule(condition: Node, product: str = "aws", service: str | None = "cloudtrail", category: str | None = None) -> Rule:
    return Rule("u", "A rule", "low", LogSource(category, product, service), condition, "h", path="rules/a.yml", line=3)


def equals(field: str, value: str) -> Leaf:
    return Leaf(field, Text((value,)))


def compile_one(*rules: Rule, mapping: Mapping = MAPPING) -> list[str]:
    plan, errors = compile_plan(rules, mapping)
    assert not errors
    return [str(rule.condition) for rule in plan.rules]


def test_rules_of_other_log_sources_are_left_out() -> None:
    assert compile_one(rule(equals("eventName", "A"), product="gcp", service="gcp.audit")) == []


def test_unknown_field_names_rule_and_place() -> None:
    good = rule(equals("eventName", "A"))
    plan, errors = compile_plan([rule(equals("eventNmae", "A")), good], MAPPING)
    assert plan.rules == (good,)
    assert isinstance(errors[0], UnknownField)
    assert str(errors[0]).startswith("rules/a.yml:3: rule 'A rule': ")
    assert "did you mean 'eventName'" in str(errors[0])


def test_regex_that_is_not_rust_syntax_is_refused() -> None:
    plan, errors = compile_plan([rule(Leaf("eventName", Regex("a(?=b)")))], MAPPING)
    assert not plan.rules
    assert isinstance(errors[0], UnsupportedFeature)


def test_category_of_common_rules_asks_for_the_class() -> None:
    plan, _ = compile_plan([rule(equals("api.operation", "A"), product="cloud", service=None, category="authentication")], MAPPING)
    assert set(plan.columns) == {"class_uid", "api.operation"}
    events = pl.DataFrame({"class_uid": [6003, 3002], "api.operation": ["A", "a"]})
    assert detect(events, plan).rows() == [(1, 0)]


def test_equal_leaves_and_tests_of_rules_are_one() -> None:
    same = [rule(And((equals("eventName", "A"), Not(equals("eventSource", "B"))))) for _ in range(5)]
    plan, _ = compile_plan(same, MAPPING)
    assert (len(plan.rules), len(plan.leaves), len(plan.tests)) == (5, 2, 2)


def test_rules_are_anchored_on_what_few_rules_share() -> None:
    rules = [rule(And((equals("eventSource", "iam"), equals("eventName", name)))) for name in ("A", "B", "C")]
    plan, _ = compile_plan(rules, MAPPING)
    assert {plan.leaves[leaf].leaf.field for leaf in plan.anchored} == {"eventName"}
    assert not plan.always


@pytest.mark.parametrize(
    "condition", [Not(equals("eventName", "A")), Leaf("eventName", Exists(True)), Or((equals("eventName", "A"), Not(equals("eventSource", "B"))))]
)
def test_rules_without_anchor_are_always_walked(condition: Node) -> None:
    plan, _ = compile_plan([rule(condition)], MAPPING)
    assert plan.always == (0,)


def test_what_the_events_must_hold() -> None:
    keyword = Leaf(None, Text((Wildcard.ANY, "evil", Wildcard.ANY)))
    plan, _ = compile_plan([rule(And((equals("EVENTNAME", "A"), keyword)))], MAPPING)
    assert (plan.paths, plan.columns, plan.needs_raw) == (("eventName",), (), True)
    plan, _ = compile_plan([rule(equals("eventName", "A"))], MAPPING)
    assert not plan.needs_raw


def test_no_rules_and_no_events_give_no_hits() -> None:
    plan, _ = compile_plan([], MAPPING)
    assert detect(pl.DataFrame({"raw_data": ["{}"]}), plan).is_empty()
    plan, _ = compile_plan([rule(equals("eventName", "A"))], MAPPING)
    hits = detect(events_of([], ["eventName"]), plan)
    assert hits.schema == {"row": pl.UInt32, "rule": pl.UInt32}
    assert hits.is_empty()


def test_a_cell_that_is_not_json_is_no_silence() -> None:
    plan, _ = compile_plan([rule(equals("eventName", "A"))], MAPPING)
    with pytest.raises(EngineError, match="eventName"):
        detect(pl.DataFrame({"native.eventName": ["{broken"]}), plan)


def test_lone_surrogates_are_replaced() -> None:
    plan, _ = compile_plan([rule(equals("eventName", "a\ufffd"))], MAPPING)
    assert detect(pl.DataFrame({"native.eventName": ['"a\\ud800"', '["\\ud83d\\ude00"]']}), plan).rows() == [(0, 0)]


def test_a_plan_can_be_shared_by_threads_and_pickled() -> None:
    rules = [rule(And((equals("eventName", name), Not(equals("eventSource", "iam"))))) for name in "ABCDEF"]
    plan, _ = compile_plan(rules, MAPPING)
    events = events_of([f'{{"eventName":"{name}","eventSource":"s3"}}' for name in "fedcba" * 50], ["eventName", "eventSource"])
    alone = detect(events, plan)
    assert alone.height == 300
    with ThreadPoolExecutor(2) as pool:
        assert all(hits.equals(alone) for hits in pool.map(lambda _: detect(events, pickle.loads(pickle.dumps(plan))), range(6)))
