"""Which records an object holds more than once: of records without an id of their own, that is all that tells them apart.

Every record is counted, so what a record is called does not depend on the batches its object was read in.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import polars as pl

MEMORY = 262_144
"""An object that is read in several batches is remembered so many records back. Equal records are equal in their times too, so they stand close."""

_KEY = ("object_index", "hash")


class Repeats:
    """Counts equal records over the batches of a stream, in which objects follow each other."""

    def __init__(self) -> None:
        self._before = pl.DataFrame(schema={"object_index": pl.UInt32, "hash": pl.UInt64})

    def recall(self, index: int, hashes: pl.Series) -> None:
        """Take records (`hashes_of`) for those of an object that stand before what is read of it now."""
        self._before = pl.concat((self._before, _keys(pl.repeat(index, hashes.len(), dtype=pl.UInt32, eager=True), hashes)))

    def count(self, records: pl.DataFrame) -> dict[tuple[str, int], int]:
        """By (object, position), how many records equal to it the object held before; those that are the first of their kind are left out."""
        if not records.height:
            return {}
        keys, before = _keys(records["object_index"], hashes_of(records["raw_data"])), self._before
        if before.height and int(before["object_index"].to_numpy().max()) < keys["object_index"][0]:
            before = before.clear()  # objects follow each other: none of these is read on
        alike = _alike(keys["hash"])
        if before.height:
            known = keys.join(before.unique().with_columns(known=pl.lit(True)), on=_KEY, how="left", maintain_order="left")["known"]
            alike |= known.fill_null(False)
        last = keys["object_index"][-1]
        self._before = pl.concat((before, keys)).filter(pl.col("object_index") == last).tail(MEMORY)
        return _numbered(records, keys, alike, before) if alike.any() else {}


def _alike(hashes: pl.Series) -> pl.Series:
    """Which of ``hashes`` occur more than once; sorting numbers tells soonest that none does."""
    ranked = np.sort(hashes.to_numpy())
    return hashes.is_duplicated() if (ranked[1:] == ranked[:-1]).any() else pl.repeat(False, hashes.len(), eager=True)


def hashes_of(texts: pl.Series) -> pl.Series:
    """What records are remembered by."""
    return texts.hash().alias("hash")


def _keys(objects: pl.Series, hashes: pl.Series) -> pl.DataFrame:
    return pl.DataFrame([objects.alias("object_index"), hashes.alias("hash")])


def _numbered(records: pl.DataFrame, keys: pl.DataFrame, alike: pl.Series, before: pl.DataFrame) -> dict[tuple[str, int], int]:
    chosen = records.select("object", "position").hstack(keys).filter(alike)
    earlier = before.join(chosen, on=_KEY, how="semi").group_by(*_KEY).len()
    counted: Counter[tuple[int, int]] = Counter({(index, value): count for index, value, count in earlier.iter_rows()})
    found: dict[tuple[str, int], int] = {}
    for uri, position, index, value in chosen.iter_rows():
        if number := counted[index, value]:
            found[uri, position] = number
        counted[index, value] += 1
    return found
