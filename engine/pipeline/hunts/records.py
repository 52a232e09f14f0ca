"""Stored events read again: what a hunt with a Sigma document does with the records of a lake."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import polars as pl

from connectors.batches import Batch, Place
from connectors.normalize import FUTURE, NATIVE, Want, normalize
from connectors.sources import load_mappings
from engine.detect.kernel import detect
from engine.detect.program import Program
from engine.model import Reject
from engine.pipeline.batch import Found, Settings, isolated, matched, with_evidence
from engine.pipeline.changes import Changed
from engine.pipeline.lasting.lake_changes import stored_changes
from engine.schema import Mapping
from engine.store.lake import Lake

_ROWS = 20_000
"""Records worked on at a time."""
READ_COLUMNS = ("x.uid", "x.source", "x.object", "x.position", "x.flags", "time", "raw_data")


@dataclass(slots=True)
class Seen:
    """What the chunks so far had; ``interrupted``: there were more of them. Others may be merged into it."""

    events: Counter[str] = field(default_factory=Counter)
    latest: dict[str, datetime] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)
    hits: int = 0
    edges: list[pl.DataFrame] = field(default_factory=list)
    interrupted: bool = False

    def merge(self, other: Seen) -> None:
        """Take what others have seen."""
        self.events.update(other.events)
        self.rejects.extend(other.rejects)
        for source, moment in other.latest.items():
            self.latest[source] = max(self.latest.get(source, moment), moment)
        self.hits += other.hits
        self.edges.extend(other.edges)

    def add(self, found: Found) -> None:
        """Take what a chunk had."""
        self.events.update(found.events)
        self.rejects.extend(found.rejects)
        for source, moment in found.latest.items():
            self.latest[source] = max(self.latest.get(source, moment), moment)
        self.hits += sum(frame.height for frame in found.hits)
        self.edges.extend(found.edges)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Stored events of one source, and the number of the object each was read from."""

    source: str
    events: pl.DataFrame


class Objects:
    """Numbers for the objects events were read from; threads may ask for them."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._uris: list[str] = []
        self._lock = threading.Lock()

    def numbers(self, uris: pl.Series) -> pl.Series:
        """The number of each."""
        with self._lock:
            for uri in uris.unique().to_list():
                if uri not in self._numbers:
                    self._numbers[uri] = len(self._uris)
                    self._uris.append(uri)
            return uris.replace_strict(self._numbers, return_dtype=pl.UInt32)

    def uri(self, number: int) -> str:
        """The object with a number."""
        return self._uris[number]


def changed_in_lake(lake: Lake, program: Program, settings: Settings, objects: Objects, seen: Seen) -> Iterator[Changed]:
    """What diff rules find; their sources count as ``seen`` even where no other rule reads all of their events."""
    alone = [source for source in program.diff_plans if not program.plans[source].rules]
    if alone:
        past = pl.col("time").filter(pl.col("time") <= settings.now + FUTURE).max()
        found = lake.events_between(alone, settings.start, settings.end, ["x.source", "time"]).group_by("x.source").agg(pl.len(), past)
        for source, count, latest in found.collect(engine="streaming").iter_rows():
            seen.events[source] += count
            if latest is not None:
                seen.latest[source] = latest
    for changed in stored_changes(lake, None, settings.start, settings.end, program, load_mappings(), settings, objects.numbers):
        seen.hits += changed.hits.height
        seen.edges.append(changed.edges)
        yield changed


def chunks(found: pl.LazyFrame, source: str, objects: Objects) -> Iterator[Chunk]:
    """Stored events of one source with `READ_COLUMNS`, a chunk at a time."""
    for events in found.collect_batches(chunk_size=_ROWS, maintain_order=False, engine="streaming"):
        if not events.height:
            continue
        yield Chunk(source, events.with_columns(objects.numbers(events["x.object"]).alias("object_index")))


def isolated_chunk(chunk: Chunk, step: Callable[[Chunk], Found]) -> Found:
    """`isolated` for stored events: one that cannot be worked on takes no other with it."""
    records = chunk.events.select(pl.col("x.object").alias("object"), pl.col("x.position").alias("position"))
    records = records.with_columns(pl.int_range(pl.len()).alias("row"))
    return isolated(Batch(records), lambda batch: step(Chunk(chunk.source, chunk.events[batch.records["row"]])))


def work_chunk(chunk: Chunk, *, program: Program, mappings: AnyMapping[str, Mapping], settings: Settings) -> Found:
    """Stored events through the rules; what `work` does for records."""
    stored, mapping, plan = chunk.events, mappings[chunk.source], program.plans[chunk.source]
    found = Found(Batch(pl.DataFrame()), stored.height)
    events, found.rejects = _shredded(stored, mapping, Want(plan.columns, plan.paths), settings.now)
    found.events[chunk.source] += events.height
    seen = found.seen_paths.setdefault(chunk.source, set())
    seen.update(path for path in plan.paths if events[NATIVE + path].null_count() < events.height)
    latest = stored.filter(pl.col("time") <= settings.now + FUTURE)["time"].max()
    if isinstance(latest, datetime):
        found.latest[chunk.source] = latest
    hits = detect(events, plan)
    if hits.height:
        those = matched(hits, events, events["object_index"], mapping, program, settings)
        found.hits.append(with_evidence(hits, those, mapping, program))
        found.edges.append(those.told(mapping))
    return found


def _shredded(stored: pl.DataFrame, mapping: Mapping, want: Want, now: datetime) -> tuple[pl.DataFrame, list[Reject]]:
    """The events a scan would make of stored records, with the identity, place and flags they were stored with, and those it would reject."""
    records = stored.select("raw_data", pl.lit("").alias("object"), pl.int_range(pl.len()).alias("position"), pl.lit(False).alias("repaired"))
    made = normalize(records, mapping, want, now=now)
    kept = stored[made.events["x.position"]]
    places = stored.select("x.object", "x.position").rows()
    rejects = [replace(reject, object=places[at][0], position=places[at][1]) for reject in made.rejects if (at := reject.position) is not None]
    return made.events.with_columns(kept["x.uid"], kept["x.object"], kept["x.position"], kept["x.flags"], kept["object_index"]), rejects


def read_records(lake: Lake, sources: Sequence[str], settings: Settings, objects: Objects, places: Sequence[Place]) -> dict[Place, str]:
    """The records at some places, from the lake."""
    wanted = pl.DataFrame(
        {
            "x.object": [objects.uri(index) for index, _ in places],
            "x.position": [position for _, position in places],
            "index": [index for index, _ in places],
        },
        schema_overrides={"x.position": pl.Int64},
    )
    found = lake.events_between(sources, settings.start, settings.end, ["x.object", "x.position", "raw_data"])
    rows = found.join(wanted.lazy(), on=["x.object", "x.position"]).select("index", "x.position", "raw_data").collect(engine="streaming")
    return {(index, position): raw for index, position, raw in rows.iter_rows()}
