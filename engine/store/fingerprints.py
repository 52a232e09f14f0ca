"""What an event is recognised by in later batches: numbers that stay the same whatever library or version computes them.

The identity is the first 128 bits of SHA-256 of ``x.uid``, the content the first 64 of SHA-256 of the record: of two records with one identity, the
one with the greater content number is the one with the greater SHA-256, which wins.
"""

from __future__ import annotations

from hashlib import sha256
from itertools import pairwise

import numpy as np
import polars as pl

from engine.store.lake_tables import CONTENT, UID_HIGH, UID_LOW


def with_fingerprints(events: pl.DataFrame) -> pl.DataFrame:
    """``events`` (x.uid, raw_data) with x.uid_high, x.uid_low and x.content_hash as unsigned numbers; as they are where they have them."""
    if CONTENT in events.columns:
        return events
    identity = _digests(events["x.uid"], 16)
    content = _digests(events["raw_data"], 8)
    return events.with_columns(
        pl.Series(UID_HIGH, identity[0::2], dtype=pl.UInt64),
        pl.Series(UID_LOW, identity[1::2], dtype=pl.UInt64),
        pl.Series(CONTENT, content, dtype=pl.UInt64),
    )


def _digests(texts: pl.Series, size: int) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    """The first ``size`` bytes of SHA-256 of every text, as big-endian numbers of eight bytes. The texts are read where they lie."""
    held = texts.fill_null("").to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offsets, data = held.buffers()
    ends = np.frombuffer(offsets, dtype=np.int64)[held.offset : held.offset + len(held) + 1].tolist() if len(held) else []
    text = memoryview(data) if data is not None else memoryview(b"")
    joined = b"".join([sha256(text[start:end]).digest()[:size] for start, end in pairwise(ends)])
    return np.frombuffer(joined, dtype=">u8").astype(np.uint64)
