"""Which source a record belongs to. The shape decides; values are read only where it leaves a choice."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from collections.abc import Mapping as AnyMapping
from functools import cache, partial
from typing import Any

import numpy as np
import orjson
import polars as pl

from connectors import values
from connectors.shred import cells_of, look_up
from engine import jsontext
from engine.schema import Mapping, Recognition, split_path


def parse(text: str) -> Any:
    """``text`` as plain values, numbers beyond 64 bits too."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return jsontext.parse(text)


def owners(raw: pl.Series, shapes: pl.Series, mappings: AnyMapping[str, Mapping]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The index of each record's source in ``mappings``, -1 where none fits. The shape decides; values are read only where it leaves a choice."""
    names = {name: index for index, name in enumerate(mappings)}
    owner = np.full(raw.len(), -1, dtype=np.int64)
    for rows in shapes.to_frame("shape").with_row_index("row").group_by("shape").agg(pl.col("row"))["row"]:
        record = parse(raw[rows[0]])
        keys = frozenset(record) if isinstance(record, dict) else frozenset()
        candidates = {name: mapping for name, mapping in mappings.items() if any(_possible(way, keys) for way in mapping.recognise)}
        if not candidates:
            continue
        first, mapping = next(iter(candidates.items()))
        if any(_certain(way, keys) for way in mapping.recognise):
            owner[rows.to_numpy()] = names[first]
            continue
        owner[rows.to_numpy()] = [-1 if found is None else names[found] for found in _chosen(raw.gather(rows), keys, candidates)]
    return owner


def _chosen(raw: pl.Series, keys: frozenset[str], mappings: AnyMapping[str, Mapping]) -> list[str | None]:
    """`recognise_record` of every record, one condition at a time on those that met the conditions before it; all have the top-level ``keys``."""
    ways = [(name, way) for name, mapping in mappings.items() for way in mapping.recognise]
    paths = list(dict.fromkeys(path for _, way in ways for path in _read(way)))
    embedded = tuple(dict.fromkeys(path for mapping in mappings.values() for path in mapping.embedded))
    spelled = {path: _spelled(path, keys) for path in paths}
    found = cells_of(raw, [path for path in dict.fromkeys(spelled.values()) if path is not None], embedded)
    nothing = pl.Series("nothing", [None], dtype=pl.String).new_from_index(0, raw.len())
    cells = {path: nothing if name is None else found[name] for path, name in spelled.items()}
    present = {path: cells[path].is_not_null().to_numpy() for path in paths}
    chosen: list[str | None] = [None] * raw.len()
    free = np.ones(raw.len(), dtype=bool)
    for name, way in ways:
        rows = free.copy()
        for path in way.has:
            rows &= present[path]
        for path in way.lacks:
            rows &= ~present[path]
        met = np.flatnonzero(rows)
        for path, allowed in way.equals:
            met = _where(cells[path], met, partial(_among, allowed))
        for path, pattern in way.matches:
            met = _where(cells[path], met, re.compile(pattern).search)
        for row in met.tolist():
            chosen[row] = name
        free[met] = False
        if not free.any():
            break
    return chosen


def _spelled(path: str, keys: frozenset[str]) -> str | None:
    """``path`` with its first part as records with these top-level keys spell it, so that they can be read the fast way; None where none has it."""
    first = split_path(path)[0]
    same = [key for key in keys if key.lower() == first.lower()]
    if first in keys or len(same) > 1 or not re.fullmatch(r"\w+", first) or any(key.lower().startswith(f"{first.lower()}.") for key in keys):
        return path
    return same[0] + path[len(first) :] if same and re.fullmatch(r"\w+", same[0]) else path if same else None


def _where(cells: pl.Series, rows: np.ndarray[Any, Any], test: Callable[[str], object]) -> np.ndarray[Any, Any]:
    """Those of ``rows`` whose value, as text, meets ``test``."""
    if not rows.size:
        return rows
    found = cells.gather(rows).to_list()
    memo = {cell: bool(test(values.text(None if cell is None else jsontext.loads(cell)) or "")) for cell in set(found)}
    kept: np.ndarray[Any, Any] = rows[np.fromiter((memo[cell] for cell in found), dtype=bool, count=len(found))]
    return kept


def _among(allowed: Sequence[str], text: str) -> bool:
    return text.lower() in allowed


def _possible(way: Recognition, keys: frozenset[str]) -> bool:
    """Whether a record with these top-level keys may match."""
    needed = [*way.has, *(path for path, _ in way.equals), *(path for path, _ in way.matches)]
    return all(_top(path, keys) for path in needed) and not any(path in keys for path in way.lacks)


def _top(path: str, keys: frozenset[str]) -> bool:
    segments = split_path(path)
    return segments[0] in keys or ".".join(segments) in keys


def _certain(way: Recognition, keys: frozenset[str]) -> bool:
    """Whether every record with these top-level keys matches."""
    plain = all(len(split_path(path)) == 1 for path in (*way.has, *way.lacks))
    return plain and not way.equals and not way.matches and _possible(way, keys)


def recognise_record(record: Any, mappings: AnyMapping[str, Mapping]) -> str | None:
    """The first source whose conditions the parsed record meets."""
    if not isinstance(record, dict):
        return None
    ways = [(name, way) for name, mapping in mappings.items() for way in mapping.recognise]
    paths = dict.fromkeys(path for _, way in ways for path in _read(way))
    embedded = dict.fromkeys(path for mapping in mappings.values() for path in mapping.embedded)
    found = look_up(record, tuple(paths), tuple(embedded))
    return next((name for name, way in ways if _matches(way, found)), None)


@cache
def _read(way: Recognition) -> tuple[str, ...]:
    return (*way.has, *way.lacks, *(path for path, _ in way.equals), *(path for path, _ in way.matches))


def _matches(way: Recognition, found: AnyMapping[str, Any]) -> bool:
    return (
        all(path in found for path in way.has)
        and not any(path in found for path in way.lacks)
        and all((values.text(found.get(path)) or "").lower() in allowed for path, allowed in way.equals)
        and all(re.search(pattern, values.text(found.get(path)) or "") is not None for path, pattern in way.matches)
    )


def unknown_reason(text: str) -> str:
    """Why a record belongs to no source, in words that help: its first keys."""
    record = parse(text)
    keys = list(record)[:4] if isinstance(record, dict) else []
    names = ", ".join(key[:40] for key in keys)
    return f"no known source has records like this (keys {names}, …)" if names else "an empty object"
