"""Batch plans: what a batch is to read, written before it is read."""

from __future__ import annotations

import json
from datetime import datetime

from sqlalchemy import Connection, func, select, update

from engine.errors import StateError
from engine.store.records import Plan
from engine.store.tables import plans


def open_plan(connection: Connection) -> Plan | None:
    """The plan of the batch that is not done; None where there is none."""
    row = connection.execute(select(plans).where(plans.c.open)).first()
    if row is None:
        return None
    return Plan(row.batch, tuple(json.loads(row.sources)), row.objects, row.digest, row.created, row.rules_digest)


def last_batch(connection: Connection) -> int:
    """The number of the last batch that is done; 0 before the first."""
    return connection.execute(select(func.max(plans.c.batch)).where(~plans.c.open)).scalar() or 0


def batch_digest(connection: Connection, batch: int) -> str | None:
    """The digest of the plan of ``batch``, done or not; None where there was none."""
    return connection.execute(select(plans.c.digest).where(plans.c.batch == batch)).scalar()


def write_plan(connection: Connection, plan: Plan) -> None:
    """Store ``plan``; nothing where it is stored already. Raises StateError beside another open plan, and for a number that was used."""
    present = open_plan(connection)
    if present is not None:
        if (present.batch, present.digest) == (plan.batch, plan.digest):
            return
        raise StateError(f"batch {present.batch} was planned and is not done; it has to be finished before batch {plan.batch}: run again")
    if plan.batch <= (last := last_batch(connection)):
        raise StateError(f"batch {plan.batch} cannot be planned after batch {last}; `crosswind state repair` finds the right number")
    values = {
        "batch": plan.batch,
        "sources": json.dumps(plan.sources),
        "objects": plan.objects,
        "digest": plan.digest,
        "rules_digest": plan.rules_digest,
        "created": plan.created,
        "open": True,
    }
    connection.execute(plans.insert().values(values))


def close(connection: Connection, batch: int, now: datetime) -> bool:
    """Close the plan of ``batch`` in one statement: whether it was us. False where it is done already. Raises StateError without such a plan."""
    closing = update(plans).where(plans.c.batch == batch, plans.c.open).values(open=False, closed=now, objects="")
    if connection.execute(closing).rowcount == 1:
        return True
    if connection.execute(select(plans.c.batch).where(plans.c.batch == batch)).first() is None:
        raise StateError(f"batch {batch} has no plan in this state; is the state older than its lake? `crosswind state repair` puts that right")
    return False


def created(connection: Connection, batch: int) -> datetime:
    """When ``batch`` was planned."""
    moment: datetime = connection.execute(select(plans.c.created).where(plans.c.batch == batch)).scalar_one()
    return moment
