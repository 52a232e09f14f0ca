"""`scan`: everything below some paths through the rules."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO

import polars as pl

from connectors.batches import Batch, Input, list_input
from connectors.sources import load_mappings
from connectors.transports.files import STDIN
from engine import bundled
from engine.correlate.alerts import Raised
from engine.correlate.episodes import keep_first_raw
from engine.detect.program import Program, compile_program
from engine.identity.edges import together
from engine.model import Alert, Incident, Level, RunReport, State
from engine.pipeline.batch import Found, Settings, isolated, work
from engine.pipeline.changes import changed_by
from engine.pipeline.correlating import raise_alerts
from engine.pipeline.identity_edges import principals_by
from engine.pipeline.incidents import raise_incidents
from engine.pipeline.portable import portable
from engine.posture.facts import together as together_facts
from engine.posture.gaps import gaps
from engine.report.account import Totals, build_report
from engine.runners import local
from engine.runners.base import Runner
from engine.runners.interrupts import heeded, until
from engine.runners.local import LocalRunner
from engine.schema import Mapping
from engine.sigma.cache import load_cached
from engine.store.memory import EventIndex, HitStore, Losers

_PARTS = 1_000
"""So many frames of edges wait before they are put together: most tell the same again."""

AHEAD = 4
"""So many batches are read while the rules are loaded and compiled."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What all objects of a scan gave: alerts, how many hits each rule (by its index) has, the account, edges, who acted from where, facts."""

    raised: Raised
    counts: Counter[int]
    totals: Totals
    edges: list[pl.DataFrame]
    sightings: list[pl.DataFrame]
    facts: list[pl.DataFrame]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: objects and stored bytes done of all, records so far."""

    objects: int
    objects_total: int
    bytes: int
    bytes_total: int
    records: int


@dataclass(frozen=True, slots=True)
class ScanResult:
    """Alerts sorted by (first_time, uid), at or above the level asked for, the account of the run, and the highest level of all decided alerts.

    ``raised`` are all alerts, those below that level among them, and ``incidents`` what they amount to, worst first.
    """

    alerts: list[Alert]
    report: RunReport
    highest: Level | None = None
    raised: list[Alert] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)


def scan(
    paths: Sequence[str],
    settings: Settings,
    *,
    rules: Sequence[str | Path] = (),
    builtin: bool = True,
    placeholders: AnyMapping[str, Sequence[str]] | None = None,
    pipelines: Sequence[str | Path] = (),
    min_level: Level = Level.LOW,
    stdin: BinaryIO | None = None,
    progress: Callable[[Progress], None] | None = None,
    runner: Runner | None = None,
) -> ScanResult:
    """Run rules over everything below ``paths``.

    ``rules`` are files, directories or YAML texts beside crosswind's own (``builtin``). ``placeholders`` are the values of ``|expand``, ``pipelines``
    pySigma processing pipelines that ``rules`` go through (crosswind's own do not). A single bad object, record or rule stops nothing and stands
    in the report. Ctrl-C ends the run early with what was found so far and ``report.interrupted``. ``runner`` is where records are worked on (None:
    in this process). Raises UsageError for paths of rules that do not exist and for contradictory settings.
    """
    started = time.perf_counter()
    runner = runner or LocalRunner(settings.jobs)

    def opened(enough: Callable[[], bool]) -> tuple[Input, Iterator[Iterator[Batch]]]:
        given = list_input(paths, settings.limits, stdin)
        return given, local.read_ahead(given.streams(settings.limits), AHEAD, enough) if runner.shares_memory else iter(())

    with local.beside(opened, at_once=STDIN not in paths and settings.jobs != 1) as opening:
        mappings = load_mappings()
        sources = [bundled.detections(), *rules] if builtin else rules
        ruleset = portable(load_cached(sources, placeholders=placeholders, pipelines=pipelines, now=settings.now))
        program = compile_program(ruleset, mappings)
        loaded = time.perf_counter()
        given, streams = opening()
    if runner.shares_memory:
        looked = _gather(given, streams, settings, program, mappings, progress)
    else:
        from engine.pipeline.far.scan import gather_far

        looked = gather_far(given, settings, program, mappings, runner)
    raised, counts, totals = looked.raised, looked.counts, looked.totals
    alerts = raised.alerts
    incidents = raise_incidents(alerts, ruleset, looked.edges, looked.sightings, looked.facts)
    shown = [alert for alert in alerts if alert.level >= min_level]
    totals.seconds_loading = loaded - started
    totals.seconds = time.perf_counter() - started
    told = Raised(alerts, [*raised.notes, *gaps(together_facts(looked.facts))])
    report = build_report(totals, given.skips, given.rejects, program, mappings, counts, told, shown, settings.source)
    decided = (alert.level for alert in alerts if alert.state is State.LIVE)
    return ScanResult(shown, report, max(decided, default=None), alerts, incidents)


def _gather(
    given: Input,
    streams: Iterator[Iterator[Batch]],
    settings: Settings,
    program: Program,
    mappings: AnyMapping[str, Mapping],
    progress: Callable[[Progress], None] | None,
) -> Looked:
    """All alerts, by way of hits in the memory of this process."""
    totals = Totals(objects=len(given.objects))
    index, store = EventIndex(), HitStore(partial(keep_first_raw, rules=program.ruleset.rules))
    edges: list[pl.DataFrame] = []
    sightings: list[pl.DataFrame] = []
    facts: list[pl.DataFrame] = []
    telling: list[pl.DataFrame] = []
    read_again = partial(given.read_again, settings.limits)
    try:
        for found in run(given, streams, settings, partial(work, program=program, mappings=mappings, settings=settings), totals, progress):
            for rows in found.index:
                index.add(rows)
            for hits in found.hits:
                store.add(hits)
            edges.extend(found.edges)
            sightings.extend(found.sightings)
            facts.extend(each for each in found.facts if each.height)
            telling.extend(found.telling)
            if len(edges) > _PARTS:
                edges, sightings = [together(edges)], [pl.concat(sightings).unique()]
        losers = index.resolve(read_again)
    finally:
        index.close()
    totals.losers(losers, tuple(mappings))
    if telling and (events := _without(pl.concat(telling), losers)) is not None:
        for changed in changed_by(facts, events, program, mappings, settings):
            store.add(changed.hits)
            edges.append(changed.edges)
    matched = _without(store.collect(), losers)
    if matched is None:
        return Looked(Raised(), Counter(), totals, edges, sightings, facts)
    raised = raise_alerts(matched, program, mappings, totals.latest, settings.now, read_again, principals_by(edges, mappings))
    return Looked(raised, Counter(dict(matched["rule"].value_counts().iter_rows())), totals, edges, sightings, facts)


def run(
    given: Input,
    streams: Iterator[Iterator[Batch]],
    settings: Settings,
    step: Callable[[Batch], Found],
    totals: Totals,
    progress: Callable[[Progress], None] | None,
) -> Iterator[Found]:
    size = sum(obj.size for obj in given.objects)
    with heeded() as stopped:
        heeding = until(stopped, (until(stopped, stream) for stream in streams))
        for found in local.run(heeding, partial(isolated, step=step), settings.jobs or local.default_jobs()):
            totals.add(found)
            yield found
            if progress is not None:
                progress(Progress(totals.objects_done, len(given.objects), totals.stored, size, totals.records))
        totals.interrupted = stopped() and totals.objects_done < len(given.objects)


def _without(hits: pl.DataFrame | None, losers: Losers) -> pl.DataFrame | None:
    """The hits on records that are events; a record whose identity another one holds has none."""
    if hits is None:
        return None
    lost = losers.places.rename({"object": "object_index", "position": "x.position"}).with_columns(pl.col("x.position").cast(pl.Int64))
    return hits.join(lost, on=["object_index", "x.position"], how="anti", maintain_order="left")
