"""What a lake knows beside alerts that decides about incidents: edges between identities, who acted from where, and posture facts."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import polars as pl

from engine.identity.edges import EDGES
from engine.incidents.hubs import HISTORY_DAYS
from engine.incidents.keys import TOLD_OF_ACTORS, TOLD_OF_EVENTS
from engine.incidents.sightings import SIGHTINGS, sighted, sightings_of, totals_of
from engine.pipeline.lasting.origins import followed
from engine.posture.facts import FACTS
from engine.posture.facts import together as together_facts
from engine.schema import COLUMNS
from engine.store.lake import Lake
from engine.store.lake_files import load, make_folder, owner_only
from engine.store.lake_log import live_parts
from engine.store.lake_tables import TABLES

KEPT = "_sightings"
"""Folder of a lake for the sightings of each day, made of its events and made again when these change."""
_VERSION = 1
_NAME = re.compile(r"(\d{4}-\d\d-\d\d)-[0-9a-f]{32}\.parquet")


def edges_about(lake: Lake, acting: pl.Series, events: pl.Series) -> list[pl.DataFrame]:
    """The edges of the lake that decide about alerts: those that lead on from who is ``acting`` in them, what is told of these, and what their
    ``events`` (by uid) made.
    """
    known = lake.scan("edges").select(list(EDGES))
    of_actors = acting.drop_nulls().unique().alias("child").to_frame().lazy()
    of_events = events.drop_nulls().unique().alias("event_uid").to_frame().lazy()
    told = known.filter(pl.col("kind").is_in(TOLD_OF_ACTORS)).join(of_actors, on="child", how="semi")
    made = known.filter(pl.col("kind").is_in(TOLD_OF_EVENTS)).join(of_events, on="event_uid", how="semi")
    return [*(each.collect(engine="streaming") for each in (told, made)), followed(lake, acting, "child", "parent").edges]


def sightings_about(lake: Lake, entities: Iterable[str], first: datetime, last: datetime) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The sightings of ``entities`` on the days that decide about alerts that begin between two moments, and the totals of all of these days."""
    paths = _days(lake, first.date() - timedelta(days=HISTORY_DAYS), last.date())
    numbers = [pl.col(name).cast(dtype) for name, dtype in SIGHTINGS.items()]
    texts = {name: pl.String() if dtype == pl.Categorical() else dtype for name, dtype in SIGHTINGS.items()}
    seen = pl.concat([pl.scan_parquet(path, glob=False) for path in paths]) if paths else pl.LazyFrame(schema=texts)
    wanted = pl.Series("entity", list(entities), dtype=pl.String).unique().to_frame().lazy()
    found = seen.join(wanted, on="entity", how="semi").select(numbers).collect(engine="streaming")
    return found, totals_of(seen.select(numbers)).collect(engine="streaming")


def _days(lake: Lake, first: date, last: date) -> list[Path]:
    """A file of sightings for each day that has events. Events of a day that changed are read again, those of others are not."""
    about = TABLES["events"]
    parts = live_parts(load(lake.path, about), about).filter(pl.col("x.day").is_between(first, last))
    folder = lake.path / KEPT
    make_folder(folder)
    there: dict[str, set[Path]] = {}
    for path in folder.iterdir():
        if named := _NAME.fullmatch(path.name):
            there.setdefault(named[1], set()).add(path)
    found = []
    for (day,), here in parts.sort("x.day", "path").group_by("x.day", maintain_order=True):
        digest = sha256("\n".join([str(_VERSION), *here["path"]]).encode()).hexdigest()[:32]
        path = folder / f"{day}-{digest}.parquet"
        if path not in there.get(str(day), ()):
            _write(sightings_of(lake.scan("events").filter(pl.col("x.day") == day).select("time", *sighted(COLUMNS))), path)
        for old in there.get(str(day), set()) - {path}:
            old.unlink(missing_ok=True)
        found.append(path)
    return found


def _write(seen: pl.DataFrame, path: Path) -> None:
    """Write a file that is there whole or not at all."""
    half = path.with_suffix(f".{os.getpid()}")
    with owner_only:
        numbers = pl.col("entity", "actor").to_physical()
        grouped = seen.unique().sort(numbers, "hour")  # texts in no order, but equal ones together, which is what keeps the file small
        grouped.cast({pl.Categorical(): pl.String()}).write_parquet(half)
    half.replace(path)


def facts_of_lake(lake: Lake) -> pl.DataFrame:
    """All posture facts, each once."""
    return together_facts([lake.scan("facts").select(list(FACTS)).unique().collect(engine="streaming")])
