"""Record text → one column of JSON text per path: the expensive step of normalisation, done once for all paths.

DuckDB reads the shape of every record (see `shapes`), then extracts all paths that any of them has. Where it cannot be trusted the exact reader is
asked: for odd shapes, a list in the way, an object written as a string, or a number whose source text DuckDB would not keep.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from connectors import duck
from connectors.exact import NEGATIVE_ZERO, Segments, exact_cells, parsed
from connectors.shapes import Judged, Wanted, shapes_of

_FLOAT_INSIDE = r"[\[:,]-?\d+(?:\.\d+(?:[eE][-+]?\d+)?|[eE][-+]?\d+)[,}\]]"
_FLOAT_BEGINS = r"[\[:,][-0-9][0-9]*[.eE]"
"""Every `_FLOAT_INSIDE` begins like this, which is found in half its time."""
_FEW = 200
"""Up to so many records the exact reader is done before a query is planned."""

_Mask = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True)
class Shredded:
    """``cells``: one String column per path, JSON text or null. ``shape``: a number per row, equal where records have equal keys; null: unknown.
    ``odd``: the rows that the exact reader read.
    """

    cells: pl.DataFrame
    shape: pl.Series
    odd: _Mask


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
    segments, opened = parsed(wanted, tuple(embedded))
    rows = [exact_cells(text, segments, opened) for text in raw.to_list()]
    columns = [pl.Series(path, [row[index] for row in rows], dtype=pl.String) for index, path in enumerate(wanted)]
    return pl.DataFrame(columns + ([raw.alias("$")] if "$" in paths else []))


def shred_shapes(raw: pl.Series, paths: Sequence[str], embedded: Sequence[str] = ()) -> Shredded:
    """As `shred`, with the key shape of every record beside it."""
    wanted = Wanted(tuple(path for path in dict.fromkeys(paths) if path != "$"), tuple(embedded))
    whole = [raw.alias("$")] if "$" in paths else []
    if raw.len() == 0:
        nothing = [pl.Series(path, [], dtype=pl.String) for path in wanted.paths]
        return Shredded(pl.DataFrame(nothing + whole), pl.Series("shape", [], dtype=pl.Int32), np.zeros(0, dtype=bool))
    shapes = shapes_of(raw, wanted)
    judged = Judged(shapes, wanted)
    found = _extract(raw, wanted, judged)
    odd = judged.odd | found.failed | _odd_ways(raw, found, wanted, judged) | _odd_numbers(raw, found)
    nowhere = pl.Series("x", [None], dtype=pl.String).new_from_index(0, raw.len())
    columns = [found.column(segments).alias(path) if segments in found.at else nowhere.alias(path) for path, segments in _named(wanted)]
    cells = pl.DataFrame(columns)
    rows = np.flatnonzero(odd)
    if rows.size and columns:
        cells = _replace(cells, rows, [exact_cells(text, wanted.segments, wanted.embedded) for text in raw.gather(rows).to_list()])
    numbers = pl.Series("shape", shapes.codes)
    if (shapes.codes < 0).any():
        numbers = numbers.set(numbers < 0, None)
    return Shredded(cells.hstack(whole) if columns else pl.DataFrame(whole), numbers, odd)


def _named(wanted: Wanted) -> list[tuple[str, Segments]]:
    return list(zip(wanted.paths, wanted.segments, strict=True))


class _Extracted:
    """``flat``, ``texts``: all query results, record by record; of the ``width`` of each the first ``used`` are cells, found ``at`` their path,
    the others the first elements of ``lists``.
    """

    __slots__ = ("at", "failed", "flat", "lists", "texts", "used", "width")

    def __init__(self, texts: pa.Array, failed: _Mask, at: dict[Segments, int], lists: Sequence[Segments]) -> None:
        self.texts, self.failed, self.at, self.lists = texts, failed, at, lists
        self.used, self.width = len(at), len(at) + len(lists)
        self.flat = pl.Series("x", pl.from_arrow(texts), dtype=pl.String)

    def column(self, path: Segments) -> pl.Series:
        """The cells at ``path``."""
        return self.flat.gather_every(self.width, self.at[path])

    def elements(self) -> list[pl.Series]:
        """The first elements of each of ``lists``."""
        return [self.flat.gather_every(self.width, index) for index in range(self.used, self.width)]


def _extract(raw: pl.Series, wanted: Wanted, judged: Judged) -> _Extracted:
    """The cells of all paths that are there, and the first elements of what may be a list on the way of one."""
    at = {wanted.segments[index]: number for number, index in enumerate(judged.there)}
    lists = [parent for parent in judged.keyless if parent not in wanted.opened and parent not in at]
    queries = [duck.json_path(path) for path in at] + [duck.json_path(parent) + "[0]" for parent in lists]
    failed: _Mask = np.zeros(raw.len(), dtype=bool)
    if not queries:
        return _Extracted(pa.array([], type=pa.string()), failed, {}, ())
    found = duck.tried(raw, f"json_extract(raw_data, [{duck.literals(queries)}])")
    if found.null_count:
        failed = found.is_null().to_numpy(zero_copy_only=False)
        nothing: list[None] = [None] * len(queries)
        found = pa.array([nothing if value is None else value for value in found.to_pylist()], type=found.type)
    texts = found.flatten()
    return _Extracted(texts.storage if isinstance(texts, pa.ExtensionArray) else texts, failed, at, lists)


def _odd_ways(raw: pl.Series, found: _Extracted, wanted: Wanted, judged: Judged) -> _Mask:
    """Records with a list, or an object written as a string, in the way of a path."""
    odd: _Mask = np.zeros(raw.len(), dtype=bool)
    unseen: list[Segments] = []
    for parent, rows in judged.keyless.items():
        if parent in found.at:
            texts = found.column(parent).gather(rows)
            lists, quoted = texts.str.starts_with("["), texts.str.starts_with('"')
            odd[rows[(lists | quoted if parent in wanted.opened else lists & (texts != "[]")).fill_null(False).to_numpy()]] = True
        elif parent in wanted.opened:
            unseen.append(parent)
    for elements in found.elements():
        odd |= elements.is_not_null().to_numpy()
    if unseen:
        rows = np.unique(np.concatenate([judged.keyless[parent] for parent in unseen]))
        paths = duck.literals([duck.json_path(parent) for parent in unseen])
        table = duck.query(raw.gather(rows), f"list_has_any(try(json_type(raw_data, [{paths}])), ['VARCHAR', 'ARRAY']) as found")
        odd[rows[table.column("found").to_numpy().astype(bool)]] = True
    return odd


def _odd_numbers(raw: pl.Series, found: _Extracted) -> _Mask:
    """Records with a number whose source text the extraction rewrites (``1e5``, ``0.10``), alone or inside an object."""
    odd: _Mask = np.zeros(raw.len(), dtype=bool)
    flat, width = found.flat, found.width
    if not found.used:
        return odd
    array = found.texts if pa.types.is_string(found.texts.type) else found.texts.cast(pa.string())
    offsets = np.frombuffer(array.buffers()[1], dtype=np.int32)[array.offset : array.offset + len(array) + 1]
    data = np.frombuffer(array.buffers()[2] or b"\0", dtype=np.uint8)
    filled = np.flatnonzero(offsets[1:] > offsets[:-1])
    first = data[offsets[filled]]
    text = first == ord('"')
    filled, first = filled[~text], first[~text]
    used_cell = filled % width < found.used
    number = filled[used_cell & ((first == ord("-")) | ((first >= ord("0")) & (first <= ord("9"))))]
    compound = filled[used_cell & ((first == ord("{")) | (first == ord("[")))]
    if number.size:
        odd[number[flat.gather(number).str.contains(r"[.eE]").to_numpy()] // width] = True
    if compound.size:
        odd[compound[_holding_floats(flat.gather(compound))] // width] = True
    zero = flat.gather(number) == "0"
    if zero.any():
        rows = np.unique(number[zero.to_numpy()] // width)
        negative: np.ndarray[Any, Any] = raw.gather(rows).str.contains(NEGATIVE_ZERO).to_numpy()
        odd[rows[negative]] = True
    return odd


def _holding_floats(texts: pl.Series) -> np.ndarray[Any, Any]:
    """Which of ``texts``, objects and lists, hold a number that is not whole."""
    maybe = np.flatnonzero(texts.str.contains(_FLOAT_BEGINS).to_numpy())
    found: np.ndarray[Any, Any] = maybe[texts.gather(maybe).str.contains(_FLOAT_INSIDE).to_numpy()]
    return found


def _replace(cells: pl.DataFrame, rows: np.ndarray[Any, Any], exact: list[list[str | None]]) -> pl.DataFrame:
    columns = []
    for index, series in enumerate(cells.iter_columns()):
        columns.append(series.scatter(rows, pl.Series([row[index] for row in exact], dtype=pl.String)))
    return pl.DataFrame(columns)
