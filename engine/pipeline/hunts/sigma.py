"""A Sigma document over the events of a lake: their records are read again, by the kernels of a scan."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

import polars as pl

from connectors.sources import load_mappings
from engine.correlate.alerts import Raised
from engine.correlate.episodes import keep_first_raw
from engine.detect.program import Program, compile_program
from engine.model import Alert, Level, State
from engine.pipeline.batch import Settings
from engine.pipeline.correlating import raise_alerts
from engine.pipeline.hunts.records import READ_COLUMNS, Chunk, Objects, Seen, changed_in_lake, chunks, isolated_chunk, read_records, work_chunk
from engine.pipeline.lasting.origins import StoredOrigins
from engine.pipeline.portable import portable
from engine.runners import local
from engine.runners.base import Runner
from engine.runners.interrupts import heeded, until
from engine.runners.local import LocalRunner
from engine.sigma.cache import load_cached
from engine.sigma.document import TEXT
from engine.sigma.ruleset import RuleSet
from engine.sigma.tree import Correlation, Rule
from engine.store.lake import Lake
from engine.store.memory import HitStore

INTERRUPTED = "interrupted: not all stored events were looked at"


@dataclass(frozen=True, slots=True)
class SigmaHunt:
    """What a document found: alerts by (first_time, uid), events looked at and hits by source, and what failed or was left out."""

    alerts: list[Alert]
    highest: Level | None
    events: Mapping[str, int]
    hits: int
    failures: tuple[str, ...]
    notes: tuple[str, ...]
    seconds: float


def hunt_sigma(
    lake: Lake,
    rule: str | Path,
    *,
    now: datetime,
    start: datetime | None = None,
    end: datetime | None = None,
    others: Sequence[str | Path] = (),
    placeholders: Mapping[str, Sequence[str]] | None = None,
    pipelines: Sequence[str | Path] = (),
    min_level: Level = Level.INFORMATIONAL,
    jobs: int | None = None,
    runner: Runner | None = None,
) -> SigmaHunt:
    """Run the rules and correlations of ``rule`` (a file, a directory, or YAML text) over the stored events from ``start`` up to before ``end``.

    ``others`` are searched for what its correlations refer to. Only sources the rules run on are read. ``runner`` is where that is done (None: in
    ``jobs`` threads of this process). Ctrl-C ends the reading early with what was found so far, and a failure says so. Raises UsageError for a path
    that does not exist, and the RuleError of a single document that does not load.
    """
    began = time.perf_counter()
    mappings = load_mappings()
    ruleset, own = _loaded(rule, others, placeholders, pipelines)
    if ruleset.errors and not own:
        raise ruleset.errors[0]
    program = compile_program(portable(ruleset), mappings)
    settings = Settings(now=now, start=start, end=end, jobs=jobs)
    sources = [name for name, running in program.running().items() if running]
    objects = Objects()
    runner = runner or LocalRunner(jobs)
    again = partial(read_records, lake, sources, settings, objects)
    if runner.shares_memory:
        matched, seen = _gather(lake, sources, program, settings, objects, runner)
        raised = Raised()
        if matched is not None:
            raised = raise_alerts(matched, program, mappings, seen.latest, now, again, StoredOrigins(lake, mappings, seen.edges))
    else:
        from engine.pipeline.far.hunt import gather_far

        raised, seen = gather_far(lake, sources, program, settings, objects, again, runner)
    alerts = [alert for alert in raised.alerts if alert.rule.uid in own]
    shown = [alert for alert in alerts if alert.level >= min_level]
    failures = [*map(str, ruleset.errors), *map(str, program.refused.values())]
    failures += [f"{reject.object}, record {reject.position}: {reject.reason}" for reject in seen.rejects]
    failures = [INTERRUPTED, *failures] if seen.interrupted else failures
    notes = [*ruleset.notes, *program.partly, *raised.notes]
    highest = max((alert.level for alert in alerts if alert.state is State.LIVE), default=None)
    return SigmaHunt(shown, highest, dict(seen.events), seen.hits, tuple(failures), tuple(notes), time.perf_counter() - began)


def _gather(
    lake: Lake, sources: Sequence[str], program: Program, settings: Settings, objects: Objects, runner: Runner
) -> tuple[pl.DataFrame | None, Seen]:
    """All hits, in the memory of this process."""
    seen, store = Seen(), HitStore(partial(keep_first_raw, rules=program.ruleset.rules))
    for changed in changed_in_lake(lake, program, settings, objects, seen):
        store.add(changed.hits)
    step = partial(work_chunk, program=program, mappings=load_mappings(), settings=settings)
    waiting = [source for source in sources if program.plans[source].rules]

    def stored(source: str) -> Iterator[Chunk]:
        yield from chunks(lake.events_between([source], settings.start, settings.end, READ_COLUMNS), source, objects)
        waiting.remove(source)

    with heeded() as stopped:
        streams = until(stopped, (until(stopped, stored(source)) for source in tuple(waiting)))
        for found in local.run(streams, lambda each: isolated_chunk(each, step), runner.slots):
            seen.add(found)
            for hits in found.hits:
                store.add(hits)
        seen.interrupted = bool(waiting)
    return store.collect(), seen


# --- rules --------------------------------------------------------------------------------------------------------------------------------------


def _loaded(
    rule: str | Path, others: Sequence[str | Path], placeholders: Mapping[str, Sequence[str]] | None, pipelines: Sequence[str | Path]
) -> tuple[RuleSet, frozenset[str]]:
    """The documents of ``rule`` with those they refer to, and the uids that may raise alerts."""
    alone = load_cached([rule], placeholders=placeholders, pipelines=pipelines)
    own = frozenset(each.uid for each in _all(alone))
    if not alone.errors or not others:
        return alone, own
    whole = load_cached([rule, *others], placeholders=placeholders, pipelines=pipelines)
    place = TEXT if isinstance(rule, str) and "\n" in rule else str(rule)
    here = [each for each in _all(whole) if (each.path or "").startswith(place)]
    own = frozenset(each.uid for each in here)
    wanted, correlations = set(own), {each.uid: each for each in whole.correlations}
    waiting = [uid for uid in own if uid in correlations]
    while waiting:
        for uid in correlations[waiting.pop()].rules:
            if uid not in wanted:
                wanted.add(uid)
                waiting.extend([uid] if uid in correlations else [])
    errors = tuple(error for error in whole.errors if (error.path or "").startswith(place))
    kept = replace(
        whole,
        rules=tuple(each for each in whole.rules if each.uid in wanted),
        correlations=tuple(each for each in whole.correlations if each.uid in wanted),
        errors=errors,
        others=(),
        notes=(),
    )
    return kept, own


def _all(ruleset: RuleSet) -> list[Rule | Correlation]:
    return [*ruleset.rules, *ruleset.correlations]
