"""The work of one batch that is to be kept: records in, rows of events, hits and rejects out, without those that are known already."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import polars as pl

from connectors.batches import Batch, Input
from engine.detect.program import Program
from engine.errors import EngineError
from engine.pipeline.batch import Found, Settings, isolated, work
from engine.pipeline.lake_hits import to_lake
from engine.pipeline.lake_rejects import Rejects
from engine.pipeline.revising import Span, union
from engine.report.account import Totals
from engine.runners import local
from engine.runners.interrupts import until
from engine.schema import Mapping
from engine.store.fingerprints import with_fingerprints
from engine.store.lake import Lake
from engine.store.lake_tables import CONTENT, UID_HIGH, UID_LOW
from engine.store.lake_writer import LakeWriter
from engine.store.memory import EventIndex

_IDENTITY = (UID_HIGH, UID_LOW)


@dataclass(slots=True)
class Written:
    """What a batch wrote: its account, records per object, where the hits of each rule lie, and how many hits there were."""

    totals: Totals
    ends: dict[str, int] = field(default_factory=dict)
    touched: dict[str, Span] = field(default_factory=dict)
    hits: Counter[str] = field(default_factory=Counter)
    known: int = 0
    replaced: int = 0
    too_late: int = 0


@dataclass(frozen=True, slots=True)
class Writers:
    """The open writers of one batch."""

    events: LakeWriter
    hits: LakeWriter
    rejects: LakeWriter


@dataclass(slots=True)
class Keeper:
    """Takes what workers found. ``pending`` are the identities of the events written so far."""

    writers: Writers
    program: Program
    numbers: AnyMapping[str, int]
    pending: list[pl.DataFrame] = field(default_factory=list)
    spans: list[pl.DataFrame] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def keep(self, found: Found) -> Found:
        """Write the events and hits of a batch of records; afterwards it holds them no more."""
        for events in found.frames:
            marked = with_fingerprints(events)
            self.writers.events.write(marked)
            objects = marked["x.object"].replace_strict(self.numbers, return_dtype=pl.UInt32).alias("object")
            own = marked.select(*_IDENTITY, CONTENT, "x.source", pl.col("time").dt.date().alias("x.day"), "x.position").with_columns(objects)
            with self.lock:
                self.pending.append(own)
        for hits in found.hits:
            rows = _detached(to_lake(hits, self.program))
            self.writers.hits.write(rows)
            with self.lock:
                self.spans.append(rows.select("rule", "time", "x.source", "x.object", "x.position"))
        found.frames, found.hits = [], []
        return found


def _detached(frame: pl.DataFrame) -> pl.DataFrame:
    """A copy with texts of its own: the texts of a few rows taken from many would keep all of these in memory."""
    return pl.read_ipc(frame.write_ipc(None, compat_level=pl.CompatLevel.oldest()).getvalue())


def write_batch(
    given: Input,
    writers: Writers,
    lake: Lake,
    batch: int,
    *,
    program: Program,
    mappings: AnyMapping[str, Mapping],
    settings: Settings,
    source: str,
    latest: AnyMapping[str, datetime],
    horizon: timedelta,
    stopped: Callable[[], bool],
) -> Written | None:
    """Read the objects of a batch and write what they hold; None where it was stopped before the end, and then nothing may be committed.

    ``latest``: per source the greatest event time before this batch; hits more than ``horizon`` (and the source's lateness) before it are kept but
    revise nothing.
    """
    totals = Totals(objects=len(given.objects))
    written = Written(totals)
    keeper = Keeper(writers, program, {obj.uri: number for number, obj in enumerate(given.objects)})
    step = partial(work, program=program, mappings=mappings, settings=settings, whole=True)
    rejects = Rejects(writers.rejects, lake, batch, source, [obj.uri for obj in given.objects], settings.now)
    index = EventIndex()
    try:
        for found in _found(given, settings, step, keeper, stopped):
            totals.add(found)
            written.ends.update(found.batch.ends)
            for rows in found.index:
                index.add(rows)
            rejects.keep([*found.rejects, *found.batch.rejects, *found.batch.failed])
        if stopped():
            return None
        losers = index.resolve(partial(given.read_again, settings.limits))
    finally:
        index.close()
    totals.losers(losers, tuple(mappings))
    gone = losers.places.select("object", pl.col("position").cast(pl.Int64()).alias("x.position"))
    pending = pl.concat(keeper.pending).join(gone, on=["object", "x.position"], how="anti") if keeper.pending else None
    dropped = [gone]
    if pending is not None and pending.height:
        dropped.append(_against_earlier(pending, lake, writers, batch, written))
    uris = pl.Series([obj.uri for obj in given.objects], dtype=pl.String)
    places = pl.concat(dropped).select(uris.gather(pl.concat(dropped)["object"]).alias("x.object"), "x.position")
    writers.events.drop(places)
    writers.hits.drop(places)
    _touch(written, keeper.spans, places, latest, horizon, mappings)
    return written


def _found(given: Input, settings: Settings, step: Callable[[Batch], Found], keeper: Keeper, stopped: Callable[[], bool]) -> Iterator[Found]:
    streams = until(stopped, (until(stopped, stream) for stream in given.streams(settings.limits)))
    # What cannot be written must end the run; what cannot be worked on is one record's fault.
    return local.run(streams, lambda batch: keeper.keep(isolated(batch, step)), settings.jobs or local.default_jobs())


def _against_earlier(pending: pl.DataFrame, lake: Lake, writers: Writers, batch: int, written: Written) -> pl.DataFrame:
    """(object, x.position) of new events that an earlier batch brought. Of two records with one identity the greater stays, whichever came first."""
    days = pending.select("x.source", "x.day").unique().iter_rows()
    known = lake.known(days, batch, among=pending)
    both = pending.join(known.rename({CONTENT: "before", "x.day": "day"}), on=[*_IDENTITY, "x.source"])
    repeated = both.filter(pl.col(CONTENT) <= pl.col("before"))
    better = both.filter(pl.col(CONTENT) > pl.col("before"))
    clashing = both.filter(pl.col(CONTENT) != pl.col("before")).height
    for source, count in repeated["x.source"].value_counts().iter_rows():
        written.totals.events[source] -= count
    written.totals.duplicates += both.height - clashing
    written.totals.conflicts += clashing
    written.known, written.replaced = repeated.height, better.height
    if better.height:
        for source, count in better["x.source"].value_counts().iter_rows():
            written.totals.events[source] -= count
        _withdraw(better, lake, writers, written)
    return repeated.select("object", "x.position")


def _withdraw(better: pl.DataFrame, lake: Lake, writers: Writers, written: Written) -> None:
    """Take the losers of earlier batches out of the lake, with their hits."""
    keys = better.select("x.source", pl.col("day").alias("x.day"), *(pl.col(name).reinterpret(signed=True) for name in _IDENTITY)).unique()
    days = keys["x.day"].unique().implode()
    old = lake.scan("events").filter(pl.col("x.day").is_in(days)).join(keys.lazy(), on=["x.source", "x.day", *_IDENTITY], how="semi")
    lost = old.select("x.source", "x.day", "x.uid").collect()
    if lost.height != keys.height:
        raise EngineError(f"{keys.height} events of earlier batches were to be replaced, {lost.height} were found")
    writers.events.withdraw(lost)
    uids = lost["x.uid"].implode()
    hits = lake.scan("hits").filter(pl.col("x.uid").is_in(uids)).select("rule", "time", "x.day", "x.uid", "x.source").collect()
    hits = hits.join(lost.select("x.source", "x.uid"), on=["x.source", "x.uid"], how="semi")
    writers.hits.withdraw(hits.select("x.source", "x.day", "x.uid"))
    for rule, moment in hits.select("rule", "time").iter_rows():
        widen(written.touched, rule, moment, moment)


def _touch(
    written: Written,
    spans: list[pl.DataFrame],
    places: pl.DataFrame,
    latest: AnyMapping[str, datetime],
    horizon: timedelta,
    mappings: AnyMapping[str, Mapping],
) -> None:
    if not spans:
        return
    hits = pl.concat(spans).join(places, on=["x.object", "x.position"], how="anti")
    written.hits.update(dict(hits["rule"].value_counts().iter_rows()))
    for source, moment in latest.items():
        since = moment - timedelta(minutes=mappings[source].lateness_minutes) - horizon
        late = (pl.col("x.source") == source) & (pl.col("time") < since)
        written.too_late += hits.filter(late).height
        hits = hits.filter(~late)
    for rule, low, high in hits.group_by("rule").agg(low=pl.col("time").min(), high=pl.col("time").max()).iter_rows():
        widen(written.touched, rule, low, high)


def widen(touched: dict[str, Span], rule: str, low: datetime, high: datetime) -> None:
    """Let ``touched`` reach over a span of hits of ``rule``."""
    touched[rule] = union(touched.get(rule), (low, high))
