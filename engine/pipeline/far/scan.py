"""A scan whose objects are read by many hands: hits go to a lake that is there for this scan alone."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Mapping as AnyMapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

import polars as pl

from connectors.batches import Input
from engine.correlate.alerts import Raised
from engine.correlate.episodes import keep_first_raw
from engine.detect.program import Program
from engine.pipeline.batch import Settings
from engine.pipeline.changes import changed_by
from engine.pipeline.correlating import ReadAgain, left_out, raise_alerts, watermarks, work_of
from engine.pipeline.far.alerts import HitFile, far_alerts, far_origins, worth_it
from engine.pipeline.far.keeping import Gathered, Writers, writers_of
from engine.pipeline.far.spread import DROPPING, READING, Reading, gather_spread, over, placed
from engine.pipeline.identity_edges import Origins, principals_by
from engine.pipeline.lasting.lake_hits import from_lake, to_lake
from engine.pipeline.lasting.origins import StoredOrigins, with_principals
from engine.pipeline.lasting.plans import rules_digest
from engine.pipeline.run import Looked
from engine.runners.base import Runner, Stage
from engine.runners.interrupts import heeded
from engine.schema import Mapping
from engine.store.lake import Lake
from engine.store.lake_tables import HITS
from engine.store.lake_writer import LakeWriter
from engine.store.memory import HitStore

_BATCH = 1
_ROWS = 20_000


@contextmanager
def passing_lake() -> Iterator[Lake]:
    """A lake that is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="crosswind-", ignore_cleanup_errors=True) as folder:
        yield Lake.open(Path(folder).resolve() / "lake", create=True)


def gather_far(
    given: Input,
    settings: Settings,
    program: Program,
    mappings: AnyMapping[str, Mapping],
    runner: Runner,
) -> Looked:
    """All alerts, by way of files. Ctrl-C ends the reading early with what was read so far; later it ends all, without a result."""
    stage = Stage(READING, f"rules {rules_digest(program)[:12]}")
    with passing_lake() as lake, writers_of(lake.path, _BATCH) as writers:
        reading = Reading(given.transport, program, settings, lake.path, _BATCH, None)
        with heeded() as stopped:
            gathered = gather_spread(given, reading, writers, lake, runner, mappings, stopped, stage)
        assert gathered is not None  # a scan is never given up
        gathered.totals.losers(gathered.losers, tuple(mappings))
        places = gathered.losers.places.select("object", pl.col("position").cast(pl.Int64()).alias("x.position"))
        writers.hits.drop(placed(places, given), over(runner, Stage(DROPPING, stage.about)))
        numbers = {obj.uri: number for number, obj in enumerate(given.objects)}
        numbered = partial(pl.Series.replace_strict, old=numbers, return_dtype=pl.UInt32)
        read_again = partial(given.read_again, settings.limits)
        _changed(gathered, places, numbered, lake, writers, program, mappings, settings)
        found = Passing(lake, writers, numbered, read_again, principals_by(gathered.edges, mappings))
        with heeded() as stopped:
            raised, counts = found.raised(program, mappings, gathered.totals.latest, settings.now, runner, stage, stopped)
    return Looked(raised, counts, gathered.totals, gathered.edges, gathered.sightings, gathered.facts)


def _changed(
    gathered: Gathered,
    places: pl.DataFrame,
    numbered: Callable[[pl.Series], pl.Series],
    lake: Lake,
    writers: Writers,
    program: Program,
    mappings: AnyMapping[str, Mapping],
    settings: Settings,
) -> None:
    """Add what diff rules find in the events that tell facts."""
    if not gathered.telling:
        return
    events = pl.concat(gathered.telling)
    events = events.with_columns(numbered(events["x.object"]).alias("object_index"))
    events = events.join(places, left_on=["object_index", "x.position"], right_on=["object", "x.position"], how="anti")
    changed = list(changed_by(gathered.facts, events, program, mappings, settings))
    gathered.edges.extend(each.edges for each in changed)
    add_hits(lake, writers, program, [each.hits for each in changed])


def add_hits(lake: Lake, writers: Writers, program: Program, hits: Sequence[pl.DataFrame]) -> None:
    """Write hits that were found here beside those that tasks wrote."""
    with LakeWriter(lake.path, HITS, _BATCH) as writer:
        for each in hits:
            writer.write(to_lake(each, program))
        writers.hits.adopt(writer.hand_over())


@dataclass(frozen=True, slots=True)
class Passing:
    """Hits that were written to a passing lake and are to be committed. ``numbers`` gives objects their numbers, ``read_again`` the texts there,
    ``principals`` who stands behind hits.
    """

    lake: Lake
    writers: Writers
    numbers: Callable[[pl.Series], pl.Series]
    read_again: ReadAgain
    principals: Origins | StoredOrigins

    def raised(
        self,
        program: Program,
        mappings: AnyMapping[str, Mapping],
        latest: AnyMapping[str, datetime],
        now: datetime,
        runner: Runner,
        stage: Stage,
        stopped: Callable[[], bool],
    ) -> tuple[Raised, Counter[int]]:
        """The alerts of these hits, and how many of them each rule (by its index) has. Many are worked on by ``runner``."""
        index = {rule.uid: number for number, rule in enumerate(program.ruleset.rules)}
        counts: Counter[int] = Counter()
        for rows in self.writers.hits.rows(["rule"]):
            counts.update({index[uid]: count for uid, count in rows["rule"].value_counts().iter_rows()})
        self.writers.hits.commit("")
        if not worth_it(counts.total(), runner):
            here = self._hits(program)
            if here is None:
                return Raised(), counts
            return raise_alerts(here, program, mappings, latest, now, self.read_again, self.principals), counts
        work = work_of(program, watermarks(latest, mappings, now))
        paths, hits = self.lake.files("hits"), HitFile(program)
        if program.by_principal():
            hits = replace(hits, origins=far_origins(paths, hits, self.principals, runner, stage, stopped))
        told = far_alerts(paths, hits, work, counts.total(), runner, stage, stopped)
        if told is None:
            raise KeyboardInterrupt
        alerts = with_principals(told.alerts, self.lake, mappings, self.principals)
        return Raised(alerts, left_out(told.left_out, program.correlations)), counts

    def _hits(self, program: Program) -> pl.DataFrame | None:
        store = HitStore(partial(keep_first_raw, rules=program.ruleset.rules))
        for rows in self.lake.scan("hits").collect_batches(chunk_size=_ROWS, maintain_order=False):
            hits = from_lake(rows, program)
            store.add(hits.with_columns(self.numbers(hits["x.object"]).alias("object_index")))
        return store.collect()
