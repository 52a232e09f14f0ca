"""Stored alerts read back."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, select

from engine.errors import UsageError
from engine.model import Level, State
from engine.store import human_state
from engine.store.alert_codec import decode
from engine.store.database import chunks
from engine.store.records import ALERT, StoredAlert
from engine.store.tables import alerts as table
from engine.store.tables import human


@dataclass(frozen=True, slots=True)
class AlertQuery:
    """Which alerts: None wants all. ``start`` and ``end`` are met by a span that touches them, ``uid`` is how one begins, ``since`` a sequence.

    ``newest``: the latest changes first (as for a limit), else in the order of changes.
    """

    rules: Collection[str] | None = None
    start: datetime | None = None
    end: datetime | None = None
    uid: str | None = None
    uids: Collection[str] | None = None
    states: Collection[State] | None = None
    min_level: Level | None = None
    since: int | None = None
    statuses: Collection[str] | None = None
    limit: int | None = None
    newest: bool = False

    def conditions(self) -> list[ColumnElement[bool]]:
        """What must hold of a row of alerts beside human state; ``uids`` aside."""
        asked: list[ColumnElement[bool] | None] = [
            table.c.rule.in_(self.rules) if self.rules is not None else None,
            table.c.last_time >= self.start if self.start is not None else None,
            table.c.first_time <= self.end if self.end is not None else None,
            table.c.uid.startswith(self.uid, autoescape=True) if self.uid else None,
            table.c.state.in_([state.value for state in self.states]) if self.states is not None else None,
            table.c.level >= int(self.min_level) if self.min_level is not None else None,
            table.c.sequence > self.since if self.since is not None else None,
            func.coalesce(human.c.status, "open").in_(self.statuses) if self.statuses is not None else None,
        ]
        return [condition for condition in asked if condition is not None]


def find(connection: Connection, query: AlertQuery) -> list[StoredAlert]:
    """The alerts of ``query``."""
    ordered = _joined().where(*query.conditions()).order_by(table.c.sequence.desc() if query.newest else table.c.sequence).limit(query.limit)
    if query.uids is None:
        return _with_notes(connection, connection.execute(ordered))
    rows = [row for uids in chunks(sorted(set(query.uids))) for row in connection.execute(ordered.where(table.c.uid.in_(uids)))]
    rows.sort(key=lambda row: row.sequence, reverse=query.newest)
    return _with_notes(connection, rows[: query.limit])


def of_uids(connection: Connection, uids: Iterable[str]) -> list[StoredAlert]:
    """The alerts of ``uids``, in no order."""
    return _with_notes(connection, [row for some in chunks(uids) for row in connection.execute(_joined().where(table.c.uid.in_(some)))])


def _joined() -> Select[Any]:
    """Alerts with the human state beside them."""
    return select(table, *human_state.columns()).select_from(table.outerjoin(human, and_(human.c.kind == ALERT, human.c.uid == table.c.uid)))


def _with_notes(connection: Connection, rows: Iterable[Row[Any]]) -> list[StoredAlert]:
    held = list(rows)
    notes = human_state.notes(connection, ALERT, [row.uid for row in held if row.human_status is not None])
    return [_stored(row, notes) for row in held]


def _stored(row: Row[Any], notes: human_state.Notes) -> StoredAlert:
    return StoredAlert(
        alert=decode(row.document, State(row.state)),
        revision=row.revision,
        sequence=row.sequence,
        superseded_by=tuple(json.loads(row.superseded_by)),
        why=row.why,
        created=row.created,
        updated=row.updated,
        human=human_state.of_row(row, notes.get(row.uid, ())),
    )


def uid_of(connection: Connection, prefix: str) -> str:
    """The uid that is ``prefix`` or the only one that begins so. Raises UsageError."""
    begins = table.c.uid.startswith(prefix, autoescape=True)
    found = list(connection.execute(select(table.c.uid).where(begins).order_by(table.c.uid).limit(3)).scalars())
    if prefix and (len(found) == 1 or prefix in found):
        return prefix if prefix in found else found[0]
    if found:
        raise UsageError(f"{prefix!r} is the beginning of several alerts ({', '.join(uid[:16] for uid in found)}, …): write more of it")
    raise UsageError(f"there is no alert {prefix!r}; `crosswind alerts list --all` shows what there is")


def last_sequence(connection: Connection) -> int:
    """The number of the last change of an alert; 0 before the first."""
    return connection.execute(select(func.max(table.c.sequence))).scalar() or 0
