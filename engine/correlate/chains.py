"""Correlations of correlations: alerts as hits, and how far what they say is settled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from engine.correlate.gather import Source, tactics
from engine.correlate.satisfied import SETTLED, by_session
from engine.sigma.tree import Correlation, Rule

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def hit_source(hits: pl.DataFrame, rules: Sequence[Rule]) -> Source:
    """The hits of plain rules as rows for correlations."""
    rule = hits["rule"].to_numpy().astype(np.int64)
    order = np.argsort(rule, kind="stable")
    bounds = np.searchsorted(rule[order], np.arange(len(rules) + 1))
    rows = {one.uid: order[bounds[index] : bounds[index + 1]] for index, one in enumerate(rules)}
    made = [
        pl.Series("x.alert.rule", [one.uid for one in rules], dtype=pl.String).gather(rule),
        pl.Series("x.alert.level", [one.level for one in rules], dtype=pl.String).gather(rule),
        pl.Series("x.alert.tactic", [tactics(one.tags) for one in rules], dtype=pl.List(pl.String)).gather(rule),
        hits["x.source"].alias("x.alert.source"),
        (hits["cloud.provider"] if "cloud.provider" in hits.columns else pl.Series([None], dtype=pl.String).new_from_index(0, hits.height)).alias(
            "x.alert.cloud"
        ),
    ]
    time = hits["time"].to_physical().to_numpy().astype(np.int64)
    return Source(rows, time, hits["x.uid"], rule, hits.with_columns(made), plain=True)


def alert_source(correlation: Correlation, rank: int, alerts: pl.DataFrame, members: pl.DataFrame, hits: pl.DataFrame) -> Source:
    """The alerts of ``correlation`` as rows for others; ``rank`` sorts them after the hits of all rules."""
    height = alerts.height
    told = members.select("alert", "hit").with_columns(
        source=hits["x.source"].gather(members["hit"]),
        cloud=hits["cloud.provider"].gather(members["hit"]) if "cloud.provider" in hits.columns else pl.lit(None, dtype=pl.String),
    )
    told = told.group_by("alert").agg(pl.col("source", "cloud").drop_nulls().unique())
    seen = alerts.select("alert").join(told, on="alert", how="left", maintain_order="left")
    made = [alerts["shown"].list.get(index).alias(name) for index, name in enumerate(correlation.group_by)]
    made = list({one.name: one for one in made}.values())
    made += [
        pl.Series("x.alert.rule", [correlation.uid], dtype=pl.String).new_from_index(0, height).alias("x.alert.rule"),
        pl.Series("x.alert.level", [correlation.level], dtype=pl.String).new_from_index(0, height).alias("x.alert.level"),
        pl.Series("x.alert.tactic", [tactics(correlation.tags)], dtype=pl.List(pl.String)).new_from_index(0, height).alias("x.alert.tactic"),
        seen["source"].alias("x.alert.source"),
        seen["cloud"].alias("x.alert.cloud"),
    ]
    frame = pl.DataFrame({one.name: one for one in made})
    rows = {correlation.uid: np.arange(height, dtype=np.int64)}
    time = alerts["satisfied"].to_physical().to_numpy().astype(np.int64)
    return Source(rows, time, alerts["alert"], np.full(height, rank, dtype=np.int64), frame, plain=False)


def may_change(correlation: Correlation, inner: Correlation) -> bool:
    """Whether alerts of ``inner`` that come or go later may undo what ``correlation`` says: they add numbers, or it looks at what is missing."""
    if correlation.terms or by_session(correlation):
        return True
    names = (correlation.field_of(name, inner.uid) for name in correlation.fields)
    return any(name is not None and (name in inner.group_by or name.startswith("x.alert.")) for name in names)


def watermark(
    correlation: Correlation,
    rules: Mapping[str, Rule],
    correlations: Mapping[str, Correlation],
    watermarks: Mapping[str, datetime] | None,
    feeds: Mapping[str, frozenset[str]] | None,
) -> int:
    """The least watermark of the sources that feed the rules of ``correlation``, in microseconds since the epoch; `SETTLED` where there is none."""
    if watermarks is None:
        return SETTLED
    sources: set[str] = set()
    waiting = list(correlation.rules)
    seen: set[str] = set()
    while waiting:
        uid = waiting.pop()
        if uid in seen:
            continue
        seen.add(uid)
        if uid in rules:
            sources |= (feeds or {}).get(uid, frozenset())
        elif uid in correlations:
            waiting += correlations[uid].rules
    found = [(watermarks[source] - _EPOCH) // timedelta(microseconds=1) for source in sources if source in watermarks]
    return min(found, default=SETTLED)
