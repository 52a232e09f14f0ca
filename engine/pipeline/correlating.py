"""Hits of a run to the alerts of its rules and correlations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Mapping as AnyMapping
from datetime import datetime, timedelta

import polars as pl

from connectors.batches import Place
from connectors.normalize import Want, normalize
from engine.correlate import evidence
from engine.correlate.alerts import Raised
from engine.correlate.alerts import alerts as make_alerts
from engine.correlate.correlated_alerts import correlated_alerts, firsts
from engine.correlate.correlations import MANY_GROUPS, NO_GROUP, NO_NUMBER, Correlated, correlate
from engine.correlate.gather import GROUP_VALUES
from engine.correlate.keying import Work
from engine.correlate.principals import told, with_principal
from engine.detect.program import Program
from engine.schema import Mapping
from engine.sigma.correlation import silenced
from engine.sigma.tree import Correlation

Principals = Callable[[pl.DataFrame], pl.DataFrame]
"""Who stands behind hits, in the form of `engine.correlate.principals.behind`."""

ReadAgain = Callable[[Sequence[Place]], dict[Place, str]]
_TEXTS = tuple(name for name in evidence.OPTIONAL if name != "raw_data")
_PLACE = ("object_index", "x.position")


def watermarks(latest: AnyMapping[str, datetime], mappings: AnyMapping[str, Mapping], now: datetime) -> dict[str, datetime]:
    """Per source the time before which nothing more is expected: the lesser of its greatest event time and ``now``, minus its lateness."""
    return {source: min(moment, now) - timedelta(minutes=mappings[source].lateness_minutes) for source, moment in latest.items()}


def raise_alerts(
    hits: pl.DataFrame,
    program: Program,
    mappings: AnyMapping[str, Mapping],
    latest: AnyMapping[str, datetime],
    now: datetime,
    read_again: ReadAgain,
    principals: Principals,
) -> Raised:
    """All alerts of a run, with the ``principals`` of their hits.

    ``hits`` has ``rule`` (index into the rule set), evidence, ``native.<field>`` columns, ``object_index`` and ``x.position``. Rules that running
    correlations silence raise no alert of their own. ``read_again`` gives the texts of the few records that begin a correlation's alert and whose
    text was dropped on the way.
    """
    rules, correlations = program.ruleset.rules, program.correlations
    quiet = silenced(correlations)
    known = principals(hits)
    if program.by_principal():
        hits = with_principal(hits, known)
    loud = [index for index, rule in enumerate(rules) if rule.uid not in quiet]
    plain = make_alerts(hits.filter(pl.col("rule").is_in(loud)) if quiet else hits, rules)
    if not correlations:
        return Raised(told(plain, known))
    feeds = program.feeds()
    found = correlate(hits, rules, correlations, watermarks=watermarks(latest, mappings, now), feeds=feeds)
    made = correlated_alerts(found, _with_texts(hits, found, mappings, now, read_again), rules, correlations)
    kept = [alert for alert in made if alert.rule.uid not in quiet]
    alerts = sorted((*plain, *kept), key=lambda alert: (alert.first_time, alert.uid))
    return Raised(told(alerts, known), left_out(found.left_out, program.correlations))


def work_of(program: Program, marks: AnyMapping[str, datetime]) -> Work:
    """What `raise_alerts` asks of the hits, as it is asked of parts of them. ``marks``: `watermarks`."""
    rules, correlations = program.ruleset.rules, program.correlations
    quiet = frozenset(silenced(correlations))
    loud = [index for index, rule in enumerate(rules) if rule.uid not in quiet]
    return Work(rules, loud, correlations, quiet, marks, program.feeds())


def left_out(rows: pl.DataFrame, correlations: Sequence[Correlation]) -> list[str]:
    """Sentences on the hits that took no part in the ``correlations`` that were evaluated; ``rows``: `Correlated.left_out`."""
    what = {
        NO_GROUP: "without a value in its group-by fields took no part",
        MANY_GROUPS: f"with more than {GROUP_VALUES} values in a group-by field; {GROUP_VALUES} of them count",
        NO_NUMBER: "with values that are no numbers, which were left out",
    }
    return [
        f"correlation {correlations[index].title!r}: {count:,} hit{'' if count == 1 else 's'} {what[reason]}"
        for index, reason, count in sorted(
            rows.select("correlation", "reason", "count").iter_rows(), key=lambda row: (row[0], list(what).index(row[1]))
        )
    ]


def _with_texts(hits: pl.DataFrame, found: Correlated, mappings: AnyMapping[str, Mapping], now: datetime, read_again: ReadAgain) -> pl.DataFrame:
    """``hits`` with the long texts of the first hit of every alert, read again where they were dropped."""
    rows = firsts(found)["hit"].unique().sort()
    begin = hits[rows].with_columns(rows.alias("row"))
    lost = begin.filter(pl.col("raw_data").is_null())
    if lost.is_empty():
        return hits
    texts = read_again(lost.select(*_PLACE).unique().rows())
    raw = [texts.get(place) for place in lost.select(*_PLACE).iter_rows()]
    lost = lost.with_columns(pl.Series("raw_data", raw, dtype=pl.String)).filter(pl.col("raw_data").is_not_null())
    for (source,), part in lost.group_by("x.source"):
        records = part.select("raw_data", pl.col("x.object").alias("object"), pl.col("x.position").alias("position"), repaired=pl.lit(False))
        events = normalize(records, mappings[str(source)], Want(_TEXTS, ()), now=now).events
        if events.height == part.height:
            texts_of = events.select(*_TEXTS, "raw_data").with_columns(part["row"])
            hits = hits.with_row_index("row").update(texts_of.with_columns(pl.col("row").cast(pl.UInt32)), on="row").drop("row")
    return hits
