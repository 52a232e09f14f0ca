"""The work of one batch that is to be kept: records in, rows of events, hits and rejects out, without those that are known already."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

import polars as pl

from connectors.batches import Batch, Input
from engine.detect.program import Program
from engine.errors import EngineError
from engine.pipeline.batch import TELLING, Found, Settings, isolated, work
from engine.pipeline.far.equal_events import IDENTITY, meeting
from engine.pipeline.far.keeping import EDGE, Gathered, Keeper, Writers
from engine.pipeline.far.spread import DROPPING, Reading, gather_spread, over, placed
from engine.pipeline.lasting.lake_changes import revisit
from engine.pipeline.lasting.lake_rejects import Rejects
from engine.pipeline.lasting.origins import since_of
from engine.pipeline.lasting.revising import FIRST, Span, union
from engine.posture.facts import together
from engine.report.account import Totals
from engine.runners import local
from engine.runners.base import Runner, Stage
from engine.runners.interrupts import until
from engine.schema import STORED, Mapping
from engine.store.frames import in_own_memory
from engine.store.lake import Lake
from engine.store.lake_tables import CONTENT
from engine.store.memory import EventIndex

_NOTHING_TOLD = pl.DataFrame(schema={name: STORED[name].dtype for name in TELLING})

_PARTS = 1_000
"""So many frames of edges wait before they are put together: most tell the same again."""


@dataclass(slots=True)
class Written:
    """What a batch wrote: its account, records per object, where the hits of each rule lie, how many hits there were, and the
    edges between identities (`keeping.EDGE`).
    """

    totals: Totals
    ends: dict[str, int] = field(default_factory=dict)
    touched: dict[str, Span] = field(default_factory=dict)
    hits: Counter[str] = field(default_factory=Counter)
    edges: list[pl.DataFrame] = field(default_factory=list)
    known: int = 0
    replaced: int = 0
    too_late: int = 0


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
    runner: Runner,
    stage: Stage,
) -> Written | None:
    """Read the objects of a batch and write what they hold; None where it was stopped before the end, and then nothing may be committed.

    ``latest``: per source the greatest event time before this batch; hits more than ``horizon`` (and the source's lateness) before it are kept but
    revise nothing.
    """
    if runner.shares_memory:
        gathered = _gather(given, writers, lake, batch, program, mappings, settings, source, stopped)
    else:
        task = Reading(given.transport, program, settings, lake.path, batch, source)
        gathered = gather_spread(given, task, writers, lake, runner, mappings, stopped, stage)
    if gathered is None:
        return None
    written = Written(gathered.totals, gathered.ends, edges=gathered.edges)
    gathered.totals.losers(gathered.losers, tuple(mappings))
    dropped = [gathered.losers.places.select("object", pl.col("position").cast(pl.Int64()).alias("x.position"))]
    if gathered.met.height:
        dropped.append(against_earlier(gathered.met, lake, writers, written))
    places = placed(pl.concat(dropped), given)
    writers.events.drop(places, over(runner, replace(stage, doing=DROPPING)))
    writers.hits.drop(places, over(runner, replace(stage, doing=DROPPING)))
    horizons = since_of(latest, mappings, horizon)
    _touch(written, gathered.spans, places, horizons)
    _revisit(written, gathered, places, horizons, writers, lake, batch, program, mappings, settings)
    return written


def _revisit(
    written: Written,
    gathered: Gathered,
    places: pl.DataFrame,
    horizons: AnyMapping[str, datetime],
    writers: Writers,
    lake: Lake,
    batch: int,
    program: Program,
    mappings: AnyMapping[str, Mapping],
    settings: Settings,
) -> None:
    """What diff rules say of new events that tell facts, and of stored ones that come after late facts."""
    if not gathered.facts:
        return
    fresh = pl.concat(gathered.telling).join(places, on=["x.object", "x.position"], how="anti") if gathered.telling else _NOTHING_TOLD
    found = revisit(lake, batch, together(gathered.facts), fresh, writers.events, writers.hits, program, mappings, settings)
    if found is None:
        return
    writers.hits.write(found.hits)
    _touched_by(written, found.hits.select("rule", "time", "x.source"), horizons)
    for source, plan in program.diff_plans.items():
        times = found.stored.filter(pl.col("x.source") == source, pl.col("time") >= horizons.get(source, FIRST))["time"].sort()
        for rule in plan.rules if len(times) else ():
            widen(written.touched, rule.uid, times[0], times[-1])


def _gather(
    given: Input,
    writers: Writers,
    lake: Lake,
    batch: int,
    program: Program,
    mappings: AnyMapping[str, Mapping],
    settings: Settings,
    source: str,
    stopped: Callable[[], bool],
) -> Gathered | None:
    """All objects in this process; what is large stays here."""
    totals, ends = Totals(objects=len(given.objects)), dict[str, int]()
    keeper = Keeper(writers, program, {obj.uri: number for number, obj in enumerate(given.objects)})
    step = partial(work, program=program, mappings=mappings, settings=settings, whole=True)
    rejects = Rejects(writers.rejects, lake, batch, source, [obj.uri for obj in given.objects], settings.now)
    index = EventIndex()
    edges: list[pl.DataFrame] = []
    facts: list[pl.DataFrame] = []
    telling: list[pl.DataFrame] = []
    try:
        for found in _found(given, settings, step, keeper, stopped):
            totals.add(found)
            ends.update(found.batch.ends)
            for rows in found.index:
                index.add(rows)
            rejects.keep([*found.rejects, *found.batch.rejects, *found.batch.failed])
            edges += [in_own_memory(each.select(EDGE)) for each in found.edges if each.height]
            facts.extend(each for each in found.facts if each.height)
            telling.extend(found.telling)
            if len(edges) > _PARTS:
                edges = [pl.concat(edges).unique()]
        if stopped():
            return None
        losers = index.resolve(partial(given.read_again, settings.limits))
    finally:
        index.close()
    gathered = Gathered(totals, ends, losers, spans=keeper.spans, edges=edges, facts=facts, telling=telling)
    if keeper.pending:
        gone = losers.places.select("object", pl.col("position").cast(pl.Int64()).alias("x.position"))
        pending = pl.concat(keeper.pending).join(gone, on=["object", "x.position"], how="anti")
        gathered.met = meeting(pending, lake.known(pending.select("x.source", "x.day").unique().iter_rows(), batch, among=pending))
    return gathered


def _found(given: Input, settings: Settings, step: Callable[[Batch], Found], keeper: Keeper, stopped: Callable[[], bool]) -> Iterator[Found]:
    streams = until(stopped, (until(stopped, stream) for stream in given.streams(settings.limits)))
    # What cannot be written must end the run; what cannot be worked on is one record's fault.
    return local.run(streams, lambda batch: keeper.keep(isolated(batch, step)), settings.jobs or local.default_jobs())


def against_earlier(both: pl.DataFrame, lake: Lake, writers: Writers, written: Written) -> pl.DataFrame:
    """(object, x.position) of new events that an earlier batch brought. Of records with one identity the greatest stays, whichever came first.

    ``both``: the new events that met earlier ones (`equal_events.meeting`).
    """
    both = both.with_columns(best=pl.max_horizontal(CONTENT, pl.col("before").max().over(*IDENTITY, "x.source")))
    told = both.group_by("object", "x.position", "x.source").agg(
        same=(pl.col("before") == pl.col(CONTENT)).any(), better=(pl.col("before") < pl.col(CONTENT)).all()
    )
    for source, count in told["x.source"].value_counts().iter_rows():
        written.totals.events[source] -= count
    written.totals.duplicates += told.filter("same").height
    written.totals.conflicts += told.filter(~pl.col("same")).height
    repeated = told.filter(~pl.col("better"))
    written.known, written.replaced = repeated.height, told.height - repeated.height
    beaten = both.filter(pl.col("before") < pl.col("best"))
    if beaten.height:
        _withdraw(beaten, lake, writers, written)
    return repeated.select("object", "x.position")


def _withdraw(beaten: pl.DataFrame, lake: Lake, writers: Writers, written: Written) -> None:
    """Take events of earlier batches (x.source, ``day``, identity) out of the lake, with their hits."""
    keys = beaten.select("x.source", pl.col("day").alias("x.day"), *(pl.col(name).reinterpret(signed=True) for name in IDENTITY)).unique()
    days = keys["x.day"].unique().implode()
    old = lake.scan("events").filter(pl.col("x.day").is_in(days)).join(keys.lazy(), on=["x.source", "x.day", *IDENTITY], how="semi")
    lost = old.select("x.source", "x.day", "x.uid").collect()
    if lost.height != keys.height:
        raise EngineError(f"{keys.height} events of earlier batches were to be replaced, {lost.height} were found")
    writers.events.withdraw(lost)
    hits = lake.scan("hits").filter(pl.col("x.day").is_in(days)).join(lost.lazy(), on=["x.source", "x.day", "x.uid"], how="semi")
    found = hits.select("rule", "time", "x.source", "x.day", "x.uid").collect()
    writers.hits.withdraw(found.select("x.source", "x.day", "x.uid"))
    for rule, moment in found.select("rule", "time").iter_rows():
        widen(written.touched, rule, moment, moment)


def _touch(
    written: Written,
    spans: list[pl.DataFrame],
    places: pl.DataFrame,
    horizons: AnyMapping[str, datetime],
) -> None:
    if spans:
        _touched_by(written, pl.concat(spans).join(places, on=["x.object", "x.position"], how="anti"), horizons)


def _touched_by(written: Written, hits: pl.DataFrame, horizons: AnyMapping[str, datetime]) -> None:
    """Count hits (rule, time, x.source), and let those that are not too late touch their rules."""
    written.hits.update(dict(hits["rule"].value_counts().iter_rows()))
    for source, since in horizons.items():
        late = (pl.col("x.source") == source) & (pl.col("time") < since)
        written.too_late += hits.filter(late).height
        hits = hits.filter(~late)
    for rule, low, high in hits.group_by("rule").agg(low=pl.col("time").min(), high=pl.col("time").max()).iter_rows():
        widen(written.touched, rule, low, high)


def widen(touched: dict[str, Span], rule: str, low: datetime, high: datetime) -> None:
    """Let ``touched`` reach over a span of hits of ``rule``."""
    touched[rule] = union(touched.get(rule), (low, high))
