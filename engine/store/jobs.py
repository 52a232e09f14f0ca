"""Which runs of jobs were begun and which came to an end, so that no scheduler begins one that another did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select, update

from engine.store.database import insert
from engine.store.leases import gone
from engine.store.state import State
from engine.store.tables import jobs, leases

_AHEAD = timedelta(minutes=1)
"""A time due further ahead than this was written by a clock that was wrong."""


@dataclass(frozen=True, slots=True)
class JobRecord:
    """The last run of a job that was begun. ``attempts``: how many schedulers began it; ``finished`` None: none came to its end yet."""

    name: str
    due: datetime
    begun: datetime
    attempts: int
    finished: datetime | None
    outcome: str | None


def claim(state: State, name: str, due: datetime, now: datetime) -> bool:
    """Begin the run of a job that was due at ``due``. False where that run, or a later one, was begun before."""
    values = {"due": due, "begun": now, "attempts": 1, "finished": None, "outcome": None}
    with state.database.write() as connection:
        statement = insert(connection, jobs).values(name=name, **values)
        fresh = or_(jobs.c.due < due, jobs.c.due > now + _AHEAD)
        taking = statement.on_conflict_do_update(index_elements=[jobs.c.name], set_=values, where=fresh)
        return connection.execute(taking.returning(jobs.c.name)).first() is not None


def take_over(state: State, name: str, due: datetime, now: datetime) -> bool:
    """Begin again a run that was begun and did not end. False where it ended meanwhile."""
    with state.database.write() as connection:
        open_ = (jobs.c.name == name, jobs.c.due == due, jobs.c.finished.is_(None))
        return connection.execute(update(jobs).where(*open_).values(begun=now, attempts=jobs.c.attempts + 1)).rowcount == 1


def finish(state: State, name: str, due: datetime, outcome: str, now: datetime) -> None:
    """The run of a job that was due at ``due`` came to an end."""
    with state.database.write() as connection:
        connection.execute(update(jobs).where(jobs.c.name == name, jobs.c.due == due).values(finished=now, outcome=outcome))


def job_records(state: State) -> dict[str, JobRecord]:
    """The last run of each job, by name."""
    with state.database.read() as connection:
        rows = connection.execute(select(jobs).order_by(jobs.c.name))
        return {row.name: JobRecord(row.name, row.due, row.begun, row.attempts, row.finished, row.outcome) for row in rows}


def lease_name(job: str) -> str:
    """The lease of the one process that runs a job."""
    return f"job {job}"


def abandoned(state: State, now: datetime) -> list[JobRecord]:
    """Runs that were begun and did not end, and that nobody is at any more."""
    with state.database.read() as connection:
        held = {row.name for row in connection.execute(select(leases)) if row.until > now and not gone(row.holder)}
    return [record for record in job_records(state).values() if record.finished is None and lease_name(record.name) not in held]
