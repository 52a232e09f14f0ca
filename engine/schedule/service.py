"""The scheduler: APScheduler says when, `jobs.Runner` runs, and a look every few seconds takes over what others left lying."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.events import EVENT_JOB_MAX_INSTANCES
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from engine.config import JobConfig
from engine.errors import ConfigError, EngineError, StateError
from engine.schedule.attempts import FAILED
from engine.schedule.clock import Clock, ClockWatch
from engine.schedule.executor import Threads
from engine.schedule.health import Health
from engine.schedule.jobs import TOO_OFTEN, Ran, Runner
from engine.schedule.logs import Log
from engine.schedule.metrics import Metrics
from engine.schedule.stopping import Stop
from engine.schedule.triggers import due_after, trigger
from engine.store.jobs import JobRecord, abandoned, finish, job_records
from engine.store.state import State

LOOK = 5.0
"""Seconds between two looks."""
_AHEAD = timedelta(minutes=1)
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Service:
    """Everything a scheduler works with."""

    jobs: Sequence[JobConfig]
    state: State
    runner: Runner
    stop: Stop
    log: Log
    metrics: Metrics
    health: Health
    watch: ClockWatch
    clock: Clock


def serve(service: Service, look: float = LOOK) -> None:
    """Run jobs when they are due until a stop is wanted; then end those under way and return. Raises ConfigError for a job that is never due."""
    jobs = {job.name: job for job in service.jobs}
    triggers = {job.name: trigger(job) for job in service.jobs}
    threads = Threads(lambda name, due, again: _fire(service, jobs[name], due, again), 2 * len(jobs))
    scheduler = _Scheduler(timezone=UTC, executors={"default": threads})
    scheduler.add_listener(lambda event: _still_running(service, event), EVENT_JOB_MAX_INSTANCES)
    records = job_records(service.state)
    for job in service.jobs:
        first = first_due(job, triggers[job.name], records.get(job.name), service.clock())
        scheduler.add_job(_nothing, triggers[job.name], id=job.name, name=job.name, coalesce=job.coalesce, max_instances=1, next_run_time=first)
        service.log.info("job is scheduled", job=job.name, command=list(job.command), next=first.isoformat())
    scheduler.start()
    try:
        while scheduler.alive():
            _look(service, jobs, triggers, scheduler, threads)
            if service.stop.wait(look):
                return
        raise EngineError("the thread that schedules jobs ended; start the scheduler again")
    finally:
        service.stop.wanted = True
        service.log.info("scheduler stops")
        scheduler.shutdown(wait=True)
        service.log.info("scheduler has stopped")


def once(service: Service) -> list[Ran | None]:
    """Run every job now, one after another in the order of the configuration; None for one that another scheduler has."""
    found = []
    for job in service.jobs:
        if service.stop.wanted:
            break
        found.append(service.runner.fire(job, service.clock()))
    return found


def first_due(job: JobConfig, found: BaseTrigger, record: JobRecord | None, now: datetime) -> datetime:
    """When ``job`` is due next: what was missed while no scheduler was there counts as far back as its grace. Raises ConfigError for never."""
    start = now
    if record is not None and record.due <= now + _AHEAD:
        start = max(record.due + _INSTANT, now - job.misfire_grace)
    if (due := due_after(found, start)) is None:
        raise ConfigError(f"[job.{job.name}] is never due: there is no such day as its cron line asks for")
    return due


class _Scheduler(BackgroundScheduler):  # type: ignore[misc]  # APScheduler has no types
    def alive(self) -> bool:
        """Whether its thread runs."""
        return bool(self._thread.is_alive())


def _nothing() -> None:
    """What APScheduler believes a job to be: `Threads` runs it by its name."""


def _fire(service: Service, job: JobConfig, due: datetime, again: bool) -> None:
    if not again and service.clock() - due > job.misfire_grace:
        service.metrics.missed(job.name)
        service.log.warning("job was missed", job=job.name, due=due.isoformat(), grace_seconds=job.misfire_grace.total_seconds())
        return
    try:
        service.runner.fire(job, due.astimezone(UTC), again=again)
    except Exception as error:  # noqa: BLE001  in a thread of its own nobody else would hear of it
        service.metrics.missed(job.name)
        service.log.error("a defect", job=job.name, due=due.isoformat(), errors=[f"{type(error).__name__}: {error}"])


def _still_running(service: Service, event: Any) -> None:
    service.metrics.missed(event.job_id, len(event.scheduled_run_times))
    service.log.warning("job was due while it still runs", job=event.job_id, due=[due.isoformat() for due in event.scheduled_run_times])


def _look(service: Service, jobs: Mapping[str, JobConfig], triggers: Mapping[str, BaseTrigger], scheduler: Any, threads: Threads) -> None:
    service.health.alive()
    if (jump := service.watch.look()) is not None:
        service.log.warning("the clock jumped", by_seconds=round(jump.by.total_seconds(), 3))
        for name, found in triggers.items():
            scheduler.modify_job(name, next_run_time=due_after(found, service.clock()))
    scheduler.wakeup()  # it counts seconds, and a machine that slept did not
    try:
        for record in abandoned(service.state, service.clock()):
            if record.name in jobs:
                _take_over(service, record, threads)
    except StateError as error:
        service.log.warning("the state could not be read", errors=[str(error)])


def _take_over(service: Service, record: JobRecord, threads: Threads) -> None:
    if record.attempts >= TOO_OFTEN:
        finish(service.state, record.name, record.due, FAILED, service.clock())
        service.log.error("job was begun too often and never ended", job=record.name, due=record.due.isoformat(), times=record.attempts)
        return
    service.log.warning("job is taken over", job=record.name, due=record.due.isoformat(), begun=record.begun.isoformat())
    threads.take_over(record.name, record.due)
