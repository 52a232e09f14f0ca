"""Diff rules from logs to alerts: scans, runs with late facts, hunts and what is said where they cannot run."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.sources import load_mappings
from engine.config import load_config
from engine.detect.program import compile_program
from engine.errors import UnsupportedFeature
from engine.hunt.sql import compile_sql
from engine.pipeline import Settings, check_rule_tests, evaluate, scan
from engine.pipeline.authoring.checks import malformed
from engine.pipeline.authoring.explain import explain
from engine.pipeline.authoring.lint import check
from engine.pipeline.hunts.sigma import hunt_sigma
from engine.pipeline.watch.scheduled import Backfill, run
from engine.report.rule_files import RuleFiles
from engine.sigma.load import load
from tests.change_samples import STRONGER, WEAKER, logging
from tests.logs import lines, quiet
from tests.running import Place
from tests.sparks import FarRunner

NOW = datetime(2026, 3, 2, tzinfo=UTC)
RULES = (WEAKER, STRONGER)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    found = Place(tmp_path / "place")
    found.rules(*RULES)
    return found


def titles(place: Place) -> set[tuple[str, int]]:
    """Title and minute of what stands."""
    return {(alert.rule.title, (alert.first_time.hour - 8) * 60 + alert.first_time.minute) for alert in place.alerts().values()}


def go(place: Place, name: str, *events: dict[str, object]) -> None:
    place.put(name, *events)
    run(load_config(place.config, {}), lambda: NOW)


def test_the_alert_shows_what_was_and_what_is(tmp_path: Path) -> None:
    path = tmp_path / "logs.json"
    path.write_bytes(lines(logging(1, 60, text=True), logging(2, 120, text=False), quiet(3)))
    found = scan([str(path)], Settings(NOW), rules=RULES, builtin=False)
    (alert,) = found.raised
    assert alert.event_uids == ("00000000-0000-4000-8000-000000000002|111122223333",)
    assert alert.evidence["x.change.weaker"] == ["ai.logging", "ai.logging.text"]
    assert alert.evidence["x.change.lost"] == ["ai.logging.text"]
    before, after = (json.loads(alert.evidence[f"x.change.{which}"])[0]["value"] for which in ("before", "after"))
    assert (before["text"], after["text"]) == (True, False)
    assert [(rule.outcome, rule.hits) for rule in found.report.rules] == [("ran", 1), ("ran", 0)]


def test_a_scan_by_many_hands_finds_the_same(tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / f"{number}.json").write_bytes(lines(logging(number, 10 * (number % 5), text=number % 2 == 0), quiet(10 + number), quiet(10)))
    near = scan([str(tmp_path)], Settings(NOW), rules=RULES, builtin=False)
    far = scan([str(tmp_path)], Settings(NOW), rules=RULES, builtin=False, runner=FarRunner(4, seed=1))
    assert near.raised == far.raised != []


def test_late_facts_revise_what_came_after_them(place: Place) -> None:
    go(place, "a.json", logging(1, 60, text=True), logging(4, 240, text=True))
    assert titles(place) == set()
    go(place, "b.json", logging(3, 180, text=False))
    assert titles(place) == {("Logging weaker", 180), ("Logging stronger", 240)}
    go(place, "c.json", logging(2, 120, text=False))
    assert titles(place) == {("Logging weaker", 120), ("Logging stronger", 240)}
    assert {why for why, _ in place.ended().values()} <= {"retracted", "superseded"}
    assert len(place.ended()) == 1
    go(place, "d.json", logging(0, 0, text=False))
    assert titles(place) == {("Logging weaker", 120), ("Logging stronger", 60), ("Logging stronger", 240)}


def test_a_refused_change_and_a_repeated_one_change_nothing(place: Place) -> None:
    go(place, "a.json", logging(1, 60, text=True), logging(4, 240, text=False))
    stands = place.alerts()
    go(place, "b.json", logging(3, 180, text=False, errorCode="AccessDenied"), logging(4, 240, text=False))
    assert place.alerts() == stands
    assert place.ended() == {}


def test_runs_by_many_hands_and_late_facts(place: Place) -> None:
    config = load_config(place.config, {})
    place.put("a.json", logging(1, 60, text=True), logging(4, 240, text=True))
    run(config, lambda: NOW, runner=FarRunner(2))
    place.put("b.json", logging(3, 180, text=False))
    run(config, lambda: NOW, runner=FarRunner(2))
    assert titles(place) == {("Logging weaker", 180), ("Logging stronger", 240)}


def test_a_diff_rule_that_is_new_sees_what_is_stored(place: Place) -> None:
    place.rules(STRONGER)
    go(place, "a.json", logging(1, 60, text=True), logging(3, 180, text=False))
    assert titles(place) == set()
    place.rules(*RULES)
    go(place, "b.json", quiet(9))
    assert titles(place) == {("Logging weaker", 180)}
    place.rules(STRONGER)
    go(place, "c.json", logging(2, 120, text=False))
    assert titles(place) == set()
    place.rules(*RULES)
    go(place, "d.json", quiet(10))
    assert titles(place) == {("Logging weaker", 120)}, "hits from before the rule was away do not come back"


def test_a_backfill_runs_diff_rules_too(place: Place) -> None:
    go(place, "a.json", logging(1, 60, text=True), logging(3, 180, text=False))
    stands = place.alerts()
    summary = run(load_config(place.config, {}), lambda: NOW, backfill=Backfill())
    assert place.alerts() == stands
    assert [batch.report.hits for batch in summary.batches] == [1]


@pytest.mark.parametrize("runner", [None, FarRunner(3)])
def test_a_hunt_finds_what_runs_found(place: Place, runner: FarRunner | None) -> None:
    go(place, "a.json", logging(3, 180, text=False), logging(4, 240, text=True))
    go(place, "b.json", logging(1, 60, text=True), quiet(5))
    found = hunt_sigma(place.lake(), WEAKER, now=NOW, runner=runner)
    assert [alert.uid for alert in found.alerts] == [uid for uid, alert in place.alerts().items() if alert.rule.title == "Logging weaker"]
    assert (found.hits, found.events) == (1, {"aws.cloudtrail": 4})
    later = hunt_sigma(place.lake(), WEAKER, now=NOW, start=datetime(2026, 3, 1, 10, 30, tzinfo=UTC), runner=runner)
    assert len(later.alerts) == 1, "the time asked for narrows the events, not what came before them"
    assert hunt_sigma(place.lake(), WEAKER, now=NOW, end=datetime(2026, 3, 1, 10, 30, tzinfo=UTC), runner=runner).alerts == []


def test_sql_says_that_it_cannot_read_changes() -> None:
    (rule,) = load([WEAKER]).rules
    with pytest.raises(UnsupportedFeature, match="hunt sigma"):
        compile_sql(rule, load_mappings().values())


def test_a_field_that_no_change_has_is_refused() -> None:
    ruleset = load([WEAKER.replace("x.change.weaker", "x.change.waeker")])
    (why,) = compile_program(ruleset, load_mappings()).refused.values()
    assert "did you mean 'x.change.weaker'" in str(why)


@pytest.mark.parametrize(
    ("condition", "warned"),
    [
        ("known and weaker", False),
        ("weaker and not unknown", False),
        ("weaker", True),
        ("known or weaker", True),
        ("weaker and not known", True),
        ("(known and weaker) or (weaker and known)", False),
    ],
)
def test_check_warns_where_the_difference_may_be_unknown(tmp_path: Path, condition: str, warned: bool) -> None:
    detection = "detection: {known: {x.change.known: true}, unknown: {x.change.known: false}, weaker: {x.change.weaker: ai.logging}, condition: C}"
    path = tmp_path / "rule.yml"
    path.write_text(WEAKER[: WEAKER.index("detection")] + detection.replace("C}", f"{condition}}}") + "\n")
    assert ("change" in {finding.check for finding in check(RuleFiles((path,))).findings}) is warned


def test_explain_says_that_one_event_is_not_enough(tmp_path: Path) -> None:
    path, logs = tmp_path / "rule.yml", tmp_path / "logs.json"
    path.write_text(WEAKER)
    logs.write_bytes(lines(logging(1, 60, text=True)))
    (record,) = explain(RuleFiles((path,)), "Logging weaker", [str(logs)]).records
    assert record.matched is None
    assert "the events before this one" in str(record.reason)


def test_evaluate_takes_the_facts_of_the_events_it_is_given() -> None:
    events = [logging(1, 60, text=True), logging(3, 180, text=True), logging(2, 120, text=False)]
    assert evaluate(WEAKER, events, source="aws.cloudtrail").hits == [("00000000-0000-4000-8000-000000000001", 2)]
    assert evaluate(WEAKER, events[2:], source="aws.cloudtrail").hits == []


def test_tests_of_diff_rules_tell_what_came_before(tmp_path: Path) -> None:
    def case(name: str, match: bool, before: list[dict[str, object]]) -> str:
        return json.dumps({"name": name, "match": match, "event": logging(2, 120, text=False), "before": before})

    cases = [case("after texts", True, [logging(1, 60, text=True)]), case("alone", False, []), case("wrong", True, [logging(1, 60, text=False)])]
    (rule,) = load([f"{WEAKER}tests: [{', '.join(cases)}]\n"]).rules
    assert [(test.name, test.problem is None) for test in check_rule_tests([rule])] == [("after texts", True), ("alone", True), ("wrong", False)]
    assert malformed([{"name": "a", "match": True, "event": {}, "before": {}}]) == [
        "test 1 (a): 'before' must be a list of maps, the records that came before the event"
    ]
