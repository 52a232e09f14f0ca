"""Up to which change each person has seen alerts and incidents."""

from __future__ import annotations

from sqlalchemy import Connection, select

from engine.store.database import insert
from engine.store.tables import last_looks as table


def last(connection: Connection, kind: str, who: str) -> int:
    """The change up to which ``who`` has seen things of ``kind``; 0 before the first look."""
    return connection.execute(select(table.c.sequence).where(table.c.kind == kind, table.c.who == who)).scalar() or 0


def looked(connection: Connection, kind: str, who: str, sequence: int) -> None:
    """Remember that ``who`` has seen things of ``kind`` up to the change ``sequence``."""
    statement = insert(connection, table).values(kind=kind, who=who, sequence=sequence)
    connection.execute(statement.on_conflict_do_update(index_elements=[table.c.kind, table.c.who], set_={"sequence": sequence}))
