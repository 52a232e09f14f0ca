"""What the state need not remember for ever: old runs, objects that are gone for long, and plans that nothing refers to."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, exists, func, select, update

from engine.store.collecting import key_of
from engine.store.database import chunks, insert
from engine.store.tables import alerts, collected, incidents, plans, runs, seen, swept

EVERY = timedelta(days=1)
"""How often a source is swept."""
AWAY = timedelta(days=30)
"""An object that no listing had for so long is forgotten. Should it come back it is read again, and its events are known."""
RUNS = 10_000
"""So many runs are kept."""
PLANS = 1_000
"""So many plans are kept whether something refers to them or not."""


@dataclass(frozen=True, slots=True)
class Removed:
    """A source that is configured no more: how many of its objects are remembered, and since when a run knows that (None: none ran since)."""

    name: str
    objects: int
    since: datetime | None


def removed(connection: Connection, configured: Collection[str]) -> list[Removed]:
    """The sources beside those ``configured`` that something is remembered of."""
    found = []
    for name in _others(connection, configured):
        about = select(func.count(), func.min(seen.c.gone)).where(seen.c.source == name)
        objects, since = connection.execute(about).one()
        found.append(Removed(name, objects, since))
    return found


def overdue(connection: Connection, configured: Collection[str], now: datetime) -> list[str]:
    """The sources beside those ``configured`` that should be swept: not within the last day, or never since they were taken out."""
    first = {name: select(seen.c.gone).where(seen.c.source == name).limit(1) for name in _others(connection, configured)}
    return [name for name, any_row in first.items() if due(connection, name, now) or connection.execute(any_row).scalar() is None]


def _others(connection: Connection, configured: Collection[str]) -> list[str]:
    names = connection.execute(select(collected.c.source).order_by(collected.c.source)).scalars()
    return [name for name in names if name not in configured]


def sweep_removed(connection: Connection, source: str, now: datetime) -> None:
    """`sweep` a source that is configured no more, which lists nothing. What is remembered last is when it was looked through."""
    sweep(connection, source, (), now)
    if connection.execute(select(seen.c.source).where(seen.c.source == source).limit(1)).first() is None:
        for table in (swept, collected):
            connection.execute(delete(table).where(table.c.source == source))


def due(connection: Connection, source: str, now: datetime) -> bool:
    """Whether ``source`` should be swept: not within the last day, nor later than now, as where a clock was set back."""
    last = connection.execute(select(swept.c.time).where(swept.c.source == source)).scalar()
    return last is None or not timedelta(0) <= now - last < EVERY


def sweep(connection: Connection, source: str, uris: Collection[str], now: datetime) -> None:
    """Forget what is old. ``uris``: everything that the whole listing of ``source`` has now; rows of these objects stay, whatever their age."""
    listed = set(map(key_of, uris))
    rows = list(connection.execute(select(seen.c.uri_key, seen.c.gone).where(seen.c.source == source)))
    back = [row.uri_key for row in rows if row.gone is not None and row.uri_key in listed]
    away = [row.uri_key for row in rows if row.gone is None and row.uri_key not in listed]
    for keys, moment in ((back, None), (away, now)):
        for some in chunks(keys):
            connection.execute(update(seen).where(seen.c.source == source, seen.c.uri_key.in_(some)).values(gone=moment))
    connection.execute(delete(seen).where(seen.c.source == source, seen.c.gone < now - AWAY))
    newest = connection.execute(select(func.max(runs.c.id))).scalar() or 0
    connection.execute(delete(runs).where(runs.c.id <= newest - RUNS))
    last = connection.execute(select(func.max(plans.c.batch))).scalar() or 0
    used = [exists().where(table.c.batch == plans.c.batch) for table in (seen, runs, alerts, incidents)]
    connection.execute(delete(plans).where(~plans.c.open, plans.c.batch <= last - PLANS, *(~there for there in used)))
    statement = insert(connection, swept).values(source=source, time=now)
    connection.execute(statement.on_conflict_do_update(index_elements=[swept.c.source], set_={"time": now}))
