"""Keys that alerts share → links between alerts: within the window of the key's strength, each alert to one before it."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from engine.incidents.clock import Ordered
from engine.incidents.windows import WINDOWS

SCHEMA: dict[str, pl.DataType] = {
    "a": pl.UInt32(),
    "b": pl.UInt32(),
    "strength": pl.String(),
    "rank": pl.UInt8(),
    "key": pl.String(),
    "role_a": pl.String(),
    "role_b": pl.String(),
}
SIDES = 20
"""With more identities that touch one target, what names nobody goes with none of them."""
_MICROS = {strength.value: int(window.total_seconds() * 1_000_000) for strength, window in WINDOWS.items()}

Ints = np.ndarray[Any, np.dtype[np.int64]]


def links(keyed: pl.DataFrame, ordered: Ordered) -> pl.DataFrame:
    """The links of ``keyed`` (`keys.KEYED`), sorted by (a, b, rank, key).

    The alerts of one key follow each other in time; one is linked to the earlier one that ends last while the gap between them is within the window.
    So n alerts with a key have at most n - 1 links, and all of them hang together as far as the window reaches. A target joins only what the same
    identity did to it, and what nobody is named for.
    """
    rows = _by_actor(keyed).sort("strength", "key", "side", "alert", "role", nulls_last=False)
    rows = rows.unique(["strength", "key", "side", "alert"], keep="first", maintain_order=True)
    if rows.is_empty():
        return pl.DataFrame(schema=SCHEMA)
    alert = rows["alert"].to_numpy().astype(np.int64)
    group = rows.select(pl.struct("strength", "key", "side").rle_id()).to_series().to_numpy().astype(np.int64)
    window = rows["strength"].replace_strict(_MICROS, return_dtype=pl.Int64).to_numpy()
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


def _by_actor(keyed: pl.DataFrame) -> pl.DataFrame:
    """``keyed`` with ``side``: rows of a target by who acted on it; what names nobody, and what the target itself did, on every side; else null."""
    targeted = pl.col("role").is_in(["resource", "target"])
    named = keyed.filter(targeted & pl.col("actor").is_not_null()).with_columns(pl.col("actor").alias("side"))
    open_ones = keyed.filter(~targeted | pl.col("actor").is_null())
    sides = named.select("key", "side").unique().filter(pl.len().over("key") <= SIDES)
    beside = open_ones.join(sides, on="key")
    return pl.concat([named, open_ones.with_columns(pl.lit(None, pl.String).alias("side")), beside.select(named.columns)])


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
