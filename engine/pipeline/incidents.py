"""Alerts of a run to its incidents: what rules, records and the operator say is brought together for the kernel."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as AnyMapping
from datetime import datetime

import polars as pl

from engine.documents.tactics import family, tactics
from engine.identity.edges import together
from engine.incidents.circumstances import circumstances
from engine.incidents.kernel import Given, incidents
from engine.incidents.rules import RuleFacts
from engine.incidents.sightings import SIGHTINGS, spelled
from engine.model import Alert, Incident
from engine.pipeline.identity_edges import told
from engine.posture.facts import together as together_facts
from engine.schema import COLUMNS, Mapping
from engine.sigma.ruleset import RuleSet
from engine.sigma.tree import Correlation, Rule


def rule_facts(ruleset: RuleSet) -> dict[str, RuleFacts]:
    """What incidents need to know of every rule and correlation, by uid."""
    documents: tuple[Rule | Correlation, ...] = (*ruleset.rules, *ruleset.correlations)
    return {rule.uid: _facts(rule) for rule in documents}


def _facts(rule: Rule | Correlation) -> RuleFacts:
    extra = dict(rule.extra)
    who = extra.get("responsibility")
    return RuleFacts(tactics(rule.tags), family(rule.tags) or rule.uid, who if isinstance(who, str) else None, extra.get("certain") is True)


def raise_incidents(
    alerts: Sequence[Alert],
    ruleset: RuleSet,
    edges: Sequence[pl.DataFrame],
    sightings: Sequence[pl.DataFrame],
    facts: Sequence[pl.DataFrame],
) -> list[Incident]:
    """The incidents of ``alerts``, worst first. ``edges``, ``sightings`` and ``facts`` are those of the batches (`batch.Found`), in any order: what
    hits tell of who acted is among the edges.
    """
    if not alerts:
        return []
    seen = spelled(pl.concat(sightings)) if sightings else pl.DataFrame(schema=SIGHTINGS)
    return by_evidence(alerts, ruleset, edges, seen, facts)


def by_evidence(
    alerts: Sequence[Alert],
    ruleset: RuleSet,
    edges: Sequence[pl.DataFrame],
    sightings: pl.DataFrame,
    facts: Sequence[pl.DataFrame],
    totals: pl.DataFrame | None = None,
) -> list[Incident]:
    """The incidents of ``alerts`` by what is known beside them: as `kernel.Given` has it, edges and posture facts in parts."""
    by_alert = circumstances(alerts, together_facts(facts))
    return incidents(alerts, Given(rule_facts(ruleset), together(edges), sightings, by_alert, totals=totals))


def told_by_alerts(alerts: Sequence[Alert], mappings: AnyMapping[str, Mapping]) -> Iterator[pl.DataFrame]:
    """What the first event of each alert tells of who acted in it."""
    rows: defaultdict[str, dict[str, tuple[str, datetime, str]]] = defaultdict(dict)
    for alert in alerts:
        event = alert.evidence
        if event.get("raw_data") and event.get("x.source") in mappings:
            rows[event["x.source"]][event["x.uid"]] = (event["x.uid"], event["time"], event["raw_data"])
    types = {name: COLUMNS[name].dtype for name in ("x.uid", "time", "raw_data")}
    for source, events in rows.items():
        yield told(pl.DataFrame(list(events.values()), schema=types, orient="row"), mappings[source])
