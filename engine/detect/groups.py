"""Rows that are alike in the fields most rules ask about, taken together: what those fields decide is decided once a group."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.detect.cells import Codes, Rows

_KEYS = 1 << 20
"""So many combinations of codes have a place in a table; fields of more are not grouped by."""

_FEWER = 4
"""Groups must be so many times fewer than rows to be worth it."""

Starts = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, slots=True)
class Groups:
    """``codes``: by field number, the code of each group. The rows of group g are ``rows[starts[g]:starts[g + 1]]``, ascending."""

    codes: dict[int, Codes]
    starts: Starts
    rows: Rows


def group(fields: AnyMapping[int, tuple[Codes, int]]) -> Groups | None:
    """Groups by as many ``fields`` (codes of the rows, how many codes there are) as have room, those of few codes first; None where rows differ."""
    chosen: list[int] = []
    sizes: list[int] = []
    for number, (_, size) in sorted(fields.items(), key=lambda item: item[1][1]):
        if np.prod([*sizes, size], dtype=float) > _KEYS:
            break
        chosen.append(number)
        sizes.append(size)
    if not chosen:
        return None
    keys = np.ravel_multi_index([fields[number][0] for number in chosen], sizes)
    place = np.zeros(int(np.prod(sizes)), dtype=np.int32)
    place[keys] = 1
    distinct = np.flatnonzero(place)
    if len(distinct) * _FEWER > len(keys):
        return None
    place[distinct] = np.arange(len(distinct), dtype=np.int32)
    starts, rows = rows_by(place[keys], len(distinct))
    codes = np.unravel_index(distinct, sizes)
    return Groups({number: of.astype(np.int32) for number, of in zip(chosen, codes, strict=True)}, starts, rows)


def rows_by(codes: Codes, count: int) -> tuple[Starts, Rows]:
    """(starts, rows): where the rows of each of ``count`` codes are, ascending."""
    starts = np.zeros(count + 1, dtype=np.int64)
    np.cumsum(np.bincount(codes, minlength=count), out=starts[1:])
    # Short integers are sorted by their digits, many times faster than by comparison.
    return starts, np.argsort(codes.astype(np.uint16) if count <= 1 << 16 else codes, kind="stable").astype(np.uint32)
