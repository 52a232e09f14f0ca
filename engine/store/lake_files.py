"""Files of the lake: written to the end, readable by their owner alone, and described as the log wants them."""

from __future__ import annotations

import json
import os
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import polars as pl

from engine.errors import StateError
from engine.store.lake_tables import Table

if TYPE_CHECKING:
    from deltalake import DeltaTable

ROW_GROUP = 25_000
"""Rows of a group in files that batches write."""
_LONGEST = 256
"""Texts longer than this give no bounds: a cut one would be wrong as the greatest."""
_LAST_YEAR = 9999
_TRIES = 5

Partition = tuple[str, ...]
"""The values of a table's partition columns, as texts."""


@dataclass(frozen=True, slots=True)
class Part:
    """One data file, written but perhaps not committed: ``path`` is relative to the table, ``stats`` is what the log says of its rows."""

    path: str
    partition: Partition
    size: int
    rows: int
    stats: str
    written: int


def load(root: Path, table: Table) -> DeltaTable:
    """The table as it is now."""
    from deltalake import DeltaTable

    with lake_errors(root, f"read table {table.name!r}"):
        return DeltaTable(str(root / table.name))


def readable(root: Path, table: Table) -> DeltaTable:
    """As `load`, for readers that take the addresses of files for paths: delta-rs encodes spaces and letters that are not ASCII."""
    from deltalake import DeltaTable

    class OnDisk(DeltaTable):
        def file_uris(self, *args: Any, **named: Any) -> list[str]:
            return [unquote(uri) for uri in super().file_uris(*args, **named)]

    with lake_errors(root, f"read table {table.name!r}"):
        return OnDisk(str(root / table.name))


@contextmanager
def lake_errors(root: Path, doing: str) -> Iterator[None]:
    """Errors of the file system and of the libraries below become a StateError that says what to do."""
    from deltalake.exceptions import DeltaError, TableNotFoundError
    from polars.exceptions import PolarsError

    try:
        yield
    except TableNotFoundError as error:
        raise StateError(f"there is no lake at {root} (could not {doing}); `crosswind run` makes one, or check `lake` in crosswind.toml") from error
    except (OSError, DeltaError, PolarsError) as error:
        raise StateError(f"the lake at {root}: could not {doing}: {_first_line(error)}. {_way_out(error)}") from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _way_out(error: Exception) -> str:
    text = str(error).lower()
    if any(word in text for word in ("no space", "os error 28", "file too large", "os error 27", "quota")):
        return "The disk is full: make room and run again; nothing of this was committed."
    if "permission" in text or "os error 13" in text or "read-only" in text:
        return "Check who owns the directory; crosswind needs to write there."
    if isinstance(error, FileExistsError | NotADirectoryError):
        return "A lake is a directory: choose another path."
    return "Nothing of this was committed; `crosswind lake verify` says whether files are missing or damaged."


class _OwnerOnly:
    """A umask that lets nobody else in, for as long as anyone is inside: the mask belongs to the process, so threads share one change of it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before = 0

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._before = os.umask(0o077)
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                os.umask(self._before)


owner_only = _OwnerOnly()
"""Around everything that makes files through delta-rs."""


def make_folder(path: Path) -> None:
    """A directory, and those above it that do not exist, for their owner alone."""
    with owner_only:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)


def write_part(root: Path, table: Table, frame: pl.DataFrame, partition: Partition, *, stem: str, rows: int = ROW_GROUP) -> Part:
    """Write one file of ``table`` below its partition's folder, to the disk. What could not be written whole is removed."""
    folder = "/".join(f"{name}={quote(value, safe='')}" for name, value in zip(table.partition, partition, strict=True))
    name = f"{folder}/{stem}-{uuid.uuid4().hex}.parquet"
    path = root / table.name / name
    frame = frame.select(table.stored)
    descriptor = _new_file(path)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            frame.write_parquet(stream, compression="zstd", compression_level=1, statistics=True, row_group_size=rows)
            stream.flush()
            os.fsync(descriptor)
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise
    about = path.stat()
    return Part(name, partition, about.st_size, frame.height, _stats(frame, table), int(about.st_mtime * 1000))


def _new_file(path: Path) -> int:
    """The descriptor of a new file, its folder made where it is missing: vacuum may take an empty one away in between."""
    for _ in range(_TRIES):
        make_folder(path.parent)
        with suppress(FileNotFoundError):
            return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    raise FileNotFoundError(f"the folder {path.parent} is taken away again and again")


def remove(root: Path, table: Table, names: list[str]) -> None:
    """Delete data files; those that are gone already are fine."""
    for name in names:
        with suppress(FileNotFoundError):
            (root / table.name / name).unlink()


def add_action(table: Table, part: Part, *, data_change: bool = True) -> Any:
    """What the log is told of a file that joins the table."""
    from deltalake.transaction import AddAction

    values: Mapping[str, str | None] = dict(zip(table.partition, part.partition, strict=True))
    return AddAction(quote(part.path, safe="/="), part.size, values, part.written, data_change, part.stats)


def sync_log(root: Path, table: Table, version: int) -> None:
    """Bring a commit and the names of its files to the disk: a commit that a power cut takes back must not be half there."""
    log = root / table.name / "_delta_log"
    for path in (log / f"{version:020}.json", log):
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _stats(frame: pl.DataFrame, table: Table) -> str:
    """Rows, and least, greatest and missing values of the columns that readers skip files by."""
    least: dict[str, Any] = {}
    greatest: dict[str, Any] = {}
    missing: dict[str, int] = {}
    for name in table.bounds:
        column = frame[name]
        missing[name] = column.null_count()
        low, high = column.min(), column.max()
        if low is None or high is None or max(len(str(low)), len(str(high))) > _LONGEST:
            continue
        least[name], greatest[name] = _bound(low, up=False), _bound(high, up=True)
    return json.dumps({"numRecords": frame.height, "minValues": least, "maxValues": greatest, "nullCount": missing}, ensure_ascii=False)


def _bound(value: Any, *, up: bool) -> Any:
    """A value as the log writes it. Moments are widened to milliseconds, which is all that some readers keep of them."""
    if isinstance(value, datetime):
        floor = value.replace(microsecond=value.microsecond // 1000 * 1000)
        moment = floor + timedelta(milliseconds=1) if up and floor != value and value.year < _LAST_YEAR else floor
        return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
    return value.isoformat() if isinstance(value, date) else value
