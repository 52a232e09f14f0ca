"""Which group a hit belongs to: values compare case-folded and missing ones are `MISSING`."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from engine.errors import EngineError
from engine.sigma.folding import fold, fold_series
from engine.sigma.tree import DEFAULT_GROUP, Rule

MISSING = "none"
NATIVE = "native."
"""Prefix of the columns that hold a provider's field, a list of texts per hit."""


def least(column: pl.Series) -> pl.Series:
    """The value of each row as folded text: of a list the least folded element, null where there is none."""
    if isinstance(column.dtype, pl.List):
        rows = pl.DataFrame({"value": column.cast(pl.List(pl.String()))}).with_row_index("row")
        flat = rows.explode("value", empty_as_null=True, keep_nulls=True).filter(pl.col("value") != "")
        flat = flat.with_columns(fold_series(flat["value"]).alias("value"))
        found = flat.group_by("row").agg(pl.col("value").min())
        return rows.select("row").join(found, on="row", how="left", maintain_order="left")["value"]
    return fold_series(column.cast(pl.String()))


def parts(group_by: Sequence[str] | None) -> tuple[tuple[str, ...], ...]:
    """The parts of a group: of the rule's own fields, or of `DEFAULT_GROUP`."""
    return DEFAULT_GROUP if group_by is None else tuple((name,) for name in group_by)


def keys(hits: pl.DataFrame, group_by: Sequence[str] | None, rule: Rule) -> pl.DataFrame:
    """One String column per part (``key.0``, ``key.1``, …): the folded values of each hit, `MISSING` where there is none.

    Raises EngineError when the hits lack a column that ``rule`` groups by.
    """
    found: list[pl.Series] = []
    for index, names in enumerate(parts(group_by)):
        part: pl.Series | None = None
        for name in names:
            column = NATIVE + name if NATIVE + name in hits.columns else name
            if column not in hits.columns:
                raise EngineError(f"rule {rule.title!r} ({rule.path or rule.uid}) groups by {name!r}, which its hits do not carry")
            values = least(hits[column])
            values = pl.select(pl.when(values != "").then(values)).to_series()
            part = values if part is None else part.zip_with(part.is_not_null(), values)
        assert part is not None
        found.append(part.fill_null(MISSING).alias(f"key.{index}"))
    return pl.DataFrame(found)


def shown(row: dict[str, object], group_by: Sequence[str] | None) -> tuple[tuple[str, str], ...]:
    """Names and values of the group of the hit ``row`` as it spelled them: the (name, value) pairs of `Alert.group`."""
    pairs: list[tuple[str, str]] = []
    for names in parts(group_by):
        pair = (names[0], MISSING)
        for name in names:
            value = row.get(NATIVE + name, row.get(name))
            if isinstance(value, (list, tuple)):
                texts = [str(item) for item in value if item is not None and item != ""]
                value = min(texts, key=lambda text: (fold(text), text), default=None)
            if value is not None and value != "":
                pair = (name, str(value))
                break
        pairs.append(pair)
    return tuple(pairs)
