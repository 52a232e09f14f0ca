"""A batch whose objects are read by many hands that share nothing but the file system: each writes its files and hands on their names."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Mapping as AnyMapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import polars as pl

from connectors.batches import STREAM_BYTES, Input, batches
from connectors.sources import load_mappings
from connectors.transports.base import Transport
from engine.detect.program import Program
from engine.identity.edges import empty
from engine.identity.edges import together as together_edges
from engine.pipeline.batch import Settings, isolated, work
from engine.pipeline.far.equal_events import HEAP_ROWS, Divide, EarlierFile, IdentityFiles, NewOnes, settle, together
from engine.pipeline.far.keeping import SPAN, Gathered, Keeper, Writers, writers_of
from engine.pipeline.far.object_ranges import ReadTask, divided
from engine.pipeline.far.shared_folder import check_shared, one_of_each_folder
from engine.pipeline.lasting.lake_rejects import Rejects
from engine.posture.facts import empty as no_facts
from engine.posture.facts import together as together_facts
from engine.report.account import Totals
from engine.runners.base import Runner, Stage, never
from engine.schema import Mapping
from engine.store.lake import Lake
from engine.store.lake_files import Part, make_folder
from engine.store.lake_tables import TABLES
from engine.store.lake_writer import Over

READING = "reading"
COMPARING, DROPPING = "looking for duplicates", "dropping duplicates"
_SCRATCH = "_scratch"
_LEAST_BYTES = 1 << 20
_ROUNDS = 3
"""Tasks a slot gets where there is enough to do, so that one slow task keeps nobody waiting for long."""


@dataclass(slots=True)
class Kept:
    """What one task hands on: the account, the objects it read, records per object, the files it wrote by table, those with identities, the days of
    its events, and what it saw of identities, addresses and assets.
    """

    totals: Totals
    objects: list[str]
    ends: dict[str, int]
    parts: dict[str, list[Part]]
    identities: list[str] = field(default_factory=list)
    days: set[tuple[str, date]] = field(default_factory=set)
    edges: pl.DataFrame = field(default_factory=empty)
    sightings: pl.DataFrame = field(default_factory=pl.DataFrame)
    facts: pl.DataFrame = field(default_factory=no_facts)
    telling: list[pl.DataFrame] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Reading:
    """Reads a group of objects and writes what they hold: work of a runner.

    ``source`` is the configured source they are of. Without one only hits and identities are written: events and rejects are not kept.
    """

    transport: Transport
    program: Program
    settings: Settings
    lake: Path
    batch: int
    source: str | None

    @property
    def scratch(self) -> Path:
        """Where files go that are needed while the batch is worked on."""
        return self.lake / _SCRATCH

    def __call__(self, task: ReadTask) -> Kept:
        group = task.group
        whole = self.source is not None
        step = partial(work, program=self.program, mappings=load_mappings(), settings=self.settings, whole=whole, frames=True)
        totals, ends, identities = Totals(objects=0), dict[str, int](), IdentityFiles(self.scratch)
        edges, sightings, facts, telling = [empty()], list[pl.DataFrame](), list[pl.DataFrame](), list[pl.DataFrame]()
        with writers_of(self.lake, self.batch) as writers:
            keeper = Keeper(writers, self.program, {obj.uri: number for number, obj in group}, whole)
            rejects = self._rejects(writers, [obj.uri for _, obj in group])
            for batch in batches(self.transport, group, self.settings.limits, before=partial(task.remembered, self.scratch)):
                found = keeper.keep(isolated(batch, step))
                totals.add(found)
                ends.update(found.batch.ends)
                edges.extend(found.edges)
                sightings.extend(found.sightings)
                facts.extend(found.facts)
                telling.extend(found.telling)
                identities.add(keeper.pending)
                keeper.pending, keeper.spans = [], []
                if rejects is not None:
                    rejects.keep([*found.rejects, *found.batch.rejects, *found.batch.failed])
            identities.flush()
            parts = {name: getattr(writers, name).hand_over() for name in TABLES}
        seen = pl.concat(sightings).unique() if sightings else pl.DataFrame()
        edged, told = together_edges(edges), together_facts(facts)
        return Kept(totals, [obj.uri for _, obj in group], ends, parts, identities.names, identities.days, edged, seen, told, telling)

    def _rejects(self, writers: Writers, objects: list[str]) -> Rejects | None:
        if self.source is None:
            return None
        return Rejects(writers.rejects, Lake.open(self.lake, create=False), self.batch, self.source, objects, self.settings.now)


def gather_spread(
    given: Input,
    reading: Reading,
    writers: Writers,
    lake: Lake,
    runner: Runner,
    mappings: AnyMapping[str, Mapping],
    stopped: Callable[[], bool],
    stage: Stage,
) -> Gathered | None:
    """All objects as tasks of ``runner``. ``writers`` take what the tasks wrote.

    Where it was stopped: None for a batch, which is all or nothing; of a scan what was read by then, with ``totals.interrupted``.
    """
    whole = reading.source is not None
    totals, ends = Totals(objects=len(given.objects)), dict[str, int]()
    edges, sightings, facts, telling = list[pl.DataFrame](), list[pl.DataFrame](), list[pl.DataFrame](), list[pl.DataFrame]()
    identities: list[str] = []
    days: set[tuple[str, date]] = set()
    with _folder(reading.scratch):
        reads = divided(given, _task_bytes(given, runner), reading.scratch, runner, reading.settings.limits, stopped, stage)
        told, read = Counter[str](), Counter[str]()
        for kept in runner.each(stage, reading, reads.tasks, stopped):
            check_shared(reading.scratch, kept.identities[:1])
            for name, parts in kept.parts.items():
                check_shared(reading.lake / name, one_of_each_folder(parts))
                getattr(writers, name).adopt(parts)
            totals.merge(kept.totals)
            read.update(kept.objects)
            told.update(kept.ends.keys())
            ends.update((uri, max(records, ends.get(uri, 0))) for uri, records in kept.ends.items())
            identities.extend(kept.identities)
            days.update(kept.days)
            edges.append(kept.edges)
            facts.append(kept.facts)
            telling.extend(kept.telling)
            sightings += [kept.sightings] if kept.sightings.width else []
        if whole and stopped():
            return None
        _whole_again(totals, ends, told, read, {given.objects[index].uri: number for index, number in reads.ranges.items()})
        totals.interrupted = stopped() and totals.objects_done < totals.objects
        rows = sum(totals.events.values())
        earlier = _earlier(lake, days, reading.batch)
        new = NewOnes.of(reading.scratch, identities, rows) if earlier else None
        divide = Divide(reading.scratch, heaps_for(rows, runner), reading.batch, new)
        files: list[str | EarlierFile] = [*identities, *earlier]
        heaps = list(runner.heaps(replace(stage, doing=COMPARING), divide, files, settle, stopped if whole else never))
    if whole and stopped():
        return None
    losers, met = together(heaps, tuple(mappings))
    return Gathered(totals, ends, losers, met, list(writers.hits.rows(SPAN)), edges, sightings, facts, telling)


def _whole_again(totals: Totals, ends: dict[str, int], told: AnyMapping[str, int], read: AnyMapping[str, int], ranges: AnyMapping[str, int]) -> None:
    """Count an object that was read in ranges as one. Where a range could not be had now, the object is to be read another time."""
    for uri, number in ranges.items():
        totals.objects_done -= read[uri] - (read[uri] == number)
        if told[uri] < number:
            ends.pop(uri, None)
    totals.failed = [*(each for each in totals.failed if each.object not in ranges), *{each for each in totals.failed if each.object in ranges}]


def heaps_for(rows: int, runner: Runner) -> int:
    """Into how many heaps so many rows are dealt."""
    return runner.tasks or max(-(-rows // HEAP_ROWS), min(runner.slots, -(-rows // 10_000)), 1)


def over(runner: Runner, stage: Stage) -> Over:
    """`map` over files, by ``runner``."""

    def apply(function: Callable[[Part], Part | None], parts: Sequence[Part], /) -> Iterable[Part | None]:
        if runner.shares_memory:
            return map(function, parts)
        found = dict(runner.each(stage, _Numbered(function), list(enumerate(parts))))
        return [found[number] for number in range(len(parts))]

    return apply


@dataclass(frozen=True, slots=True)
class _Numbered:
    """Results come in any order: each is given with the number of its task."""

    function: Callable[[Part], Part | None]

    def __call__(self, task: tuple[int, Part]) -> tuple[int, Part | None]:
        return task[0], self.function(task[1])


def placed(places: pl.DataFrame, given: Input) -> pl.DataFrame:
    """(object, x.position) with the object's name as ``x.object``."""
    uris = pl.Series([obj.uri for obj in given.objects], dtype=pl.String)
    return places.select(uris.gather(places["object"]).alias("x.object"), "x.position")


def _task_bytes(given: Input, runner: Runner) -> int:
    total = sum(obj.length for obj in given.objects)
    if runner.tasks is not None:
        return max(total // runner.tasks, 1)
    return min(max(total // (runner.slots * _ROUNDS), _LEAST_BYTES), STREAM_BYTES)


def _earlier(lake: Lake, days: set[tuple[str, date]], batch: int) -> list[EarlierFile]:
    near = {(source, day + timedelta(days=step)) for source, day in days for step in (-1, 0, 1)}  # as `Lake.known` looks
    return [EarlierFile(str(path), source, day) for path, source, day in lake.event_files(near, before_batch=batch)]


@contextmanager
def _folder(path: Path) -> Iterator[None]:
    """An empty folder, gone at the end. There is one writer at a time, so what stands there was left by one that was killed."""
    shutil.rmtree(path, ignore_errors=True)
    make_folder(path)
    try:
        yield
    finally:
        shutil.rmtree(path, ignore_errors=True)
