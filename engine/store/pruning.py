"""What the state need not remember for ever: old runs, objects that are gone for long, and plans that nothing refers to."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, exists, func, select, update

from engine.store.collecting import key_of
from engine.store.database import chunks, insert
from engine.store.tables import alerts, incidents, plans, runs, seen, swept

EVERY = timedelta(days=1)
"""How often a source is swept."""
AWAY = timedelta(days=30)
"""An object that no listing had for so long is forgotten. Should it come back it is read again, and its events are known."""
RUNS = 10_000
"""So many runs are kept."""
PLANS = 1_000
"""So many plans are kept whether something refers to them or not."""


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
