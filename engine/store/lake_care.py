"""Looking after a lake: fewer and better ordered files, nothing older than wanted, nothing left behind, nothing missing.

Readers hold on to the version they began with: files leave the log first and the disk only when `vacuum` finds that no reader can still want them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from engine.errors import StateError
from engine.store.lake import Lake
from engine.store.lake_files import Part, add_action, lake_errors, load, owner_only, remove, sync_log, write_part
from engine.store.lake_log import live_parts, remove_action
from engine.store.lake_order import ordered
from engine.store.lake_tables import TABLES, Table

SORTED = "sorted"
"""Stem of the names of compacted files."""
ROW_GROUP = 4_096
"""Rows of a group in compacted files: small, for the order makes it worth skipping them."""
_TARGET = 32 << 20
"""Bytes of a compacted file; about nine times as much in memory while it is made."""
_SMALL = _TARGET // 2
_GROWTH = 4
"""An ordered file waits until at least a quarter of its size is new."""
_ATTEMPTS = 10
GRACE = timedelta(hours=24)
"""How long a file that left the log stays on disk for those who still read it."""


@dataclass(frozen=True, slots=True)
class Compacted:
    """What compaction did to one table."""

    table: str
    partitions: int
    files_before: int
    files_after: int
    rows: int


@dataclass(frozen=True, slots=True)
class Retained:
    """What retention took out of one table: rows of days before ``before``, in so many files."""

    table: str
    before: date
    files: int
    rows: int


@dataclass(frozen=True, slots=True)
class Vacuumed:
    """Files that vacuum deleted from one table's directory, and their bytes."""

    table: str
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class TableStatus:
    """What one table holds, and which batch was committed to it last (0: none yet). ``on_disk`` counts files that left the log too."""

    table: str
    files: int
    bytes: int
    on_disk: int
    rows: int
    first_day: date | None
    last_day: date | None
    last_batch: int
    sources: tuple[str, ...]


def status(lake: Lake) -> list[TableStatus]:
    """What is there, from the logs and the directory alone."""
    found: list[TableStatus] = []
    for name in TABLES:
        held = lake.extent(name)
        batch, _ = lake.batch_of(name)
        disk = on_disk(lake, name)
        found.append(TableStatus(name, held.files, held.bytes, disk, held.rows, held.first_day, held.last_day, batch, held.sources))
    return found


def compact(lake: Lake) -> list[Compacted]:
    """Merge the small files of every partition and order their rows. Each partition is one commit, so it can be interrupted at any time."""
    return [_compact_table(lake, table) for table in TABLES.values()]


def _compact_table(lake: Lake, table: Table) -> Compacted:
    partitions = before = after = rows = 0
    with lake_errors(lake.path, f"compact table {table.name!r}"):
        parts = live_parts(load(lake.path, table), table)
        for _, here in sorted(parts.group_by(table.partition), key=lambda item: str(item[0])):
            touched = False
            for group in _bins(here):
                merged = _merge(lake.path, table, group)
                if merged:
                    before, after, rows, touched = before + len(group), after + 1, rows + merged, True
            partitions += touched
    return Compacted(table.name, partitions, before, after, rows)


def _bins(parts: pl.DataFrame) -> Iterator[list[dict[str, Any]]]:
    """The files of one partition that should become one, in the order they were written: none that is large and ordered already."""
    sort = ["least.time", "path"] if "least.time" in parts.columns else ["path"]
    group: list[dict[str, Any]] = []
    for part in _due(parts).sort(sort).iter_rows(named=True):
        if group and sum(one["size"] for one in group) + part["size"] > _TARGET:
            yield from [group] if _worth(group) else []
            group = []
        group.append(part)
    if group and _worth(group):
        yield group


def _due(parts: pl.DataFrame) -> pl.DataFrame:
    """New files, and those ordered ones that are small beside what comes to them: a row is written again only when its file grows by a good part."""
    done = parts["path"].str.contains(f"/{SORTED}-", literal=True)
    fresh, rest = parts.filter(~done), parts.filter(done & (parts["size"] < _SMALL)).sort("size", "path")
    sizes = rest["size"].to_list()
    coming, taken = int(fresh["size"].sum()), 0
    while taken < len(sizes) and (not coming or sizes[taken] <= _GROWTH * coming):
        coming, taken = coming + sizes[taken], taken + 1
    return pl.concat([fresh, rest[:taken]])


def _worth(group: Sequence[dict[str, Any]]) -> bool:
    return len(group) > 1 or f"/{SORTED}-" not in group[0]["path"]


def _merge(root: Path, table: Table, group: Sequence[dict[str, Any]]) -> int:
    """Replace some files by one with the same rows in order; how many, 0 where somebody else took one of them out meanwhile."""
    frames = [pl.read_parquet(root / table.name / part["path"], glob=False, hive_partitioning=False) for part in group]
    whole = pl.concat(frames, how="diagonal")
    if whole.height != sum(part["rows"] or 0 for part in group) and all(part["rows"] is not None for part in group):
        raise StateError(f"the lake at {root}: files of table {table.name!r} do not hold as many rows as its log says; run `crosswind lake verify`")
    missing = [pl.lit(None, dtype=table.columns[name]).alias(name) for name in table.stored if name not in whole.columns]
    made = write_part(root, table, ordered(whole.with_columns(missing), table.order), _partition(table, group[0]), stem=SORTED, rows=ROW_GROUP)
    if not replace_parts(root, table, group, [made], why="compact"):
        remove(root, table, [made.path])
        return 0
    return made.rows


def _partition(table: Table, part: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(part[name]) for name in table.partition)


def replace_parts(root: Path, table: Table, old: Sequence[dict[str, Any]], new: Sequence[Part], *, why: str, data_change: bool = False) -> bool:
    """Swap files (old ones as `live_parts` gives them) in the log in one commit. False where an old one is gone; the new ones are left then."""
    from deltalake import CommitProperties
    from deltalake.exceptions import CommitFailedError

    wanted = {part["path"] for part in old}
    signed = CommitProperties(custom_metadata={"crosswind.care": why}, max_commit_retries=0)
    for attempt in range(_ATTEMPTS):
        there = load(root, table)
        if not wanted <= set(live_parts(there, table)["path"].to_list()):
            return False
        actions = [add_action(table, part, data_change=data_change) for part in new]
        actions += [remove_action(table, part, data_change=data_change) for part in old]
        try:
            with owner_only:
                there.create_write_transaction(actions, "append", there.schema(), list(table.partition), commit_properties=signed)
        except CommitFailedError:
            time.sleep(0.05 * attempt)
            continue
        sync_log(root, table, there.version())
        return True
    return False


def retain(lake: Lake, now: datetime, *, days: int, hit_days: int | None = None) -> list[Retained]:
    """Take whole days out: events and rejects older than ``days``, hits older than ``hit_days`` (None: as events). `vacuum` frees the disk later.

    Facts stay: what one tells of an asset holds until the next one, however long ago it was.
    """
    from deltalake import CommitProperties

    found: list[Retained] = []
    for table in (each for each in TABLES.values() if each.name != "facts"):
        kept = hit_days if table.name == "hits" and hit_days is not None else days
        before = now.astimezone(UTC).date() - timedelta(days=kept)
        with lake_errors(lake.path, f"take old days out of table {table.name!r}"), owner_only:
            there = load(lake.path, table)
            old = live_parts(there, table).filter(pl.col("x.day") < before)
            if old.height:
                signed = CommitProperties(custom_metadata={"crosswind.care": "retain"})
                there.delete(f"\"x.day\" < date '{before.isoformat()}'", commit_properties=signed)
                sync_log(lake.path, table, there.version())
        found.append(Retained(table.name, before, old.height, int(old["rows"].sum())))
    return found


def vacuum(lake: Lake, *, grace: timedelta = GRACE) -> list[Vacuumed]:
    """Delete files that left the log, or never came into it, longer than ``grace`` ago, and folders that are left empty."""
    found: list[Vacuumed] = []
    for table in TABLES.values():
        folder = lake.path / table.name
        with lake_errors(lake.path, f"vacuum table {table.name!r}"), owner_only:
            hours = int(grace.total_seconds() // 3600)
            there = load(lake.path, table)
            names = there.vacuum(hours, dry_run=True, enforce_retention_duration=False, full=True)
            size = sum(path.stat().st_size for name in names if (path := folder / name).exists())
            if names:
                there.vacuum(hours, dry_run=False, enforce_retention_duration=False, full=True)
            there.cleanup_metadata()
            _remove_empty(folder)
        found.append(Vacuumed(table.name, len(names), size))
    return found


def _remove_empty(table: Path) -> None:
    """Take away the folders of days and sources that hold nothing. Whoever is about to write into one makes it again."""
    for folder in sorted(table.rglob("*=*"), reverse=True):  # days before the source above them
        if folder.is_dir():
            with suppress(OSError):
                folder.rmdir()


def on_disk(lake: Lake, table: str) -> int:
    """Bytes of everything in a table's directory, files that left the log included."""
    total, folders = 0, [str(lake.path / table)]
    while folders:
        with suppress(FileNotFoundError), os.scandir(folders.pop()) as entries:  # vacuum may be at work
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    with suppress(FileNotFoundError):
                        total += entry.stat().st_size
    return total


def verify(lake: Lake) -> list[str]:
    """What is wrong with the lake, one line each: files the log names that are missing, of another size, unreadable, or of other rows."""
    wrong: list[str] = []
    for table in TABLES.values():
        for part in live_parts(load(lake.path, table), table).iter_rows(named=True):
            path = lake.path / table.name / part["path"]
            fault = _fault(path, part)
            if fault:
                wrong.append(f"{table.name}: {part['path']} {fault}")
    return wrong


def _fault(path: Path, part: dict[str, Any]) -> str | None:
    from polars.exceptions import PolarsError

    try:
        size = path.stat().st_size
    except OSError:
        return "is missing"
    if size != part["size"]:
        return f"has {size} bytes, the log says {part['size']}"
    try:
        rows = pl.scan_parquet(path, glob=False, hive_partitioning=False).select(pl.len()).collect().item()
    except (OSError, PolarsError):
        return "cannot be read"
    return None if part["rows"] in (None, rows) else f"has {rows} rows, the log says {part['rows']}"
