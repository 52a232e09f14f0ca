"""What a lake holds, and what was done to it: tables for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table as Grid

from engine.documents.escaping import safe_json, safe_text

_BYTES = frozenset(("bytes", "on_disk"))


def write_lake(rows: Sequence[Any], stream: TextIO, *, as_json: bool, width: int | None = None) -> None:
    """Write ``rows`` (dataclasses of one kind, one a table of the lake): a JSON list, or a grid with their fields as columns."""
    if as_json:
        stream.write(safe_json(json.dumps([asdict(row) for row in rows], default=str, ensure_ascii=False)) + "\n")
        return
    grid = Grid(box=None, pad_edge=False)
    names = [field.name for field in fields(rows[0])] if rows else []
    for name in names:
        grid.add_column(name.replace("_", " "), overflow="fold", justify="right" if isinstance(getattr(rows[0], name), int) else "left")
    for row in rows:
        grid.add_row(*(_cell(name, getattr(row, name)) for name in names))
    Console(file=stream, highlight=False, width=width or (None if stream.isatty() else 160), markup=False).print(grid)


def _cell(name: str, value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, tuple):
        return "\n".join(safe_text(str(item)) for item in value) or "-"
    if isinstance(value, int) and name in _BYTES:
        return _size(value)
    return f"{value:,}" if isinstance(value, int) else safe_text(str(value))


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:,.0f} {unit}" if unit == "B" else f"{count:,.1f} {unit}"
        count /= 1024
    return f"{count:,.1f} TiB"
