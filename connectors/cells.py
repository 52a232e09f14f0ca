"""Columns of cells as texts and times: what value functions do record by record, for whole columns at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from connectors import values
from connectors.splitting.texts import views
from connectors.values import USUAL_IP
from engine import jsontext

FEW = 1_000
"""Up to so many rows, plain Python beats a handful of vector operations."""
_NOTHING = ("", "-", "null", "{}", "[]")
_QUOTE, _BACKSLASH = ord('"'), ord("\\")
_LONGEST_NOTHING = 6
"""Bytes of the longest cell of `_NOTHING` without white space."""
_MAYBE_NOTHING = np.array([byte <= ord(" ") or byte >= 0x7F or chr(byte) in '"-n{[\\' for byte in range(256)])
"""By the byte after the quote: whether the text may be one of `_NOTHING` with white space around it."""
_USUAL_IP = f'^"{USUAL_IP}"$'


@dataclass(frozen=True, slots=True)
class Decided:
    """What a value function gives for whole columns: ``values``, and the ``rows`` where that is the last word, no value included."""

    values: pl.Series
    rows: pl.Series


def is_absent(cells: pl.Series) -> bool:
    """Whether no row has a cell."""
    return cells.null_count() == cells.len()


@dataclass(frozen=True, slots=True)
class _Bare:
    """Cells whose strings have lost their quotes, their escapes still in them. ``sizes`` in bytes, those of a missing cell 0; ``second``: the byte
    after the first, 0 where there is none; ``quoted``: which cells are strings; ``escaped``: the rows of strings with an escape.
    """

    texts: pl.Series
    sizes: np.ndarray[Any, np.dtype[np.int64]]
    second: np.ndarray[Any, np.dtype[np.uint8]]
    quoted: np.ndarray[Any, np.dtype[np.bool_]]
    escaped: np.ndarray[Any, np.dtype[np.int64]]

    def empty(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """The rows of texts that stand for nothing."""
        maybe = np.flatnonzero((self.sizes <= _LONGEST_NOTHING) | self.quoted & _MAYBE_NOTHING[self.second])
        found: np.ndarray[Any, np.dtype[np.int64]] = maybe[self.texts.gather(maybe).str.strip_chars().is_in(_NOTHING).fill_null(False).to_numpy()]
        return found


def _bare(cells: pl.Series) -> _Bare:
    """``cells``, of which at least one is there: laid side by side once, and read there without a look at every single one."""
    array = cells.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    offsets = np.frombuffer(array.buffers()[1], dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    data = np.frombuffer(array.buffers()[2] or b"\0", dtype=np.uint8)
    starts, sizes = offsets[:-1], np.diff(offsets)
    last = len(data) - 1
    quoted = (data[np.minimum(starts, last)] == _QUOTE) & (sizes > 1)
    second = np.where(sizes > 1, data[np.minimum(starts + 1, last)], 0).astype(np.uint8)
    backslashes = np.flatnonzero(data == _BACKSLASH)
    escaped = np.unique(np.searchsorted(offsets, backslashes, side="right") - 1)
    if not quoted.any():
        return _Bare(cells, sizes, second, quoted, escaped[:0])
    there = pa.py_buffer(np.packbits(cells.is_not_null().to_numpy(), bitorder="little")) if cells.null_count() else None
    bounds = pa.py_buffer(views(data, starts + quoted, sizes - 2 * quoted))
    texts = pa.Array.from_buffers(pa.string_view(), len(array), [there, bounds, pa.py_buffer(data)])
    return _Bare(pl.Series(cells.name, pl.from_arrow(texts), dtype=pl.String), sizes, second, quoted, escaped[quoted[escaped]])


def plain(cells: pl.Series) -> pl.Series:
    """Cells as text, empty values as null: strings without their quotes, numbers and booleans as they stand, objects and lists as JSON."""
    if cells.len() <= FEW:
        return pl.Series(cells.name, [_plain_cell(cell) for cell in cells.to_list()], dtype=pl.String)
    if is_absent(cells):
        return cells
    bare = _bare(cells)
    if bare.escaped.size:
        told = [jsontext.loads(cell) for cell in cells.gather(bare.escaped).to_list()]
        bare = replace(bare, texts=bare.texts.scatter(bare.escaped, pl.Series(told, dtype=pl.String)))
    empty = bare.empty()
    return bare.texts.scatter(empty, None) if empty.size else bare.texts


def _plain_cell(cell: str | None) -> str | None:
    if cell is None:
        return None
    text: str = jsontext.loads(cell) if cell.startswith('"') else cell
    return None if text.strip() in _NOTHING else text


def unquoted(cells: pl.Series) -> pl.Series:
    """The texts of cells that are strings without an escape and not empty, null for all others."""
    if is_absent(cells):
        return cells
    if cells.len() <= FEW:
        text = cells.str.strip_chars('"')
        usual = cells.str.starts_with('"') & ~cells.str.contains("\\", literal=True)
        return where(usual & ~text.str.strip_chars().is_in(_NOTHING), text)
    bare = _bare(cells)
    fine = bare.quoted.copy()
    fine[bare.escaped] = False
    fine[bare.empty()] = False
    return bare.texts if int(fine.sum()) == cells.len() - cells.null_count() else where(pl.Series(fine), bare.texts)


def where(rows: pl.Series, texts: pl.Series) -> pl.Series:
    """``texts`` in some rows, null in the others."""
    return pl.DataFrame([rows.alias("r"), texts.alias("t")]).select(pl.when("r").then("t"))["t"].alias(texts.name)


def alone(texts: pl.Series) -> pl.Series:
    """Every text as a list of one, null where there is none."""
    there = texts.is_not_null().to_numpy()
    offsets = np.concatenate(([0], np.cumsum(there)))
    values = texts.drop_nulls().to_arrow(compat_level=pl.CompatLevel.oldest())
    lists = pa.LargeListArray.from_arrays(pa.array(offsets), values, mask=pa.array(~there))
    return pl.Series(texts.name, pl.from_arrow(lists), dtype=pl.List(pl.String))


def are_missing(cells: pl.Series) -> pl.Series:
    """Whether a cell is missing or JSON's null."""
    return cells.fill_null("null") == "null"


def usual_ip(cells: pl.Series) -> Decided:
    """`values.ip`."""
    usual = cells.str.contains(_USUAL_IP).fill_null(False)
    return Decided(where(usual, cells.str.strip_chars('"')), usual | cells.is_null())


def usual_domain(cells: pl.Series) -> Decided:
    """`values.domain`: an address is none."""
    nothing = pl.Series(cells.name, [None], dtype=pl.String).new_from_index(0, cells.len())
    return Decided(nothing, cells.str.contains(_USUAL_IP).fill_null(False) | cells.is_null())


USUAL = {"ip": usual_ip, "domain": usual_domain}


_FINE = r"^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-5][0-9]\.[0-9]{1,12}Z$"
"""Times with a fraction of a second."""
_WHOLE = len("2026-03-01T08:20:00Z")
_NO_TIME = np.datetime64("NaT", "us")


def times(text: pl.Series) -> pl.Series:
    """Texts as moments: the usual RFC 3339 forms at once, all others one by one."""
    usual = _whole_times(text)
    if usual.null_count() > text.null_count() and (text.str.len_bytes() > 20).any():
        usual = pl.DataFrame([usual.alias("w"), _fine_times(text).alias("f")]).select(pl.coalesce("w", "f")).to_series()
    usual = usual.dt.replace_time_zone("UTC").alias(text.name)
    others = (usual.is_null() & text.is_not_null()).arg_true()
    if not others.len():
        return usual
    memo: dict[str, int | None] = {}
    for value in text.gather(others).to_list():
        if value not in memo:
            memo[value] = values.micros(value)
    found = pl.Series([memo[value] for value in text.gather(others).to_list()], dtype=pl.Int64).cast(usual.dtype)
    return usual.scatter(others, found)


def _whole_times(text: pl.Series) -> pl.Series:
    """The moments of texts like ``2026-03-01T08:20:00Z``, null for all others."""
    usual = text.str.len_bytes() == _WHOLE
    kept = text if usual.all(ignore_nulls=False) else text.filter(usual)
    array = kept.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    made = np.full(text.len(), _NO_TIME, dtype="datetime64[us]")
    if len(array):
        first = np.frombuffer(array.buffers()[1], dtype=np.int64)[array.offset]
        marks = np.frombuffer(array.buffers()[2], dtype=np.uint8)[first : first + len(array) * _WHOLE].reshape(-1, _WHOLE).T
        made[usual.fill_null(False).to_numpy()] = _read_times(np.ascontiguousarray(marks))
    return pl.Series(text.name, made)


def _read_times(marks: np.ndarray[Any, np.dtype[np.uint8]]) -> np.ndarray[Any, Any]:
    """The moments that columns of characters show."""
    right = np.ones(marks.shape[1], dtype=bool)
    for at, mark in ((4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":"), (19, "Z")):
        right &= marks[at] == ord(mark)
    digits = marks - np.uint8(ord("0"))
    for at in (0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18):
        right &= digits[at] <= 9
    year = digits[0] * np.int32(1000) + digits[1] * np.int32(100) + digits[2] * np.int32(10) + digits[3]
    month, day, hour, minute, second = (digits[at] * np.int32(10) + digits[at + 1] for at in (5, 8, 11, 14, 17))
    right &= (year >= 1) & (month >= 1) & (month <= 12) & (hour < 24) & (minute < 60) & (second < 60)
    months = np.where(right, (year - 1970) * np.int32(12) + month - 1, 0).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + (day - 1)
    right &= (day >= 1) & (days.astype("datetime64[M]") == months)  # there is such a day
    moments: np.ndarray[Any, Any] = days.astype("datetime64[us]") + (hour * np.int64(3600) + minute * 60 + second) * np.timedelta64(1_000_000, "us")
    moments[~right] = _NO_TIME
    return moments


def _fine_times(text: pl.Series) -> pl.Series:
    fine = text.to_frame("t").select(pl.when(pl.col("t").str.contains(_FINE)).then(pl.col("t")))["t"]
    digits = fine.str.slice(20, 6).str.strip_suffix("Z").str.pad_end(6, "0").cast(pl.Int64)
    return fine.str.head(19).str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="us", strict=False) + digits.cast(pl.Duration("us"))
