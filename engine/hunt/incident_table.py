"""The incidents of the state as a table for SQL and Polars: one row an incident."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl

from engine.schema import DTYPES
from engine.store.records import StoredIncident

_TEXT, _TEXTS, _TIME, _COUNT, _NUMBER = DTYPES["string"], DTYPES["list"], DTYPES["time"], DTYPES["int"], pl.Float64()

COLUMNS: dict[str, pl.DataType] = {
    "uid": _TEXT,
    "title": _TEXT,
    "level": _TEXT,
    "score": _NUMBER,
    "state": _TEXT,
    "confidence": _TEXT,
    "first_time": _TIME,
    "last_time": _TIME,
    "alerts": _COUNT,
    "count": _COUNT,
    "principals": _TEXTS,
    "tactics": _TEXTS,
    "sources": _TEXTS,
    "clouds": _TEXTS,
    "accounts": _TEXTS,
    "resources": _TEXTS,
    "models": _TEXTS,
    "keys": _TEXTS,
    "alert_uids": _TEXTS,
    "event_uids": _TEXTS,
    "moved_to": _TEXT,
    "follows": _TEXT,
    "revision": _COUNT,
    "sequence": _COUNT,
    "created": _TIME,
    "updated": _TIME,
    "status": _TEXT,
    "verdict": _TEXT,
    "assignee": _TEXT,
}
"""Name → type of the columns; ``alerts`` and ``count`` are how many alerts and events, ``keys`` what joins the alerts, as ``type:value``."""


def incident_table(stored: Iterable[StoredIncident]) -> pl.DataFrame:
    """One row for each of ``stored``."""
    return pl.DataFrame([_row(each) for each in stored], schema=COLUMNS, orient="row")


def _row(stored: StoredIncident) -> dict[str, Any]:
    incident, human = stored.incident, stored.human
    return {
        "uid": incident.uid,
        "title": incident.title,
        "level": incident.level.word,
        "score": incident.score,
        "state": stored.state.value,
        "confidence": incident.confidence.value,
        "first_time": incident.first_time,
        "last_time": incident.last_time,
        "alerts": len(incident.alert_uids),
        "count": incident.events,
        "principals": [each.entity for each in incident.principals],
        "tactics": [each.tactic for each in incident.tactics],
        "sources": list(incident.sources),
        "clouds": sorted({cloud.provider for cloud in incident.clouds if cloud.provider}),
        "accounts": [cloud.account for cloud in incident.clouds if cloud.account],
        "resources": sorted({*incident.blast.read, *incident.blast.written}),
        "models": list(incident.blast.models),
        "keys": sorted({join.key for join in incident.joins}),
        "alert_uids": list(incident.alert_uids),
        "event_uids": list(incident.event_uids),
        "moved_to": stored.moved_to,
        "follows": stored.follows,
        "revision": stored.revision,
        "sequence": stored.sequence,
        "created": stored.created,
        "updated": stored.updated,
        "status": incident.status,
        "verdict": human.verdict if human else None,
        "assignee": human.assignee if human else None,
    }
