"""Rules over events that are stored already: for rules that changed, and for times that somebody asks to be looked at again."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from collections.abc import Mapping as AnyMapping
from datetime import datetime
from functools import partial

import polars as pl

from connectors.normalize import FUTURE, Want, normalize
from connectors.sources import load_mappings
from engine.detect.kernel import detect
from engine.detect.program import Program
from engine.errors import EngineError
from engine.identity.edges import empty
from engine.pipeline.batch import Settings, with_evidence
from engine.pipeline.identity_edges import told_by_hits
from engine.pipeline.keeping import EDGE, Writers
from engine.pipeline.lake_batch import Written
from engine.pipeline.lake_hits import rule_hashes, to_lake
from engine.pipeline.revising import Span, reach
from engine.report.account import Totals
from engine.runners import local
from engine.schema import Mapping
from engine.store.lake import Lake
from engine.store.lake_writer import LakeWriter

_ROWS = 20_000
_COLUMNS = ("x.uid", "x.source", "x.object", "x.position", "raw_data")


def redetect(rules: Collection[str], span: Span, lake: Lake, batch: int, writers: Writers, program: Program, settings: Settings) -> Written:
    """Write the hits of ``rules`` (by uid) on stored events of ``span``, and of as much time around as alerts there are decided by.

    All of ``rules`` are touched in the whole span, correlations and rules that are gone among them: hits of an earlier version of a rule count no
    more. Hits that earlier batches brought are not written again.
    """
    mappings = load_mappings()
    written = Written(Totals(objects=0), touched=dict.fromkeys(rules, span))
    wanted = {rule.uid for plan in program.plans.values() for rule in plan.rules} & set(rules)
    if not wanted:
        return written
    reads = [needed for uid, needed in reach(program, written.touched).reads.items() if uid in wanted]
    start, end = min(low for low, _ in (*reads, span)), max(high for _, high in (*reads, span))
    sources = [source for source, plan in program.plans.items() if any(rule.uid in wanted for rule in plan.rules)]
    there = _there(lake, wanted, start, end, batch, program)
    work = partial(_hits, program=program, mappings=mappings, settings=settings, wanted=wanted)
    for hits, edges in local.run(iter([_slices(lake, sources, start, end)]), work, settings.jobs or local.default_jobs()):
        if not hits.height:
            continue
        rows = to_lake(hits, program).join(there, on=["rule", "x.uid"], how="anti", maintain_order="left")
        writers.hits.write(rows)
        writers.edges.write(edges)
        written.edges.append(edges.select(EDGE))
        written.hits.update(dict(rows["rule"].value_counts().iter_rows()))
    return written


def take_over(lake: Lake, writer: LakeWriter, written: Written, now: datetime) -> None:
    """Let a state that lost batches know how far events reach, and take out hits whose events were never committed: these come again."""
    events = lake.scan("events")
    reached = events.filter(pl.col("time") <= now + FUTURE).group_by("x.source").agg(pl.col("time").max()).collect(engine="streaming")
    written.totals.latest.update(dict(reached.iter_rows()))
    last, _ = lake.batch_of("events")
    writer.withdraw(lake.scan("hits").filter(pl.col("x.batch") > last).select("x.source", "x.day", "x.uid").collect())


def _there(lake: Lake, rules: Collection[str], start: datetime, end: datetime, batch: int, program: Program) -> pl.DataFrame:
    """(rule, x.uid) of the hits of rules as they are now that earlier batches brought."""
    hashes = rule_hashes(program)
    now = pl.LazyFrame({"rule": sorted(rules), "x.rule_hash": [hashes[uid] for uid in sorted(rules)]})
    before = lake.hits_between(rules, start, end).filter(pl.col("x.batch") < batch)
    return before.join(now, on=["rule", "x.rule_hash"], how="semi").select("rule", "x.uid").collect()


def _slices(lake: Lake, sources: Collection[str], start: datetime, end: datetime) -> Iterator[pl.DataFrame]:
    """Stored events in pieces of one source each."""
    for source in sorted(sources):
        asked = lake.events_between([source], start, end, _COLUMNS)
        for piece in asked.collect_batches(chunk_size=_ROWS, maintain_order=False):
            for first in range(0, piece.height, _ROWS):
                yield piece[first : first + _ROWS]


def _hits(
    stored: pl.DataFrame, *, program: Program, mappings: AnyMapping[str, Mapping], settings: Settings, wanted: Collection[str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Hits, and the edges between identities that their events tell."""
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
        return hits, empty()
    nowhere = pl.Series([0], dtype=pl.UInt32).new_from_index(0, events.height)
    return with_evidence(hits, events, nowhere, mapping, program, settings), told_by_hits(hits, events, mapping)
