"""The order of rows in compacted files: rows of one actor and one operation stand together, so that a question about either reads few row groups."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

_BITS = 8
_LEAD = 3
"""The first column's leading bits go before the other's first: questions about who are asked more often than those about what."""


def ordered(frame: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """``frame`` sorted along a Z-curve over ``columns`` (one or two) by rank, equal places by the columns themselves and time."""
    place = pl.lit(0, dtype=pl.UInt32)
    for column, bit in _interleaved(len(columns)):
        rank = pl.col(columns[column]).rank("min").fill_null(1).cast(pl.Float64) - 1
        code = (rank * (1 << _BITS) / max(frame.height, 1)).cast(pl.UInt32)
        place = place * 2 + (code // (1 << bit)) % 2
    rest = [*columns, *(["time"] if "time" in frame.columns else [])]
    return frame.with_columns(place.alias("\0place")).sort("\0place", *rest, nulls_last=False).drop("\0place")


def _interleaved(columns: int) -> list[tuple[int, int]]:
    """(column, bit) from the most significant on."""
    if columns == 1:
        return [(0, bit) for bit in range(_BITS - 1, -1, -1)]
    lead = [(0, _BITS - 1 - n) for n in range(_LEAD)]
    rest = [(column, _BITS - 1 - n - (_LEAD if column == 0 else 0)) for n in range(_BITS - _LEAD) for column in (1, 0)]
    return lead + rest
