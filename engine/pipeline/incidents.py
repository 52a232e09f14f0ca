"""Alerts of a run to its incidents: what rules, records and the operator say is brought together for the kernel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from engine.documents.tactics import family, tactics
from engine.incidents.hubs import SIGHTINGS
from engine.incidents.kernel import Given, incidents
from engine.incidents.rules import RuleFacts
from engine.model import Alert, Incident
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


def raise_incidents(alerts: Iterable[Alert], ruleset: RuleSet, edges: pl.DataFrame, sightings: Sequence[pl.DataFrame]) -> list[Incident]:
    """The incidents of ``alerts``, worst first. ``sightings`` are those of the batches, in any order."""
    seen = pl.concat(sightings).unique() if sightings else pl.DataFrame(schema=SIGHTINGS)
    return incidents(alerts, Given(rule_facts(ruleset), edges, seen))
