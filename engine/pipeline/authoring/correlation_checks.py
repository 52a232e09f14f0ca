"""The tests that correlations carry."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl

from connectors.batches import Batch
from connectors.sources import load_mappings
from engine import jsontext
from engine.correlate.correlations import correlate
from engine.correlate.principals import behind, with_principal
from engine.detect.program import Program, compile_program
from engine.identity.edges import together
from engine.pipeline.batch import Found, Settings, work
from engine.pipeline.identity_edges import actors_by_source
from engine.sigma.ruleset import RuleSet
from engine.sigma.tree import Correlation

MOST_EVENTS = 10_000
"""The greatest ``repeat``."""
NUMBER = "{n}"
"""What stands for 1, 2, 3 … in the texts of a repeated event."""


@dataclass(frozen=True, slots=True)
class CorrelationTest:
    """One test of a correlation and how it went; ``problem`` None is a pass."""

    rule: Correlation
    name: str
    problem: str | None


@dataclass(frozen=True, slots=True)
class _Case:
    correlation: Correlation
    test: AnyMapping[str, Any]
    problem: str | None
    events: tuple[str, ...]
    """The records as JSON text."""


def check_correlation_tests(ruleset: RuleSet) -> list[CorrelationTest]:
    """Run the tests every correlation of ``ruleset`` carries (``tests``: name, match, events).

    The events of one test go together through recognition, normalisation, detection and correlation, as in a scan of which nothing else is known and
    that waits for nothing more. ``ruleset`` must hold the rules that the correlations name.
    """
    program = compile_program(ruleset, load_mappings())
    cases = [_case(correlation, test) for correlation in ruleset.correlations for test in correlation_tests(correlation)]
    hits, lost = _hits(cases, program)
    running = {correlation.uid: correlation for correlation in program.correlations}
    results = []
    for number, case in enumerate(cases):
        problem = case.problem or lost.get(number) or _verdict(case, hits.get(number), running, program)
        results.append(CorrelationTest(case.correlation, str(case.test.get("name")), problem))
    return results


def correlation_tests(correlation: Correlation) -> list[dict[str, Any]]:
    """The tests ``correlation`` carries, as they stand in its document."""
    tests = dict(correlation.extra).get("tests")
    return [dict(case) for case in tests if isinstance(case, AnyMapping)] if isinstance(tests, (list, tuple)) else []


def _case(correlation: Correlation, test: AnyMapping[str, Any]) -> _Case:
    if not isinstance(test.get("match"), bool):
        return _Case(correlation, test, "'match' must be true or false", ())
    events = test.get("events")
    if not isinstance(events, (list, tuple)) or not events:
        return _Case(correlation, test, "'events' must be a list of records as their providers write them", ())
    texts: list[str] = []
    for event in events:
        if not isinstance(event, AnyMapping):
            return _Case(correlation, test, "'events' must be a list of records as their providers write them", ())
        made = _repeated(event)
        if made is None:
            return _Case(correlation, test, f"a repeated event has 'repeat', a number from 1 to {MOST_EVENTS:,}, and 'event', the record", ())
        texts += made
    return _Case(correlation, test, None, tuple(texts))


def _repeated(event: AnyMapping[str, Any]) -> list[str] | None:
    """The records ``event`` stands for; None where it wants to be repeated and does not say how."""
    if "repeat" not in event or event.keys() - {"repeat", "event"}:
        return [jsontext.encode(event)]
    times, record = event["repeat"], event.get("event")
    if isinstance(times, bool) or not isinstance(times, int) or not 1 <= times <= MOST_EVENTS or not isinstance(record, AnyMapping):
        return None
    text = jsontext.encode(record)
    return [text.replace(NUMBER, str(number)) for number in range(1, times + 1)]


def _hits(cases: Sequence[_Case], program: Program) -> tuple[dict[int, pl.DataFrame], dict[int, str]]:
    """Per case the hits on its events, and of cases with an event that was not understood what is wrong."""
    found = _worked(dict(enumerate(cases)), program)
    strangers = {skip.object for skip in found.unknown} | {reject.object for reject in found.rejects}
    lost = {number: "an event is of no known source or has no time" for number in range(len(cases)) if f"test {number}" in strangers}
    if not found.hits:
        return {}, lost
    parts = pl.concat(found.hits, how="diagonal_relaxed").partition_by("object_index", as_dict=True, maintain_order=True)
    by_principal = [number for number, rule in enumerate(program.ruleset.rules) if rule.uid in program.by_principal()]
    made = {int(key[0]): part for key, part in parts.items()}
    for number, hits in made.items():
        if hits["rule"].is_in(by_principal).any():  # one test's events tell nothing of the identities of another's
            edges = together(_worked({number: cases[number]}, program).edges)
            made[number] = with_principal(hits, behind(hits, actors_by_source(load_mappings()), edges))
    return made, lost


def _worked(cases: AnyMapping[int, _Case], program: Program) -> Found:
    """The events of some cases through recognition, normalisation and detection."""
    rows = [(text, f"test {number}", number, position, False) for number, case in cases.items() for position, text in enumerate(case.events)]
    schema = {"raw_data": pl.String, "object": pl.String, "object_index": pl.UInt32, "position": pl.Int64, "repaired": pl.Boolean}
    batch = Batch(pl.DataFrame(rows, schema=schema, orient="row"))
    return work(batch, program=program, mappings=load_mappings(), settings=Settings(now=datetime.now(UTC)))


def _verdict(case: _Case, hits: pl.DataFrame | None, running: AnyMapping[str, Correlation], program: Program) -> str | None:
    uid = case.correlation.uid
    if uid not in running:
        return f"the correlation does not compile: {program.refused[uid].message}"
    matched = False
    if hits is not None:
        asked = _with_inner(uid, running)
        alerts = correlate(hits, program.ruleset.rules, asked).alerts
        matched = bool((alerts["correlation"] == len(asked) - 1).any())
    if case.test["match"] != matched:
        return "should match and does not" if case.test["match"] else "should not match and does"
    return None


def _with_inner(uid: str, running: AnyMapping[str, Correlation]) -> list[Correlation]:
    """The correlation and those it refers to, itself last."""
    wanted = {uid}
    for other in reversed(list(running.values())):
        if other.uid in wanted:
            wanted.update(name for name in other.rules if name in running)
    return [correlation for correlation in running.values() if correlation.uid in wanted and correlation.uid != uid] + [running[uid]]
