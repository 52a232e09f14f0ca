"""The tables of the lake: their columns, how they are divided into folders, and which columns the log keeps bounds of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from engine.correlate import evidence
from engine.identity import edges
from engine.posture import facts
from engine.schema import COLUMNS, DTYPES, STORED

UID_HIGH, UID_LOW, CONTENT = "x.uid_high", "x.uid_low", "x.content_hash"
"""Columns that dedupe reads instead of texts: 128 bits of the identity, 64 bits of the record (see `fingerprints`)."""

_CARE: dict[str, pl.DataType] = {"x.batch": pl.Int64(), "x.day": pl.Date()}
"""Batch that wrote a row, and the UTC day of its time."""


@dataclass(frozen=True, slots=True)
class Table:
    """``columns``: name → type in the order of the table. ``partition``: columns that are folders. ``bounds``: columns with least and greatest value
    per file in the log, so that readers skip files. ``order``: columns that compaction brings together.
    """

    name: str
    columns: Mapping[str, pl.DataType]
    partition: tuple[str, ...]
    bounds: tuple[str, ...]
    order: tuple[str, ...]

    @property
    def stored(self) -> tuple[str, ...]:
        """The columns inside the files: those of the folders' names are not among them."""
        return tuple(name for name in self.columns if name not in self.partition)

    @property
    def application(self) -> str:
        """The name under which a batch signs its commit."""
        return f"crosswind.{self.name}"


EVENTS = Table(
    "events",
    {
        **{name: column.dtype for name, column in STORED.items()},
        "x.mapping_version": pl.Int64(),
        UID_HIGH: pl.Int64(),
        UID_LOW: pl.Int64(),
        CONTENT: pl.Int64(),
        **_CARE,
    },
    partition=("x.source", "x.day"),
    bounds=("time", "x.batch", "x.mapping_version", "api.operation", "actor.user.uid"),
    order=("actor.user.uid", "api.operation"),
)

HITS = Table(
    "hits",
    {
        "rule": pl.String(),
        "x.rule_hash": pl.String(),
        "x.fields": pl.String(),
        **{name: COLUMNS[name].dtype for name in (*evidence.COLUMNS, *evidence.OPTIONAL)},
        **_CARE,
    },
    partition=("x.day",),
    bounds=("time", "x.batch", "rule", "x.source"),
    order=("rule", "actor.user.uid"),
)

REJECTS = Table(
    "rejects",
    {"object": DTYPES["string"], "position": DTYPES["int"], "reason": DTYPES["string"], "source": DTYPES["string"], **_CARE},
    partition=("x.day",),
    bounds=("x.batch",),
    order=("object",),
)

EDGES = Table(
    "edges",
    {**edges.EDGES, **_CARE},
    partition=("x.day",),
    bounds=("time", "x.batch", "child"),
    order=("child", "time"),
)

FACTS = Table(
    "facts",
    {**facts.FACTS, **_CARE},
    partition=("x.day",),
    bounds=("time", "x.batch", "fact", "asset"),
    order=("asset", "time"),
)

TABLES: dict[str, Table] = {table.name: table for table in (EVENTS, HITS, EDGES, FACTS, REJECTS)}
"""Every table of a lake by name."""
