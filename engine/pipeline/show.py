"""`events`: what was understood of some paths, as frames."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import partial
from typing import BinaryIO

import polars as pl

from connectors.batches import Batch, Input, list_input
from connectors.normalize import Want
from connectors.sources import load_mappings
from engine.correlate.alerts import Raised
from engine.detect.program import compile_program
from engine.errors import UsageError
from engine.model import RunReport
from engine.pipeline.batch import BASE, Found, Settings, events_of
from engine.pipeline.run import run
from engine.report.account import Totals, build_report
from engine.schema import STORED, Mapping
from engine.sigma.load import load
from engine.store.memory import EventIndex


@dataclass(slots=True)
class EventsRun:
    """A run that shows events: iterate ``frames`` to the end, then read ``report``."""

    frames: Iterator[pl.DataFrame]
    totals: Totals
    given: Input

    @property
    def report(self) -> RunReport:
        """The account of what was read so far."""
        empty = compile_program(load([]), {})
        return build_report(self.totals, self.given.skips, self.given.rejects, empty, load_mappings(), Counter(), Raised(), [], None)


def events(
    paths: Sequence[str], settings: Settings, *, columns: Sequence[str] | None = None, limit: int | None = None, stdin: BinaryIO | None = None
) -> EventsRun:
    """Every event below ``paths`` as frames in the common schema, in the order of objects and records, at most ``limit`` rows.

    ``columns``: common columns (None: all). Duplicates count once: over the whole input, or with ``limit`` over what was read for it.
    """
    mappings = load_mappings()
    if unknown := [name for name in columns or () if name not in STORED]:
        near = get_close_matches(unknown[0], STORED, n=3, cutoff=0.5)
        raise UsageError(f"no column {unknown[0]!r}; " + (f"did you mean {' or '.join(near)}?" if near else "docs/schema.md lists them"))
    given = list_input(paths, settings.limits, stdin)
    totals = Totals(objects=len(given.objects))
    return EventsRun(_event_frames(given, settings, mappings, columns, limit, totals), totals, given)


def _event_frames(
    given: Input, settings: Settings, mappings: AnyMapping[str, Mapping], columns: Sequence[str] | None, limit: int | None, totals: Totals
) -> Iterator[pl.DataFrame]:
    want = Want(None if columns is None else tuple(name for name in dict.fromkeys(columns) if name not in BASE))
    wants = dict.fromkeys(mappings, want)
    lost = _losers(given, settings, mappings, totals) if limit is None else None
    if totals.interrupted:
        return
    again = totals if lost is None else Totals(objects=len(given.objects))
    seen: set[str] = set()
    left = limit

    def work(batch: Batch) -> Found:
        found = Found(batch, batch.records.height)
        parts = [part.with_columns(objects.alias("object_index")) for _, part, objects in events_of(found, wants, mappings, settings)]
        found.frames = [pl.concat(parts, how="diagonal").sort("object_index", "x.position")] if parts else []
        return found

    for found in run(given, given.streams(settings.limits), replace(settings, jobs=1), work, again, None):
        for frame in found.frames:
            if lost is not None:
                kept = frame.join(lost, on=["object_index", "x.position"], how="anti", maintain_order="left")
            else:
                kept = frame.unique("x.uid", keep="first", maintain_order=True).filter(~pl.col("x.uid").is_in(list(seen)))
                seen.update(kept["x.uid"])
            kept = kept.drop("object_index")
            if left is not None:
                kept = kept.head(left)
                left -= kept.height
            if kept.height:
                yield kept
            if left == 0:
                return
    totals.interrupted = again.interrupted


def _losers(given: Input, settings: Settings, mappings: AnyMapping[str, Mapping], totals: Totals) -> pl.DataFrame:
    """Where the records stand that another record has the identity of."""
    wants = dict.fromkeys(mappings, Want(()))

    def work(batch: Batch) -> Found:
        found = Found(batch, batch.records.height)
        for _ in events_of(found, wants, mappings, settings):
            pass
        return found

    index = EventIndex()
    try:
        for found in run(given, given.streams(settings.limits), settings, work, totals, None):
            for rows in found.index:
                index.add(rows)
        losers = index.resolve(partial(given.read_again, settings.limits))
    finally:
        index.close()
    totals.losers(losers, tuple(mappings))
    return losers.places.rename({"object": "object_index", "position": "x.position"}).with_columns(pl.col("x.position").cast(pl.Int64))
