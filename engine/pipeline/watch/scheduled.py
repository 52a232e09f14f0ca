"""`run`: what is new in the configured sources goes through the rules into the lake, the state and the sinks, once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from connectors.cursors import Planned, Seen
from connectors.cursors import plan as plan_collection
from connectors.sources import load_mappings
from connectors.transports.base import Object
from connectors.transports.files import FilesTransport
from engine import bundled
from engine.config import Config, SourceConfig
from engine.detect.program import Program, compile_program
from engine.errors import ConfigError, StateError, UsageError
from engine.model import Reject, Skip
from engine.pipeline.lasting.plans import (
    BACKFILL,
    RULES_CHANGED,
    Bench,
    Done,
    again_plan,
    all_hashes,
    collect_plan,
    redetect_plan,
    rules_digest,
)
from engine.pipeline.lasting.state_care import check_age, misfit, repair
from engine.pipeline.portable import portable
from engine.report.batches import failures
from engine.runners.base import Runner
from engine.runners.interrupts import heeded
from engine.runners.local import LocalRunner
from engine.sigma.cache import load_cached
from engine.store.lake import Lake
from engine.store.leases import WRITER, this_process
from engine.store.records import Plan
from engine.store.runs import DONE, FAILED
from engine.store.state import State

if TYPE_CHECKING:
    from engine.sinks.drain import Drained

_TTL = timedelta(hours=1)
_HEARTBEAT = timedelta(minutes=1)
Clock = Callable[[], datetime]


@dataclass(slots=True)
class RunSummary:
    """What a run did: the batches, the configured sources without news, objects that could not be looked at, and what became of the outbox."""

    batches: list[Done] = field(default_factory=list)
    quiet: list[str] = field(default_factory=list)
    waiting: int = 0
    rejects: list[Reject] = field(default_factory=list)
    delivered: tuple[Drained, ...] = ()
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class Backfill:
    """Look again at events from ``start`` up to before ``end`` (None: all): at what is stored, or at what configured sources hold."""

    start: datetime | None = None
    end: datetime | None = None


def program_of(config: Config, now: datetime) -> Program:
    """The rules of a configuration, compiled."""
    sources = [bundled.detections(), *config.rules] if config.builtin else list(config.rules)
    placeholders = {name: list(values) for name, values in config.variables.items()}
    return compile_program(portable(load_cached(sources, placeholders=placeholders, pipelines=config.pipelines, now=now)), load_mappings())


def run(
    config: Config,
    clock: Clock,
    *,
    only: Sequence[str] = (),
    backfill: Backfill | None = None,
    deliver: bool = True,
    runner: Runner | None = None,
) -> RunSummary:
    """One batch for every configured source that has something new (``only``: some of them), then delivery.

    A batch that an earlier run left open is finished first. Rules that are new or changed since the last run are run over what is stored, back to
    the revision horizon; ``backfill`` runs all of them over a time of your choice, or with ``only`` reads these sources once more for it. ``clock``
    tells the time, ``runner`` is where records are worked on (None: in this process). Raises LeaseError where another process is at it, and
    StateError.
    """
    _check_sources(config, only)
    summary = RunSummary()
    with opened(config, clock, summary, runner) as bench:
        for plan in _plans(bench, only, backfill, summary):
            from engine.pipeline.lasting.ingest import carry_out  # most runs have nothing to work on, and this takes a fifth of their time

            done = carry_out(plan, bench)
            if done is None:
                summary.interrupted = True
                break
            summary.batches.append(done)
        if deliver and config.sinks:
            from engine.pipeline.lasting.delivering import deliver as send

            summary.delivered = send(config, bench.state, clock(), stopped=bench.stopped)
    return summary


def repair_state(config: Config, clock: Clock) -> Done | None:
    """Let a state that is older than its lake catch up (see `state_care.repair`); None where they fit together already."""
    summary = RunSummary()
    with opened(config, clock, summary) as bench:
        if misfit(bench.lake, bench.state) is None:
            return None
        done = repair(bench)
        if done is None:
            raise StateError("interrupted: run `crosswind state repair` again")
        summary.batches.append(done)
        return done


@contextmanager
def opened(config: Config, clock: Clock, summary: RunSummary, runner: Runner | None = None) -> Iterator[Bench]:
    """Lake and state of a configuration for their one writer. What happens inside is recorded as a run."""
    now = clock()
    program = program_of(config, now)
    with ExitStack() as stack:
        state = stack.enter_context(State.open(config.state))
        lease = stack.enter_context(state.lease(WRITER, this_process(), _TTL, now))
        stack.enter_context(_recorded(state, summary, clock))
        lake = Lake.open(config.lake, create=True)
        stopped = stack.enter_context(heeded())
        beat = _Heartbeat(lambda moment: lease.renew(moment), clock, stopped)
        yield Bench(config, lake, state, program, now, beat.stopped, runner or LocalRunner(config.jobs_threads))


def _check_sources(config: Config, only: Sequence[str]) -> None:
    names = [source.name for source in config.sources]
    if not names:
        raise ConfigError(f'{config.path or "the configuration"} names no source; add one: [source.NAME] with path = "…"')
    for name in only:
        if name not in names:
            raise UsageError(f"no source {name!r} is configured; there are {', '.join(names)}")


@contextmanager
def _recorded(state: State, summary: RunSummary, clock: Clock) -> Iterator[None]:
    """Record a run that closed no batch, or in which something failed beside batches: these have records of their own."""
    started = clock()
    try:
        yield
    except Exception as error:
        with suppress(StateError):
            state.record_run(started=started, finished=clock(), outcome=FAILED, counts={}, errors=[str(error)])
        raise
    told = {failure for batch in summary.batches for failure in batch.report.failures}
    left = [failure for failure in failures(summary) if failure not in told]
    if left or not summary.batches:
        counts = {"quiet": list(summary.quiet), "waiting": summary.waiting}
        state.record_run(started=started, finished=clock(), outcome=DONE, counts=counts, errors=left)


def _plans(bench: Bench, only: Sequence[str], backfill: Backfill | None, summary: RunSummary) -> Iterator[Plan]:
    """The plans to carry out, each stored when it is given out."""
    state, now = bench.state, bench.now
    check_age(bench.lake, state)
    digest = rules_digest(bench.program)
    if (begun := state.open_plan()) is not None:
        yield begun
    state.sweep_removed([source.name for source in bench.config.sources], now)
    before, current = state.rule_hashes(), all_hashes(bench.program)
    changed = [uid for uid in {**before, **current} if before.get(uid) != current.get(uid)]
    latest = state.latest()
    if changed and latest:
        start = max(latest.values()) - bench.config.horizon
        yield _stored(redetect_plan(changed, start, None, RULES_CHANGED, state.last_batch() + 1, now, digest), state)
    chosen = [source for source in bench.config.sources if not only or source.name in only]
    if backfill is not None:
        yield from _looking_again(bench, backfill, chosen if only else [], list(current), summary)
    for source in chosen:
        planned = _look(source, state, now)
        summary.rejects.extend(planned.rejects)
        summary.waiting += len(planned.waiting)
        if not planned.objects and not planned.seen:
            summary.quiet.append(source.name)
            state.looked_through([source.name], now)
            continue
        yield _stored(collect_plan(source.name, planned, state.last_batch() + 1, now, digest), state)


def _looking_again(bench: Bench, backfill: Backfill, sources: Sequence[SourceConfig], rules: Sequence[str], summary: RunSummary) -> Iterator[Plan]:
    """The plans of a backfill: these ``sources`` anew, or without any the ``rules`` over what is stored."""
    state, now, digest = bench.state, bench.now, rules_digest(bench.program)
    if not sources:
        yield _stored(redetect_plan(rules, backfill.start, backfill.end, BACKFILL, state.last_batch() + 1, now, digest), state)
    for source in sources:
        planned = _look(source, None, now)
        summary.rejects.extend(planned.rejects)
        if planned.objects:
            yield _stored(again_plan(source.name, planned, (backfill.start, backfill.end), state.last_batch() + 1, now, digest), state)


def _stored(plan: Plan, state: State) -> Plan:
    state.write_plan(plan)
    return plan


def _look(source: SourceConfig, state: State | None, now: datetime) -> Planned:
    """What is new in a source; without a ``state`` to know better, everything."""
    transport = FilesTransport(source.path)

    def known(uris: Sequence[str]) -> Mapping[str, Seen]:
        return {uri: Seen(**row) for uri, row in state.seen(source.name, uris).items()} if state is not None else {}

    if state is None or not state.sweep_due(source.name, now):
        return plan_collection(transport.list(), known, transport, now=now)
    listing = _Listing(transport.list())
    planned = plan_collection(listing, known, transport, now=now)
    if listing.whole:
        state.sweep(source.name, listing.uris, now)
    return planned


class _Listing:
    """A listing that is remembered while it is gone through. ``whole``: nothing in it could not be listed."""

    def __init__(self, items: Iterable[Object | Skip | Reject]) -> None:
        self._items = items
        self.uris: set[str] = set()
        self.whole = True

    def __iter__(self) -> Iterator[Object | Skip | Reject]:
        for item in self._items:
            if isinstance(item, Object):
                self.uris.add(item.uri)
            elif isinstance(item, Reject):
                self.whole = False
            yield item


class _Heartbeat:
    """Renews the lease while work goes on, and tells whether it should stop."""

    def __init__(self, renew: Callable[[datetime], None], clock: Clock, pressed: Callable[[], bool]) -> None:
        self._renew = renew
        self._clock = clock
        self._pressed = pressed
        self._last = clock()

    def stopped(self) -> bool:
        now = self._clock()
        if now - self._last >= _HEARTBEAT:
            self._renew(now)
            self._last = now
        return self._pressed()
