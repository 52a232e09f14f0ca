"""The built-in rules: complete, unique, spelled as the taxonomies spell, and each with tests of its own."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml

from engine.pipeline import check_rule_tests
from engine.sigma.load import load

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "detections"
REFERENCE = ROOT / ".." / "shared" / "reference"
KEYS = {
    "title",
    "id",
    "status",
    "description",
    "author",
    "date",
    "tags",
    "logsource",
    "detection",
    "falsepositives",
    "level",
    "log_tier",
    "layer",
    "responsibility",
    "response",
    "tests",
}
OPTIONAL = {"name", "references", "group_by", "suppress", "fields", "related", "modified", "certain"}
LEVELS = {"informational", "low", "medium", "high", "critical"}
LAYERS = {"data", "model", "app", "identity", "infra"}
RESPONSIBILITIES = {"saas", "paas", "iaas"}
WORDS = {"level": LEVELS, "layer": LAYERS, "responsibility": RESPONSIBILITIES, "status": {"experimental", "test", "stable"}}
DOCUMENTATION_ACCOUNTS = {"111122223333", "444455556666", "000000000000"}
ACCOUNT = re.compile(r"(?::|\"accountId\": \")(\d{12})\b")
ADDRESS = re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b")
REAL_LOOKING_KEY = re.compile(r"\b(?:AKIA|ASIA)(?!2{16})[A-Z0-9]{9}(?!EXAMPLE)[A-Z0-9]{7}\b")


def _documents() -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in sorted(RULES.rglob("*.yml")):
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            if isinstance(document, dict) and "detection" in document:
                yield path.relative_to(RULES), document


DOCUMENTS = list(_documents())


def _problems(check: Any) -> list[str]:
    return [f"{path}: {problem}" for path, rule in DOCUMENTS for problem in check(path, rule)]


def test_there_are_rules_for_every_cloud_and_for_inference() -> None:
    assert {path.parts[0] for path, _ in DOCUMENTS} >= {"ai", "aws", "azure", "entra", "gcp"}
    assert len(DOCUMENTS) >= 75


def test_rules_have_every_key_and_no_unknown_one() -> None:
    def check(_: Path, rule: dict[str, Any]) -> Iterator[str]:
        if missing := KEYS - rule.keys():
            yield f"missing {sorted(missing)}"
        if unknown := rule.keys() - KEYS - OPTIONAL:
            yield f"unknown {sorted(unknown)}"

    assert _problems(check) == []


def test_values_are_of_the_allowed_words() -> None:
    def check(_: Path, rule: dict[str, Any]) -> Iterator[str]:
        for key, allowed in WORDS.items():
            if rule[key] not in allowed:
                yield f"{key}: {rule[key]!r}"
        if not isinstance(rule["date"], date):
            yield "date is no date"
        if not rule["log_tier"].strip():
            yield "log_tier is empty"

    assert _problems(check) == []


def test_texts_are_there_and_short() -> None:
    def check(_: Path, rule: dict[str, Any]) -> Iterator[str]:
        sentences = len(re.findall(r"[.!?](?:\s|$)", rule["description"]))
        if not 2 <= sentences <= 5:
            yield f"description of {sentences} sentences"
        if not 1 <= len(rule["response"]) <= 4:
            yield f"{len(rule['response'])} response steps"
        if not rule["falsepositives"]:
            yield "no false positives named"
        for key in ("falsepositives", "response"):
            yield from (f"{key}: {item!r}" for item in rule[key] if not isinstance(item, str) or not item.strip())

    assert _problems(check) == []


@pytest.mark.parametrize("key", ["title", "id", "name"])
def test_titles_ids_and_names_are_unique(key: str) -> None:
    counts = Counter(str(rule[key]).lower() for _, rule in DOCUMENTS if key in rule)
    assert [value for value, count in counts.items() if count > 1] == []


def test_ids_are_random_uuids() -> None:
    assert [f"{path}" for path, rule in DOCUMENTS if UUID(rule["id"]).version != 4] == []


def test_file_names_follow_titles() -> None:
    def check(path: Path, rule: dict[str, Any]) -> Iterator[str]:
        expected = re.sub(r"[^a-z0-9]+", "_", rule["title"].lower()).strip("_")
        if path.stem != expected:
            yield f"the title asks for {expected}.yml"

    assert _problems(check) == []


def test_every_rule_has_a_test_that_matches_and_one_that_does_not() -> None:
    def check(_: Path, rule: dict[str, Any]) -> Iterator[str]:
        if {case["match"] for case in rule["tests"]} != {True, False}:
            yield "needs a matching and a non-matching test"
        names = [case["name"] for case in rule["tests"]]
        if len(set(names)) != len(names):
            yield "test names repeat"
        for case in rule["tests"]:
            if not case.keys() >= {"name", "match", "source", "event"} or not isinstance(case["event"], dict) or not case["event"]:
                yield f"test {case.get('name')!r} is incomplete"

    assert _problems(check) == []


def test_events_hold_documentation_values_only() -> None:
    def check(path: Path, _: dict[str, Any]) -> Iterator[str]:
        text = (RULES / path).read_text(encoding="utf-8")
        yield from (
            f"account {found}" for found in set(re.findall(r"(?::|\"accountId\": \")(\d{12})\b", text)) - DOCUMENTATION_ACCOUNTS - {"000000000000"}
        )
        yield from (f"key {found}" for found in set(REAL_LOOKING_KEY.findall(text)))
        for address in set(ADDRESS.findall(text)):
            if not address.startswith(("203.0.113.", "198.51.100.", "192.0.2.", "169.254.", "127.", "0.")) and not address.endswith(".0"):
                yield f"address {address}"

    assert _problems(check) == []


def _table(name: str) -> list[dict[str, str]]:
    path = REFERENCE / name
    if not path.exists():
        pytest.skip(f"{name} is not here")
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_tags_are_active_entries_of_the_taxonomies() -> None:
    attack = {row["id"]: row for row in _table("attack.tsv")}
    slugs = {slug for row in attack.values() for slug in row["tactics"].split(",") if slug}
    known = {f"attack.{slug}" for slug in slugs}
    known |= {f"attack.{uid.lower()}" for uid, row in attack.items() if uid.startswith("T") and row["status"] == "active"}
    known |= {f"atlas.{row['id'].lower()}" for row in _table("atlas.tsv") if row["status"] == "active"}
    known |= {row["sigma_tag"] for row in _table("owasp.tsv")}

    def check(_: Path, rule: dict[str, Any]) -> Iterator[str]:
        yield from (f"unknown tag {tag}" for tag in rule["tags"] if tag not in known)
        techniques = [attack[tag[7:].upper()] for tag in rule["tags"] if re.fullmatch(r"attack\.t\d.*", tag)]
        tactics = {tag[7:] for tag in rule["tags"] if tag.startswith("attack.") and tag[7:] in slugs}
        yield from (f"{row['id']} without its tactic" for row in techniques if not tactics & set(row["tactics"].split(",")))
        yield from (f"tactic {slug} without a technique" for slug in tactics if not any(slug in row["tactics"].split(",") for row in techniques))

    assert _problems(check) == []


def test_rules_load_and_pass_their_own_tests() -> None:
    rules = load([RULES])
    assert [str(error) for error in rules.errors] == []
    assert [f"{case.rule.title}: {case.name}: {case.problem}" for case in check_rule_tests(rules.rules) if case.problem] == []
