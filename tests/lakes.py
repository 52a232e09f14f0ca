"""Small lakes for tests, written from logs the way a batch writes them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from connectors.batches import list_input
from connectors.normalize import Want, columns_of
from connectors.sources import load_mappings
from connectors.transports.base import Limits
from engine import jsontext
from engine.identity.edges import together
from engine.pipeline import Settings
from engine.pipeline.batch import Found, events_of
from engine.pipeline.identity_edges import issued, paths_for_edges
from engine.store.lake import Lake

NOW = datetime(2026, 3, 4, tzinfo=UTC)


def events_in(paths: Sequence[Path]) -> pl.DataFrame:
    """The events of all logs below ``paths`` with every column, each identity once."""
    mappings = load_mappings()
    wants = dict.fromkeys(mappings, Want(None))
    settings = Settings(now=NOW)
    frames = []
    for stream in list_input([str(path) for path in paths], settings.limits, None).streams(Limits()):
        for batch in stream:
            for mapping, events, _ in events_of(Found(batch, batch.records.height), wants, mappings, settings):
                frames.append(events.with_columns(pl.lit(mapping.version, dtype=pl.Int64).alias("x.mapping_version")))
    return pl.concat(frames, how="diagonal_relaxed").unique("x.uid", keep="first", maintain_order=True)


def lake_of(events: pl.DataFrame, path: Path) -> Lake:
    """A lake at ``path`` that holds ``events`` and their edges as its first batch."""
    lake = Lake.open(path, create=True)
    with lake.writer("events", 1) as writer:
        writer.write(events)
        writer.commit("0" * 64)
    with lake.writer("edges", 1) as writer:
        writer.write(_edges(events))
        writer.commit("0" * 64)
    return lake


def _edges(events: pl.DataFrame) -> pl.DataFrame:
    """The edges between identities that a batch of ``events`` issues."""
    found = []
    for (source,), part in events.filter(pl.Series([_readable(text) for text in events["raw_data"]], dtype=pl.Boolean)).group_by("x.source"):
        mapping = load_mappings()[str(source)]
        cells = columns_of(part["raw_data"], mapping, Want((), paths_for_edges(mapping))).drop("raw_data")
        found.append(issued(part.select("x.uid", "time", "raw_data").hstack(cells), mapping))
    return together(found)


def _readable(text: str) -> bool:
    try:
        jsontext.loads(text)
    except ValueError:
        return False
    return True


def sample_lake(path: Path) -> Lake:
    """A lake with all events of the sample logs."""
    return lake_of(events_in([Path(__file__).resolve().parents[1] / "sample_logs" / "logs"]), path)
