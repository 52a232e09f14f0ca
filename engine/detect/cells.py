"""Cells of a batch, dictionary-encoded: every distinct value once, unless nearly all are, and which rows hold it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from engine.detect.plan import Source
from engine.schema import COLUMNS

Rows = np.ndarray[Any, np.dtype[np.uint32]]
Codes = np.ndarray[Any, np.dtype[np.int32]]

NATIVE = "native."

_SAMPLE = 500


@dataclass(frozen=True, slots=True)
class Dictionary:
    """``codes`` of all rows (0 missing, else 1 + index into ``values``); the rows of code c are ``rows[starts[c]:starts[c + 1]]``, ascending.

    ``is_text``: values are strings themselves, not their JSON text.
    """

    codes: Codes
    values: pl.Series
    rows: Rows
    starts: np.ndarray[Any, np.dtype[np.int64]]
    is_text: bool


def encode(events: pl.DataFrame, source: Source) -> Dictionary:
    """The dictionary of one field of a batch. Records are not compared with each other, nor are values of which a first few hardly repeat."""
    if source.is_record:
        return _each(events["raw_data"], False)
    cells, is_text = _column(events, source.column) if source.column is not None else (_native(events, source.paths), False)
    if _mostly_distinct(cells):
        return _each(cells, is_text)
    groups = cells.alias("value").to_frame().with_row_index("row").drop_nulls("value").group_by("value", maintain_order=True).agg("row")
    there = groups["row"].explode(empty_as_null=False).to_numpy()
    sizes = groups["row"].list.len().to_numpy()
    codes: Codes = np.zeros(events.height, dtype=np.int32)
    codes[there] = np.repeat(np.arange(1, len(sizes) + 1, dtype=np.int32), sizes)
    rows = there if len(there) == events.height else np.concatenate([np.flatnonzero(codes == 0).astype(np.uint32), there])
    starts = np.zeros(len(sizes) + 2, dtype=np.int64)
    starts[1] = events.height - len(there)
    np.cumsum(sizes, out=starts[2:])
    starts[2:] += starts[1]
    return Dictionary(codes, groups["value"], rows, starts, is_text)


def _mostly_distinct(cells: pl.Series) -> bool:
    sample = cells.head(_SAMPLE)
    return len(cells) > 2 * _SAMPLE and sample.null_count() < _SAMPLE // 2 and sample.n_unique() > 0.95 * (_SAMPLE - sample.null_count())


def _each(cells: pl.Series, is_text: bool) -> Dictionary:
    """Every cell a value of its own, whether or not others are equal: where few are, finding them costs more than looking at them again."""
    there = cells.is_not_null().to_numpy()
    codes: Codes = np.cumsum(there, dtype=np.int32)
    absent = len(cells) - int(there.sum())
    if absent:
        codes[~there] = 0
    rows = np.concatenate([np.flatnonzero(~there), np.flatnonzero(there)]).astype(np.uint32)
    starts = np.arange(absent - 1, len(cells) + 1)
    starts[0] = 0
    return Dictionary(codes, cells.drop_nulls(), rows, starts, is_text)


def _native(events: pl.DataFrame, paths: tuple[str, ...]) -> pl.Series:
    if len(paths) == 1:
        return events[NATIVE + paths[0]]
    # Several candidates form one list-valued field: the JSON list of those that are there.
    columns = [pl.col(NATIVE + path) for path in paths]
    present = pl.sum_horizontal(column.is_not_null() for column in columns)
    several = pl.format("[{}]", pl.concat_str(columns, separator=",", ignore_nulls=True))
    return events.select(pl.when(present > 1).then(several).otherwise(pl.coalesce(columns))).to_series()


def _column(events: pl.DataFrame, name: str) -> tuple[pl.Series, bool]:
    """(cells or texts, whether they are texts) of a common column: times as RFC 3339 text, numbers and booleans as JSON, lists as JSON lists."""
    column = events[name]
    dtype = column.dtype
    if dtype == pl.String:
        return column, COLUMNS[name].kind != "json"
    if isinstance(dtype, pl.Datetime):
        return column.dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ"), True
    if isinstance(dtype, pl.List):
        encoded = column.alias("_").to_frame().to_struct().struct.json_encode().str.strip_prefix('{"_":').str.strip_suffix("}")
        return encoded.to_frame("_").select(pl.when(column.is_not_null()).then(pl.col("_"))).to_series(), False
    if dtype.is_float():
        column = column.to_frame("_").select(pl.when(pl.col("_").is_finite()).then(pl.col("_"))).to_series()
    return column.cast(pl.String), False
