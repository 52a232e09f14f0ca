"""How a configured crosswind is doing, from its state and its lake, and what of that somebody should look at."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from engine.config import Config
from engine.detect.program import Program
from engine.errors import StateError
from engine.pipeline.configured import mappings_of
from engine.pipeline.correlating import watermarks
from engine.pipeline.lasting.state_care import check_age
from engine.pipeline.watch.scheduled import program_of
from engine.report.status import Logs, Outbox, PlanStatus, RemovedSource, RunStatus, Source, Status, Unable
from engine.store.lake import Lake
from engine.store.lake_care import status as lake_status
from engine.store.pruning import AWAY
from engine.store.runs import FAILED
from engine.store.state import State

SILENT = timedelta(days=1)
"""So long beyond its lateness a source may be without events, and a configured one unvisited."""
_STUCK = timedelta(hours=1)
_RUNS = 5


def status(config: Config, now: datetime, *, silent: timedelta = SILENT) -> Status:
    """What is known at ``now``. Raises StateError where there is no state or no lake yet, or they cannot be read."""
    with State.open(config.state, create=False) as state:
        lake = Lake.open(config.lake, create=False)
        begun = state.open_plan()
        found = Status(
            now,
            _sources(config, state),
            _logs(config, state, now),
            [RunStatus(run.finished, run.batch, run.outcome, run.errors) for run in state.runs(_RUNS)],
            None if begun is None else PlanStatus(begun.batch, begun.created, begun.sources),
            _outboxes(config, state),
            _unable(program_of(config, now), set(state.latest())),
            sum(table.on_disk for table in lake_status(lake)),
            state.file.stat().st_size if state.file is not None else None,
            {level.word: count for level, count in state.open_incidents().items()},
            removed=_removed(config, state),
        )
        found.attention.extend(_attention(found, silent))
        try:
            check_age(lake, state)
        except StateError as error:
            found.attention.append(str(error))
        return found


def _sources(config: Config, state: State) -> list[Source]:
    collected = state.sources()
    return [Source(source.name, source.path, collected.get(source.name)) for source in config.sources]


def _removed(config: Config, state: State) -> list[RemovedSource]:
    found = state.removed([source.name for source in config.sources])
    return [RemovedSource(each.name, each.objects, each.since + AWAY if each.since is not None else None) for each in found]


def _logs(config: Config, state: State, now: datetime) -> list[Logs]:
    mappings, latest = mappings_of(config), state.latest()
    marks = watermarks(latest, mappings, now)
    return [Logs(name, moment, marks[name], timedelta(minutes=mappings[name].lateness_minutes)) for name, moment in latest.items()]


def _outboxes(config: Config, state: State) -> list[Outbox]:
    depths = {depth.sink: depth for depth in state.depths()}
    found = []
    for name in dict.fromkeys((*(sink.name for sink in config.sinks), *depths)):
        depth = depths.get(name)
        found.append(Outbox(name, depth.waiting, depth.oldest, depth.failing, depth.dead) if depth else Outbox(name))
    return found


def _unable(program: Program, seen: set[str]) -> list[Unable]:
    """Rules none of whose sources brought any event so far."""
    if not seen:
        return []
    feeds = program.feeds()
    found = []
    for rule in program.ruleset.rules:
        sources = sorted(feeds.get(rule.uid, ()))
        if seen.isdisjoint(sources):
            why = f"no events of {' or '.join(sources[:3])}" if sources else f"no source has logs of {rule.logsource}"
            found.append(Unable(rule.uid, rule.title, why))
    return found


def _attention(found: Status, silent: timedelta) -> Iterator[str]:
    for source in found.sources:
        if source.collected is None:
            yield f"source {source.name} was never looked through"
        elif found.now - source.collected > silent:
            yield f"source {source.name} was last looked through {_ago(found.now - source.collected)} ago: is `crosswind run` still started?"
    for logs in found.logs:
        if (age := found.now - logs.latest) > logs.lateness + silent:
            yield f"{logs.source} is silent: its last event is {_ago(age)} old"
    for sink in found.outbox:
        if sink.failing:
            yield f"sink {sink.sink}: {sink.failing:,} deliveries could not be delivered yet"
        elif sink.oldest is not None and found.now - sink.oldest > _STUCK:
            yield f"sink {sink.sink}: {sink.waiting:,} deliveries wait since {_ago(found.now - sink.oldest)}"
        if sink.dead:
            yield f"sink {sink.sink}: {sink.dead:,} deliveries were refused for good; `crosswind sinks status` lists them"
    if found.plan is not None and found.now - found.plan.created > _STUCK:
        yield f"batch {found.plan.batch} was planned {_ago(found.now - found.plan.created)} ago and is not done; the next run finishes it"
    last = found.runs[0] if found.runs else None
    if last is not None and (last.outcome == FAILED or (last.batch is None and last.errors)):
        yield f"the last run failed: {'; '.join(last.errors)}"


def _ago(span: timedelta) -> str:
    hours = int(span.total_seconds() // 3600)
    return f"{hours // 24} days" if hours >= 48 else f"{hours} hours" if hours >= 2 else f"{int(span.total_seconds() // 60)} minutes"
