"""One run of a job: begun by one scheduler alone, tried again where that may help, stopped in time, recorded."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from engine.config import JobConfig
from engine.errors import CrosswindError, LeaseError, StateError
from engine.schedule.attempts import DONE, FAILED, STOPPED, Attempt, Work
from engine.schedule.clock import Clock
from engine.schedule.logs import Log
from engine.schedule.metrics import Metrics
from engine.schedule.stopping import Stop
from engine.store.jobs import claim, finish, job_records, lease_name, take_over
from engine.store.leases import Lease, this_process
from engine.store.state import State

TTL = timedelta(minutes=2)
"""How long after its last sign of life a scheduler's job may be taken over, where the process is not known to be gone."""
_SIGN = timedelta(seconds=20)
BACKOFF = (10.0, 60.0, 300.0)
"""Seconds before each further try of what may go better; give or take a fifth."""
TOO_OFTEN = 3
"""A run that this many schedulers began and none ended is not begun again: it may be what ends them."""
LOST = "another scheduler took the job over"
STOPPING = "the scheduler stops"


@dataclass(frozen=True, slots=True)
class Ran:
    """A run that came to its end: how, and after how many tries."""

    job: str
    run: str
    attempt: Attempt
    tries: int
    seconds: float


class Runner:
    """Runs jobs. Threads may share it."""

    def __init__(
        self,
        state: State,
        work: Callable[[JobConfig], Work],
        stop: Stop,
        log: Log,
        metrics: Metrics,
        *,
        clock: Clock,
        backoff: Sequence[float] = BACKOFF,
    ) -> None:
        self._state = state
        self._work = work
        self._stop = stop
        self._log = log
        self._metrics = metrics
        self._clock = clock
        self._backoff = tuple(backoff)

    def fire(self, job: JobConfig, due: datetime, *, again: bool = False) -> Ran | None:
        """Run ``job``, which was due at ``due``; None where that is not ours to do, or could not be begun.

        ``again``: it was begun, and whoever began it is gone. Another scheduler that has the job under way, or was quicker, is no failure.
        """
        log = self._log.bind(job=job.name)
        if not again and self._stop.wait(random.uniform(0, job.jitter.total_seconds())):  # noqa: S311  to spread work, not to keep a secret
            return None
        try:
            with self._state.lease(lease_name(job.name), this_process(), TTL, self._clock()) as lease:
                begin = take_over if again else claim
                return self._held(job, due, lease, log) if begin(self._state, job.name, due, self._clock()) else None
        except StateError as error:
            if isinstance(error, LeaseError) and self._begun(job, due):
                log.info("another scheduler has the job", due=due.isoformat())
            else:
                self._metrics.missed(job.name)
                log.error("the job could not be begun", due=due.isoformat(), errors=[str(error)])
        return None

    def _begun(self, job: JobConfig, due: datetime) -> bool:
        """Whether another scheduler began this run: one that has just got the lease says so a moment later."""
        for pause in (0.0, 0.5, 2.0):
            self._stop.wait(pause)
            try:
                record = job_records(self._state).get(job.name)
            except StateError:
                return False
            if record is not None and record.due >= due:
                return True
        return False

    def _held(self, job: JobConfig, due: datetime, lease: Lease, log: Log) -> Ran:
        run = secrets.token_hex(6)
        log = log.bind(run=run)
        began, started = self._clock(), time.monotonic()
        log.info("job begins", due=due.isoformat(), command=list(job.command))
        watch = _Watch(job, lease, self._stop, self._clock)
        attempt, tries = self._tried(job, watch, log)
        ran = Ran(job.name, run, attempt, tries, time.monotonic() - started)
        self._tell(ran, log)
        if watch.lost:
            return ran
        try:
            self._record(job, due, ran, began)
        except StateError as error:
            log.error("the run could not be recorded", errors=[str(error)])
        return ran

    def _tried(self, job: JobConfig, watch: _Watch, log: Log) -> tuple[Attempt, int]:
        for tries in count(1):
            try:
                attempt = self._work(job)(job, watch.reason)
            except CrosswindError as error:
                attempt = Attempt(FAILED, (str(error),), transient=error.transient)
            except Exception as error:  # noqa: BLE001  one job that breaks ends no other
                attempt = Attempt(FAILED, (f"a defect: {type(error).__name__}: {error}",))
            if attempt.outcome == STOPPED and not (self._stop.wanted or watch.lost):
                attempt = replace(attempt, outcome=FAILED)  # it ran too long: that is its end
            if attempt.outcome != FAILED or not attempt.transient or tries > len(self._backoff):
                return attempt, tries
            pause = self._backoff[tries - 1] * random.uniform(0.8, 1.2)  # noqa: S311
            self._metrics.retried(job.name)
            log.warning("job is tried again", after_seconds=round(pause, 1), tries=tries, errors=list(attempt.errors))
            if (why := watch.wait(pause)) is not None:
                return replace(attempt, outcome=STOPPED if self._stop.wanted or watch.lost else FAILED, errors=(*attempt.errors, why)), tries
        raise AssertionError

    def _tell(self, ran: Ran, log: Log) -> None:
        self._metrics.ran(ran.job, ran.attempt, ran.seconds, self._clock())
        for batch in ran.attempt.batches:
            report = batch["report"]
            counts = {name: report[name] for name in ("records", "events", "rejected", "hits")}
            log.info("batch done", batch=batch["batch"], source=batch["source"], alerts=batch["alerts"], **counts)
        say = {DONE: log.info, STOPPED: log.warning}.get(ran.attempt.outcome, log.error)
        failed = {"errors": list(ran.attempt.errors)} if ran.attempt.errors else {}
        say("job ends", outcome=ran.attempt.outcome, code=ran.attempt.code, seconds=round(ran.seconds, 3), tries=ran.tries, **failed)

    def _record(self, job: JobConfig, due: datetime, ran: Ran, began: datetime) -> None:
        now = self._clock()
        attempt = ran.attempt
        counts: dict[str, Any] = {
            "job": job.name,
            "run": ran.run,
            "command": list(job.command),
            "due": due.isoformat(),
            "exit_code": attempt.code,
            "tries": ran.tries,
            "seconds": round(ran.seconds, 3),
            "batches": [batch["batch"] for batch in attempt.batches],
            "records": sum(batch["report"]["records"] for batch in attempt.batches),
            "events": sum(batch["report"]["events"] for batch in attempt.batches),
            "alerts": sum(batch["alerts"]["new"] for batch in attempt.batches),
        }
        self._state.record_run(started=began, finished=now, outcome=attempt.outcome, counts=counts, errors=attempt.errors)
        if attempt.outcome != STOPPED:  # what was given up is begun again by whoever comes next
            finish(self._state, job.name, due, attempt.outcome, now)


class _Watch:
    """Keeps the lease of a run while it goes on, and knows why it should end."""

    def __init__(self, job: JobConfig, lease: Lease, stop: Stop, clock: Clock) -> None:
        self._lease = lease
        self._stop = stop
        self._clock = clock
        self._limit = job.max_runtime
        self._end = None if job.max_runtime is None else time.monotonic() + job.max_runtime.total_seconds()
        self._signed = self._tried = time.monotonic()
        self.lost = False

    def reason(self) -> str | None:
        """Why the run should end now, or None."""
        self._sign()
        if self.lost:
            return LOST
        if self._stop.wanted:
            return STOPPING
        if self._end is not None and time.monotonic() > self._end:
            return f"it ran longer than {self._limit}"
        return None

    def wait(self, seconds: float) -> str | None:
        """Wait so long; the reason to end that came up meanwhile."""
        end = time.monotonic() + seconds
        while (why := self.reason()) is None and time.monotonic() < end:
            self._stop.wait(min(1.0, max(0.0, end - time.monotonic())))
        return why

    def _sign(self) -> None:
        """Renew the lease. A database that is busy is asked again, until the lease has run out."""
        now = time.monotonic()
        if self.lost or now - self._tried < _SIGN.total_seconds():
            return
        self._tried = now
        try:
            self._lease.renew(self._clock())
            self._signed = now
        except StateError:
            self.lost = now - self._signed > TTL.total_seconds()
