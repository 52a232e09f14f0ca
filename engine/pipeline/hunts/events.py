"""What is in a lake: how full the fields of a source are, and one event with its record."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any

import polars as pl

from connectors.sources import load_mappings
from engine import jsontext
from engine.documents.redaction import redact_evidence, redact_json
from engine.errors import UsageError
from engine.schema import STORED
from engine.store.fingerprints import with_fingerprints
from engine.store.lake import Lake
from engine.store.lake_tables import UID_HIGH

SAMPLE = 5_000
"""Records whose own fields are looked at."""
TOP = 3
_DEEPEST = 12
_LONGEST = 80
"""Most characters of a value that is shown."""
_SHORTEST = 6
"""So many characters of an identity will do where no other begins so."""
_HIDDEN = frozenset({"raw_data", "x.source"})


@dataclass(frozen=True, slots=True)
class FieldUse:
    """One field: in how many of ``of`` events it holds a value, and its most frequent values with their counts. ``kind``: column or native."""

    name: str
    kind: str
    filled: int
    of: int
    top: tuple[tuple[str, int], ...]


def field_use(lake: Lake, source: str, start: datetime | None, end: datetime | None, *, show_content: bool = False) -> tuple[int, list[FieldUse]]:
    """How many events of ``source`` there are in a span of time, and its common columns, then the fields of its records, the fullest first.

    A sample of the events is looked at: at most about `SAMPLE`, the same ones each time. Raises UsageError for an unknown source.
    """
    known = load_mappings()
    if source not in known:
        near = get_close_matches(source, known, n=1)
        raise UsageError(f"no source {source!r}" + (f", did you mean {near[0]}?" if near else f"; the sources are {', '.join(known)}"))
    found = lake.events_between([source], start, end)
    total = int(found.select(pl.len()).collect(engine="streaming").item())
    step = max(total // SAMPLE, 1)
    sample = found.filter(pl.col(UID_HIGH).reinterpret(signed=False) % step == 0).select([*STORED]).collect(engine="streaming")
    rows = sample.to_dicts()
    if not show_content:
        rows = [redact_evidence({name: value for name, value in row.items() if value is not None}) for row in rows]
    columns = [_use(name, "column", [_texts(row.get(name)) for row in rows]) for name in STORED if name not in _HIDDEN]
    native: dict[str, list[list[str]]] = {}
    for row in rows:
        for path, values in _paths(str(row["raw_data"])).items():
            native.setdefault(path, []).append(values)
    fields = [_use(path, "native", values, len(rows)) for path, values in native.items()]
    full = [use for use in columns if use.filled]
    return total, [*sorted(full, key=_fullest), *sorted(fields, key=_fullest)]


def _fullest(use: FieldUse) -> tuple[int, str]:
    return -use.filled, use.name


def _use(name: str, kind: str, values: list[list[str]], of: int | None = None) -> FieldUse:
    counts = Counter(text for texts in values for text in dict.fromkeys(texts))
    top = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:TOP]
    return FieldUse(name, kind, sum(bool(texts) for texts in values), len(values) if of is None else of, tuple(top))


def _texts(value: Any) -> list[str]:
    items = value if isinstance(value, list) else [value]
    return [_short(item) for item in items if item is not None]


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else value.isoformat() if isinstance(value, datetime) else jsontext.encode(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _paths(raw: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    try:
        record = jsontext.parse(raw)
    except (ValueError, RecursionError):
        return found
    for path, value in _walk(record, "", 0):
        found.setdefault(path, []).append(value)
    return found


def _walk(value: Any, path: str, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and depth < _DEEPEST:
        for name, item in value.items():
            segment = f'"{name}"' if "." in name else name
            yield from _walk(item, f"{path}.{segment}" if path else segment, depth + 1)
    elif isinstance(value, list) and depth < _DEEPEST:
        for item in value:
            yield from _walk(item, path, depth + 1)
    elif value not in (None, "", [], {}):
        yield path, _short(value if isinstance(value, str) else jsontext.dump(value))


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One event as it may be shown: its columns without empty ones, and its record parsed."""

    columns: dict[str, Any]
    record: Any


def stored_event(lake: Lake, uid: str, start: datetime | None, end: datetime | None, *, show_content: bool = False) -> StoredEvent:
    """The event whose ``x.uid`` is ``uid`` or alone begins so. Raises UsageError where there is none or more than one."""
    high = with_fingerprints(pl.DataFrame({"x.uid": [uid], "raw_data": [""]}))[UID_HIGH].reinterpret(signed=True).item()
    events = lake.events_between(None, start, end)
    found = events.filter((pl.col(UID_HIGH) == high) & (pl.col("x.uid") == uid)).collect(engine="streaming")
    if not found.height and len(uid) >= _SHORTEST:
        found = events.filter(pl.col("x.uid").str.starts_with(uid)).head(2).collect(engine="streaming")
    if not found.height:
        raise UsageError(f"no event {uid!r} in the lake; its uid is in the column x.uid, and --from and --to may have left it out")
    if found.height > 1:
        raise UsageError(f"more than one event begins with {uid!r}, such as {' and '.join(sorted(found['x.uid'].to_list()))}")
    row = {name: value for name, value in found.row(0, named=True).items() if value is not None and not name.endswith(("_high", "_low", "_hash"))}
    shown = redact_evidence(row, show_content=show_content)
    raw = str(shown.pop("raw_data"))
    try:
        record: Any = json.loads(raw, parse_constant=str)
    except (ValueError, RecursionError):
        record = raw if show_content else redact_json(raw, content=True)
    return StoredEvent(shown, record)
