"""Alerts about crosswind itself: they belong to no batch. And what a check of its health needs to know."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import select

from engine.model import Alert
from engine.store import alert_changes, outbox
from engine.store.records import ALERT, Ended, Run
from engine.store.state import State
from engine.store.tables import plans, runs


def settle(state: State, alerts: Sequence[Alert], ended: Sequence[Ended], sinks: Iterable[str], now: datetime) -> int:
    """Store ``alerts`` and what ended, and let ``sinks`` be told, in one transaction; how many alerts are not what they were."""
    with state.database.write() as connection:
        found = alert_changes.apply(connection, alerts, ended, None, now)
        outbox.put(connection, sinks, ALERT, found.changes, now)
        return len(found.changes)


def arrivals(state: State, since: datetime) -> dict[str, list[datetime]]:
    """When each configured source had something new, oldest first: the times its batches were planned."""
    found: dict[str, list[datetime]] = {}
    with state.database.read() as connection:
        for row in connection.execute(select(plans.c.sources, plans.c.created).where(plans.c.created >= since).order_by(plans.c.batch)):
            for source in json.loads(row.sources):
                found.setdefault(source, []).append(row.created)
    return found


def batch_runs(state: State, limit: int) -> list[Run]:
    """The runs of the last batches, newest first."""
    with state.database.read() as connection:
        rows = connection.execute(select(runs).where(runs.c.batch.is_not(None)).order_by(runs.c.id.desc()).limit(limit))
        return [Run(row.id, row.batch, row.started, row.finished, row.outcome, json.loads(row.counts), tuple(json.loads(row.errors))) for row in rows]
