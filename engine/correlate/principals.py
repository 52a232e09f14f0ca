"""Who stands behind hits and alerts: resolved from what is known now, joined to hits in memory and stored with none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from engine.identity.actors import Actors, principals
from engine.identity.edges import STRENGTHS
from engine.model import Alert, Origin
from engine.schema import PRINCIPAL

MOST = 10
"""Principals an alert lists."""


def behind(hits: pl.DataFrame, by_source: Actors, edges: pl.DataFrame) -> pl.DataFrame:
    """Who stands behind each event of ``hits``: x.uid and the columns of `engine.identity.resolve.RESOLVED`, a row an event; without a row: nobody
    is named.
    """
    events = hits.unique("x.uid", keep="first", maintain_order=True)
    found = principals(events, by_source, edges)
    return found.select(pl.col("row").replace_strict(dict(enumerate(events["x.uid"])), return_dtype=pl.String).alias("x.uid"), pl.exclude("row"))


def with_principal(hits: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """``hits`` with the column `PRINCIPAL` to group by. Evidence that whoever acted chose puts nobody into another's group: there it is the actor."""
    sure = pl.when(pl.col("strength") == STRENGTHS[-1]).then("entity").otherwise("principal")
    named = found.select("x.uid", sure.alias(PRINCIPAL))
    return hits.drop(PRINCIPAL, strict=False).join(named, on="x.uid", how="left", maintain_order="left")


def told(alerts: Sequence[Alert], found: pl.DataFrame) -> list[Alert]:
    """``alerts`` with the principals of their events. Of several chains to one principal the strongest counts."""
    known = {uid: Origin(*rest) for uid, *rest in found.select("x.uid", "principal", "strength", "spoofable", "contested").iter_rows()}
    return [replace(alert, principals=_principals([known[uid] for uid in alert.event_uids if uid in known])) for alert in alerts]


def _principals(found: Sequence[Origin]) -> tuple[Origin, ...]:
    best: dict[str, Origin] = {}
    for each in found:
        if each.uid not in best or _rank(each) < _rank(best[each.uid]):
            best[each.uid] = each
    return tuple(best[uid] for uid in sorted(best)[:MOST])


def _rank(each: Origin) -> tuple[int, bool, bool]:
    return STRENGTHS.index(each.strength), each.spoofable, each.contested
