"""What people make of alerts and incidents: status, assignee, verdict and notes, with who and when.

It lives beside the thing and outlives its revisions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Label, Row, select

from engine.errors import UsageError
from engine.store.database import chunks, insert
from engine.store.records import ALERT, INCIDENT, HumanChange, HumanState, Note
from engine.store.tables import alerts, human, human_changes, incidents

STATUSES = ("open", "acknowledged", "closed")
VERDICTS = ("true-positive", "benign", "false-positive")
_TABLES = {ALERT: alerts, INCIDENT: incidents}
_FIELDS = ("status", "assignee", "verdict", "reason")

Notes = Mapping[str, tuple[Note, ...]]


def columns() -> list[Label[Any]]:
    """The columns of human state, named so that they can stand beside others."""
    return [column.label(f"human_{column.name}") for column in human.c if column.name not in ("kind", "uid")]


def of_row(row: Row[Any], notes: tuple[Note, ...]) -> HumanState | None:
    """The human state in ``row`` (with `columns`); None where nobody touched it."""
    if row.human_status is None:
        return None
    return HumanState(row.human_status, row.human_assignee, row.human_verdict, row.human_reason, row.human_who, row.human_at, notes)


def notes(connection: Connection, kind: str, uids: Sequence[str]) -> Notes:
    """The notes on each of ``uids``, oldest first."""
    found: dict[str, list[Note]] = {}
    asked = select(human_changes).where(human_changes.c.kind == kind, human_changes.c.note.is_not(None)).order_by(human_changes.c.id)
    for some in chunks(uids):
        for row in connection.execute(asked.where(human_changes.c.uid.in_(some))):
            found.setdefault(row.uid, []).append(Note(row.who, row.at, row.note))
    return {uid: tuple(held) for uid, held in found.items()}


def history(connection: Connection, kind: str, uid: str) -> list[HumanChange]:
    """Every change somebody made to one thing, oldest first."""
    rows = connection.execute(select(human_changes).where(human_changes.c.kind == kind, human_changes.c.uid == uid).order_by(human_changes.c.id))
    return [HumanChange(row.who, row.at, row.status, row.assignee, row.verdict, row.reason, row.note) for row in rows]


def change(connection: Connection, kind: str, uid: str, who: str, now: datetime, values: Mapping[str, str | None], note: str | None) -> None:
    """Set the ``values`` that are not None; "" takes away. The change goes into the history even where it repeats what is. Raises UsageError.

    An open one that gets an assignee is acknowledged.
    """
    _check(connection, kind, uid, who, values, note)
    row = connection.execute(select(human).where(human.c.kind == kind, human.c.uid == uid)).first()
    before: dict[str, Any] = {name: getattr(row, name) for name in _FIELDS} if row is not None else {"status": "open"}
    given = {name: value for name, value in values.items() if value is not None}
    if given.get("assignee") and "status" not in given and before["status"] == "open":
        given["status"] = "acknowledged"  # somebody has it
    after = {**dict.fromkeys(_FIELDS), **before, **{name: value or None for name, value in given.items()}, "who": who, "at": now}
    statement = insert(connection, human).values(kind=kind, uid=uid, **after)
    connection.execute(statement.on_conflict_do_update(index_elements=[human.c.kind, human.c.uid], set_=after))
    connection.execute(human_changes.insert().values(kind=kind, uid=uid, who=who, at=now, note=note, **{name: given.get(name) for name in _FIELDS}))


def _check(connection: Connection, kind: str, uid: str, who: str, values: Mapping[str, str | None], note: str | None) -> None:
    if unknown := values.keys() - set(_FIELDS):
        raise UsageError(f"human state has no {', '.join(sorted(unknown))}")
    table = _TABLES.get(kind)
    if table is None or connection.execute(select(table.c.uid).where(table.c.uid == uid)).first() is None:
        raise UsageError(f"there is no {kind} {uid}; `crosswind {kind}s list` shows what there is")
    if not who.strip():
        raise UsageError("it must be known who makes a change: say --as NAME")
    if (status := values.get("status")) is not None and status not in STATUSES:
        raise UsageError(f"{status!r} is no status; one of {', '.join(STATUSES)}")
    if (verdict := values.get("verdict")) and verdict not in VERDICTS:
        raise UsageError(f"{verdict!r} is no verdict; one of {', '.join(VERDICTS)}")
    if note is not None and not note.strip():
        raise UsageError("an empty note says nothing")
    if note is None and all(value is None for value in values.values()):
        raise UsageError("nothing to change")
