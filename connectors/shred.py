"""Record text → one column of JSON text per path: the expensive step of normalisation, done once for all paths.

DuckDB reads every record once and extracts all paths. It knows only exact nested look-ups, so the *shape* of each record (the keys of every object a
path passes through) decides, once per distinct shape, whether the record needs the exact reader: a list in the way, a literal dotted key, another
spelling of a key, a duplicate key, an object written as a string, or a number whose source text DuckDB would not keep.
"""

from __future__ import annotations

import ast
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
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
_FLOAT_ENDS = (r"\.[0-9]+[,}\]]", r"[eE][-+]?[0-9]+[,}\]]")
"""Every `_FLOAT_INSIDE` ends like one of these, and both are found in half its time (but not as one pattern)."""
_NEGATIVE_ZERO = r"[:\[,]\s*-0\s*[,}\]]"
_MAX_REPR = 1 << 20
_PARSED_AT_ONCE = 256 << 10
"""DuckDB parses about so many bytes of records at once; a parsed record takes about four times its text."""
_FEW = 200
"""Up to so many records the exact reader is done before a query is planned."""


@dataclass(frozen=True, slots=True)
class Shredded:
    """``cells``: one String column per path, JSON text or null. ``shape``: a text per row, equal where records have equal keys; null: unknown."""

    cells: pl.DataFrame
    shape: pl.Series


def shred(raw: pl.Series, paths: Sequence[str], embedded: Sequence[str] = ()) -> pl.DataFrame:
    """A String column per path (named by it) with the cell of every record in ``raw``, in order.

    Look-up: the literal remaining key first, then nested; names regardless of case, exact spelling first; the last duplicate counts; lists of objects
    fan out into one list; objects written as strings are opened at ``embedded`` paths only.
    """
    return shred_shapes(raw, paths, embedded).cells


def cells_of(raw: pl.Series, paths: Sequence[str], embedded: Sequence[str] = ()) -> pl.DataFrame:
    """As `shred`, by whichever reader is done first."""
    if raw.len() > _FEW:
        return shred(raw, paths, embedded)
    wanted = tuple(path for path in dict.fromkeys(paths) if path != "$")
    segments, opened = _parsed(wanted, tuple(embedded))
    rows = [exact_cells(text, segments, opened) for text in raw.to_list()]
    columns = [pl.Series(path, [row[index] for row in rows], dtype=pl.String) for index, path in enumerate(wanted)]
    return pl.DataFrame(columns + ([raw.alias("$")] if "$" in paths else []))


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
    rows = np.flatnonzero(_odd_rows(raw, found, wanted))
    if rows.size and columns:
        cells = _replace(cells, rows, [exact_cells(text, wanted.segments, wanted.embedded) for text in raw.gather(rows).to_list()])
    return Shredded(cells.hstack(whole) if columns else pl.DataFrame(whole), found.shape)


class _Wanted:
    """What one call asks of DuckDB, and what shapes have to be checked for."""

    __slots__ = ("embedded", "opened", "parents", "paths", "queries", "segments")

    def __init__(self, paths: tuple[str, ...], embedded: tuple[str, ...]) -> None:
        self.paths = paths
        self.segments, self.embedded = _parsed(paths, embedded)
        prefixes = {segments[:depth] for segments in self.segments for depth in range(1, len(segments))}
        self.parents: tuple[Segments, ...] = ((), *sorted(prefixes))
        self.opened = frozenset(parent for parent in prefixes if tuple(part.lower() for part in parent) in self.embedded)
        lists = [parent for parent in self.parents[1:] if parent not in self.opened]  # the others are looked at where they show no keys
        self.queries = [_json_path(segments) for segments in self.segments] + [_json_path(parent) + "[0]" for parent in lists]


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


def _query(raw: pl.Series, what: str) -> pa.Table:
    connection = _connection()
    connection.register("records", _small_batches(raw))
    try:
        return connection.sql(f"select {what} from records").to_arrow_table()
    finally:
        connection.unregister("records")


def _tried(raw: pl.Series, what: str, cast: str = "") -> pa.ChunkedArray:
    """``what`` of every record, null where DuckDB cannot read it. Looking out for such records costs a tenth, so it waits until there is one."""
    try:
        return _query(raw, f"{what}{cast} as found").column("found")
    except duckdb.Error:
        return _query(raw, f"try({what}){cast} as found").column("found")


def _small_batches(raw: pl.Series) -> pa.Table:
    """``raw`` as it lies in memory, in batches so small that what DuckDB parses of one stays in the cache of a core: a third less time."""
    texts = raw.to_arrow(compat_level=pl.CompatLevel.newest())
    rows = max(1, min(2048, _PARSED_AT_ONCE * raw.len() // max(1, int(raw.str.len_bytes().sum()))))
    return pa.Table.from_batches(pa.table({"raw_data": texts}).to_batches(max_chunksize=rows))


@dataclass(frozen=True, slots=True)
class _Extracted:
    """``flat``, ``texts``: all query results, record by record; ``shape``: a text per record, equal where all parents have equal keys."""

    flat: pl.Series
    texts: pa.Array
    failed: np.ndarray[Any, np.dtype[np.bool_]]
    shape: pl.Series


def _extract(raw: pl.Series, wanted: _Wanted) -> _Extracted:
    # Two queries cost less than one that asks for both.
    found = _tried(raw, f"json_extract(raw_data, [{_literals(wanted.queries)}])" if wanted.queries else "[]::varchar[]").combine_chunks()
    shape = _tried(raw, _keys(wanted), "::varchar")
    failed = np.zeros(len(found), dtype=bool)
    if found.null_count:
        failed = found.is_null().to_numpy(zero_copy_only=False)
        nothing: list[None] = [None] * len(wanted.queries)
        found = pa.array([nothing if value is None else value for value in found.to_pylist()], type=found.type)
    texts = found.flatten()
    texts = texts.storage if isinstance(texts, pa.ExtensionArray) else texts
    flat = pl.Series("x", pl.from_arrow(texts), dtype=pl.String)
    return _Extracted(flat, texts, failed, pl.Series("shape", pl.from_arrow(shape), dtype=pl.String))


def _keys(wanted: _Wanted) -> str:
    return f"json_keys(raw_data, [{_literals([_json_path(parent) for parent in wanted.parents])}])"


def _odd_rows(raw: pl.Series, found: _Extracted, wanted: _Wanted) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which records DuckDB cannot be trusted with."""
    width = len(wanted.queries)
    odd: np.ndarray[Any, np.dtype[np.bool_]] = found.failed | found.shape.is_null().to_numpy()
    shapes = found.shape.to_frame().with_row_index("row").group_by("shape").agg(pl.col("row"))
    examples = _query(raw.gather(shapes["row"].list.first()), f"try({_keys(wanted)}) as found").column("found").to_pylist()
    doubtful: list[pl.Series] = []
    for rows, keys in zip(shapes["row"], examples, strict=True):
        if _odd_shape(keys, wanted):
            odd[rows.to_numpy()] = True
        elif _maybe_embedded(keys, wanted):
            doubtful.append(rows)
    if doubtful:
        odd[_embedded_rows(raw, pl.concat(doubtful), wanted)] = True
    for index in range(len(wanted.paths), width):
        odd |= found.flat.gather_every(width, index).is_not_null().to_numpy()
    if width:
        odd |= _odd_numbers(raw, found, width, len(wanted.paths))
    return odd


def _odd_shape(keys: list[list[str] | None] | None, wanted: _Wanted) -> bool:
    if keys is None:
        return True
    by_parent = dict(zip(wanted.parents, keys, strict=True))
    folded = {parent: [key.lower() for key in names or ()] for parent, names in by_parent.items()}
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


def _maybe_embedded(keys: list[list[str] | None] | None, wanted: _Wanted) -> bool:
    """Whether an object that may be written as a string shows no keys: it is empty, null, a list, or such a string."""
    return any(names == [] and parent in wanted.opened for parent, names in zip(wanted.parents, keys or (), strict=True))


def _embedded_rows(raw: pl.Series, rows: pl.Series, wanted: _Wanted) -> np.ndarray[Any, Any]:
    """Those of ``rows`` in which an object is written as a string or a list stands in its place."""
    paths = _literals([_json_path(parent) for parent in wanted.parents if parent in wanted.opened])
    table = _query(raw.gather(rows), f"list_has_any(try(json_type(raw_data, [{paths}])), ['VARCHAR', 'ARRAY']) as found")
    found: np.ndarray[Any, Any] = rows.to_numpy()[table.column("found").to_numpy().astype(bool)]
    return found


def _odd_numbers(raw: pl.Series, found: _Extracted, width: int, used: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Records with a number whose source text the extraction rewrites (``1e5``, ``0.10``), alone or inside an object."""
    flat, array = found.flat, found.texts if pa.types.is_string(found.texts.type) else found.texts.cast(pa.string())
    odd = np.zeros(flat.len() // width, dtype=bool)
    offsets = np.frombuffer(array.buffers()[1], dtype=np.int32)[array.offset : array.offset + len(array) + 1]
    data = np.frombuffer(array.buffers()[2] or b"\0", dtype=np.uint8)
    filled = np.flatnonzero(offsets[1:] > offsets[:-1])
    first = data[offsets[filled]]
    used_cell = filled % width < used
    number = filled[used_cell & ((first == ord("-")) | ((first >= ord("0")) & (first <= ord("9"))))]
    compound = filled[used_cell & ((first == ord("{")) | (first == ord("[")))]
    if number.size:
        odd[number[flat.gather(number).str.contains(r"[.eE]").to_numpy()] // width] = True
    if compound.size:
        odd[compound[_holding_floats(flat.gather(compound))] // width] = True
    zero = flat.gather(number) == "0"
    if zero.any():
        rows = np.unique(number[zero.to_numpy()] // width)
        negative: np.ndarray[Any, Any] = raw.gather(rows).str.contains(_NEGATIVE_ZERO).to_numpy()
        odd[rows[negative]] = True
    return odd


def _holding_floats(texts: pl.Series) -> np.ndarray[Any, Any]:
    """Which of ``texts``, objects and lists, hold a number that is not whole."""
    ends = [texts.str.contains(pattern).to_numpy() for pattern in _FLOAT_ENDS]
    maybe = np.flatnonzero(np.logical_or.reduce(ends))
    found: np.ndarray[Any, Any] = maybe[texts.gather(maybe).str.contains(_FLOAT_INSIDE).to_numpy()]
    return found


def _replace(cells: pl.DataFrame, rows: np.ndarray[Any, Any], exact: list[list[str | None]]) -> pl.DataFrame:
    columns = []
    for index, series in enumerate(cells.iter_columns()):
        columns.append(series.scatter(rows, pl.Series([row[index] for row in exact], dtype=pl.String)))
    return pl.DataFrame(columns)


def exact_cells(text: str, paths: Sequence[Segments], embedded: frozenset[Segments] = frozenset()) -> list[str | None]:
    """The cells of one record, read exactly (the oracle of the fast extraction). ``embedded`` are lower-case segments."""
    reader = _reader(tuple(paths), embedded)
    try:
        values = reader.values(orjson.loads(text))
        if not any(_has_float(value) for value in values) and not (any(value == 0 for value in values) and re.search(_NEGATIVE_ZERO, text)):
            return [None if value is _MISSING else jsontext.encode(value) for value in values]
    except orjson.JSONDecodeError:
        pass
    return [None if value is _MISSING else jsontext.dump(value) for value in reader.values(jsontext.parse(text), exact=True)]


def _has_float(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_float, value.values()))
    if isinstance(value, list):
        return any(map(_has_float, value))
    return isinstance(value, float)


def look_up(value: Any, paths: Sequence[str], embedded: Sequence[str] = ()) -> dict[str, Any]:
    """The values at ``paths`` of a parsed record, without those that are missing; lists of objects fan out into a list of what was found."""
    found = _reader(*_parsed(tuple(paths), tuple(embedded))).values(value)
    return {path: item for path, item in zip(paths, found, strict=True) if item is not _MISSING}


@lru_cache(maxsize=512)
def _parsed(paths: tuple[str, ...], embedded: tuple[str, ...]) -> tuple[tuple[Segments, ...], frozenset[Segments]]:
    return tuple(split_path(path) for path in paths), frozenset(tuple(part.lower() for part in split_path(path)) for path in embedded)


class _Node:
    """One object on the way of some paths: what they want of it."""

    __slots__ = ("children", "embedded", "ends", "tails")

    def __init__(self, embedded: bool) -> None:
        self.children: dict[str, _Node] = {}
        self.ends: list[int] = []
        self.tails: dict[str, list[tuple[str, int]]] = {}
        """Folded literal rest of a path with more segments to go → (rest, path)."""
        self.embedded = embedded


class _Reader:
    """All paths of one call as a tree, so that a record is walked once."""

    def __init__(self, paths: Sequence[Segments], embedded: frozenset[Segments]) -> None:
        self._size = len(paths)
        self._root = _Node(() in embedded)
        for index, segments in enumerate(paths):
            node = self._root
            for depth, segment in enumerate(segments):
                if depth + 1 < len(segments):
                    rest = ".".join(segments[depth:])
                    node.tails.setdefault(rest.lower(), []).append((rest, index))
                if segment not in node.children:
                    node.children[segment] = _Node(tuple(part.lower() for part in segments[: depth + 1]) in embedded)
                node = node.children[segment]
            node.ends.append(index)

    def values(self, record: Any, *, exact: bool = False) -> list[Any]:
        """The value at each path, `_MISSING` where there is none. ``exact``: numbers in embedded texts keep their source text as well."""
        found: dict[int, Any] = {}
        self._walk(record, self._root, found, exact)
        return [found.get(index, _MISSING) for index in range(self._size)]

    def _walk(self, value: Any, node: _Node, found: dict[int, Any], exact: bool) -> None:
        for index in node.ends:
            found[index] = value
        if not node.children:
            return
        if node.embedded and isinstance(value, str):
            value = open_embedded(value, exact=exact)
        if isinstance(value, dict):
            self._members(value, node, found, exact)
        elif isinstance(value, list):
            self._elements(value, node, found, exact)

    def _members(self, value: dict[str, Any], node: _Node, found: dict[int, Any], exact: bool) -> None:
        names = {key.lower(): key for key in value}
        for segment, child in node.children.items():
            key = segment if segment in value else names.get(segment.lower())
            if key is not None:
                self._walk(value[key], child, found, exact)
        if node.tails.keys() & names.keys():
            for folded in node.tails.keys() & names.keys():
                for rest, index in node.tails[folded]:
                    found[index] = value[rest] if rest in value else value[names[folded]]

    def _elements(self, value: list[Any], node: _Node, found: dict[int, Any], exact: bool) -> None:
        inner = _Node(False)
        inner.children, inner.tails = node.children, node.tails
        gathered: dict[int, list[Any]] = {}
        for element in value:
            if isinstance(element, (dict, list)):
                part: dict[int, Any] = {}
                self._walk(element, inner, part, exact)
                for index, item in part.items():
                    gathered.setdefault(index, []).extend(item if isinstance(item, list) else [item])
        found.update(gathered)


@lru_cache(maxsize=512)
def _reader(paths: tuple[Segments, ...], embedded: frozenset[Segments]) -> _Reader:
    """Readers hold nothing of the records, so equal questions share one."""
    return _Reader(paths, embedded)


def open_embedded(text: str, *, exact: bool = False) -> Any:
    """The object or list that ``text`` holds as JSON or as a Python literal; ``text`` itself where it holds neither."""
    stripped = text.strip()
    if stripped[:1] not in ("{", "["):
        return text
    try:
        return jsontext.parse(stripped) if exact else orjson.loads(stripped)
    except (ValueError, RecursionError):
        pass
    try:
        value = jsontext.loads(stripped)
    except (ValueError, RecursionError):
        value = _literal(stripped)
    if not isinstance(value, (dict, list)):
        return text
    # Literals hold sets, bytes and keys that are no text, lenient JSON lone surrogates: only what JSON can say goes on.
    return jsontext.loads(jsontext.encode(value))


def _literal(text: str) -> Any:
    if len(text) > _MAX_REPR:
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None
