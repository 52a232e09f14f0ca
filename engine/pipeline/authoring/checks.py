"""The tests that rules carry."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl

from connectors.normalize import Want, understand
from connectors.sources import load_mappings
from engine import jsontext
from engine.detect.kernel import detect
from engine.detect.program import Program, compile_program, reads_changes
from engine.pipeline.changes import changed_in, reads, with_changes
from engine.pipeline.posture_facts import OPERATION
from engine.schema import Mapping
from engine.sigma.ruleset import RuleSet
from engine.sigma.tree import Rule


@dataclass(frozen=True, slots=True)
class RuleTest:
    """One test of a rule and how it went; ``problem`` None is a pass."""

    rule: Rule
    name: str
    problem: str | None


def check_rule_tests(rules: Sequence[Rule]) -> list[RuleTest]:
    """Run the tests every rule carries (``tests``: name, match, event, optional source), through recognition, normalisation and detection.

    Tests of diff rules have ``before``: the records that came before the event, oldest first.
    """
    mappings = load_mappings()
    every = [(rule, case) for rule in rules for case in rule_tests(rule)]
    cases = [(rule, case) for rule, case in every if not reads_changes(rule)]
    raw = [jsontext.encode(case.get("event") or {}) for _, case in cases]
    records = pl.DataFrame({"raw_data": raw}, schema={"raw_data": pl.String}).with_row_index("position")
    records = records.select("raw_data", pl.col("position").cast(pl.Int64), object=pl.lit("tests"), repaired=pl.lit(False))
    program = compile_program(RuleSet(tuple(rules), ()), mappings)
    understood = understand(records, mappings, {name: Want(p.columns, p.paths) for name, p in program.plans.items()}, now=datetime.now(UTC))
    found: dict[int, tuple[str, set[str]]] = {}
    for mapping, normalized in understood.parts:
        plan = program.plans[mapping.source]
        positions = normalized.events["x.position"].to_list()
        found.update((position, (mapping.source, set())) for position in positions)
        if plan.rules and positions:
            for row, rule in detect(normalized.events, plan).select("row", "rule").iter_rows():
                found[positions[row]][1].add(plan.rules[rule].uid)
    verdicts = [_verdict(rule, case, found.get(n), program) for n, (rule, case) in enumerate(cases)]
    told = {id(case): verdict for (_, case), verdict in zip(cases, verdicts, strict=True)}
    diff = program.diff()
    told |= {id(case): _verdict(rule, case, _after(case, diff, mappings), program) for rule, case in every if reads_changes(rule)}
    return [RuleTest(rule, str(case.get("name")), told[id(case)]) for rule, case in every]


def _after(case: AnyMapping[str, Any], program: Program, mappings: AnyMapping[str, Mapping]) -> tuple[str, set[str]] | None:
    """Source of the event of a test, and the diff rules that match it after those before it."""
    before = case.get("before")
    given = [*(before if isinstance(before, list) else ()), case.get("event") or {}]
    records = pl.DataFrame({"raw_data": [jsontext.encode(each) for each in given]}).with_row_index("position")
    records = records.select("raw_data", pl.col("position").cast(pl.Int64), object=pl.lit("tests"), repaired=pl.lit(False))
    wants = {name: reads(program.plans[name]) if name in program.plans else Want(("time", OPERATION)) for name in mappings}
    understood = understand(records, mappings, wants, now=datetime.now(UTC))
    # Records that were written down for a test may share an id.
    frames = [(of, part.events.with_columns(pl.col("x.position").cast(pl.String).str.zfill(6).alias("x.uid"))) for of, part in understood.parts]
    rows = changed_in(frames)
    for mapping, events in frames:
        last = events.filter(pl.col("x.position") == len(given) - 1)
        if last.height:
            plan = program.plans.get(mapping.source)
            hits = detect(with_changes(last, rows), plan)["rule"].to_list() if plan is not None else []
            return mapping.source, {plan.rules[rule].uid for rule in hits} if plan is not None else set()
    return None


def rule_tests(rule: Rule) -> list[dict[str, Any]]:
    """The tests ``rule`` carries, as they stand in its document."""
    tests = dict(rule.extra).get("tests")
    return [dict(case) for case in tests if isinstance(case, AnyMapping)] if isinstance(tests, (list, tuple)) else []


def malformed(tests: object) -> list[str]:
    """What is wrong with the shape of a document's ``tests``, a sentence each."""
    if tests is None:
        return []
    if not isinstance(tests, (list, tuple)):
        return ["'tests' is a list of maps with name, match and event"]
    found = []
    for number, case in enumerate(tests, 1):
        if not isinstance(case, AnyMapping):
            found.append(f"test {number} is no map; it has name, match and event")
            continue
        name = f"test {number} ({case['name']})" if case.get("name") is not None else f"test {number}"
        if not isinstance(case.get("match"), bool):
            found.append(f"{name}: 'match' must be true or false")
        if not isinstance(case.get("event"), AnyMapping) and not isinstance(case.get("events"), list):
            found.append(f"{name}: 'event' must be a map, the record as its provider writes it")
        before = case.get("before", [])
        if not isinstance(before, list) or not all(isinstance(each, AnyMapping) for each in before):
            found.append(f"{name}: 'before' must be a list of maps, the records that came before the event")
    return found


def _verdict(rule: Rule, case: AnyMapping[str, Any], found: tuple[str, set[str]] | None, program: Program) -> str | None:
    if rule.uid in program.refused:
        return f"the rule does not compile: {program.refused[rule.uid].message}"
    if found is None:
        return "the event is of no known source or has no time"
    source, matched = found
    expected = case.get("source")
    if expected is not None and expected != source:
        return f"the event was recognised as {source}, not {expected}"
    if bool(case.get("match")) != (rule.uid in matched):
        return "should match and does not" if case.get("match") else "should not match and does"
    return None
