"""Versions of the state database, and the way from each to the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, inspect, select, text, update

from engine.errors import StateError
from engine.store.column_types import Moment
from engine.store.tables import alerts, counters, incidents, last_looks, meta, metadata, runs, schema_version, seen, swept

Migration = Callable[[Connection], None]


def _objects_that_are_gone(connection: Connection) -> None:
    moment = Moment().compile(connection.dialect)
    connection.execute(text(f"ALTER TABLE seen ADD COLUMN gone {moment}"))
    swept.create(connection)
    for index in (*seen.indexes, *runs.indexes, *(index for index in alerts.indexes if index.name == "alerts_by_batch")):
        index.create(connection)


def _incidents(connection: Connection) -> None:
    incidents.create(connection)
    last_looks.create(connection)
    connection.execute(text("INSERT INTO last_looks (kind, who, sequence) SELECT 'alert', who, sequence FROM looks"))
    connection.execute(text("DROP TABLE looks"))


MIGRATIONS: tuple[Migration, ...] = (_objects_that_are_gone, _incidents)
"""The n-th leads from version n to version n + 1. None is ever changed once it was released. A new database is made from the tables as they are."""

_LOCK = 0x63726F7373


def current(connection: Connection) -> bool:
    """Whether the database has the version this crosswind knows, and nothing need be written."""
    if not inspect(connection).has_table(schema_version.name):
        return False
    return connection.execute(select(schema_version.c.version)).scalar() == len(MIGRATIONS) + 1


def migrate(connection: Connection, steps: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring the database to the version this crosswind knows, inside the transaction of ``connection``. Raises StateError where it cannot be ours."""
    target = len(steps) + 1
    if connection.dialect.name != "sqlite":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})  # two that start at once take turns
    found = set(inspect(connection).get_table_names())
    if schema_version.name not in found:
        _create(connection, found, target)
        return
    version = connection.execute(select(schema_version.c.version)).scalar()
    if version is None:
        raise StateError("the state has tables of crosswind and no version: it was damaged; put a backup of `crosswind state backup` in its place")
    if version > target:
        raise StateError(f"the state has version {version} and this crosswind knows {target}: upgrade crosswind, or name another state")
    for step in steps[version - 1 :]:
        step(connection)
    if version < target:
        connection.execute(update(schema_version).values(version=target))


def _create(connection: Connection, found: set[str], version: int) -> None:
    foreign = found if connection.dialect.name == "sqlite" else found & set(metadata.tables)
    if foreign:
        named = ", ".join(sorted(foreign)[:3])
        raise StateError(f"the database holds tables of something else ({named}) and was left as it is; name another one as state")
    metadata.create_all(connection)
    connection.execute(schema_version.insert().values(version=version))
    connection.execute(counters.insert().values(name="sequence", value=0))
    connection.execute(meta.insert().values(key="created", value=datetime.now(UTC).isoformat()))
