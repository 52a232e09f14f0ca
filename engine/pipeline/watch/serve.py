"""`schedule`: the jobs of a configuration, run when they are due."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from engine.config import Config, JobConfig
from engine.errors import ConfigError
from engine.pipeline.watch.self_check import SelfCheck
from engine.schedule.attempts import DONE, Work
from engine.schedule.child import ChildWork
from engine.schedule.clock import ClockWatch, wall
from engine.schedule.health import Health, address_of, served
from engine.schedule.jobs import Runner
from engine.schedule.logs import Log
from engine.schedule.metrics import Metrics
from engine.schedule.service import Service, first_due, once, serve
from engine.schedule.stopping import Stop, heard
from engine.schedule.triggers import trigger
from engine.store.jobs import JobRecord, job_records
from engine.store.state import State

CHECK = "check"
"""The command of a job that is no command of the command line: it looks at crosswind itself."""


@dataclass(frozen=True, slots=True)
class Upcoming:
    """A job, when it is due next, and what became of its last run."""

    job: JobConfig
    next: datetime
    last: datetime | None
    outcome: str | None


def upcoming(config: Config) -> list[Upcoming]:
    """The jobs of ``config`` in its order. Raises ConfigError, and StateError where there is a state that cannot be read."""
    now = wall()
    records: dict[str, JobRecord] = {}
    if "://" in config.state or Path(config.state).exists():
        with State.open(config.state, create=False) as state:
            records = job_records(state)
    found = []
    for job in _checked(config):
        record = records.get(job.name)
        due = first_due(job, trigger(job), None, now)
        found.append(Upcoming(job, due, record.begun, record.outcome or "not ended") if record else Upcoming(job, due, None, None))
    return found


def schedule(config: Config, log: Log, *, metrics_at: str | None = None) -> None:
    """Run the jobs of ``config`` when they are due, until SIGTERM or SIGINT. ``metrics_at``: where to serve metrics and health on this machine.

    Raises ConfigError, UsageError and StateError before anything is begun.
    """
    address = address_of(metrics_at) if metrics_at is not None else None
    with _service(config, log) as service, heard(service.stop):
        if address is None:
            serve(service)
            return
        with served(address, lambda: service.metrics.text(service.state, service.clock()), service.health.problems) as port:
            log.info("metrics and health are served", address=address[0], port=port)
            serve(service)


def schedule_once(config: Config, log: Log) -> bool:
    """Run every job of ``config`` now, one after another; whether all of them ended well and without errors."""
    with _service(config, log) as service, heard(service.stop):
        found = once(service)
        return service.stop.wanted or all(ran is not None and ran.attempt.outcome == DONE and not ran.attempt.errors for ran in found)


@contextmanager
def _service(config: Config, log: Log) -> Iterator[Service]:
    jobs = _checked(config)
    stop, watch, metrics = Stop(), ClockWatch(), Metrics(job.name for job in jobs)
    with State.open(config.state) as state:
        child = ChildWork(_begin(), _environment(config, os.environ), stop)
        check = SelfCheck(config, state, watch, wall)

        def work(job: JobConfig) -> Work:
            return check if job.command[0] == CHECK else child

        runner = Runner(state, work, stop, log, metrics, clock=wall)
        yield Service(jobs, state, runner, stop, log, metrics, Health(state), watch, wall)


def _checked(config: Config) -> Sequence[JobConfig]:
    if not config.jobs:
        raise ConfigError(f"{config.path or 'the configuration'}: no [job.NAME]: there is nothing to schedule")
    for job in config.jobs:
        if reason := refused(job):
            raise ConfigError(f"{config.path}: [job.{job.name}]: {reason}")
    return config.jobs


def refused(job: JobConfig) -> str | None:
    """Why ``job`` cannot be scheduled, or None."""
    if job.command[0] == "schedule":
        return "a scheduler begins no schedulers"
    if job.command[0] == CHECK and len(job.command) > 1:
        return "`check` takes no words behind it"
    return None


def _begin() -> list[str]:
    return [sys.executable, "-m", "engine.cli", "schedule", "--begun-by", str(os.getpid()), "--"]


def _environment(config: Config, environ: Mapping[str, str]) -> dict[str, str]:
    """Jobs read the same configuration, whatever --config said."""
    return dict(environ) | ({"CROSSWIND_CONFIG": os.path.abspath(config.path)} if config.path is not None else {})
