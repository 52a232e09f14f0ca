"""What a table's log says: which files are live, and which batch was committed last."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import polars as pl

from engine.store.lake_files import load
from engine.store.lake_tables import Table

if TYPE_CHECKING:
    from deltalake import DeltaTable

_COMMIT = re.compile(r"([0-9]{20})\.json")


@dataclass(frozen=True, slots=True)
class LastBatch:
    """The last batch committed to a table: its number (0: none), and the plan digest and writer from the commit, None where the log forgot them."""

    number: int
    digest: str | None = None
    writer: str | None = None


def last_batch(root: Path, about: Table, table: DeltaTable | None = None) -> LastBatch:
    """Which batch was committed last, as of ``table`` (None: now).

    The newest commit that is signed by a batch tells; to load a table with many files takes longer. Where the log was cleaned up since, the number
    is left, which outlives that.
    """
    log = root / about.name / "_delta_log"
    newest = table.version() if table is not None else _newest(log)
    with suppress(ValueError):
        for version in range(newest, -1, -1):
            path = log / f"{version:020}.json"
            if not path.exists():
                break
            info = _commit_info(path)
            if "crosswind.batch" in info:
                return LastBatch(info["crosswind.batch"], info.get("crosswind.plan"), info.get("crosswind.writer"))
    there = load(root, about) if table is None else table
    return LastBatch(there.transaction_version(about.application) or 0)


def _newest(log: Path) -> int:
    """The version of the last commit; -1 where there is none."""
    try:
        names = os.listdir(log)
    except FileNotFoundError:
        return -1
    return max((int(match[1]) for name in names if (match := _COMMIT.fullmatch(name))), default=-1)


def _commit_info(path: Path) -> dict[str, Any]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.startswith('{"commitInfo"'):
                found: dict[str, Any] = json.loads(line)["commitInfo"]
                return found
    return {}


def live_parts(table: DeltaTable, about: Table) -> pl.DataFrame:
    """One row per file: path (as in the file system), size, rows, the partition columns, and ``least.*`` / ``greatest.*`` of the bounds."""
    actions = pl.DataFrame(table.get_add_actions(flatten=True))
    chosen = [
        _unquoted(actions["path"].cast(pl.String())),
        pl.col("size_bytes").alias("size"),
        (pl.col("num_records") if "num_records" in actions.columns else pl.lit(None)).cast(pl.Int64()).alias("rows"),
        *(pl.col(f"partition.{name}").cast(about.columns[name]).alias(name) for name in about.partition if f"partition.{name}" in actions.columns),
        *(pl.lit(None, dtype=about.columns[name]).alias(name) for name in about.partition if f"partition.{name}" not in actions.columns),
    ]
    for name in about.bounds:
        for theirs, ours in (("min", "least"), ("max", "greatest")):
            there = f"{theirs}.{name}" in actions.columns
            chosen.append((pl.col(f"{theirs}.{name}") if there else pl.lit(None)).cast(about.columns[name]).alias(f"{ours}.{name}"))
    return actions.select(chosen)


def _unquoted(paths: pl.Series) -> pl.Series:
    """Paths as the file system has them; hardly any needs it, and there may be many."""
    return paths.map_elements(unquote, return_dtype=pl.String()) if paths.str.contains("%", literal=True).any() else paths


def remove_action(about: Table, part: Mapping[str, Any], *, data_change: bool = True) -> Any:
    """The log entry that takes a file of `live_parts` out of the table."""
    from deltalake.transaction import RemoveAction

    values: dict[str, str | None] = {name: str(part[name]) for name in about.partition}
    return RemoveAction(quote(part["path"], safe="/="), data_change, int(time.time() * 1000), part["size"], values)
