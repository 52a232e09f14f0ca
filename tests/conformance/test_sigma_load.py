"""The public cloud rules load as they are; only placeholders want values, and say so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.sigma.load import load

CORPUS = Path(__file__).resolve().parents[2] / ".." / "shared" / "rules_sigmahq"

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="the rule corpus is not there")


def documents() -> int:
    return sum(1 for path in CORPUS.rglob("*.yml") if path.is_file())


def test_every_rule_loads_but_those_that_want_placeholder_values() -> None:
    ruleset = load([CORPUS])
    assert len(ruleset.rules) + len(ruleset.errors) == documents()
    assert {rule.path for rule in ruleset.rules}.isdisjoint(error.path for error in ruleset.errors)
    for error in ruleset.errors:
        assert "rules-placeholder" in (error.path or "")
        assert "has no value" in error.message
        assert error.line is not None
        assert error.line > 1


def test_with_placeholder_values_every_rule_loads() -> None:
    names = {name for error in load([CORPUS]).errors for name in re.findall(r"placeholder %([^%]+)%", error.message)}
    values: dict[str, list[str]] = {}
    while names:  # a rule names one missing placeholder at a time
        values |= {name: ["203.0.113.7"] for name in names}
        ruleset = load([CORPUS], placeholders=values)
        names = {name for error in ruleset.errors for name in re.findall(r"placeholder %([^%]+)%", error.message)} - values.keys()
    assert not ruleset.errors
    assert len(ruleset.rules) == documents()
    assert len({rule.uid for rule in ruleset.rules}) == documents()


def test_loading_twice_gives_equal_rules() -> None:
    assert load([CORPUS]).rules == load([CORPUS]).rules
