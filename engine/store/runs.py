"""The record of runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from engine import jsontext
from engine.store.records import Run
from engine.store.tables import runs

DONE, FAILED = "done", "failed"
"""Outcomes: a run that ended well and one that did not; failures inside a run that went on are in its errors."""


def record(
    connection: Connection,
    *,
    batch: int | None,
    started: datetime,
    finished: datetime,
    outcome: str,
    counts: Mapping[str, Any],
    errors: Sequence[str],
) -> int:
    """Store a run that ended; its id."""
    values = {
        "batch": batch,
        "started": started,
        "finished": finished,
        "outcome": outcome,
        "counts": jsontext.encode(dict(counts)),
        "errors": jsontext.encode(list(errors)),
    }
    number: int = connection.execute(runs.insert().values(values).returning(runs.c.id)).scalar_one()
    return number


def last(connection: Connection, limit: int) -> list[Run]:
    """The last runs, newest first."""
    rows = connection.execute(select(runs).order_by(runs.c.id.desc()).limit(limit))
    return [Run(row.id, row.batch, row.started, row.finished, row.outcome, json.loads(row.counts), tuple(json.loads(row.errors))) for row in rows]
