"""The alerts of the state as a table for SQL and Polars: one row an alert, nothing of the records behind it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl

from engine.schema import DTYPES
from engine.store.records import StoredAlert

_TEXT, _TEXTS, _TIME, _COUNT = DTYPES["string"], DTYPES["list"], DTYPES["time"], DTYPES["int"]

COLUMNS: dict[str, pl.DataType] = {
    "uid": _TEXT,
    "title": _TEXT,
    "level": _TEXT,
    "state": _TEXT,
    "kind": _TEXT,
    "first_time": _TIME,
    "last_time": _TIME,
    "count": _COUNT,
    "reason": _TEXT,
    "rule": _TEXT,
    "tags": _TEXTS,
    "sources": _TEXTS,
    "accounts": _TEXTS,
    "users": _TEXTS,
    "credentials": _TEXTS,
    "ips": _TEXTS,
    "resources": _TEXTS,
    "models": _TEXTS,
    "event_uids": _TEXTS,
    "revision": _COUNT,
    "sequence": _COUNT,
    "created": _TIME,
    "updated": _TIME,
    "status": _TEXT,
    "verdict": _TEXT,
    "assignee": _TEXT,
}
"""Name → type of the columns; ``rule`` is the uid of the rule, as in the table of hits."""

_ENTITIES = {"user": "users", "credential": "credentials", "ip": "ips", "resource": "resources", "model": "models"}


def alert_table(stored: Iterable[StoredAlert]) -> pl.DataFrame:
    """One row for each of ``stored``."""
    return pl.DataFrame([_row(each) for each in stored], schema=COLUMNS, orient="row")


def _row(stored: StoredAlert) -> dict[str, Any]:
    alert, human = stored.alert, stored.human
    entities: dict[str, list[str]] = {column: [] for column in _ENTITIES.values()}
    for entity in alert.entities:
        if entity.type in _ENTITIES:
            entities[_ENTITIES[entity.type]].append(entity.value)
    return {
        "uid": alert.uid,
        "title": alert.rule.title,
        "level": alert.level.word,
        "state": alert.state.value,
        "kind": alert.kind.value,
        "first_time": alert.first_time,
        "last_time": alert.last_time,
        "count": alert.count,
        "reason": alert.reason,
        "rule": alert.rule.uid,
        "tags": list(alert.rule.tags),
        "sources": list(alert.sources),
        "accounts": [cloud.account for cloud in alert.cloud if cloud.account],
        **entities,
        "event_uids": list(alert.event_uids),
        "revision": stored.revision,
        "sequence": stored.sequence,
        "created": stored.created,
        "updated": stored.updated,
        "status": human.status if human else "open",
        "verdict": human.verdict if human else None,
        "assignee": human.assignee if human else None,
    }
