"""Events as text or Parquet: what `crosswind events` prints."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from engine.documents.common import timestamp
from engine.documents.escaping import csv_cell, safe_text
from engine.documents.output import json_line
from engine.documents.redaction import redact_evidence
from engine.errors import UsageError
from engine.schema import STORED

TABLE_COLUMNS = ("time", "x.source", "api.operation", "actor.user.name", "src_endpoint.ip", "status_id")
"""What a table shows when no columns are named."""

WIDTH = 160
"""Columns of a table that no terminal bounds."""

TABLE_ROWS = 200
"""Most rows of a table; the other formats have no end."""


def write_events(
    frames: Iterable[pl.DataFrame],
    layout: str,
    stream: TextIO,
    *,
    columns: Sequence[str] | None = None,
    raw: bool = False,
    show_content: bool = False,
    path: Path | None = None,
) -> None:
    """Write events frames as ``ndjson``, ``csv``, ``table`` or ``parquet`` (``path`` is the file of ``stream``), redacted unless ``show_content``.

    ``columns``: only these, in this order. ``raw`` adds raw_data. Raises UsageError for Parquet without a file.
    """
    rows = (_chosen(row, columns, raw) for frame in frames for row in _rows(frame, show_content))
    if layout == "ndjson":
        for row in rows:
            stream.write(json_line(row) + "\n")
    elif layout == "csv":
        _write_csv(rows, stream, _names(columns, raw))
    elif layout == "table":
        _write_table(rows, stream, columns or TABLE_COLUMNS)
    else:
        if path is None:
            raise UsageError("Parquet is no text: name a file with -o FILE")
        _write_parquet(frames, stream.buffer, _names(columns, raw), show_content)


def _names(columns: Sequence[str] | None, raw: bool) -> list[str]:
    names = [name for name in columns or STORED if name != "raw_data"]
    return [*names, "raw_data"] if raw or "raw_data" in (columns or ()) else names


def _rows(frame: pl.DataFrame, show_content: bool) -> Iterator[dict[str, Any]]:
    for row in frame.iter_rows(named=True):
        filled = {name: value for name, value in row.items() if value is not None}
        yield redact_evidence(filled, show_content=show_content)


def _chosen(row: dict[str, Any], columns: Sequence[str] | None, raw: bool) -> dict[str, Any]:
    names = _names(columns, raw)
    return {name: timestamp(row[name]) if isinstance(row[name], datetime) else row[name] for name in names if name in row}


def _cell(value: Any) -> str:
    return "" if value is None else "; ".join(map(str, value)) if isinstance(value, list) else str(value)


def _short(name: str, value: Any) -> str:
    text = _cell(value)
    return text[:19].replace("T", " ") if name == "time" else text


def _write_csv(rows: Iterable[dict[str, Any]], stream: TextIO, names: Sequence[str]) -> None:
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        writer.writerow([csv_cell(_cell(row.get(name))) for name in names])


def _write_table(rows: Iterator[dict[str, Any]], stream: TextIO, names: Sequence[str]) -> None:
    table = Table(highlight=False, box=None, pad_edge=False)
    for name in names:
        table.add_column(name, overflow="ellipsis", no_wrap=True, min_width=19 if name == "time" else None)
    shown = 0
    for row in islice(rows, TABLE_ROWS):
        table.add_row(*(safe_text(_short(name, row.get(name))) for name in names))
        shown += 1
    console = Console(file=stream, highlight=False, markup=False, width=None if stream.isatty() else WIDTH)
    console.print(table if shown else "No events.")
    if next(rows, None) is not None:
        console.print(f"… the first {TABLE_ROWS} events; --limit, --source and --from narrow it, --format ndjson shows all")


def _write_parquet(frames: Iterable[pl.DataFrame], file: BinaryIO, names: Sequence[str], show_content: bool) -> None:
    schema = {name: STORED[name].dtype for name in names}
    empty = pl.DataFrame(schema=schema).to_arrow()
    with pq.ParquetWriter(file, empty.schema, compression="zstd") as writer:
        for frame in frames:
            rows = list(_rows(frame, show_content)) if not show_content else frame.to_dicts()
            chosen = pl.DataFrame([{name: row.get(name) for name in names} for row in rows], schema=schema)
            writer.write_table(pa.table(chosen.to_arrow()).cast(empty.schema))
