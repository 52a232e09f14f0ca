"""What correlations found to alerts: `correlated_alerts` puts the evidence back together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from engine import schema
from engine.correlate import correlation_reason, evidence
from engine.correlate.alerts import make_alert, rows_of, rule_ref
from engine.correlate.correlations import Correlated
from engine.correlate.reason import reason
from engine.correlate.summary import summarise
from engine.model import Alert, AlertKind, Contribution, State
from engine.sigma.tree import Correlation, Rule


def firsts(found: Correlated) -> pl.DataFrame:
    """``alert`` and ``hit`` (row of the hits) of the earliest hit of each alert, in the order of ``found.members``."""
    return found.members.filter(pl.col("alert").is_first_distinct())


def correlated_alerts(found: Correlated, hits: pl.DataFrame, rules: Sequence[Rule], correlations: Sequence[Correlation]) -> list[Alert]:
    """The alerts of ``correlations``, sorted by (first_time, uid). ``hits`` is the frame that was correlated, with the columns of `evidence`.

    An event that several rules matched is one event of the alert; ``contributions`` names each rule with the events it brought.
    """
    if found.alerts.is_empty():
        return []
    complete = evidence.complete(hits).with_columns(hits["rule"])
    told = complete[found.members["hit"]].with_columns(found.members["alert"])
    brought = told.group_by("alert", "rule").agg(pl.col("x.uid").n_unique().alias("events")).sort("alert", "rule")
    contributions: dict[str, list[Contribution]] = {}
    for alert, rule, events in brought.iter_rows():
        contributions.setdefault(alert, []).append(Contribution(rules[rule].uid, rules[rule].title, events))
    once = told.unique(["alert", "x.uid"], keep="first", maintain_order=True)
    first_rows = dict(zip(*_firsts(once), strict=True))
    facts = {row["alert"]: row for row in rows_of(found.alerts)}
    titles = {rule.uid: rule.title for rule in rules} | {each.uid: each.title for each in correlations}
    references = [rule_ref(correlation) for correlation in correlations]
    made = []
    for summary in rows_of(summarise(once)):
        uid = summary["alert"]
        fact, first = facts[uid], first_rows[uid]
        correlation = correlations[fact["correlation"]]
        group = tuple(zip(correlation.group_by, fact["shown"], strict=True))
        brought_by = [each.title for each in contributions[uid]]
        why = correlation_reason.sentence(correlation, fact["value"], group, titles, brought_by)
        made.append(
            make_alert(
                summary,
                first,
                references[fact["correlation"]],
                reason=f"{why}. {reason(summary, first)}",
                group=group,
                state=State(fact["state"]),
                kind=AlertKind.CORRELATION,
                contributions=tuple(contributions[uid]),
            )
        )
    return sorted(made, key=lambda alert: (alert.first_time, alert.uid))


def _firsts(once: pl.DataFrame) -> tuple[list[str], list[dict[str, Any]]]:
    chosen = once.filter(pl.col("alert").is_first_distinct())
    return chosen["alert"].to_list(), schema.rows(chosen.drop("alert"))
