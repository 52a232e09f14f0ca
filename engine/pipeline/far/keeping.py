"""Where the rows of a batch go while it is worked on, and what is left to hand on afterwards."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from collections.abc import Mapping as AnyMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from engine.detect.program import Program
from engine.identity.edges import together
from engine.pipeline.batch import Found
from engine.pipeline.far.equal_events import IDENTITY
from engine.pipeline.lasting.lake_hits import to_lake
from engine.posture.facts import together as together_facts
from engine.report.account import Totals
from engine.store.fingerprints import with_fingerprints
from engine.store.lake_tables import CONTENT, EDGES, EVENTS, FACTS, HITS, REJECTS
from engine.store.lake_writer import LakeWriter
from engine.store.memory import Losers


@dataclass(slots=True)
class Gathered:
    """What all objects of a batch gave: the account, records per object, the records that are no events, the events that ``met`` earlier ones
    (`equal_events.meeting`), and ``spans``: rule, time, x.source, x.object and x.position of the hits.
    ``edges``, ``sightings``, ``facts`` and ``telling`` are those of `batch.Found`.
    """

    totals: Totals
    ends: dict[str, int]
    losers: Losers
    met: pl.DataFrame = field(default_factory=pl.DataFrame)
    spans: list[pl.DataFrame] = field(default_factory=list)
    edges: list[pl.DataFrame] = field(default_factory=list)
    sightings: list[pl.DataFrame] = field(default_factory=list)
    facts: list[pl.DataFrame] = field(default_factory=list)
    telling: list[pl.DataFrame] = field(default_factory=list)


SPAN = ("rule", "time", "x.source", "x.object", "x.position")
"""What is remembered of a hit that was written."""

EDGE = ("kind", "child", "parent", "time")
"""What is looked at of a new edge between identities."""


@dataclass(frozen=True, slots=True)
class Writers:
    """The open writers of one batch."""

    events: LakeWriter
    hits: LakeWriter
    edges: LakeWriter
    facts: LakeWriter
    rejects: LakeWriter


@contextmanager
def writers_of(lake: Path, batch: int) -> Iterator[Writers]:
    """The writers of all tables; what was neither committed nor handed over is deleted on the way out."""
    with (
        LakeWriter(lake, EVENTS, batch) as events,
        LakeWriter(lake, HITS, batch) as hits,
        LakeWriter(lake, EDGES, batch) as edges,
        LakeWriter(lake, FACTS, batch) as facts,
        LakeWriter(lake, REJECTS, batch) as rejects,
    ):
        yield Writers(events, hits, edges, facts, rejects)


@dataclass(slots=True)
class Keeper:
    """Takes what workers found. ``pending`` are the identities of the events so far; ``whole``: these are written as well, not their hits alone."""

    writers: Writers
    program: Program
    numbers: AnyMapping[str, int]
    whole: bool = True
    pending: list[pl.DataFrame] = field(default_factory=list)
    spans: list[pl.DataFrame] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def keep(self, found: Found) -> Found:
        """Write the events, hits, edges and facts of a batch of records; afterwards it holds events and hits no more."""
        for events in found.frames:
            marked = with_fingerprints(events)
            if self.whole:
                self.writers.events.write(marked)
            objects = marked["x.object"].replace_strict(self.numbers, return_dtype=pl.UInt32).alias("object")
            own = marked.select(*IDENTITY, CONTENT, "x.source", pl.col("time").dt.date().alias("x.day"), "x.position").with_columns(objects)
            with self.lock:
                self.pending.append(own)
        for hits in found.hits:
            rows = _detached(to_lake(hits, self.program))
            self.writers.hits.write(rows)
            with self.lock:
                self.spans.append(rows.select(SPAN))
        if self.whole and found.edges:
            self.writers.edges.write(together(found.edges))
        if self.whole and (facts := together_facts(found.facts)).height:
            self.writers.facts.write(facts)
        found.frames, found.hits = [], []
        return found


def _detached(frame: pl.DataFrame) -> pl.DataFrame:
    """A copy with texts of its own: the texts of a few rows taken from many would keep all of these in memory."""
    return pl.read_ipc(frame.write_ipc(None, compat_level=pl.CompatLevel.oldest()).getvalue())
