"""What a table's log says: which files are live, and which batch was committed last."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import polars as pl

from engine.store.lake_tables import Table

if TYPE_CHECKING:
    from deltalake import DeltaTable


@dataclass(frozen=True, slots=True)
class LastBatch:
    """The last batch committed to a table: its number (0: none), and the plan digest and writer from the commit, None where the log forgot them."""

    number: int
    digest: str | None = None
    writer: str | None = None


def last_batch(table: DeltaTable, root: Path, about: Table) -> LastBatch:
    """Which batch was committed last. The number outlives the log's clean-up; the digest stands in the commit itself."""
    number = table.transaction_version(about.application)
    if number is None:
        return LastBatch(0)
    log = root / about.name / "_delta_log"
    for version in range(table.version(), -1, -1):
        path = log / f"{version:020}.json"
        if not path.exists():
            break
        info = _commit_info(path)
        if info.get("crosswind.batch") == number:
            return LastBatch(number, info.get("crosswind.plan"), info.get("crosswind.writer"))
    return LastBatch(number)


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
        pl.col("path").cast(pl.String()).map_elements(unquote, return_dtype=pl.String()),
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


def remove_action(about: Table, part: Mapping[str, Any], *, data_change: bool = True) -> Any:
    """The log entry that takes a file of `live_parts` out of the table."""
    from deltalake.transaction import RemoveAction

    values: dict[str, str | None] = {name: str(part[name]) for name in about.partition}
    return RemoveAction(quote(part["path"], safe="/="), data_change, int(time.time() * 1000), part["size"], values)
