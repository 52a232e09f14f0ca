"""Values of fields as integers: each distinct value is folded and numbered once, whatever number of correlations read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from engine.sigma.folding import fold_series

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_NOTHING = ("", "{}")
"""Texts that are no value: the empty string and the empty object."""
_NUMBER = r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$"


@dataclass(frozen=True, slots=True)
class Values:
    """The values of a field, row by row: those of row r are elements ``first[r]`` up to ``first[r] + count[r]`` of ``codes`` and ``texts``.

    ``codes`` index ``known``, the distinct folded values in ascending order; within a row they are distinct and ascend. ``texts`` are the values as
    spelled, of several spellings in one row the least.
    """

    first: Ints
    count: Ints
    codes: Ints
    texts: pl.Series
    known: pl.Series


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers in a field, row by row as in `Values`, repeated ones too; ``other`` marks rows that also hold a value that is no number."""

    first: Ints
    count: Ints
    numbers: Floats
    other: Bools


def values(column: pl.Series) -> Values:
    """The values of a column of scalars or lists of scalars; null, empty text, ``{}`` and empty lists are none."""
    if not isinstance(column.dtype, pl.List):
        texts = column.cast(pl.String())
        codes, known = _code(texts)
        return Values(np.arange(len(texts), dtype=np.int64), (codes >= 0).astype(np.int64), codes, texts, known)
    rows, flat = _flat(column)
    codes, known = _code(flat)
    found = pl.DataFrame({"row": rows, "code": codes, "text": flat}).filter(pl.col("code") >= 0)
    found = found.group_by("row", "code").agg(pl.col("text").min()).sort("row", "code")
    first, count = _extents(found["row"].to_numpy(), len(column))
    return Values(first, count, found["code"].to_numpy().astype(np.int64), found["text"], known)


def numbers(column: pl.Series) -> Numbers:
    """The finite numbers of a column of scalars or lists of scalars; numeric text (JSON's syntax) is a number, a boolean is not."""
    rows, flat = _flat(column) if isinstance(column.dtype, pl.List) else (np.arange(len(column), dtype=np.int64), column)
    if not flat.dtype.is_numeric():
        flat = flat.cast(pl.String())
        numeric = pl.when(flat.str.contains(_NUMBER)).then(flat)
        there = flat.is_not_null() & ~flat.is_in(_NOTHING)
        flat = pl.select(numeric).to_series().cast(pl.Float64(), strict=False)
    else:
        there, flat = flat.is_not_null(), flat.cast(pl.Float64())
    found = flat.fill_null(np.nan).to_numpy()
    good = np.isfinite(found)
    other = np.zeros(len(column), dtype=np.bool_)
    other[rows[there.to_numpy() & ~good]] = True
    first, count = _extents(rows[good], len(column))
    return Numbers(first, count, found[good], other)


def together(parts: Sequence[Values]) -> tuple[Ints, pl.Series, pl.Series]:
    """Codes, texts and known values of ``parts`` one after the other, numbered alike."""
    if len(parts) == 1:
        return parts[0].codes, parts[0].texts, parts[0].known
    known = pl.concat([part.known for part in parts]).unique().sort()
    codes = [
        np.append(known.search_sorted(part.known).to_numpy().astype(np.int64), -1)[part.codes] if len(part.known) else part.codes for part in parts
    ]
    return np.concatenate(codes), pl.concat([part.texts for part in parts]), known


def dense(codes: Ints) -> tuple[Ints, int]:
    """``codes`` (none negative) numbered from 0 without gaps, in the same order, and how many there are."""
    if len(codes) == 0:
        return codes, 0
    greatest = int(codes.max())
    if greatest > 4 * len(codes) + 1_000:
        found, numbered = np.unique(codes, return_inverse=True)
        return numbered.astype(np.int64), len(found)
    seen = np.zeros(greatest + 1, dtype=np.bool_)
    seen[codes] = True
    return (np.cumsum(seen) - 1)[codes], int(seen.sum())


def spread(first: Ints, count: Ints) -> Ints:
    """The numbers ``first[i]`` up to ``first[i] + count[i]`` of every i, one after the other."""
    ends = np.cumsum(count)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total, dtype=np.int64) + np.repeat(first - ends + count, count)


def _flat(column: pl.Series) -> tuple[Ints, pl.Series]:
    """The elements of a list column that are not null, with the row of each."""
    frame = pl.DataFrame({"row": pl.int_range(len(column), eager=True), "value": column})
    flat = frame.explode("value", empty_as_null=True, keep_nulls=True).drop_nulls("value")
    return flat["row"].to_numpy(), flat["value"]


def _extents(rows: Ints, height: int) -> tuple[Ints, Ints]:
    count = np.bincount(rows, minlength=height).astype(np.int64)
    return np.cumsum(count) - count, count


def _code(texts: pl.Series) -> tuple[Ints, pl.Series]:
    """Per text the number of its folded value among the distinct ones in ascending order, -1 for what is no value; and these distinct ones."""
    texts = texts.cast(pl.String())
    physical = texts.cast(pl.Categorical(pl.Categories.random())).to_physical().cast(pl.Int64()).fill_null(-1).to_numpy()
    if len(texts) == 0 or physical.max() < 0:
        return np.full(len(texts), -1, dtype=np.int64), pl.Series([], dtype=pl.String)
    where = np.zeros(int(physical.max()) + 1, dtype=np.int64)
    there = np.flatnonzero(physical >= 0)
    where[physical[there]] = there
    distinct = fold_series(texts.gather(where))
    known = distinct.filter(~distinct.is_in(_NOTHING)).unique().sort()
    numbered = np.where(distinct.is_in(_NOTHING).to_numpy(), -1, known.search_sorted(distinct).to_numpy().astype(np.int64))
    return np.append(numbered, -1)[physical], known
