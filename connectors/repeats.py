"""Which records an object holds more than once: of records without an id of their own, that is all that tells them apart.

Every record is counted, so what a record is called does not depend on the batches its object was read in.
"""

from __future__ import annotations

from collections import Counter

import polars as pl

MEMORY = 262_144
"""An object that is read in several batches is remembered so many records back. Equal records are equal in their times too, so they stand close."""


class Repeats:
    """Counts equal records over the batches of a stream, in which objects follow each other."""

    def __init__(self) -> None:
        self._object: int | None = None
        self._before = pl.Series("hash", [], dtype=pl.UInt64)

    def count(self, records: pl.DataFrame) -> dict[tuple[str, int], int]:
        """By (object, position), how many records equal to it the object held before; those that are the first of their kind are left out."""
        if not records.height:
            return {}
        hashes, objects = records["raw_data"].hash().alias("hash"), records["object_index"]
        first, last = objects[0], objects[-1]
        before = self._before if self._object == first else self._before.clear()
        alike = hashes.is_duplicated()
        if before.len():
            alike |= hashes.is_in(before.implode()) & (objects == first)
        self._object = last
        mine = hashes.filter(objects == last)
        self._before = (mine if last != first else pl.concat((before, mine))).tail(MEMORY)
        return _numbered(records, hashes, alike, before) if alike.any() else {}


def _numbered(records: pl.DataFrame, hashes: pl.Series, alike: pl.Series, before: pl.Series) -> dict[tuple[str, int], int]:
    first = records["object_index"][0]
    chosen = records.select("object_index", "object", "position", hash=hashes).filter(alike)
    earlier = before.filter(before.is_in(chosen["hash"].unique().implode())).value_counts()
    counted: Counter[tuple[int, int]] = Counter({(first, value): count for value, count in earlier.iter_rows()})
    found: dict[tuple[str, int], int] = {}
    for index, uri, position, value in chosen.iter_rows():
        if number := counted[index, value]:
            found[uri, position] = number
        counted[index, value] += 1
    return found
