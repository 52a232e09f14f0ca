"""The work of one batch: records in, events, hits with evidence and counts out. Pure, so any runner may do it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from connectors.batches import Batch
from connectors.normalize import FUTURE, NATIVE, Want, normalize, understand
from connectors.sources import load_mappings
from connectors.transports.base import Limits
from engine import jsontext
from engine.correlate import evidence
from engine.detect.kernel import detect
from engine.detect.program import Program
from engine.errors import UsageError
from engine.identity.edges import together
from engine.incidents.sightings import sighted, sightings_in
from engine.model import Reject, Skip
from engine.pipeline.identity_edges import acting_paths, issued, paths_for_edges, told
from engine.pipeline.posture_facts import OPERATION, facts_of
from engine.schema import CHANGE_COLUMNS, STORED, Mapping
from engine.store.frames import in_own_memory
from engine.store.memory import EventIndex

TELLING = ("x.uid", "x.source", "x.object", "x.position", "x.flags", "time", "raw_data")
"""What is kept of an event that diff rules are to look at once all facts are known; beside it ``object_index``, as in `Found.index`."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run is asked to do, apart from where its input is. Times are UTC; ``end`` is exclusive. ``source`` narrows to one source."""

    now: datetime
    source: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    jobs: int | None = None
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if self.source is not None and self.source not in load_mappings():
            raise UsageError(f"no source {self.source!r}; `crosswind sources` lists them: {', '.join(load_mappings())}")
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise UsageError(f"--from {self.start.isoformat()} is not before --to {self.end.isoformat()}")


@dataclass(slots=True)
class Found:
    """What one batch gave: counts in records, hits with evidence, identities, and which record paths held anything."""

    batch: Batch
    records: int
    unknown: list[Skip] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    out_of_range: int = 0
    flagged: int = 0
    index: list[np.ndarray[Any, Any]] = field(default_factory=list)
    events: Counter[str] = field(default_factory=Counter)
    spans: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)
    latest: dict[str, datetime] = field(default_factory=dict)
    """Per source the greatest event time that is not in the future: what moves a watermark."""
    hits: list[pl.DataFrame] = field(default_factory=list)
    seen_paths: dict[str, set[str]] = field(default_factory=dict)
    frames: list[pl.DataFrame] = field(default_factory=list)
    sightings: list[pl.DataFrame] = field(default_factory=list)
    """Who acted from which address in which hour, of every record that could be read, not yet `spelled`; of events kept whole the lake tells."""
    edges: list[pl.DataFrame] = field(default_factory=list)
    """Edges between identities, of every record that could be read: that another has its identity takes nothing from what it tells."""
    facts: list[pl.DataFrame] = field(default_factory=list)
    """Posture facts, of every record that could be read."""
    telling: list[pl.DataFrame] = field(default_factory=list)
    """The events that tell these facts (`TELLING`), of sources that diff rules run on."""


def isolated(batch: Batch, step: Callable[[Batch], Found]) -> Found:
    """``step`` on a batch. Where it raises, the batch is halved until the record at fault stands alone and is rejected: it takes no other with it."""
    records = batch.records
    try:
        return step(batch)
    except Exception as error:  # whatever a record does to us must not end the run
        if not records.height:
            raise
        if records.height == 1:
            reason = f"crosswind could not process this record ({type(error).__name__}); please report it"
            rows = records.select("object", "position").iter_rows()
            return Found(replace(batch, records=records.clear()), 1, rejects=[Reject(uri, reason, position) for uri, position in rows])
    half = records.height // 2
    found = isolated(replace(batch, records=records[:half]), step)
    _add(found, isolated(Batch(records[half:], batch.repeats), step))
    return found


def _add(found: Found, other: Found) -> None:
    found.records += other.records
    found.out_of_range += other.out_of_range
    found.flagged += other.flagged
    found.unknown.extend(other.unknown)
    found.rejects.extend(other.rejects)
    found.index.extend(other.index)
    found.hits.extend(other.hits)
    found.frames.extend(other.frames)
    found.sightings.extend(other.sightings)
    found.edges.extend(other.edges)
    found.facts.extend(other.facts)
    found.telling.extend(other.telling)
    found.events.update(other.events)
    for source, (low, high) in other.spans.items():
        known = found.spans.get(source, (low, high))
        found.spans[source] = (min(known[0], low), max(known[1], high))
    for source, moment in other.latest.items():
        found.latest[source] = max(found.latest.get(source, moment), moment)
    for source, paths in other.seen_paths.items():
        found.seen_paths.setdefault(source, set()).update(paths)


def work(
    batch: Batch, *, program: Program, mappings: AnyMapping[str, Mapping], settings: Settings, whole: bool = False, frames: bool = False
) -> Found:
    """Events of a batch through the rules.

    ``whole``: with all common columns of the events in ``frames``, for those who keep them; ``frames``: with those that were read anyway.
    """
    wants = {
        name: Want(
            tuple(STORED) if whole else tuple(dict.fromkeys((*plan.columns, *sighted(mappings[name].columns), OPERATION))),
            tuple(dict.fromkeys((*plan.paths, *paths_for_edges(mappings[name])))),
        )
        for name, plan in program.plans.items()
    }
    found = Found(batch, batch.records.height)
    for mapping, events, objects in events_of(found, wants, mappings, settings):
        plan = program.plans[mapping.source]
        seen = found.seen_paths.setdefault(mapping.source, set())
        seen.update(path for path in plan.paths if events[NATIVE + path].null_count() < events.height)
        if not whole:
            found.sightings.append(sightings_in(events))
        found.edges.append(issued(events, mapping))
        facts = facts_of(events, mapping)
        found.facts.append(facts)
        if facts.height and mapping.source in program.diff_plans:
            rows = events["x.uid"].is_in(facts["event_uid"].unique().implode()).arg_true()
            found.telling.append(in_own_memory(events[rows].select(TELLING).with_columns(objects.gather(rows).alias("object_index"))))
        if plan.rules and (hits := detect(events, plan)).height:
            those = matched(hits, events, objects, mapping, program, settings)
            found.hits.append(with_evidence(hits, those, mapping, program))
            found.edges.append(those.told(mapping))
        if whole or frames:
            kept = events.drop([name for name in events.columns if name.startswith(NATIVE)])
            found.frames.append(kept.with_columns(pl.lit(mapping.version, pl.Int64()).alias("x.mapping_version")))
    return found


def events_of(
    found: Found, wants: AnyMapping[str, Want], mappings: AnyMapping[str, Mapping], settings: Settings
) -> Iterator[tuple[Mapping, pl.DataFrame, pl.Series]]:
    """The events of a batch by source, with the object index of each; everything else is counted in ``found``."""
    batch = found.batch
    records, batch.records = batch.records, pl.DataFrame()
    understood = understand(records, mappings, wants, now=settings.now, repeats=batch.repeats)
    found.unknown.extend(understood.unknown)
    numbers = _indexes(records)
    codes = {name: code for code, name in enumerate(mappings)}
    for mapping, normalized in understood.parts:
        events = normalized.events
        if settings.source is not None and mapping.source != settings.source:
            reason = f"{mapping.source} records, left out by --source {settings.source}"
            counted = Counter([*events["x.object"].to_list(), *(reject.object for reject in normalized.rejects)])
            found.unknown.extend(Skip(uri, reason, count) for uri, count in counted.items())
            continue
        found.rejects.extend(normalized.rejects)
        events = _in_range(events, settings)
        found.out_of_range += normalized.events.height - events.height
        if not events.height:
            continue
        objects = events["x.object"].replace_strict(numbers, return_dtype=pl.UInt32)
        found.index.append(EventIndex.pack(events, objects, codes[mapping.source]))
        found.events[mapping.source] += events.height
        found.flagged += int(events["x.flags"].is_not_null().sum())
        low, high = found.spans[mapping.source] = _span(events["time"])
        if high > settings.now + FUTURE:
            past = events["time"].filter(events["time"] <= settings.now + FUTURE)
            high = _span(past)[1] if len(past) else low
        if high <= settings.now + FUTURE:
            found.latest[mapping.source] = high
        yield mapping, events, objects


def _indexes(records: pl.DataFrame) -> dict[str, int]:
    """The index of each object by its name; the records of an object stand together."""
    indexes = records["object_index"].to_numpy()
    firsts = np.flatnonzero(np.diff(indexes, prepend=np.int64(-1)))
    return dict(zip(records["object"].gather(firsts).to_list(), indexes[firsts].tolist(), strict=True))


def _in_range(events: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    if settings.start is not None:
        events = events.filter(pl.col("time") >= settings.start)
    if settings.end is not None:
        events = events.filter(pl.col("time") < settings.end)
    return events


def _span(times: pl.Series) -> tuple[datetime, datetime]:
    low, high = times.min(), times.max()
    assert isinstance(low, datetime)
    assert isinstance(high, datetime)
    return low, high


BASE = frozenset(("x.uid", "x.flags", "x.source", "x.object", "x.position", "time", "raw_data"))


@dataclass(frozen=True, slots=True)
class Matched:
    """The events that hits matched, each once: ``events`` with the columns alerts need, ``row`` and ``object_index``; ``cells`` tell who acted."""

    events: pl.DataFrame
    cells: pl.DataFrame

    def told(self, mapping: Mapping) -> pl.DataFrame:
        """The edges between identities that these events tell."""
        return in_own_memory(together([told(self.events, mapping, self.cells)]))


def matched(hits: pl.DataFrame, events: pl.DataFrame, objects: pl.Series, mapping: Mapping, program: Program, settings: Settings) -> Matched:
    """What alerts show, worked out for the rows that matched alone."""
    rows = hits["row"].unique().sort()
    found = events[rows]
    groups = program.group_paths[mapping.source]
    native = tuple(dict.fromkeys(path for paths in groups.values() for path in paths))
    acting = acting_paths(mapping)
    columns = tuple(name for name in dict.fromkeys((*evidence.COLUMNS, *evidence.OPTIONAL, *program.columns)) if name not in BASE)
    records = found.select("raw_data", pl.col("x.object").alias("object"), pl.col("x.position").alias("position"), repaired=pl.lit(False))
    full = normalize(records, mapping, Want(columns, tuple(dict.fromkeys((*native, *acting)))), now=settings.now).events
    cells = full.select(pl.col(NATIVE + path).alias(path) for path in acting)
    fields = [listed(full, paths, NATIVE + name) for name, paths in groups.items()]
    fields += [full[name].alias(NATIVE + name) for name in program.columns if name in evidence.OPTIONAL]  # slimming must not touch what is counted
    full = full.drop([NATIVE + path for path in {*native, *acting}]).with_columns(
        found["x.uid"], found["x.flags"], *fields, objects.gather(rows).alias("object_index"), rows.alias("row")
    )
    return Matched(full.with_columns(found.select(name for name in CHANGE_COLUMNS if name in found.columns)), cells)


def with_evidence(hits: pl.DataFrame, found: Matched, mapping: Mapping, program: Program) -> pl.DataFrame:
    """Hits with the evidence of their events."""
    numbers = pl.Series(program.numbers[mapping.source], dtype=pl.UInt32)
    return hits.with_columns(numbers.gather(hits["rule"]).alias("rule")).join(found.events, on="row", how="left", maintain_order="left").drop("row")


def listed(frame: pl.DataFrame, paths: Sequence[str], name: str) -> pl.Series:
    """Cells of several paths as one list of texts per row, null where there is none."""
    made: list[list[str] | None] = []
    for cells in zip(*(frame[NATIVE + path].to_list() for path in paths), strict=True):
        texts: list[str] = []
        for cell in cells:
            value = None if cell is None else jsontext.loads(cell)
            items = value if isinstance(value, list) else [value]
            texts.extend(item if isinstance(item, str) else jsontext.encode(item) for item in items if item is not None)
        made.append(texts or None)
    return pl.Series(name, made, dtype=pl.List(pl.String))
