"""What became of each correlation in a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from engine.detect.program import Program
from engine.model import RuleStatus
from engine.sigma.tree import BoundOperator, Correlation


def correlation_statuses(program: Program, rules: Mapping[str, RuleStatus], alerts: Counter[str]) -> list[RuleStatus]:
    """The statuses of all correlations that were loaded, in dependency order. ``rules``: status by rule uid.

    A correlation cannot fire where the rules that could make it fire cannot: one of them, where it needs all; every one, where any will do.
    """
    known = dict(rules)
    found: list[RuleStatus] = []
    for each in program.ruleset.correlations:
        error = program.refused.get(each.uid)
        reason = _silent(each, known) if error is None else str(error)
        outcome = "failed" if error is not None else "ran" if reason is None else "cannot_fire"
        status = RuleStatus(each.uid, each.title, each.level, each.path, outcome, reason, alerts=alerts[each.uid])
        known[each.uid] = status
        found.append(status)
    return found


def _silent(correlation: Correlation, known: Mapping[str, RuleStatus]) -> str | None:
    able = [uid for uid in correlation.rules if uid in known and known[uid].outcome == "ran"]
    unable = [known[uid] for uid in correlation.rules if uid in known and known[uid].outcome != "ran"]
    if not unable:
        return None
    if correlation.terms:
        enough = any(set(term.present) <= set(able) for term in correlation.terms)
    elif correlation.type.value.startswith("temporal"):
        enough = len(able) >= _fewest(correlation)
    else:
        enough = bool(able)
    return None if enough else f"its rule {unable[0].title!r} cannot fire: {unable[0].reason}"


def _fewest(correlation: Correlation) -> float:
    """How many of its rules must occur at least."""
    least = {BoundOperator.GTE: 0, BoundOperator.EQ: 0, BoundOperator.GT: 1}
    return max([bound.number + least[bound.operator] for bound in correlation.bounds if bound.operator in least], default=1)
