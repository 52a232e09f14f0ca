"""What a lake knows beside alerts that decides about incidents: edges between identities, and who acted from where."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from engine.identity.edges import EDGES, together
from engine.incidents.hubs import HISTORY_DAYS
from engine.incidents.sightings import sighted, sightings_of
from engine.schema import COLUMNS
from engine.store.lake import Lake


def edges_of(lake: Lake) -> pl.DataFrame:
    """All edges, each once."""
    return together([lake.scan("edges").select(list(EDGES)).unique().collect(engine="streaming")])


def sightings_before(lake: Lake, first: datetime, last: datetime) -> pl.DataFrame:
    """The sightings of the days that decide about addresses of alerts that begin between two moments."""
    days = pl.col("x.day").is_between(first.date() - timedelta(days=HISTORY_DAYS), last.date())
    return sightings_of(lake.scan("events").filter(days).select("time", *sighted(COLUMNS)))
