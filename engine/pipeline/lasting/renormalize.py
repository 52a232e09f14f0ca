"""Events of the lake that an older version of their source's mapping made, made again from their records."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import polars as pl

from connectors.normalize import normalize
from connectors.sources import load_mappings
from engine.errors import EngineError
from engine.schema import COLUMNS, Mapping
from engine.store.lake import Lake
from engine.store.lake_care import replace_parts
from engine.store.lake_files import lake_errors, load, remove, write_part
from engine.store.lake_log import live_parts
from engine.store.lake_tables import CONTENT, EVENTS, UID_HIGH, UID_LOW

_VERSION = "x.mapping_version"
_KEPT = ("x.uid", UID_HIGH, UID_LOW, CONTENT, "x.source", "x.object", "x.position", "raw_data", "x.batch")
"""What a mapping does not decide again: who an event is, where it came from, and its record."""
_ROWS = 20_000
_NEVER = datetime(9998, 1, 1, tzinfo=UTC)
"""Whether a time was in the future was decided when the record was read."""
_OF_MAPPING = "unmapped:"
"""Flags with this prefix say what a mapping could not do."""


@dataclass(frozen=True, slots=True)
class Renormalized:
    """Rows of one source that were made again, in so many files; ``kept`` could not be read by the mapping of today and stay as they were."""

    source: str
    mapping_version: int
    files: int
    rows: int
    kept: int


def renormalize(lake: Lake) -> list[Renormalized]:
    """Make all events again whose mapping version is older than the one of today. Identities, hits and alerts stay; each file is one commit.

    Returns a row for every source that had any.
    """
    found: list[Renormalized] = []
    with lake_errors(lake.path, "make events again"):
        parts = live_parts(load(lake.path, EVENTS), EVENTS)
        for source, mapping in load_mappings().items():
            old = parts.filter((pl.col("x.source") == source) & (pl.col(f"least.{_VERSION}").fill_null(0) < mapping.version))
            files = rows = kept = 0
            for part in old.sort("path").iter_rows(named=True):
                made, stayed = _file_again(lake, part, mapping)
                files, rows, kept = files + bool(made), rows + made, kept + stayed
            if files or kept:
                found.append(Renormalized(source, mapping.version, files, rows, kept))
    return found


def _file_again(lake: Lake, part: dict[str, Any], mapping: Mapping) -> tuple[int, int]:
    """Replace one file; how many rows were made again, and how many could not be. (0, …) leaves it, where nothing changed or it is gone."""
    path = lake.path / EVENTS.name / part["path"]
    stored = pl.read_parquet(path, glob=False, hive_partitioning=False)
    missing = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in EVENTS.columns.items() if name not in stored.columns]
    stored = stored.with_columns(missing).with_columns(pl.lit(mapping.source).alias("x.source"), pl.lit(part["x.day"]).alias("x.day"))
    stored = stored.select(list(EVENTS.columns))
    older = (pl.col(_VERSION).fill_null(0) < mapping.version).alias("older")
    made = list(_again(stored.filter(older), mapping))
    again = sum(frame.filter(~older).height for frame in made)
    left = sum(frame.height for frame in made) - again
    if not again:
        return 0, left
    whole = pl.concat([stored.filter(~older), *made])
    if whole.height != stored.height:
        raise EngineError(f"{stored.height} events were to be made again, {whole.height} came back; please report it")
    parts = [
        write_part(lake.path, EVENTS, rows, (mapping.source, _text(day)), stem="renormalized")
        for (day,), rows in whole.partition_by("x.day", as_dict=True, maintain_order=True).items()
    ]
    if replace_parts(lake.path, EVENTS, [part], parts, why="renormalize", data_change=True):
        return again, left
    remove(lake.path, EVENTS, [one.path for one in parts])
    return 0, left


def _text(day: object) -> str:
    assert isinstance(day, date)
    return day.isoformat()


def _again(stored: pl.DataFrame, mapping: Mapping) -> Iterator[pl.DataFrame]:
    """The rows with the columns of today's mapping, in their order; what it refuses, as it is."""
    for rows in stored.iter_slices(_ROWS):
        records = rows.select("raw_data", pl.lit("").alias("object"), pl.int_range(pl.len()).alias("position"), pl.lit(False).alias("repaired"))
        events = normalize(records, mapping, now=_NEVER).events
        at = events["x.position"]
        before = rows[at]
        names = [name for name in COLUMNS if name in events.columns and name not in _KEPT and name != "x.flags"]
        fresh = before.select(*_KEPT, "x.flags").with_columns(events.select(names)).with_columns(_flags(before["x.flags"], events["x.flags"]))
        fresh = fresh.with_columns(pl.col("time").dt.date().alias("x.day"), pl.lit(mapping.version, pl.Int64()).alias(_VERSION))
        missing = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in EVENTS.columns.items() if name not in fresh.columns]
        yield fresh.with_columns(missing).select(list(EVENTS.columns))
        refused = pl.Series(range(rows.height), dtype=at.dtype).filter(~pl.Series(range(rows.height), dtype=at.dtype).is_in(at.implode()))
        if len(refused):
            yield rows[refused]


def _flags(before: pl.Series, after: pl.Series) -> pl.Series:
    """What was odd about the records stays, what a mapping could not do is said anew."""
    frame = pl.DataFrame({"before": before, "after": after}, schema={"before": pl.List(pl.String), "after": pl.List(pl.String)})
    kept = pl.col("before").list.filter(~pl.element().str.starts_with(_OF_MAPPING)).fill_null([])
    flags = kept.list.concat(pl.col("after").list.filter(pl.element().str.starts_with(_OF_MAPPING)).fill_null([]))
    return frame.select(pl.when(flags.list.len() > 0).then(flags).alias("x.flags"))["x.flags"]
