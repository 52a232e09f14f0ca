"""Keys that alerts share → links between alerts: within the window of the key's strength, each alert to one before it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl

from engine.incidents.clock import Ordered
from engine.incidents.sides import NEAR, sided
from engine.incidents.windows import TIGHT, WINDOWS

SCHEMA: dict[str, pl.DataType] = {
    "a": pl.UInt32(),
    "b": pl.UInt32(),
    "strength": pl.String(),
    "rank": pl.UInt8(),
    "key": pl.String(),
    "role_a": pl.String(),
    "role_b": pl.String(),
}


def _micros(window: timedelta) -> int:
    return window // timedelta(microseconds=1)


_MICROS = {strength.value: _micros(window) for strength, window in WINDOWS.items()}

Ints = np.ndarray[Any, np.dtype[np.int64]]


def links(keyed: pl.DataFrame, ordered: Ordered, addresses: pl.DataFrame) -> pl.DataFrame:
    """The links of ``keyed`` (`keys.KEYED`), sorted by (a, b, rank, key). ``addresses`` are those of `sides.ways`.

    The alerts of one key follow each other in time; one is linked to the earlier one that ends last while the gap between them is within the window.
    So n alerts with a key have at most n - 1 links on each of its sides (`sides.sided`), and all of them hang together as far as the window reaches.
    """
    rows = sided(keyed, ordered, addresses).sort("strength", "key", "side", "alert", "role", nulls_last=False)
    rows = rows.unique(["strength", "key", "side", "alert"], keep="first", maintain_order=True)
    if rows.is_empty():
        return pl.DataFrame(schema=SCHEMA)
    alert = rows["alert"].to_numpy().astype(np.int64)
    group = rows.select(pl.struct("strength", "key", "side").rle_id()).to_series().to_numpy().astype(np.int64)
    bridged = pl.when(pl.col("side").str.starts_with(NEAR)).then(_micros(TIGHT)).otherwise(pl.col("strength").replace_strict(_MICROS))
    window = rows.select(bridged.cast(pl.Int64).fill_null(0)).to_series().to_numpy()
    before = _ends_last_before(group, ordered.last[alert])
    near = before >= 0
    near[near] = ordered.first[alert[near]] - ordered.last[alert[before[near]]] <= window[near]
    later = np.flatnonzero(near)
    a, b = rows[before[later]], rows[later]
    found = pl.DataFrame(
        [
            a["alert"].alias("a"),
            b["alert"].alias("b"),
            b["strength"],
            b["rank"].cast(pl.UInt8),
            b["key"],
            a["role"].alias("role_a"),
            b["role"].alias("role_b"),
        ]
    )
    return found.sort("a", "b", "rank", "key")


def _ends_last_before(group: Ints, last: Ints) -> Ints:
    """Per row the row before it in its group that ends last (the first of equals), -1 for the first row of a group. Groups are runs."""
    height = len(group)
    rows = np.arange(height)
    starts = np.flatnonzero(np.r_[True, group[1:] != group[:-1]])
    # Shifting every group above all the ones before it makes one running maximum serve all groups.
    rank = np.empty(height, np.int64)
    values, rank[:] = np.unique(last, return_inverse=True)
    lifted = rank + group * (len(values) + 1)
    running = np.maximum.accumulate(lifted)
    fresh = np.r_[True, running[1:] != running[:-1]]
    holder = np.maximum.accumulate(np.where(fresh, rows, 0))
    before: Ints = np.r_[-1, holder[:-1]]
    before[starts] = -1
    return before
