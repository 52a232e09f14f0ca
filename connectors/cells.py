"""Columns of cells as texts and times: what value functions do record by record, for whole columns at once."""

from __future__ import annotations

import polars as pl

from connectors import values
from engine import jsontext

FEW = 1_000
"""Up to so many rows, plain Python beats a handful of vector operations."""
_NOTHING = ("", "-", "null", "{}", "[]")


def plain(cells: pl.Series) -> pl.Series:
    """Cells as text, empty values as null: strings without their quotes, numbers and booleans as they stand, objects and lists as JSON."""
    if cells.len() <= FEW:
        return pl.Series(cells.name, [_plain_cell(cell) for cell in cells.to_list()], dtype=pl.String)
    quoted = cells.str.starts_with('"')
    simple = quoted & ~cells.str.contains("\\", literal=True)
    text = cells.to_frame("c").select(pl.when(simple).then(pl.col("c").str.slice(1).str.head(-1)).otherwise(pl.col("c")))["c"]
    escaped = (quoted & ~simple).fill_null(False)
    if escaped.any():
        rows = escaped.arg_true()
        text = text.scatter(rows, pl.Series([jsontext.loads(cell) for cell in cells.gather(rows).to_list()], dtype=pl.String))
    empty = pl.col("c").str.strip_chars().is_in(_NOTHING)
    return text.to_frame("c").select(pl.when(~empty).then(pl.col("c")))["c"].alias(cells.name)


def _plain_cell(cell: str | None) -> str | None:
    if cell is None:
        return None
    text: str = jsontext.loads(cell) if cell.startswith('"') else cell
    return None if text.strip() in _NOTHING else text


def unquoted(cells: pl.Series) -> pl.Series:
    """The texts of cells that are strings without an escape and not empty, null for all others."""
    text = pl.col("c").str.slice(1).str.head(-1)
    usual = pl.col("c").str.starts_with('"') & ~pl.col("c").str.contains("\\", literal=True) & ~text.str.strip_chars().is_in(_NOTHING)
    return cells.to_frame("c").select(pl.when(usual).then(text))["c"].alias(cells.name)


_FINE = r"^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-5][0-9]\.[0-9]{1,12}Z$"
"""Times with a fraction of a second."""


def times(text: pl.Series) -> pl.Series:
    """Texts as moments: the usual RFC 3339 forms at once, all others one by one."""
    usual = _fine_times(text) if (text.str.len_bytes() > 20).any() else None
    if usual is None or usual.null_count() > text.null_count():
        rest = text if usual is None else text.to_frame("t").select(pl.when(usual.is_null()).then(pl.col("t")))["t"]
        whole = rest.str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us", strict=False)
        whole = whole.to_frame("t").select(pl.when(pl.col("t").dt.year() > 0).then(pl.col("t")))["t"]  # no datetime of Python has year 0
        usual = whole if usual is None else usual.to_frame("t").select(pl.coalesce("t", whole))["t"]
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


def _fine_times(text: pl.Series) -> pl.Series:
    fine = text.to_frame("t").select(pl.when(pl.col("t").str.contains(_FINE)).then(pl.col("t")))["t"]
    digits = fine.str.slice(20, 6).str.strip_suffix("Z").str.pad_end(6, "0").cast(pl.Int64)
    return fine.str.head(19).str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="us", strict=False) + digits.cast(pl.Duration("us"))
