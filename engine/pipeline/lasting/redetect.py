"""Rules over events that are stored already: for rules that changed, and for times that somebody asks to be looked at again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from connectors.normalize import FUTURE, Want, normalize
from connectors.sources import load_mappings
from engine.detect.kernel import detect
from engine.detect.program import Program
from engine.errors import EngineError
from engine.pipeline.batch import Settings, matched, with_evidence
from engine.pipeline.lasting.lake_batch import Written
from engine.pipeline.lasting.lake_changes import stored_changes, withdraw_between
from engine.pipeline.lasting.lake_hits import to_lake
from engine.pipeline.lasting.plans import rule_hashes
from engine.pipeline.lasting.revising import Span, reach
from engine.pipeline.lasting.stored_files import StoredFiles, file_groups
from engine.report.account import Totals
from engine.runners import local
from engine.runners.base import Runner, Stage
from engine.schema import Mapping
from engine.store.lake import Lake
from engine.store.lake_files import Part
from engine.store.lake_tables import HITS
from engine.store.lake_writer import LakeWriter

_ROWS = 20_000
_COLUMNS = ("x.uid", "x.source", "x.object", "x.position", "raw_data")


def redetect(
    rules: Collection[str],
    span: Span,
    lake: Lake,
    batch: int,
    writer: LakeWriter,
    program: Program,
    settings: Settings,
    *,
    runner: Runner,
    stopped: Callable[[], bool],
    stage: Stage,
) -> Written:
    """Write the hits of ``rules`` (by uid) on stored events of ``span``, and of as much time around as alerts there are decided by.

    All of ``rules`` are touched in the whole span, correlations and rules that are gone among them: hits of an earlier version of a rule count no
    more. Hits that earlier batches brought are not written again.
    """
    written = Written(Totals(objects=0), touched=dict.fromkeys(rules, span))
    wanted = {rule.uid for running in program.running().values() for rule in running} & set(rules)
    if not wanted:
        return written
    reads = [needed for uid, needed in reach(program, written.touched).reads.items() if uid in wanted]
    start, end = min(low for low, _ in (*reads, span)), max(high for _, high in (*reads, span))
    _redetect_changes(wanted, start, end, lake, batch, writer, program, settings, written)
    sources = [source for source, plan in program.plans.items() if any(rule.uid in wanted for rule in plan.rules)]
    there = _there(lake, wanted, start, end, batch, program)
    again = Redetecting(lake.path, batch, program, settings, frozenset(wanted), there, start, end)
    if not runner.shares_memory:
        for parts, counted in runner.each(stage, again, list(file_groups(lake, sources, start, end, runner)), stopped):
            writer.adopt(parts)
            written.hits.update(counted)
        return written
    for rows in local.run(iter([_slices(lake, sources, start, end)]), again.rows, runner.slots):
        writer.write(rows)
        written.hits.update(dict(rows["rule"].value_counts().iter_rows()))
    return written


def _redetect_changes(
    wanted: Collection[str],
    start: datetime,
    end: datetime,
    lake: Lake,
    batch: int,
    writer: LakeWriter,
    program: Program,
    settings: Settings,
    written: Written,
) -> None:
    """The hits of diff rules. What earlier batches said is replaced: they may not have known of these rules when a late fact came."""
    rules = {rule.uid for plan in program.diff_plans.values() for rule in plan.rules} & set(wanted)
    if not rules:
        return
    withdraw_between(lake, rules, start, end, batch, writer)
    for changed in stored_changes(lake, batch, start, end, program, load_mappings(), settings):
        rows = to_lake(changed.hits, program).filter(pl.col("rule").is_in(sorted(rules)))
        writer.write(rows)
        written.hits.update(dict(rows["rule"].value_counts().iter_rows()))


@dataclass(frozen=True, slots=True)
class Redetecting:
    """Runs the rules ``wanted`` over stored events: work of a runner. ``there``: (rule, x.uid) of the hits that are not to be written again."""

    lake: Path
    batch: int
    program: Program
    settings: Settings
    wanted: frozenset[str]
    there: pl.DataFrame
    start: datetime
    end: datetime

    def __call__(self, files: StoredFiles) -> tuple[list[Part], Counter[str]]:
        stored = Lake(self.lake).read_events(files.paths, files.source, self.start, self.end, _COLUMNS)
        counted: Counter[str] = Counter()
        with LakeWriter(self.lake, HITS, self.batch) as writer:
            for events in _pieces(stored):
                rows = self.rows(events)
                writer.write(rows)
                counted.update(dict(rows["rule"].value_counts().iter_rows()))
            return writer.hand_over(), counted

    def rows(self, stored: pl.DataFrame) -> pl.DataFrame:
        """The hits on some events of one source, as rows of the table."""
        hits = _hits(stored, program=self.program, mappings=load_mappings(), settings=self.settings, wanted=self.wanted)
        return to_lake(hits, self.program).join(self.there, on=["rule", "x.uid"], how="anti", maintain_order="left")


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
        yield from _pieces(lake.events_between([source], start, end, _COLUMNS))


def _pieces(asked: pl.LazyFrame) -> Iterator[pl.DataFrame]:
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
    nowhere = pl.Series([0], dtype=pl.UInt32).new_from_index(0, events.height)
    return with_evidence(hits, matched(hits, events, nowhere, mapping, program, settings), mapping, program)
