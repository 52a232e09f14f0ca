"""What was collected: objects seen, when each source was looked through, how far its events reach."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, select

from engine.store.database import chunks, insert
from engine.store.records import SeenObject
from engine.store.tables import collected, latest, rule_hashes, seen

_SEEN = ("uri", "version", "size", "end", "prefix", "tail", "records")


def key_of(uri: str) -> str:
    """What the row of an object is found by."""
    return sha256(uri.encode("utf-8", "surrogatepass")).hexdigest()


def seen_of(connection: Connection, source: str, uris: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What was taken of those of ``uris`` that were seen: uri, version, size, end, prefix, tail and records by name."""
    asked = select(*(seen.c[name] for name in _SEEN)).where(seen.c.source == source)
    found: dict[str, dict[str, Any]] = {}
    for some in chunks(uris):
        for row in connection.execute(asked.where(seen.c.uri_key.in_(list(map(key_of, some))))):
            found[row.uri] = dict(zip(_SEEN, row, strict=True))
    return found


def remember(connection: Connection, source: str, objects: Iterable[SeenObject], batch: int) -> None:
    """Store what was taken of ``objects``."""
    rows = [
        {**{name: getattr(each, name) for name in _SEEN}, "source": source, "uri_key": key_of(each.uri), "batch": batch}
        for each in {each.uri: each for each in objects}.values()
    ]
    if rows:
        statement = insert(connection, seen)
        values = {name: statement.excluded[name] for name in (*_SEEN, "batch")}
        connection.execute(statement.on_conflict_do_update(index_elements=[seen.c.source, seen.c.uri_key], set_=values), rows)


def looked_through(connection: Connection, sources: Iterable[str], now: datetime) -> None:
    """Each of ``sources`` was listed to its end at ``now``."""
    rows = [{"source": source, "time": now} for source in sources]
    if rows:
        statement = insert(connection, collected)
        connection.execute(statement.on_conflict_do_update(index_elements=[collected.c.source], set_={"time": statement.excluded.time}), rows)


def reached(connection: Connection, moments: Mapping[str, datetime]) -> None:
    """Events of each ``x.source`` reach to at least these moments."""
    rows = [{"source": source, "time": moment} for source, moment in moments.items()]
    if rows:
        statement = insert(connection, latest)
        later = statement.on_conflict_do_update(
            index_elements=[latest.c.source], set_={"time": statement.excluded.time}, where=latest.c.time < statement.excluded.time
        )
        connection.execute(later, rows)


def last_collected(connection: Connection) -> dict[str, datetime]:
    """When each configured source was last looked through."""
    return {row.source: row.time for row in connection.execute(select(collected).order_by(collected.c.source))}


def latest_times(connection: Connection) -> dict[str, datetime]:
    """The greatest event time of each ``x.source``."""
    return {row.source: row.time for row in connection.execute(select(latest).order_by(latest.c.source))}


def rules_ran(connection: Connection, hashes: Mapping[str, str]) -> None:
    """The rules of this batch are exactly ``hashes``, content hash by uid."""
    before = rules_of(connection)
    if before == dict(hashes):
        return
    connection.execute(rule_hashes.delete())
    if hashes:
        connection.execute(rule_hashes.insert(), [{"uid": uid, "content_hash": digest} for uid, digest in hashes.items()])


def rules_of(connection: Connection) -> dict[str, str]:
    """The rules of the last batch that is done."""
    return {row.uid: row.content_hash for row in connection.execute(select(rule_hashes))}
