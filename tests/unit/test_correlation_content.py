"""The built-in correlations: complete, tagged as the taxonomies spell, each with tests of its own, and silent about ordinary days."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml

from engine.pipeline import Settings, scan
from engine.pipeline.authoring.correlation_checks import check_correlation_tests, correlation_tests
from engine.sigma.load import load
from engine.sigma.ruleset import RuleSet
from engine.sigma.tree import Correlation, Rule
from engine.simulate.sample import simulate

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "detections"
REFERENCE = ROOT / ".." / "shared" / "reference"
KEYS = {
    *("title", "name", "id", "status", "description", "author", "date", "tags", "correlation", "falsepositives", "level"),
    *("log_tier", "layer", "responsibility", "response", "tests"),
}
LEVELS = {"informational", "low", "medium", "high", "critical"}  # informational: only other correlations hear it
DAY = datetime(2026, 3, 4, tzinfo=UTC)


def _documents() -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in sorted(RULES.rglob("correlations/*.yml")):
        for document in yaml.load_all(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            yield path.relative_to(RULES), document


DOCUMENTS = list(_documents())


@pytest.fixture(scope="module")
def ruleset() -> RuleSet:
    return load([RULES])


def test_every_correlation_loads(ruleset: RuleSet) -> None:
    assert [str(error) for error in ruleset.errors] == []
    assert {str(document["id"]) for _, document in DOCUMENTS} == {correlation.uid for correlation in ruleset.correlations}
    assert len(DOCUMENTS) >= 20


def test_documents_are_complete() -> None:
    problems = []
    for path, document in DOCUMENTS:
        if document.keys() - {"references"} != KEYS:
            problems.append(f"{path}: keys {sorted((document.keys() - {'references'}) ^ KEYS)}")
        elif UUID(document["id"]).version != 4 or document["level"] not in LEVELS:
            problems.append(f"{path}: id or level")
        elif path.stem != re.sub(r"[^a-z0-9]+", "_", document["title"].lower()).strip("_") or document["name"] != path.stem:
            problems.append(f"{path}: file, name and title differ")
        elif not 2 <= len(re.findall(r"[.!?](?:\s|$)", document["description"])) <= 5 or not 1 <= len(document["response"]) <= 4:
            problems.append(f"{path}: description or response too short or too long")
    assert problems == []


def test_titles_ids_and_names_are_unique_among_all_rules(ruleset: RuleSet) -> None:
    everything: list[Rule | Correlation] = [*ruleset.rules, *ruleset.correlations]
    for values in ([one.title.lower() for one in everything], [one.uid for one in everything], [one.name for one in everything if one.name]):
        assert len(values) == len(set(values))


def test_tags_are_active_entries_of_the_taxonomies() -> None:
    def table(name: str) -> list[dict[str, str]]:
        if not (REFERENCE / name).exists():
            pytest.skip(f"{name} is not here")
        with (REFERENCE / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))

    attack = {f"attack.{row['id'].lower()}": set(row["tactics"].split(",")) for row in table("attack.tsv") if row["status"] == "active"}
    tactics = {f"attack.{slug}" for slugs in attack.values() for slug in slugs if slug}
    other = {f"atlas.{row['id'].lower()}" for row in table("atlas.tsv") if row["status"] == "active"} | {
        row["sigma_tag"] for row in table("owasp.tsv")
    }
    problems = []
    for path, document in DOCUMENTS:
        tags = set(document["tags"])
        problems += [f"{path}: unknown {tag}" for tag in tags - attack.keys() - tactics - other]
        named = {tag.removeprefix("attack.") for tag in tags & tactics}
        techniques = tags & attack.keys() - tactics
        problems += [f"{path}: {tag} without its tactic" for tag in techniques if not attack[tag] & named]
        problems += [f"{path}: {tactic} without a technique" for tactic in named if not any(tactic in attack[tag] for tag in techniques)]
    assert problems == []


def test_events_hold_documentation_values_only() -> None:
    problems = []
    for path, _ in DOCUMENTS:
        text = (RULES / path).read_text(encoding="utf-8")
        accounts = set(re.findall(r"(?::|\"accountId\": \")(\d{12})\b", text)) - {"111122223333", "444455556666", "000000000000"}
        addresses = {a for a in re.findall(r"\b(?:\d{1,3}\.){3}\d{1,3}\b", text) if not a.startswith(("203.0.113.", "198.51.100.", "192.0.2.", "0."))}
        keys = set(re.findall(r"\b(?:AKIA|ASIA)[A-Z0-9]{9}(?!EXAMPLE)[A-Z0-9]{7}\b", text))
        problems += [f"{path}: {found}" for found in (*accounts, *addresses, *keys)]
    assert problems == []


def test_every_correlation_has_a_test_that_matches_and_one_that_does_not(ruleset: RuleSet) -> None:
    assert [c.title for c in ruleset.correlations if {case["match"] for case in correlation_tests(c)} != {True, False}] == []


def test_correlations_pass_their_own_tests(ruleset: RuleSet) -> None:
    assert [f"{case.rule.title}: {case.name}: {case.problem}" for case in check_correlation_tests(ruleset) if case.problem] == []


def test_rules_with_alerts_keep_them(ruleset: RuleSet) -> None:
    """Being named by a correlation must not silence a rule that speaks for itself."""
    levels = {rule.uid: rule.level for rule in ruleset.rules} | {other.uid: other.level for other in ruleset.correlations}
    quiet = {uid for correlation in ruleset.correlations if not correlation.generate for uid in correlation.rules}
    loud = {uid for correlation in ruleset.correlations if correlation.generate for uid in correlation.rules}
    assert [uid for uid in quiet - loud if levels[uid] != "informational"] == []


@pytest.mark.parametrize("seed", [3, 11])
def test_an_ordinary_day_raises_none(seed: int, ruleset: RuleSet, tmp_path: Path) -> None:
    simulate(tmp_path, seed=seed, start=DAY, days=1, story="quiet")
    found = scan([str(tmp_path / "logs")], Settings(now=datetime(2026, 3, 6, tzinfo=UTC)))
    uids = {correlation.uid for correlation in ruleset.correlations}
    assert found.report.events > 5_000
    assert [alert.rule.title for alert in found.alerts if alert.rule.uid in uids] == []


# --- how tests are read ---------------------------------------------------------------------------------------------------------------------

PAIR = """
title: Probe
name: probe
logsource: {product: aws, service: cloudtrail}
detection: {selection: {eventName: ListUsers}, condition: selection}
level: low
---
title: Probes
correlation: {type: event_count, rules: [probe], timespan: 5m, condition: {gte: 3}}
tests:
  - {name: tested, match: true, events: EVENTS}
"""
EVENT = "{eventVersion: '1.11', eventSource: iam.amazonaws.com, eventName: ListUsers, eventTime: '2026-11-12T09:14:05Z', eventID: 'a{n}'}"


@pytest.mark.parametrize(
    ("events", "problem"),
    [
        (f"[{{repeat: 3, event: {EVENT}}}]", None),
        (f"[{{repeat: 2, event: {EVENT}}}]", "should match and does not"),
        (f"[{{repeat: 3, event: {EVENT.replace('{n}', '')}}}]", "should match and does not"),
        (f"[{EVENT.replace('{n}', '1')}, {EVENT.replace('{n}', '2')}, {EVENT.replace('{n}', '3')}]", None),
        ("[{some: thing}]", "an event is of no known source or has no time"),
        ("[]", "'events' must be a list of records as their providers write them"),
        (f"[{{repeat: 0, event: {EVENT}}}]", "a repeated event has 'repeat', a number from 1 to 10,000, and 'event', the record"),
    ],
)
def test_events_of_a_test(events: str, problem: str | None) -> None:
    ruleset = load([PAIR.replace("EVENTS", events)])
    assert [str(error) for error in ruleset.errors] == []
    assert [case.problem for case in check_correlation_tests(ruleset)] == [problem]
