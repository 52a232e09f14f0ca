"""A scan whose objects are read by many hands: hits go to a lake that is there for this scan alone."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from collections.abc import Mapping as AnyMapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import polars as pl

from connectors.batches import Input
from engine.correlate.episodes import keep_first_raw
from engine.detect.program import Program
from engine.identity.edges import together
from engine.pipeline.batch import Settings
from engine.pipeline.ingest import rules_digest
from engine.pipeline.keeping import Writers, writers_of
from engine.pipeline.lake_hits import from_lake
from engine.pipeline.run import Matched
from engine.pipeline.spread import DROPPING, READING, Reading, gather_spread, over, placed
from engine.runners.base import Runner, Stage
from engine.runners.interrupts import heeded
from engine.schema import Mapping
from engine.store.lake import Lake
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
) -> Matched:
    """All hits, by way of files. Ctrl-C ends it without a result."""
    stage = Stage(READING, f"rules {rules_digest(program)[:12]}")
    with passing_lake() as lake, heeded() as stopped, writers_of(lake.path, _BATCH) as writers:
        reading = Reading(given.transport, program, settings, lake.path, _BATCH, None)
        gathered = gather_spread(given, reading, writers, lake, runner, mappings, stopped, stage)
        if gathered is None:
            raise KeyboardInterrupt
        gathered.totals.losers(gathered.losers, tuple(mappings))
        places = gathered.losers.places.select("object", pl.col("position").cast(pl.Int64()).alias("x.position"))
        writers.hits.drop(placed(places, given), over(runner, Stage(DROPPING, stage.about)))
        numbers = {obj.uri: number for number, obj in enumerate(given.objects)}
        hits = stored_hits(lake, writers, program, lambda uris: uris.replace_strict(numbers, return_dtype=pl.UInt32))
        edges = stored_edges(lake, writers)
    return Matched(hits, gathered.totals, partial(given.read_again, settings.limits), edges)


def stored_hits(lake: Lake, writers: Writers, program: Program, numbers: Callable[[pl.Series], pl.Series]) -> pl.DataFrame | None:
    """Commit the hits of a passing lake, and read them as the kernels want them, with the number of the object of each as ``object_index``."""
    writers.hits.commit("")
    store = HitStore(partial(keep_first_raw, rules=program.ruleset.rules))
    for rows in lake.scan("hits").collect_batches(chunk_size=_ROWS, maintain_order=False):
        hits = from_lake(rows, program)
        store.add(hits.with_columns(numbers(hits["x.object"]).alias("object_index")))
    return store.collect()


def stored_edges(lake: Lake, writers: Writers) -> pl.DataFrame:
    """Commit the edges between identities of a passing lake, and read them."""
    writers.edges.commit("")
    return together([lake.scan("edges").collect()])
