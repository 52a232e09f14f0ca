"""The outbox: what each sink still has to be told, what it was told, and what it refused."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, case, delete, func, select, update

from engine.model import Level, State
from engine.store import alert_rows, incident_rows
from engine.store.alert_changes import Change
from engine.store.database import chunks, insert
from engine.store.incident_rows import IncidentQuery
from engine.store.records import ALERT, INCIDENT, DeadLetter, Delivered, Depth, OutboxRow, StoredAlert, StoredIncident
from engine.store.tables import alerts, deliveries, incidents, outbox


def put(connection: Connection, sinks: Iterable[str], kind: str, changes: Sequence[Change], now: datetime, least: Level = Level.INFORMATIONAL) -> int:
    """Let every sink be told of the ``changes`` of alerts or incidents at or above ``least``, and of those it knows; how many rows that made."""
    below = [change.uid for change in changes if change.level < least]
    known: set[tuple[str, str]] = set()
    for some in chunks(below):
        asked = select(deliveries.c.sink, deliveries.c.uid).where(deliveries.c.kind == kind, deliveries.c.uid.in_(some))
        known.update((row.sink, row.uid) for row in connection.execute(asked))
    rows = [
        {
            "sink": sink,
            "kind": kind,
            "uid": change.uid,
            "revision": change.revision,
            "level": int(change.level),
            "state": change.state.value,
            "created": now,
            "attempts": 0,
            "dead": False,
        }
        for sink in sinks
        for change in changes
        if change.level >= least or (sink, change.uid) in known
    ]
    if rows:
        connection.execute(outbox.insert(), rows)
    return len(rows)


def is_new(connection: Connection, sink: str) -> bool:
    """Whether ``sink`` was never told of anything, and nothing waits for it."""
    rows = (select(table.c.uid).where(table.c.sink == sink).limit(1) for table in (deliveries, outbox))
    return all(connection.execute(asked).first() is None for asked in rows)


def introduce(connection: Connection, sink: str, now: datetime, least: Level) -> int:
    """Let a new sink be told of every alert and incident that stands at or above ``least``; how many."""
    if not is_new(connection, sink):
        return 0
    queued = 0
    for kind, table in ((ALERT, alerts), (INCIDENT, incidents)):
        columns = (table.c.uid, table.c.revision, table.c.level, table.c.state)
        stands = table.c.state.in_([State.LIVE.value, State.OPEN.value])
        rows = connection.execute(select(*columns).where(stands, table.c.level >= int(least)).order_by(table.c.sequence))
        changes = [Change(row.uid, row.revision, Level(row.level), State(row.state)) for row in rows]
        queued += put(connection, [sink], kind, changes, now)
    return queued


def waiting(connection: Connection, sink: str, limit: int, after: int) -> list[OutboxRow]:
    """The next rows for ``sink`` with an id above ``after``, in order of id: one a thing, the last, with the thing as it stands now.

    Small questions by key, one after the other: a server that does not know yet how large its tables have become plans each of them well.
    """
    found: list[OutboxRow] = []
    while len(found) < limit:
        mine = select(outbox).where(outbox.c.sink == sink, ~outbox.c.dead, outbox.c.id > after).order_by(outbox.c.id).limit(limit)
        rows = connection.execute(mine).all()
        if not rows:
            break
        after = rows[-1].id
        newest = _newest(connection, sink, {row.uid for row in rows})
        last = [row for row in rows if row.id == newest[row.kind, row.uid]]
        uids = [row.uid for row in last]
        stored = _stored(connection, last)
        before = _before(connection, sink, uids)
        found += [
            OutboxRow(
                id=row.id,
                sink=row.sink,
                kind=row.kind,
                uid=row.uid,
                revision=row.revision,
                attempts=row.attempts,
                created=row.created,
                stored=stored[row.kind, row.uid],
                before=before.get((row.kind, row.uid)),
            )
            for row in last
        ]
    return found[:limit]


def _stored(connection: Connection, rows: Iterable[Row[Any]]) -> dict[tuple[str, str], StoredAlert | StoredIncident]:
    """The things that ``rows`` speak of, by kind and uid."""
    uids: dict[str, list[str]] = {ALERT: [], INCIDENT: []}
    for row in rows:
        uids[row.kind].append(row.uid)
    found: dict[tuple[str, str], StoredAlert | StoredIncident] = {}
    found.update(((ALERT, each.alert.uid), each) for each in alert_rows.of_uids(connection, uids[ALERT]))
    if uids[INCIDENT]:
        found.update(((INCIDENT, each.incident.uid), each) for each in incident_rows.find(connection, IncidentQuery(uids=uids[INCIDENT])))
    return found


def _newest(connection: Connection, sink: str, uids: Iterable[str]) -> dict[tuple[str, str], int]:
    """The greatest id of each thing in the outbox of ``sink``."""
    asked = select(outbox.c.kind, outbox.c.uid, func.max(outbox.c.id).label("id")).where(outbox.c.sink == sink).group_by(outbox.c.kind, outbox.c.uid)
    return {(row.kind, row.uid): row.id for some in chunks(uids) for row in connection.execute(asked.where(outbox.c.uid.in_(some)))}


def _before(connection: Connection, sink: str, uids: Iterable[str]) -> dict[tuple[str, str], Delivered]:
    """What ``sink`` was told last."""
    asked = select(deliveries).where(deliveries.c.sink == sink)
    return {
        (row.kind, row.uid): Delivered(row.revision, Level(row.level), State(row.state))
        for some in chunks(uids)
        for row in connection.execute(asked.where(deliveries.c.uid.in_(some)))
    }


def delivered(connection: Connection, sink: str, ids: Collection[int], now: datetime) -> None:
    """The sink was told: remember what, and take these rows and all that came before them for the same thing out of the outbox."""
    rows = sorted(_rows(connection, sink, ids), key=lambda row: row.id)
    if not rows:
        return
    told = [
        {"sink": sink, "kind": row.kind, "uid": row.uid, "revision": row.revision, "level": row.level, "state": row.state, "first": now, "last": now}
        for row in rows
    ]
    statement = insert(connection, deliveries)
    later = {name: statement.excluded[name] for name in ("revision", "level", "state", "last")}
    key = [deliveries.c.sink, deliveries.c.kind, deliveries.c.uid]
    upsert = statement.on_conflict_do_update(index_elements=key, set_=later, where=deliveries.c.revision <= statement.excluded.revision)
    connection.execute(upsert, told)
    gone = delete(outbox).where(*_same(), outbox.c.id <= bindparam("_id"))
    connection.execute(gone, [{"_sink": sink, "_kind": row.kind, "_uid": row.uid, "_id": row.id} for row in rows])


def failed(connection: Connection, sink: str, failures: Sequence[tuple[int, str]], *, dead: bool, now: datetime) -> None:
    """These rows could not be delivered, with the reason of each. ``dead``: and never will as they are; what came before them goes."""
    rows = {row.id: row for row in _rows(connection, sink, [number for number, _ in failures])}
    told = [(number, reason) for number, reason in failures if number in rows]
    if not told:
        return
    values = {"attempts": outbox.c.attempts + 1, "tried": now, "reason": bindparam("_reason"), "dead": dead}
    statement = update(outbox).where(outbox.c.id == bindparam("_id")).values(values)
    connection.execute(statement, [{"_id": number, "_reason": reason} for number, reason in told])
    if dead:
        gone = delete(outbox).where(*_same(), outbox.c.id < bindparam("_id"))
        connection.execute(gone, [{"_sink": sink, "_kind": rows[number].kind, "_uid": rows[number].uid, "_id": number} for number, _ in told])


def _same() -> tuple[Any, ...]:
    return (outbox.c.sink == bindparam("_sink"), outbox.c.kind == bindparam("_kind"), outbox.c.uid == bindparam("_uid"))


def _rows(connection: Connection, sink: str, ids: Iterable[int]) -> list[Row[*tuple[Any, ...]]]:
    asked = select(outbox.c.id, outbox.c.kind, outbox.c.uid, outbox.c.revision, outbox.c.level, outbox.c.state).where(outbox.c.sink == sink)
    return [row for some in chunks(ids) for row in connection.execute(asked.where(outbox.c.id.in_(some)))]


def dead_letters(connection: Connection, sink: str | None, limit: int | None) -> list[DeadLetter]:
    """What was refused for good, oldest first."""
    asked = select(outbox).where(outbox.c.dead, *((outbox.c.sink == sink,) if sink is not None else ()))
    rows = connection.execute(asked.order_by(outbox.c.id).limit(limit))
    return [DeadLetter(row.id, row.sink, row.kind, row.uid, row.revision, row.attempts, row.reason, row.tried) for row in rows]


def replay(connection: Connection, sink: str, ids: Collection[int] | None) -> int:
    """Let dead letters (None: all of the sink) wait for delivery again; how many."""
    again = update(outbox).where(outbox.c.sink == sink, outbox.c.dead).values(dead=False, attempts=0)
    if ids is None:
        return connection.execute(again).rowcount
    return sum(connection.execute(again.where(outbox.c.id.in_(some))).rowcount for some in chunks(ids))


def depths(connection: Connection) -> list[Depth]:
    """How much waits for each sink that has anything in the outbox."""
    alive = ~outbox.c.dead
    waits = case((alive, outbox.c.uid))
    columns = (
        outbox.c.sink,
        func.count(waits.distinct()).label("waiting"),
        func.min(case((alive, outbox.c.created))).label("oldest"),
        func.count(case((and_(alive, outbox.c.attempts > 0), outbox.c.uid)).distinct()).label("failing"),
        func.count(case((outbox.c.dead, outbox.c.uid)).distinct()).label("dead"),
    )
    rows = connection.execute(select(*columns).group_by(outbox.c.sink).order_by(outbox.c.sink))
    return [Depth(row.sink, row.waiting, row.oldest, row.failing, row.dead) for row in rows]
