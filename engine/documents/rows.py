"""Rows of any query as text: a table, NDJSON or CSV, neutralised, and redacted by what their columns are or may hold."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table

from engine.documents.common import timestamp
from engine.documents.escaping import csv_cell, safe_text
from engine.documents.output import json_line
from engine.documents.redaction import (
    CONTENT_COLUMNS,
    CONTENT_JSON_COLUMNS,
    is_inference,
    names_content,
    redact_content,
    redact_content_json,
    redact_evidence,
    redact_json,
    redact_text,
)
from engine.schema import COLUMNS

WIDTH = 160
"""Columns of a table that no terminal bounds."""
_CELL = 200
"""Most characters a cell of a table shows."""

_READING = re.compile(r"""\bfield(?:_list)?\s*\(\s*(?:\w+\.)?"?raw_data"?\s*,\s*'((?:[^']|'')*)'""", re.IGNORECASE)
_PLAIN = re.compile(r"[A-Za-z0-9_.:/@+\-]{1,100}")


def may_hold_content(sql: str, reads: Collection[str]) -> bool:
    """Whether what a query computes may be a prompt, an answer or a whole record under another name; ``reads`` are the stored columns it takes."""
    if not (CONTENT_COLUMNS | CONTENT_JSON_COLUMNS).isdisjoint(reads):
        return True
    paths = _READING.findall(sql)
    only_fields = bool(paths) and "raw_data" not in _READING.sub(" ", sql).lower()
    return "raw_data" in reads and (not only_fields or any(names_content(path) for path in paths))


def redacted(row: Mapping[str, Any], *, content: bool) -> dict[str, Any]:
    """``row`` as it may be shown. ``content``: its computed columns may hold private texts, so that only what looks like a name or an id stays."""
    known = {name: value for name, value in row.items() if name in COLUMNS and value is not None}
    inference = is_inference(known) or "x.source" not in known
    shown = redact_evidence(known)
    if "raw_data" in known:
        shown["raw_data"] = redact_json(str(known["raw_data"]), content=inference)
    return {name: shown[name] if name in known else _value(value, content or name == "x.fields") for name, value in row.items()}


def _value(value: Any, content: bool) -> Any:
    if isinstance(value, Mapping):
        return redacted(value, content=content)
    if isinstance(value, (list, tuple)):
        return [_value(item, content) for item in value]
    if not isinstance(value, str):
        return value
    opening = value.lstrip()[:1]
    if opening == "[" and content:
        return redact_content_json(value)
    if opening in ("{", "["):
        return redact_json(value, content=content)
    return redact_content(value) if content and value and not _PLAIN.fullmatch(value) else redact_text(value)


def plain_value(value: Any) -> Any:
    """A value as JSON has it: times as RFC 3339, large numbers and bytes as text."""
    if isinstance(value, datetime):
        return timestamp(value) if value.tzinfo is not None else value.isoformat()
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Mapping):
        return {str(name): plain_value(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_value(item) for item in value]
    if isinstance(value, float):
        return value if value - value == 0 else None
    return value if value is None or isinstance(value, (str, int)) else str(value)


def write_rows(names: Sequence[str], rows: Iterable[Mapping[str, Any]], layout: str, stream: TextIO, *, empty: str = "No rows.") -> int:
    """Write ``rows`` as ``table``, ``ndjson`` or ``csv``, and give their number. They are redacted already."""
    plain = ({name: plain_value(row.get(name)) for name in names} for row in rows)
    if layout == "table":
        return _write_table(names, plain, stream, empty)
    number = 0
    writer = csv.writer(stream, lineterminator="\n")
    if layout == "csv":
        writer.writerow([csv_cell(name) for name in names])
    for row in plain:
        number += 1
        if layout == "csv":
            writer.writerow([csv_cell(_cell(row[name])) for name in names])
        else:
            stream.write(json_line({name: value for name, value in row.items() if value is not None}) + "\n")
    return number


def _write_table(names: Sequence[str], rows: Iterable[Mapping[str, Any]], stream: TextIO, empty: str) -> int:
    table = Table(highlight=False, box=None, pad_edge=False)
    for name in names:
        table.add_column(safe_text(name), overflow="fold")
    number = 0
    for row in rows:
        number += 1
        table.add_row(*(safe_text(_short(row[name])) for name in names))
    console = Console(file=stream, highlight=False, markup=False, width=None if stream.isatty() else WIDTH)
    console.print(table if number else empty)
    return number


def _short(value: Any) -> str:
    text = _cell(value)
    if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", text):
        return text[:19].replace("T", " ")
    return text if len(text) <= _CELL else f"{text[:_CELL]}…"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list) and all(isinstance(item, (str, int, float)) for item in value):
        return "; ".join(map(str, value))
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) if isinstance(value, (list, dict)) else str(value)
