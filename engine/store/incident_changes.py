"""Incidents into the state: what is new, what changed, where what is gone went; each change numbered."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from engine.incidents.redirects import redirects
from engine.model import Incident, Level, Redirect, State
from engine.store.alert_changes import Change, numbers
from engine.store.database import chunks, insert
from engine.store.incident_codec import decode, encode
from engine.store.records import INCIDENT, IncidentCounts
from engine.store.tables import human
from engine.store.tables import incidents as table

CLOSED = "closed"


@dataclass(slots=True)
class IncidentChanges:
    """What became of the incidents of a batch."""

    changes: list[Change] = field(default_factory=list)
    created: int = 0
    changed: int = 0
    ended: int = 0

    @property
    def counts(self) -> IncidentCounts:
        return IncidentCounts(self.created, self.changed, self.ended, tuple(each.uid for each in self.changes if each.state is State.LIVE))


@dataclass(slots=True)
class _Known:
    """The last generation of every incident that is wanted or stood there, by origin; what people said of them, and rows to write."""

    rows: dict[str, Row[Any]]
    alerts: dict[str, frozenset[str]]
    people: dict[str, Row[Any]]
    new: list[dict[str, Any]] = field(default_factory=list)
    renewed: list[dict[str, Any]] = field(default_factory=list)
    restated: list[dict[str, Any]] = field(default_factory=list)


def apply(connection: Connection, wanted: Sequence[Incident], components: Collection[str], batch: int, now: datetime) -> IncidentChanges:
    """Let ``wanted`` stand in the place of all that stood in ``components``. What is stored just so is left alone.

    An incident that people closed stays as it is when evidence comes that belongs to it: another one, which follows it, holds both.
    """
    known = _known(connection, wanted, components)
    found = IncidentChanges()
    uids: dict[str, str] = {}
    for incident in wanted:
        uids[incident.uid] = _stand(connection, incident, known, found)
    before = [row for row in known.rows.values() if row.state == State.LIVE and row.component in components and row.origin not in uids]
    gone = redirects([decode(row.document) for row in before], wanted)
    by_origin = {row.origin: row for row in before}
    for redirect in gone:
        _end(by_origin[redirect.old], redirect, uids, known, found)
    _write(connection, known, batch, now)
    _hand_on(connection, gone, by_origin, uids, known, {incident.uid: incident for incident in wanted})
    return found


def _known(connection: Connection, wanted: Sequence[Incident], components: Collection[str]) -> _Known:
    rows: dict[str, Row[Any]] = {}
    asked = select(table).order_by(table.c.generation)
    for some in chunks(sorted(components)):
        standing = asked.where(table.c.component.in_(some), table.c.state == State.LIVE.value, table.c.followed_by.is_(None))
        rows.update((row.origin, row) for row in connection.execute(standing))
    for some in chunks([incident.uid for incident in wanted]):
        rows.update((row.origin, row) for row in connection.execute(asked.where(table.c.origin.in_(some))))
    people: dict[str, Row[Any]] = {}
    for some in chunks([row.uid for row in rows.values()]):
        people.update((row.uid, row) for row in connection.execute(select(human).where(human.c.kind == INCIDENT, human.c.uid.in_(some))))
    alerts = {origin: frozenset(json.loads(row.document)["alert_uids"]) for origin, row in rows.items() if row.uid in people}
    return _Known(rows, alerts, people)


def _stand(connection: Connection, incident: Incident, known: _Known, found: IncidentChanges) -> str:
    """Note what is to be written so that ``incident`` stands; the uid under which it does."""
    row = known.rows.get(incident.uid)
    document = _document(incident)
    if row is None:
        known.new.append({**document, "uid": incident.uid, "origin": incident.uid, "generation": 0, "revision": 1, "follows": None})
        found.changes.append(Change(incident.uid, 1, incident.level, State.LIVE))
        found.created += 1
        return incident.uid
    person = known.people.get(row.uid)
    if person is not None and person.status == CLOSED and not known.alerts[incident.uid].issuperset(incident.alert_uids):
        uid = sha256(f"incident after\n{row.uid}".encode(errors="replace")).hexdigest()[:32]
        known.new.append({**document, "uid": uid, "origin": incident.uid, "generation": row.generation + 1, "revision": 1, "follows": row.uid})
        known.restated.append(
            {"_uid": row.uid, "state": State.LIVE.value, "why": None, "moved_to": None, "followed_by": uid, "revision": row.revision + 1}
        )
        found.changes += [Change(row.uid, row.revision + 1, Level(row.level), State.LIVE), Change(uid, 1, incident.level, State.LIVE)]
        found.created += 1
        return uid
    if row.digest == document["digest"] and row.state == State.LIVE:
        if row.component != incident.component:
            connection.execute(update(table).where(table.c.uid == row.uid).values(component=incident.component))
        return row.uid  # type: ignore[no-any-return]
    known.renewed.append({**document, "_uid": row.uid, "revision": row.revision + 1})
    found.changes.append(Change(row.uid, row.revision + 1, incident.level, State.LIVE))
    found.changed += 1
    return row.uid  # type: ignore[no-any-return]


def _document(incident: Incident) -> dict[str, Any]:
    text = encode(incident)
    return {
        "component": incident.component,
        "state": State.LIVE.value,
        "level": int(incident.level),
        "first_time": incident.first_time,
        "last_time": incident.last_time,
        "document": text,
        "digest": sha256(text.encode()).hexdigest(),
        "why": None,
        "moved_to": None,
    }


def _end(row: Row[Any], redirect: Redirect, uids: dict[str, str], known: _Known, found: IncidentChanges) -> None:
    state = State.RETRACTED if redirect.new is None else State.SUPERSEDED
    moved = None if redirect.new is None else uids[redirect.new]
    values = {"state": state.value, "why": redirect.reason, "moved_to": moved, "followed_by": None, "revision": row.revision + 1}
    known.restated.append({**values, "_uid": row.uid})
    found.changes.append(Change(row.uid, row.revision + 1, Level(row.level), state))
    found.ended += 1


def _write(connection: Connection, known: _Known, batch: int, now: datetime) -> None:
    rows = [*known.new, *known.renewed, *known.restated]
    if not rows:
        return
    first = numbers(connection, len(rows))
    for number, row in enumerate(rows, first):
        row |= {"sequence": number, "updated": now, "batch": batch}
    if known.new:
        connection.execute(table.insert(), [{**row, "followed_by": None, "created": now} for row in known.new])
    for some in (known.renewed, known.restated):
        if some:
            changed: dict[str, Any] = {name: bindparam(name) for name in some[0] if name != "_uid"}
            connection.execute(update(table).where(table.c.uid == bindparam("_uid")).values(changed), some)


def _hand_on(
    connection: Connection,
    gone: Iterable[Redirect],
    before: dict[str, Row[Any]],
    uids: dict[str, str],
    known: _Known,
    wanted: dict[str, Incident],
) -> None:
    """Let what people said of an incident hold for the new one that takes its place; that something is closed only where nothing was added."""
    taken = {uid for uid, row in known.rows.items() if row.uid in known.people}
    for redirect in gone:
        person = known.people.get(before[redirect.old].uid)
        if person is None or redirect.new is None or redirect.new in taken:
            continue
        if person.status == CLOSED and not known.alerts[redirect.old].issuperset(wanted[redirect.new].alert_uids):
            continue
        taken.add(redirect.new)
        values = {column.name: getattr(person, column.name) for column in human.c} | {"uid": uids[redirect.new]}
        connection.execute(insert(connection, human).values(**values).on_conflict_do_nothing())
