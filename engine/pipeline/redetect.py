"""Rules over events that are stored already: for rules that changed, and for times that somebody asks to be looked at again."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from collections.abc import Mapping as AnyMapping
from datetime import datetime
from functools import partial

import polars as pl

from connectors.normalize import Want, normalize
from connectors.sources import load_mappings
from engine.detect.kernel import detect
from engine.detect.program import Program
from engine.errors import EngineError
from engine.pipeline.batch import Settings, with_evidence
from engine.pipeline.lake_batch import Written, widen
from engine.pipeline.lake_hits import to_lake
from engine.report.account import Totals
from engine.runners import local
from engine.schema import Mapping
from engine.store.lake import Lake
from engine.store.lake_writer import LakeWriter

_ROWS = 20_000
_COLUMNS = ("x.uid", "x.source", "x.object", "x.position", "raw_data")


def redetect(
    rules: Collection[str], start: datetime | None, end: datetime | None, lake: Lake, writer: LakeWriter, program: Program, settings: Settings
) -> Written:
    """Write the hits of ``rules`` (by uid) on stored events from ``start`` up to before ``end``. Where rules have hits, and where they had some,
    is touched: hits of an earlier version of a rule count no more.
    """
    mappings = load_mappings()
    wanted = set(rules)
    written = Written(Totals(objects=0))
    plans = {rule.uid for plan in program.plans.values() for rule in plan.rules} & wanted
    sources = [source for source, plan in program.plans.items() if any(rule.uid in plans for rule in plan.rules)]
    work = partial(_hits, program=program, mappings=mappings, settings=settings, wanted=wanted)
    for hits in local.run(iter([_slices(lake, sources, start, end)]), work, settings.jobs or local.default_jobs()):
        if not hits.height:
            continue
        rows = to_lake(hits, program)
        writer.write(rows)
        written.hits.update(dict(rows["rule"].value_counts().iter_rows()))
        for rule, low, high in rows.group_by("rule").agg(low=pl.col("time").min(), high=pl.col("time").max()).iter_rows():
            widen(written.touched, rule, low, high)
    before = lake.hits_between(wanted, start, end).group_by("rule").agg(low=pl.col("time").min(), high=pl.col("time").max()).collect()
    for rule, low, high in before.iter_rows():
        widen(written.touched, rule, low, high)
    return written


def _slices(lake: Lake, sources: Collection[str], start: datetime | None, end: datetime | None) -> Iterator[pl.DataFrame]:
    """Stored events in pieces of one source each."""
    for source in sorted(sources):
        asked = lake.events_between([source], start, end, _COLUMNS)
        for piece in asked.collect_batches(chunk_size=_ROWS, maintain_order=False):
            for first in range(0, piece.height, _ROWS):
                yield piece[first : first + _ROWS]


def _hits(stored: pl.DataFrame, *, program: Program, mappings: AnyMapping[str, Mapping], settings: Settings, wanted: Collection[str]) -> pl.DataFrame:
    mapping = mappings[stored["x.source"][0]]
    plan = program.plans[mapping.source]
    records = stored.select("raw_data", pl.col("x.object").alias("object"), pl.col("x.position").alias("position"), repaired=pl.lit(False))
    events = normalize(records, mapping, Want(plan.columns, plan.paths), now=settings.now).events
    if events.height != stored.height:
        raise EngineError(f"{stored.height - events.height} stored events of {mapping.source} have no time any more: `crosswind lake renormalize`")
    events = events.with_columns(stored["x.uid"])  # a record without an id was numbered among its neighbours
    hits = detect(events, plan)
    chosen = [index for index, rule in enumerate(plan.rules) if rule.uid in wanted]
    hits = hits.filter(pl.col("rule").is_in(chosen))
    if not hits.height:
        return hits
    nowhere = pl.Series([0], dtype=pl.UInt32).new_from_index(0, events.height)
    return with_evidence(hits, events, nowhere, mapping, program, settings)
