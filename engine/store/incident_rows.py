"""Stored incidents read back."""

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
from engine.store.database import chunks
from engine.store.incident_codec import decode
from engine.store.records import INCIDENT, StoredIncident
from engine.store.tables import human
from engine.store.tables import incidents as table


@dataclass(frozen=True, slots=True)
class IncidentQuery:
    """Which incidents: None wants all. ``start`` and ``end`` are met by a span that touches them, ``since`` is a sequence.

    ``newest``: the latest changes first (as for a limit), else in the order of changes.
    """

    start: datetime | None = None
    end: datetime | None = None
    uids: Collection[str] | None = None
    states: Collection[State] | None = None
    min_level: Level | None = None
    since: int | None = None
    statuses: Collection[str] | None = None
    limit: int | None = None
    newest: bool = False

    def conditions(self) -> list[ColumnElement[bool]]:
        """What must hold of a row of incidents beside human state; ``uids`` aside."""
        asked: list[ColumnElement[bool] | None] = [
            table.c.last_time >= self.start if self.start is not None else None,
            table.c.first_time <= self.end if self.end is not None else None,
            table.c.state.in_([state.value for state in self.states]) if self.states is not None else None,
            table.c.level >= int(self.min_level) if self.min_level is not None else None,
            table.c.sequence > self.since if self.since is not None else None,
            func.coalesce(human.c.status, "open").in_(self.statuses) if self.statuses is not None else None,
        ]
        return [condition for condition in asked if condition is not None]


@dataclass(frozen=True, slots=True)
class Around:
    """The standing incidents that a change since some moment may touch: their ``components``, ``alerts``, and when the earliest of them began."""

    components: frozenset[str] = frozenset()
    alerts: frozenset[str] = frozenset()
    first: datetime | None = None


def find(connection: Connection, query: IncidentQuery) -> list[StoredIncident]:
    """The incidents of ``query``."""
    ordered = _joined().where(*query.conditions()).order_by(table.c.sequence.desc() if query.newest else table.c.sequence).limit(query.limit)
    if query.uids is None:
        return _with_notes(connection, connection.execute(ordered))
    rows = [row for uids in chunks(sorted(set(query.uids))) for row in connection.execute(ordered.where(table.c.uid.in_(uids)))]
    rows.sort(key=lambda row: row.sequence, reverse=query.newest)
    return _with_notes(connection, rows[: query.limit])


def around(connection: Connection, since: datetime) -> Around:
    """The incidents that stand and last until ``since`` or longer, with all that hangs together with them."""
    standing = (table.c.state == State.LIVE.value, table.c.followed_by.is_(None))
    names = connection.execute(select(table.c.component).where(table.c.last_time >= since, *standing).distinct()).scalars().all()
    alerts: set[str] = set()
    first: datetime | None = None
    for some in chunks(sorted(names)):
        for row in connection.execute(select(table.c.first_time, table.c.document).where(table.c.component.in_(some), *standing)):
            alerts.update(json.loads(row.document)["alert_uids"])
            first = row.first_time if first is None else min(first, row.first_time)
    return Around(frozenset(names), frozenset(alerts), first)


def open_by_level(connection: Connection) -> dict[Level, int]:
    """How many incidents stand that nobody has closed, by level."""
    joined = select(table.c.level, func.count().label("n")).select_from(_with_human())
    waiting = (table.c.state == State.LIVE.value, table.c.followed_by.is_(None), func.coalesce(human.c.status, "open") != "closed")
    return {Level(row.level): row.n for row in connection.execute(joined.where(*waiting).group_by(table.c.level).order_by(table.c.level.desc()))}


def _with_human() -> Any:
    return table.outerjoin(human, and_(human.c.kind == INCIDENT, human.c.uid == table.c.uid))


def _joined() -> Select[Any]:
    """Incidents with the human state beside them."""
    return select(table, *human_state.columns()).select_from(_with_human())


def _with_notes(connection: Connection, rows: Iterable[Row[Any]]) -> list[StoredIncident]:
    held = list(rows)
    notes = human_state.notes(connection, INCIDENT, [row.uid for row in held if row.human_status is not None])
    return [_stored(row, notes) for row in held]


def _stored(row: Row[Any], notes: human_state.Notes) -> StoredIncident:
    person = human_state.of_row(row, notes.get(row.uid, ()))
    return StoredIncident(
        incident=decode(row.document, uid=row.uid, status=person.status if person else "open", component=row.component),
        revision=row.revision,
        sequence=row.sequence,
        state=State(row.state),
        why=row.why,
        moved_to=row.moved_to,
        follows=row.follows,
        followed_by=row.followed_by,
        created=row.created,
        updated=row.updated,
        human=person,
    )


def uid_of(connection: Connection, prefix: str) -> str:
    """The uid that is ``prefix`` or the only one that begins so. Raises UsageError."""
    begins = table.c.uid.startswith(prefix, autoescape=True)
    found = list(connection.execute(select(table.c.uid).where(begins).order_by(table.c.uid).limit(3)).scalars())
    if prefix and (len(found) == 1 or prefix in found):
        return prefix if prefix in found else found[0]
    if found:
        raise UsageError(f"{prefix!r} is the beginning of several incidents ({', '.join(uid[:16] for uid in found)}, …): write more of it")
    raise UsageError(f"there is no incident {prefix!r}; `crosswind incidents list --all` shows what there is")
