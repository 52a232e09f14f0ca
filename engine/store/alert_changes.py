"""Alerts into the state: what is new, what changed, what ended; each change numbered."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from engine.errors import EngineError
from engine.model import Alert, Level, State
from engine.store.alert_codec import encode
from engine.store.database import chunks
from engine.store.records import Ended
from engine.store.tables import alerts as table
from engine.store.tables import counters


@dataclass(frozen=True, slots=True)
class Change:
    """One alert or incident that is not what it was: what sinks need to know of it."""

    uid: str
    revision: int
    level: Level
    state: State


@dataclass(slots=True)
class Changes:
    """What became of the alerts of a batch."""

    changes: list[Change] = field(default_factory=list)
    created: int = 0
    changed: int = 0
    ended: int = 0
    unchanged: int = 0


@dataclass(slots=True)
class _Wanted:
    """What an alert is to be: ``alert`` None where only its end is new."""

    alert: Alert | None
    state: State
    why: str | None = None
    by: str = "[]"


def apply(connection: Connection, alerts: Iterable[Alert], ended: Iterable[Ended], batch: int | None, now: datetime) -> Changes:
    """Bring the stored alerts to what is wanted. What is stored just so is left alone. Raises EngineError for the end of an unknown alert."""
    wanted = {alert.uid: _Wanted(alert, alert.state) for alert in alerts}
    for end in ended:
        entry = wanted.setdefault(end.uid, _Wanted(None, end.state))
        entry.state, entry.why, entry.by = end.state, end.reason, json.dumps(end.by)
    found = Changes()
    for uids in chunks(wanted):
        _apply(connection, {uid: wanted[uid] for uid in uids}, batch, now, found)
    return found


def _apply(connection: Connection, wanted: dict[str, _Wanted], batch: int | None, now: datetime, found: Changes) -> None:
    known = _known(connection, list(wanted))
    rows: list[dict[str, Any]] = []
    for uid, want in wanted.items():
        row = known.get(uid)
        if row is None and want.alert is None:
            raise EngineError(f"alert {uid} ended and was never stored")
        document = _document(want.alert) if want.alert else {}
        status = {"state": want.state.value, "why": want.why, "superseded_by": want.by}
        asked = status | ({"digest": document["digest"]} if document else {})
        if row is not None and all(getattr(row, name) == value for name, value in asked.items()):
            found.unchanged += 1
            continue
        revision = row.revision + 1 if row is not None else 1
        level = want.alert.level if want.alert else Level(row.level)  # type: ignore[union-attr]
        found.changes.append(Change(uid, revision, level, want.state))
        values = {**document, **status, "revision": revision, "updated": now, "batch": batch}
        rows.append({**values, "uid": uid, "created": now} if row is None else {**values, "_uid": uid})
    found.created += sum("created" in row for row in rows)
    found.changed += sum("document" in row and "created" not in row for row in rows)
    found.ended += sum(row["state"] in (State.SUPERSEDED, State.RETRACTED) for row in rows)
    _write(connection, rows)


def _document(alert: Alert) -> dict[str, Any]:
    text = encode(alert)
    return {
        "document": text,
        "digest": sha256(text.encode()).hexdigest(),
        "kind": alert.kind.value,
        "rule": alert.rule.uid,
        "level": int(alert.level),
        "first_time": alert.first_time,
        "last_time": alert.last_time,
    }


def _known(connection: Connection, uids: Sequence[str]) -> dict[str, Row[*tuple[Any, ...]]]:
    columns = (table.c.uid, table.c.digest, table.c.state, table.c.why, table.c.superseded_by, table.c.revision, table.c.level)
    return {row.uid: row for row in connection.execute(select(*columns).where(table.c.uid.in_(uids)))}


def _write(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Insert and update ``rows``, numbered in their order."""
    if not rows:
        return
    number = numbers(connection, len(rows))
    for row in rows:
        row["sequence"] = number
        number += 1
    if new := [row for row in rows if "created" in row]:
        connection.execute(table.insert(), new)
    renewed = [row for row in rows if "_uid" in row and "document" in row]
    restated = [row for row in rows if "_uid" in row and "document" not in row]
    for some in (renewed, restated):
        if some:
            changed: dict[str, Any] = {name: bindparam(name) for name in some[0] if name != "_uid"}
            connection.execute(update(table).where(table.c.uid == bindparam("_uid")).values(changed), some)


def numbers(connection: Connection, count: int) -> int:
    """The first of ``count`` numbers. Holds the row until the transaction ends, so that numbers appear in rising order."""
    rising = update(counters).where(counters.c.name == "sequence").values(value=counters.c.value + count).returning(counters.c.value)
    last: int = connection.execute(rising).scalar_one()
    return last - count + 1
