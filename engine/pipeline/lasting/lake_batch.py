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
from engine.store.memory import EventIndex, Losers

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


@dataclass(frozen=True, slots=True)
class Collecting:
    """What the records of a batch are worked on with, and where they go. ``source`` is the configured source they are read from.

    ``latest``: per source of events the greatest event time before this batch; hits more than ``horizon`` (and the source's lateness) before it are
    kept but revise nothing.
    """

    lake: Lake
    writers: Writers
    batch: int
    source: str
    program: Program
    mappings: AnyMapping[str, Mapping]
    settings: Settings
    latest: AnyMapping[str, datetime]
    horizon: timedelta
    stopped: Callable[[], bool]
    runner: Runner
    stage: Stage

    @property
    def horizons(self) -> dict[str, datetime]:
        """Per source of events the time before which hits are too late."""
        return since_of(self.latest, self.mappings, self.horizon)


def write_batch(given: Input, at: Collecting) -> Written | None:
    """Read the objects of a batch and write what they hold; None where it was stopped before the end, and then nothing may be committed."""
    if at.runner.shares_memory:
        gathered = _gather(given, at)
    else:
        task = Reading(given.transport, at.program, at.settings, at.lake.path, at.batch, at.source)
        gathered = gather_spread(given, task, at.writers, at.lake, at.runner, at.mappings, at.stopped, at.stage)
    if gathered is None:
        return None
    written = Written(gathered.totals, gathered.ends, edges=gathered.edges)
    gathered.totals.losers(gathered.losers, tuple(at.mappings))
    dropped = [_places(gathered.losers)]
    if gathered.met.height:
        dropped.append(_against_earlier(gathered.met, at, written))
    places = placed(pl.concat(dropped), given)
    hands = over(at.runner, replace(at.stage, doing=DROPPING))
    at.writers.events.drop(places, hands)
    at.writers.hits.drop(places, hands)
    if gathered.spans:
        _touched_by(written, pl.concat(gathered.spans).join(places, on=["x.object", "x.position"], how="anti"), at.horizons)
    _revisit(written, gathered, places, at)
    return written


def _places(losers: Losers) -> pl.DataFrame:
    """Where the records are that are no events: ``object`` and ``x.position``."""
    return losers.places.select("object", pl.col("position").cast(pl.Int64()).alias("x.position"))


def _revisit(written: Written, gathered: Gathered, places: pl.DataFrame, at: Collecting) -> None:
    """What diff rules say of new events that tell facts, and of stored ones that come after late facts."""
    if not gathered.facts:
        return
    fresh = pl.concat(gathered.telling).join(places, on=["x.object", "x.position"], how="anti") if gathered.telling else _NOTHING_TOLD
    facts, writers = together(gathered.facts), at.writers
    found = revisit(at.lake, at.batch, facts, fresh, writers.events, writers.hits, at.program, at.mappings, at.settings)
    if found is None:
        return
    writers.hits.write(found.hits)
    horizons = at.horizons
    _touched_by(written, found.hits.select("rule", "time", "x.source"), horizons)
    for source, plan in at.program.diff_plans.items():
        times = found.stored.filter(pl.col("x.source") == source, pl.col("time") >= horizons.get(source, FIRST))["time"].sort()
        for rule in plan.rules if len(times) else ():
            widen(written.touched, rule.uid, times[0], times[-1])


def _gather(given: Input, at: Collecting) -> Gathered | None:
    """All objects in this process; what is large stays here."""
    totals, ends = Totals(objects=len(given.objects)), dict[str, int]()
    keeper = Keeper(at.writers, at.program, {obj.uri: number for number, obj in enumerate(given.objects)})
    step = partial(work, program=at.program, mappings=at.mappings, settings=at.settings, whole=True)
    rejects = Rejects(at.writers.rejects, at.lake, at.batch, at.source, [obj.uri for obj in given.objects], at.settings.now)
    index = EventIndex()
    edges: list[pl.DataFrame] = []
    facts: list[pl.DataFrame] = []
    telling: list[pl.DataFrame] = []
    try:
        for found in _found(given, at.settings, step, keeper, at.stopped):
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
        if at.stopped():
            return None
        losers = index.resolve(partial(given.read_again, at.settings.limits))
    finally:
        index.close()
    gathered = Gathered(totals, ends, losers, spans=keeper.spans, edges=edges, facts=facts, telling=telling)
    if keeper.pending:
        pending = pl.concat(keeper.pending).join(_places(losers), on=["object", "x.position"], how="anti")
        days = pending.select("x.source", "x.day").unique().iter_rows()
        gathered.met = meeting(pending, at.lake.known(days, at.batch, among=pending))
    return gathered


def _found(given: Input, settings: Settings, step: Callable[[Batch], Found], keeper: Keeper, stopped: Callable[[], bool]) -> Iterator[Found]:
    streams = until(stopped, (until(stopped, stream) for stream in given.streams(settings.limits)))
    # What cannot be written must end the run; what cannot be worked on is one record's fault.
    return local.run(streams, lambda batch: keeper.keep(isolated(batch, step)), settings.jobs or local.default_jobs())


def _against_earlier(both: pl.DataFrame, at: Collecting, written: Written) -> pl.DataFrame:
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
        _withdraw(beaten, at, written)
    return repeated.select("object", "x.position")


def _withdraw(beaten: pl.DataFrame, at: Collecting, written: Written) -> None:
    """Take events of earlier batches (x.source, ``day``, identity) out of the lake, with their hits."""
    keys = beaten.select("x.source", pl.col("day").alias("x.day"), *(pl.col(name).reinterpret(signed=True) for name in IDENTITY)).unique()
    days = keys["x.day"].unique().implode()
    old = at.lake.scan("events").filter(pl.col("x.day").is_in(days)).join(keys.lazy(), on=["x.source", "x.day", *IDENTITY], how="semi")
    lost = old.select("x.source", "x.day", "x.uid").collect()
    if lost.height != keys.height:
        raise EngineError(f"{keys.height} events of earlier batches were to be replaced, {lost.height} were found")
    at.writers.events.withdraw(lost)
    hits = at.lake.scan("hits").filter(pl.col("x.day").is_in(days)).join(lost.lazy(), on=["x.source", "x.day", "x.uid"], how="semi")
    found = hits.select("rule", "time", "x.source", "x.day", "x.uid").collect()
    at.writers.hits.withdraw(found.select("x.source", "x.day", "x.uid"))
    for rule, moment in found.select("rule", "time").iter_rows():
        widen(written.touched, rule, moment, moment)


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
