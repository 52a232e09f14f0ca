"""A copy of a state in use."""

from __future__ import annotations

import os
import secrets
import sqlite3
from pathlib import Path

from engine.errors import StateError
from engine.store.database import Database


def backup(database: Database, path: Path) -> None:
    """Copy the state to the new file ``path``, complete or not at all, while others may use it. Raises StateError, also for PostgreSQL."""
    if database.file is None:
        raise StateError(f"a state on PostgreSQL is backed up with its own tool: pg_dump --format=custom --file={path} '{database.place}'")
    if not path.absolute().parent.is_dir():
        raise StateError(f"the backup {path} cannot be made: there is no folder {path.absolute().parent}; make it, or name another place")
    if path.exists() or path.is_symlink():
        raise StateError(f"the backup {path} exists already and was left as it is; name a new file")
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        os.close(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        _copy(database, beside)
        os.link(beside, path)  # unlike a rename, never replaces what somebody else made meanwhile
    except FileExistsError as error:
        raise StateError(f"the backup {path} exists already and was left as it is; name a new file") from error
    except OSError as error:
        raise StateError(f"the backup {path} cannot be made: {error.strerror or error}") from error
    finally:
        beside.unlink(missing_ok=True)


def _copy(database: Database, path: Path) -> None:
    target = sqlite3.connect(path, isolation_level=None)
    try:
        with database.engine.connect() as connection, database.translated():
            source = connection.connection.driver_connection
            assert isinstance(source, sqlite3.Connection)
            source.backup(target)
        target.execute("PRAGMA journal_mode=DELETE")  # one file, nothing beside it
        if (said := target.execute("PRAGMA integrity_check(1)").fetchone()[0]) != "ok":
            raise StateError(f"the state {database.place} is damaged ({said}): the copy was thrown away; go back to an earlier backup")
    except sqlite3.Error as error:
        raise StateError(f"the backup could not be written: {error}") from error
    finally:
        target.close()
    with path.open("rb") as file:
        os.fsync(file.fileno())
