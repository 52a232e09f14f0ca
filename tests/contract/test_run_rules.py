"""`crosswind run` after rules, filters or mappings changed: what reads differently is looked for again in what is stored, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import polars as pl
import pytest

from connectors import sources
from engine.pipeline.lasting import ingest
from engine.pipeline.lasting.redetect import redetect
from engine.schema import Mapping
from tests.conftest import Ran
from tests.running import Place, call, many, rule

Run = Callable[..., Ran]
TRAIL = "aws.cloudtrail"
FILTER = """
title: Not on weekends
logsource: {{product: aws, service: cloudtrail}}
filter: {{rules: [rule1], known: {{sourceIPAddress: {address}}}, condition: not known}}
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    found = Place(tmp_path / "place")
    found.rules(rule(1), rule(2, "DeleteTrail"))
    found.put("a.json", call(1, 0), call(2, 300, sourceIPAddress="198.51.100.9"), call(3, 0, "DeleteTrail"))
    return found


@pytest.fixture
def run(cli: Callable[..., Ran], place: Place) -> Run:
    return lambda *arguments: cli("run", "--config", place.config, *arguments)


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """The last digits of the rules that were looked for again, a set for each time."""
    found: list[set[str]] = []
    real = redetect

    def watched(rules: Collection[str], *rest: Any, **named: Any) -> Any:
        found.append({uid[-2:].lstrip("0") for uid in rules})
        return real(rules, *rest, **named)

    monkeypatch.setattr(ingest, "redetect", watched)
    return found


def standing(place: Place) -> list[str]:
    """Which rule says what of which events."""
    return sorted(f"{alert.rule.uid[-1]}: {','.join(uid.split('|')[0][-1] for uid in alert.event_uids)}" for alert in place.alerts().values())


def with_mapping(monkeypatch: pytest.MonkeyPatch, change: Callable[[Mapping], Mapping]) -> None:
    """Let crosswind have another mapping of CloudTrail."""
    changed = MappingProxyType({**sources.load_mappings(), TRAIL: change(sources.load_mappings()[TRAIL])})
    for module in ("engine.pipeline.watch.scheduled", "engine.pipeline.configured", "engine.pipeline.lasting.redetect", "engine.pipeline.batch"):
        monkeypatch.setattr(f"{module}.load_mappings", lambda: changed)


def called(path: str) -> Callable[[Mapping], Mapping]:
    """Lets rules call a path of the record ``call``."""
    return lambda mapping: replace(mapping, aliases={**mapping.aliases, "call": (path,)})


def test_a_filter_that_comes_changes_and_goes(run: Run, place: Place, looked: list[set[str]]) -> None:
    assert run().code == 0
    assert standing(place) == ["1: 1", "1: 2", "2: 3"]
    place.rules(rule(1), rule(2, "DeleteTrail"), FILTER.format(address="198.51.100.9"))
    assert run().code == 0
    assert standing(place) == ["1: 1", "2: 3"]
    assert list(place.ended().values()) == [("retracted", "rule changed")]
    place.rules(rule(1), rule(2, "DeleteTrail"), FILTER.format(address="203.0.113.7"))
    assert run().code == 0
    assert standing(place) == ["1: 2", "2: 3"]
    place.rules(rule(1), rule(2, "DeleteTrail"))
    assert run().code == 0
    assert standing(place) == ["1: 1", "1: 2", "2: 3"]
    assert looked == [{"1"}] * 3


def test_a_field_that_one_correlation_asks_for_concerns_its_rule_alone(run: Run, place: Place, looked: list[set[str]]) -> None:
    assert run().code == 0
    place.rules(rule(1), rule(2, "DeleteTrail"), many(2, count=1, more=", generate: true").replace("userIdentity.arn", "userAgent"))
    assert run().code == 0
    assert looked == [{"2", "11"}]
    assert standing(place) == ["1: 1", "1: 2", "1: 3", "2: 3"], "the correlation is number 11"
    assert place.hits().group_by("rule").agg(pl.col("x.rule_hash").n_unique()).sort("rule")["x.rule_hash"].to_list() == [1, 2]
    assert run().code == 0
    assert len(looked) == 1


def test_an_alias_that_changed_concerns_the_rules_that_read_it(
    run: Run, place: Place, looked: list[set[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    place.rules(rule(1), rule(2).replace("eventName:", "call:"))
    with_mapping(monkeypatch, called("eventName"))
    assert run().code == 0
    assert standing(place) == ["1: 1", "1: 2", "2: 1", "2: 2"]
    with_mapping(monkeypatch, called("eventSource"))
    assert run().code == 0
    assert looked == [{"2"}]
    assert standing(place) == ["1: 1", "1: 2"]
    assert set(place.ended().values()) == {("retracted", "rule changed")}


def test_a_column_that_is_made_otherwise_concerns_the_rules_that_group_by_it(
    run: Run, place: Place, looked: list[set[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    place.rules(rule(1), rule(2, "DeleteTrail") + "group_by: [userIdentity.arn]\n")
    assert run().code == 0
    actor = sources.load_mappings()[TRAIL].columns["actor.user.uid"]
    moved = replace(actor, paths=("userAgent",), function=None, every=False)
    with_mapping(monkeypatch, lambda mapping: replace(mapping, columns={**mapping.columns, "actor.user.uid": moved}))
    assert run().code == 0
    assert looked == [{"1"}]
    assert {dict(alert.group).get("actor.user.uid", "") for alert in place.alerts().values() if alert.rule.uid[-1] == "1"} == {"aws-cli/2.15.0"}


def test_a_mapping_that_says_the_same_concerns_nobody(run: Run, place: Place, looked: list[set[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run().code == 0
    with_mapping(monkeypatch, lambda mapping: replace(mapping, title="Other words", aliases={**mapping.aliases, "unused": ("eventName",)}))
    assert run().code == 0
    assert looked == []
