"""Record text → one column of JSON text per path: the expensive step of normalisation, done once for all paths.

DuckDB reads every record once and extracts all paths. It knows only exact nested look-ups, so the *shape* of each record (the keys of every object a
path passes through) decides, once per distinct shape, whether the record needs the exact reader: a list in the way, a literal dotted key, another
spelling of a key, a duplicate key, an object written as a string, or a number whose source text DuckDB would not keep.
"""

from __future__ import annotations

import ast
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import orjson
import polars as pl
import pyarrow as pa

from engine import jsontext
from engine.schema import split_path

Segments = tuple[str, ...]
_MISSING: Any = object()
_FLOAT_INSIDE = r"[\[:,]-?\d+(?:\.\d+(?:[eE][-+]?\d+)?|[eE][-+]?\d+)[,}\]]"
_MAX_REPR = 1 << 20


@dataclass(frozen=True, slots=True)
class Shredded:
    """``cells``: one String column per path, JSON text or null. ``shape``: per row, the record's own keys as text ``[a, b]``, null where unknown."""

    cells: pl.DataFrame
    shape: pl.Series


def shred(raw: pl.Series, paths: Sequence[str], embedded: Sequence[str] = ()) -> pl.DataFrame:
    """A String column per path (named by it) with the cell of every record in ``raw``, in order.

    Look-up: the literal remaining key first, then nested; names regardless of case, exact spelling first; the last duplicate counts; lists of objects
    fan out into one list; objects written as strings are opened at ``embedded`` paths only.
    """
    return shred_shapes(raw, paths, embedded).cells


def shred_shapes(raw: pl.Series, paths: Sequence[str], embedded: Sequence[str] = ()) -> Shredded:
    """As `shred`, with the key shape of every record beside it."""
    wanted = _Wanted(tuple(path for path in dict.fromkeys(paths) if path != "$"), tuple(embedded))
    whole = [raw.alias("$")] if "$" in paths else []
    if raw.len() == 0:
        nothing = [pl.Series(path, [], dtype=pl.String) for path in wanted.paths]
        return Shredded(pl.DataFrame(nothing + whole), pl.Series("shape", [], dtype=pl.String))
    found = _extract(raw, wanted)
    columns = [found.flat.gather_every(len(wanted.queries), index).alias(path) for index, path in enumerate(wanted.paths)]
    cells = pl.DataFrame(columns)
    rows = np.flatnonzero(_odd_rows(found, wanted))
    if rows.size and columns:
        cells = _replace(cells, rows, [exact_cells(text, wanted.segments, wanted.embedded) for text in raw.gather(rows).to_list()])
    return Shredded(cells.hstack(whole) if columns else pl.DataFrame(whole), found.root)


class _Wanted:
    """What one call asks of DuckDB, and what shapes have to be checked for."""

    __slots__ = ("embedded", "parents", "paths", "queries", "segments")

    def __init__(self, paths: tuple[str, ...], embedded: tuple[str, ...]) -> None:
        self.paths = paths
        self.segments: tuple[Segments, ...] = tuple(split_path(path) for path in paths)
        self.embedded = frozenset(tuple(part.lower() for part in split_path(path)) for path in embedded)
        prefixes = {segments[:depth] for segments in self.segments for depth in range(1, len(segments))}
        self.parents: tuple[Segments, ...] = ((), *sorted(prefixes))
        self.queries = [_json_path(segments) for segments in self.segments] + [_json_path(parent) + "[0]" for parent in self.parents[1:]]


def _json_path(segments: Segments) -> str:
    return "$" + "".join('."' + segment.replace('"', "") + '"' for segment in segments)


_local = threading.local()


def _connection() -> duckdb.DuckDBPyConnection:
    connection: duckdb.DuckDBPyConnection | None = getattr(_local, "connection", None)
    if connection is None:
        connection = duckdb.connect(config={"threads": 1, "enable_external_access": False})
        _local.connection = connection
    return connection


def _literals(texts: Sequence[str]) -> str:
    return ", ".join("'" + text.replace("'", "''") + "'" for text in texts)


@dataclass(frozen=True, slots=True)
class _Extracted:
    """``flat``: all query results, record by record; ``shape``: a text per record, equal where all parents have equal keys; ``keys``: those keys."""

    flat: pl.Series
    failed: np.ndarray[Any, np.dtype[np.bool_]]
    shape: pl.Series
    root: pl.Series
    keys: pa.ChunkedArray


def _extract(raw: pl.Series, wanted: _Wanted) -> _Extracted:
    connection = _connection()
    connection.register("records", pa.table({"raw_data": raw.to_arrow()}))
    queries = f"try(json_extract(raw_data, [{_literals(wanted.queries)}]))" if wanted.queries else "[]::varchar[]"
    parents = _literals([_json_path(parent) for parent in wanted.parents])
    query = f"select {queries} as x, try(json_keys(raw_data, [{parents}])) as k from records"
    table = connection.sql(f"select x, k, k::varchar as shape, k[1]::varchar as root from ({query})").to_arrow_table()
    connection.unregister("records")
    found = table.column("x").combine_chunks()
    failed = np.zeros(len(found), dtype=bool)
    if found.null_count:
        failed = found.is_null().to_numpy(zero_copy_only=False)
        nothing: list[None] = [None] * len(wanted.queries)
        found = pa.array([nothing if value is None else value for value in found.to_pylist()], type=found.type)
    flat = pl.Series("x", pl.from_arrow(found.flatten()), dtype=pl.String)
    shape, root = (pl.Series(name, pl.from_arrow(table.column(name)), dtype=pl.String) for name in ("shape", "root"))
    return _Extracted(flat, failed, shape, root, table.column("k"))


def _odd_rows(found: _Extracted, wanted: _Wanted) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which records DuckDB cannot be trusted with."""
    width = len(wanted.queries)
    odd: np.ndarray[Any, np.dtype[np.bool_]] = found.failed | found.shape.is_null().to_numpy()
    shapes = found.shape.to_frame().with_row_index("row").group_by("shape").agg(pl.col("row"))
    for rows in shapes["row"]:
        if _odd_shape(found.keys[rows[0]].as_py(), wanted):
            odd[rows.to_numpy()] = True
    for index in range(len(wanted.paths), width):
        odd |= found.flat.gather_every(width, index).is_not_null().to_numpy()
    if width:
        odd |= _odd_numbers(found.flat, width, len(wanted.paths))
    return odd


def _odd_shape(keys: list[list[str] | None] | None, wanted: _Wanted) -> bool:
    if keys is None:
        return True
    by_parent = dict(zip(wanted.parents, keys, strict=True))
    folded = {parent: [key.lower() for key in names or ()] for parent, names in by_parent.items()}
    for parent in wanted.parents[1:]:
        if by_parent[parent] == [] and tuple(part.lower() for part in parent) in wanted.embedded:
            return True
    for segments in wanted.segments:
        for depth in range(len(segments)):
            parent = segments[:depth]
            names = by_parent[parent]
            if not names:
                break
            name, rest = segments[depth], ".".join(segments[depth:]).lower()
            same = folded[parent].count(name.lower())
            if same > 1 or (same == 1 and name not in names) or (depth + 1 < len(segments) and rest in folded[parent]) or '"' in name:
                return True
    return False


def _odd_numbers(flat: pl.Series, width: int, used: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Records with a number whose source text the extraction rewrites (``1e5``, ``0.10``), alone or inside an object."""
    odd = np.zeros(flat.len() // width, dtype=bool)
    array = flat.cast(pl.String).to_arrow(compat_level=pl.CompatLevel.oldest())
    offsets = np.frombuffer(array.buffers()[1], dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    data = np.frombuffer(array.buffers()[2] or b"\0", dtype=np.uint8)
    filled = np.flatnonzero(offsets[1:] > offsets[:-1])
    first = data[offsets[filled]]
    number = filled[(first == ord("-")) | ((first >= ord("0")) & (first <= ord("9")))]
    compound = filled[(first == ord("{")) | (first == ord("["))]
    for cells, pattern in ((number, r"[.eE]"), (compound, _FLOAT_INSIDE)):
        cells = cells[cells % width < used]
        if cells.size:
            hits: np.ndarray[Any, Any] = flat.gather(cells).str.contains(pattern).fill_null(False).to_numpy()
            odd[cells[hits] // width] = True
    return odd


def _replace(cells: pl.DataFrame, rows: np.ndarray[Any, Any], exact: list[list[str | None]]) -> pl.DataFrame:
    columns = []
    for index, series in enumerate(cells.iter_columns()):
        columns.append(series.scatter(rows, pl.Series([row[index] for row in exact], dtype=pl.String)))
    return pl.DataFrame(columns)


def exact_cells(text: str, paths: Sequence[Segments], embedded: frozenset[Segments] = frozenset()) -> list[str | None]:
    """The cells of one record, read exactly (the oracle of the fast extraction). ``embedded`` are lower-case segments."""
    try:
        record = orjson.loads(text)
    except orjson.JSONDecodeError:
        record = jsontext.parse(text)
    values = [look_up(record, segments, embedded) for segments in paths]
    if any(_has_float(value) for value in values):
        record = jsontext.parse(text)
        values = [look_up(record, segments, embedded) for segments in paths]
    return [None if value is _MISSING else jsontext.dump(value) for value in values]


def _has_float(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_float, value.values()))
    if isinstance(value, list):
        return any(map(_has_float, value))
    return isinstance(value, float)


def look_up(value: Any, segments: Segments, embedded: frozenset[Segments] = frozenset(), default: Any = _MISSING) -> Any:
    """The value at ``segments`` below a parsed record; lists of objects fan out into a list of what was found; ``default`` where there is nothing."""
    found = _walk(value, segments, 0, embedded)
    return default if found is _MISSING else found


def _walk(value: Any, segments: Segments, depth: int, embedded: frozenset[Segments]) -> Any:
    if depth == len(segments):
        return value
    if isinstance(value, list):
        found = [
            item
            for item in (_walk(element, segments, depth, embedded) for element in value if isinstance(element, (dict, list)))
            if item is not _MISSING
        ]
        return _flatten(found) if found else _MISSING
    if isinstance(value, str) and embedded and tuple(part.lower() for part in segments[:depth]) in embedded:
        value = open_embedded(value)
        if isinstance(value, list):
            return _walk(value, segments, depth, embedded)
    if not isinstance(value, dict):
        return _MISSING
    if len(segments) - depth > 1:
        literal = _member(value, ".".join(segments[depth:]))
        if literal is not _MISSING:
            return literal
    inner = _member(value, segments[depth])
    return _MISSING if inner is _MISSING else _walk(inner, segments, depth + 1, embedded)


def _flatten(values: list[Any]) -> list[Any]:
    return [item for value in values for item in (value if isinstance(value, list) else [value])]


def _member(value: dict[str, Any], name: str) -> Any:
    found = value.get(name, _MISSING)
    if found is not _MISSING:
        return found
    lower, size = name.lower(), len(name)
    for key in reversed(value):
        if len(key) == size and key.lower() == lower:
            return value[key]
    return _MISSING


def open_embedded(text: str) -> Any:
    """The object or list that ``text`` holds as JSON or as a Python literal; ``text`` itself where it holds neither."""
    stripped = text.strip()
    if stripped[:1] not in ("{", "["):
        return text
    try:
        return jsontext.loads(stripped)
    except (ValueError, RecursionError):
        pass
    if len(stripped) > _MAX_REPR:
        return text
    try:
        value = ast.literal_eval(stripped)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return text
    return value if isinstance(value, (dict, list)) else text
