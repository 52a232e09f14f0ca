"""The job `check`: looks at sources, rules, outbox and clock, and says in the product's own stream what is wrong."""

from __future__ import annotations

import platform
from collections.abc import Callable
from datetime import datetime, timedelta

from connectors.sources import load_mappings
from engine.config import Config, JobConfig
from engine.errors import LeaseError
from engine.model import State as AlertState
from engine.pipeline.lasting.delivering import deliver
from engine.schedule.attempts import DONE, Attempt
from engine.schedule.checks import HISTORY, PREFIX, RULES, Facts, changes, troubles
from engine.schedule.clock import Clock, ClockWatch
from engine.store.alert_rows import AlertQuery
from engine.store.health_alerts import arrivals, batch_runs, settle
from engine.store.leases import WRITER, this_process
from engine.store.state import State

_BATCHES = 20
_TTL = timedelta(minutes=10)


class SelfCheck:
    """The work of a job whose command is `check`."""

    def __init__(self, config: Config, state: State, watch: ClockWatch, clock: Clock) -> None:
        self._config = config
        self._state = state
        self._watch = watch
        self._clock = clock

    def __call__(self, job: JobConfig, reason: Callable[[], str | None]) -> Attempt:
        self._watch.look()
        now = self._clock()
        standing = self._state.alerts(AlertQuery(rules=[PREFIX + name for name in RULES], states=(AlertState.LIVE,)))
        raised, ended = changes(troubles(self._facts(now), now), [stored.alert for stored in standing], now)
        if raised or ended:
            settle(self._state, raised, ended, [sink.name for sink in self._config.sinks], now)
        return Attempt(DONE, self._delivered() if raised or ended else ())

    def _facts(self, now: datetime) -> Facts:
        last = self._state.runs(1)
        return Facts(
            created=self._state.created,
            lateness=_lateness(self._config),
            arrivals=arrivals(self._state, now - HISTORY),
            batches=batch_runs(self._state, _BATCHES),
            depths=[depth for depth in self._state.depths() if depth.sink in {sink.name for sink in self._config.sinks}],
            last_run=last[0].finished if last else None,
            jump=self._watch.last,
            host=platform.node(),
        )

    def _delivered(self) -> tuple[str, ...]:
        """Tell the sinks, unless a run is under way: it does so at its end. What is not delivered stays in the outbox."""
        if not self._config.sinks:
            return ()
        try:
            with self._state.lease(WRITER, this_process(), _TTL, self._clock()):
                sent = deliver(self._config, self._state, self._clock())
        except LeaseError:
            return ()
        return tuple(f"sink {each.sink}: {each.reason or each.stopped}" for each in sent if each.stopped or each.retry or each.dead)


def _lateness(config: Config) -> dict[str, timedelta]:
    """How late what a configured source brings may be; the longest of all where nobody said what it brings."""
    usual = {name: timedelta(minutes=mapping.lateness_minutes) for name, mapping in load_mappings().items()}
    longest = max(usual.values())
    return {each.name: each.lateness if each.lateness is not None else usual.get(each.source or "", longest) for each in config.sources}
