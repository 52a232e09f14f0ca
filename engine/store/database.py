"""The connection to the state database: a SQLite file or PostgreSQL, transactions, and errors that say what to do."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import QueuePool
from sqlalchemy.sql.schema import Table

from engine.errors import LeaseError, StateError

_WRITES = "crosswind_writes"
_CHUNK = 5_000
"""Most values one statement is given: SQLite takes 32,766."""
_PAUSE = 0.01
"""Seconds until SQLite is asked again for what it refuses at once."""
_Item = TypeVar("_Item")


class Database:
    """Transactions on one state database. Threads may share it; each transaction has a connection of its own."""

    def __init__(self, engine: Engine, place: str, file: Path | None, timeout: float) -> None:
        self.engine = engine
        self.place = place
        self.file = file
        self._timeout = timeout

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one moment of the database."""
        with self.translated(), self.engine.connect() as connection:
            if self.file is None:
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is done when the block ends well, and never was when it does not."""
        with self.translated(), self.engine.connect() as connection:
            connection = connection.execution_options(**{_WRITES: True})
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Errors of the database in the block become a StateError that says what to do."""
        try:
            yield
        except (DBAPIError, sqlite3.Error) as error:
            raise self._error(error) from error

    def _error(self, error: DBAPIError | sqlite3.Error) -> StateError:
        said = str(getattr(error, "orig", None) or error).strip().split("\n")[0]
        way = _meaning(said.lower())
        if way is None:
            return StateError(f"the state {self.place} cannot be used: {said}")
        kind, text = way
        return kind(f"the state {self.place} {text.format(said=said, timeout=f'{self._timeout:g}')}")


_BUSY = "has been in use by another process for more than {timeout} s ({said}); wait for that process to end, or end it, then try again"
_READ_ONLY = "is read-only ({said}); give this user write permission on the file and its folder"
_DAMAGED = "is damaged ({said}) and was left as it is; move it away and put a backup of `crosswind state backup` in its place"
_FOREIGN = "is no database of crosswind ({said}) and was left as it is; name another file as state, or move this one away"
_FULL = "could not be written ({said}); nothing of this step was stored: make room on the disk and try again"
_FORMS = "write postgresql+psycopg://user@host/database, or the path of a SQLite file"
_AWAY = "cannot be reached ({said}); check that the file or the server is there and that the URL is right"
_MEANINGS: tuple[tuple[str, type[StateError], str], ...] = (
    ("database is locked", LeaseError, _BUSY),
    ("lock timeout", LeaseError, _BUSY),
    ("readonly database", StateError, _READ_ONLY),
    ("read-only transaction", StateError, _READ_ONLY),
    ("permission denied", StateError, _READ_ONLY),
    ("not a database", StateError, _FOREIGN),
    ("malformed", StateError, _DAMAGED),
    ("corrupt", StateError, _DAMAGED),
    ("is full", StateError, _FULL),
    ("no space left", StateError, _FULL),
    ("disk i/o error", StateError, _FULL),
    ("unable to open", StateError, _AWAY),
    ("connection", StateError, _AWAY),
    ("resolve host", StateError, _AWAY),
)


def _meaning(said: str) -> tuple[type[StateError], str] | None:
    return next(((kind, text) for mark, kind, text in _MEANINGS if mark in said), None)


def connect(place: str | Path, *, create: bool, timeout: float) -> Database:
    """The database at ``place``: a path or `sqlite:///` URL of a file (made with ``create``), or a `postgresql://` URL. Raises StateError."""
    text = str(place)
    if "://" not in text:
        return _sqlite(Path(text), create, timeout)
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise StateError(f"the URL of the state cannot be read; {_FORMS}") from error
    if url.drivername == "sqlite" and url.database and not url.query:
        return _sqlite(Path(url.database), create, timeout)
    if url.drivername in ("postgresql", "postgresql+psycopg"):
        return _postgresql(url.set(drivername="postgresql+psycopg"), timeout)
    raise StateError(f"the state cannot live in {url.drivername}; {_FORMS}")


def _sqlite(path: Path, create: bool, timeout: float) -> Database:
    _check_file(path, create)
    uri = f"file:{quote(str(path.absolute()))}?mode=rw"  # never makes a file, and never under a umask

    def opened() -> sqlite3.Connection:
        connection = sqlite3.connect(uri, uri=True, timeout=timeout, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA foreign_keys=ON")
        except BaseException:
            connection.close()
            raise
        return connection

    database = Database(create_engine("sqlite://", creator=opened, poolclass=QueuePool), str(path), path, timeout)
    event.listen(database.engine, "begin", _begin)
    try:
        with database.translated():
            connection = opened()
            try:
                connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # a foreign file is found out before it is written
                _keep_log(connection, timeout)
            finally:
                connection.close()
    except StateError:
        database.close()
        raise
    return database


def _keep_log(connection: sqlite3.Connection, timeout: float) -> None:
    """Let readers and a writer go on beside each other. Of several who ask that of a new file at once SQLite refuses all but one, without waiting."""
    until = time.monotonic() + timeout
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(_PAUSE)


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")  # a reader that becomes a writer late cannot wait for its turn


def _check_file(path: Path, create: bool) -> None:
    folder = path.absolute().parent
    if path.is_dir():
        raise StateError(f"the state {path} is a directory; name a file in it, such as {path / 'state.db'}")
    if not folder.is_dir():
        raise StateError(f"the state {path} cannot be made: there is no folder {folder}; make it, or name another place")
    if not path.exists() and not create:
        raise StateError(f"there is no state at {path}; `crosswind run` makes it, or name the right file")
    if not _may(folder, os.W_OK | os.X_OK) or (path.exists() and not _may(path, os.R_OK | os.W_OK)):
        raise StateError(f"the state {path} is read-only; give this user write permission on the file and its folder")
    if create:
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            return
        except OSError as error:
            raise StateError(f"the state {path} cannot be made: {error.strerror or error}; name another place") from error


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def _postgresql(url: URL, timeout: float) -> Database:
    shown = url.render_as_string(hide_password=True)
    arguments = {"connect_timeout": max(int(timeout), 2), "options": f"-c lock_timeout={int(timeout * 1000)} -c timezone=UTC"}
    try:
        engine = create_engine(url, connect_args=arguments, pool_pre_ping=True)
    except ImportError as error:
        raise StateError("PostgreSQL needs its driver; install crosswind[postgres]") from error
    return Database(engine, shown, None, timeout)


def insert(connection: Connection, table: Table) -> Any:
    """An insert statement that knows ``on_conflict_do_update``."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


def chunks(items: Iterable[_Item]) -> Iterator[list[_Item]]:
    """``items`` in lists short enough to be the values of one statement."""
    rest = iter(items)
    while some := list(islice(rest, _CHUNK)):
        yield some
