"""What a lake knows beside alerts that decides about incidents: edges between identities, who acted from where, and posture facts."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from engine.identity.edges import EDGES, together
from engine.incidents.hubs import HISTORY_DAYS, SIGHTED, sightings_of
from engine.posture.facts import FACTS
from engine.posture.facts import together as together_facts
from engine.store.lake import Lake


def edges_of(lake: Lake) -> pl.DataFrame:
    """All edges, each once."""
    return together([lake.scan("edges").select(list(EDGES)).unique().collect(engine="streaming")])


def sightings_before(lake: Lake, first: datetime, last: datetime) -> pl.DataFrame:
    """The sightings of the days that decide about addresses of alerts that begin between two moments."""
    days = pl.col("x.day").is_between(first.date() - timedelta(days=HISTORY_DAYS), last.date() - timedelta(days=1))
    return sightings_of(lake.scan("events").filter(days).select("time", *SIGHTED)).unique().collect(engine="streaming")


def facts_of_lake(lake: Lake) -> pl.DataFrame:
    """All posture facts, each once."""
    return together_facts([lake.scan("facts").select(list(FACTS)).unique().collect(engine="streaming")])
