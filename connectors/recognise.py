"""Which source a record belongs to. The shape decides; values are read only where it leaves a choice."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import orjson
import polars as pl

from connectors import values
from connectors.exact import look_up
from connectors.shred import cells_of
from engine import jsontext
from engine.schema import Mapping, Recognition, split_path


def parse(text: str) -> Any:
    """``text`` as plain values, numbers beyond 64 bits too."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return jsontext.parse(text)


@dataclass(frozen=True, slots=True)
class _Condition:
    """One condition of a way to recognise records: ``path`` is there or not, or its value as text meets ``test``."""

    path: str
    there: bool = True
    test: Callable[[str], object] | None = None


@cache
def _conditions(way: Recognition) -> tuple[_Condition, ...]:
    return (
        *(_Condition(path) for path in way.has),
        *(_Condition(path, there=False) for path in way.lacks),
        *(_Condition(path, test=partial(_among, allowed)) for path, allowed in way.equals),
        *(_Condition(path, test=re.compile(pattern).search) for path, pattern in way.matches),
    )


def _among(allowed: Sequence[str], text: str) -> bool:
    return text.lower() in allowed


def owners(
    raw: pl.Series,
    shapes: pl.Series,
    mappings: AnyMapping[str, Mapping],
    cells: pl.DataFrame | None = None,
    embedded: Sequence[str] = (),
) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The index of each record's source in ``mappings``, -1 where none fits. The shape decides; values are read only where it leaves a choice.

    ``cells`` are those that have been extracted already, with objects opened at the paths ``embedded``.
    """
    names = {name: index for index, name in enumerate(mappings)}
    owner = np.full(raw.len(), -1, dtype=np.int64)
    for keys, rows in _by_keys(raw, shapes).items():
        candidates = _candidates(keys, mappings)
        if not candidates:
            continue
        first, mapping = next(iter(candidates.items()))
        if any(_certain(way, keys) for way in mapping.recognise):
            owner[rows] = names[first]
            continue
        _choose(owner, rows, _Cells(raw, keys, candidates, cells, embedded), {name: names[name] for name in candidates})
    return owner


def _by_keys(raw: pl.Series, shapes: pl.Series) -> dict[frozenset[str], np.ndarray[Any, Any]]:
    """The rows of records by their top-level keys. Records without a shape are looked at one by one: they have nothing in common."""
    found: dict[frozenset[str], list[np.ndarray[Any, Any]]] = {}
    for rows in shapes.to_frame("shape").with_row_index("row").group_by("shape").agg(pl.col("row"))["row"]:
        for alike in [rows] if shapes[rows[0]] is not None else [rows[index : index + 1] for index in range(rows.len())]:
            found.setdefault(_keys(parse(raw[alike[0]])), []).append(alike.to_numpy().astype(np.int64))
    return {keys: np.sort(np.concatenate(rows)) for keys, rows in found.items()}


def _keys(record: Any) -> frozenset[str]:
    return frozenset(record) if isinstance(record, dict) else frozenset()


def _candidates(keys: frozenset[str], mappings: AnyMapping[str, Mapping]) -> dict[str, Mapping]:
    return {name: mapping for name, mapping in mappings.items() if any(_possible(way, keys) for way in mapping.recognise)}


class _Cells:
    """What records with the top-level ``keys`` hold at the paths that tell ``candidates`` apart.

    Cells that are ``known`` are used; when one is missing, all the others are extracted at once, for the rows that still have no source.
    """

    def __init__(
        self, raw: pl.Series, keys: frozenset[str], candidates: AnyMapping[str, Mapping], known: pl.DataFrame | None, embedded: Sequence[str]
    ) -> None:
        self._raw, self._keys = raw, keys
        self.ways = [(name, way) for name, mapping in candidates.items() for way in mapping.recognise]
        self._spelled = {path: _spelled(path, keys) for path in dict.fromkeys(c.path for _, way in self.ways for c in _conditions(way))}
        self._opened = tuple(dict.fromkeys(path for mapping in candidates.values() for path in mapping.embedded))
        wanted = [path for path in self._spelled.values() if path is not None]
        self._known = {} if known is None else {path: known[path] for path in wanted if path in known.columns and self._equal(path, embedded)}
        self._rows: np.ndarray[Any, Any] | None = None
        self._found = pl.DataFrame()

    def _equal(self, path: str, embedded: Sequence[str]) -> bool:
        """Whether the known cells of ``path`` are what extracting it would give."""
        return _openings(path, embedded) == _openings(path, self._opened)

    def meeting(self, condition: _Condition, rows: np.ndarray[Any, Any], free: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Those of ``rows`` that meet ``condition``."""
        path = self._spelled[condition.path]
        if condition.test is None and _named(path, self._keys):
            return rows if condition.there == (path is not None) else rows[:0]
        if path is None:
            return rows if condition.test is not None and condition.test("") else rows[:0]
        cells = self._at(path, rows, free)
        if condition.test is None:
            there: np.ndarray[Any, Any] = rows[(cells.is_not_null() if condition.there else cells.is_null()).to_numpy()]
            return there
        return _where(cells, rows, condition.test)

    def _at(self, path: str, rows: np.ndarray[Any, Any], free: np.ndarray[Any, Any]) -> pl.Series:
        if path in self._known:
            return self._known[path].gather(rows)
        if self._rows is None:
            paths = [spelled for spelled in dict.fromkeys(self._spelled.values()) if spelled is not None and spelled not in self._known]
            self._rows, self._found = free, cells_of(self._raw.gather(free), paths, self._opened)
        return self._found[path].gather(np.searchsorted(self._rows, rows))


def _choose(owner: np.ndarray[Any, Any], rows: np.ndarray[Any, Any], cells: _Cells, names: AnyMapping[str, int]) -> None:
    """`recognise_record` of every record, one condition at a time on those that met the conditions before it."""
    free = rows
    for name, way in cells.ways:
        met = free
        for condition in _conditions(way):
            if met.size:
                met = cells.meeting(condition, met, free)
        if met.size:
            owner[met] = names[name]
            free = np.setdiff1d(free, met, assume_unique=True)
        if not free.size:
            return


def _openings(path: str, embedded: Sequence[str]) -> frozenset[tuple[str, ...]]:
    """Where on the way of ``path`` objects written as strings are opened."""
    segments = tuple(part.lower() for part in split_path(path))
    opened = {tuple(part.lower() for part in split_path(item)) for item in embedded}
    return frozenset(segments[:depth] for depth in range(len(segments)) if segments[:depth] in opened)


def telling(record: Any, mappings: AnyMapping[str, Mapping]) -> tuple[str, ...]:
    """The paths whose values are read to tell a record like this from those of other sources, as it spells them."""
    keys = _keys(record)
    candidates = _candidates(keys, mappings)
    if not candidates or any(_certain(way, keys) for way in next(iter(candidates.values())).recognise):
        return ()
    ways = [way for mapping in candidates.values() for way in mapping.recognise]
    found = _values(record, ways, candidates)
    read: dict[str, None] = {}
    for way in ways:
        met = True
        for condition in _conditions(way):
            path = _spelled(condition.path, keys)
            if path is not None and not (condition.test is None and _named(path, keys)):
                read[path] = None
            met = _meets(condition, found)
            if not met:
                break
        if met:
            break
    return tuple(read)


def _spelled(path: str, keys: frozenset[str]) -> str | None:
    """``path`` with its first part as records with these top-level keys spell it, so that they can be read the fast way; None where none has it."""
    first = split_path(path)[0]
    same = [key for key in keys if key.lower() == first.lower()]
    if first in keys or len(same) > 1 or not re.fullmatch(r"\w+", first) or any(key.lower().startswith(f"{first.lower()}.") for key in keys):
        return path
    return same[0] + path[len(first) :] if same and re.fullmatch(r"\w+", same[0]) else path if same else None


def _named(path: str | None, keys: frozenset[str]) -> bool:
    """Whether the top-level keys alone say if a record has something at ``path``."""
    return path is None or (path in keys and len(split_path(path)) == 1)


def _where(cells: pl.Series, rows: np.ndarray[Any, Any], test: Callable[[str], object]) -> np.ndarray[Any, Any]:
    """Those of ``rows`` whose value (``cells``), as text, meets ``test``."""
    distinct = cells.unique()
    passed = [cell for cell in distinct.to_list() if test(_text(cell))]
    if len(passed) == distinct.len():
        return rows
    kept: np.ndarray[Any, Any] = rows[cells.is_in(pl.Series(passed, dtype=pl.String), nulls_equal=True).to_numpy()]
    return kept


def _text(cell: str | None) -> str:
    if cell is None:
        return ""
    if cell.startswith('"') and "\\" not in cell:
        return cell[1:-1]
    return values.text(jsontext.loads(cell)) or ""


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
    found = _values(record, [way for _, way in ways], mappings)
    return next((name for name, way in ways if all(_meets(condition, found) for condition in _conditions(way))), None)


def _values(record: Any, ways: Sequence[Recognition], mappings: AnyMapping[str, Mapping]) -> dict[str, Any]:
    paths = dict.fromkeys(condition.path for way in ways for condition in _conditions(way))
    embedded = dict.fromkeys(path for mapping in mappings.values() for path in mapping.embedded)
    return look_up(record, tuple(paths), tuple(embedded))


def _meets(condition: _Condition, found: AnyMapping[str, Any]) -> bool:
    if condition.test is None:
        return (condition.path in found) == condition.there
    return bool(condition.test(values.text(found.get(condition.path)) or ""))


def unknown_reason(text: str) -> str:
    """Why a record belongs to no source, in words that help: its first keys."""
    record = parse(text)
    keys = list(record)[:4] if isinstance(record, dict) else []
    names = ", ".join(key[:40] for key in keys)
    return f"no known source has records like this (keys {names}, …)" if names else "an empty object"
