"""Frames that outlive the batch they were taken from."""

from __future__ import annotations

import polars as pl


def in_own_memory(frame: pl.DataFrame) -> pl.DataFrame:
    """The same frame in memory of its own: rows taken from a batch otherwise keep the text of the whole batch alive."""
    copied = pl.from_arrow(frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
    assert isinstance(copied, pl.DataFrame)
    return copied
