"""One common column from the cells of its paths, by the mapping's rule."""

from __future__ import annotations

from typing import Any

import polars as pl

from connectors import values
from connectors.cells import FEW, plain, times
from connectors.sources import functions, usual_functions
from engine import jsontext
from engine.schema import COLUMNS, ColumnRule

_Key = tuple[str | None, ...]


def column(name: str, rule: ColumnRule, cells: pl.DataFrame, source: str, failures: dict[str, pl.Series]) -> pl.Series:
    """The common column ``name``; rows whose function failed are null and marked in ``failures``."""
    kind = COLUMNS[name].kind
    if not rule.paths:
        constant = None if rule.constant is None else values.CONVERSIONS[kind](rule.constant)
        return pl.Series(name, [constant], COLUMNS[name].dtype).new_from_index(0, cells.height)
    if rule.function is None and not rule.table and rule.default is None and kind in ("string", "time"):
        text = pl.DataFrame([plain(cells[path]) for path in rule.paths]).select(pl.coalesce(pl.all()).alias(name))[name]
        return text if kind == "string" else times(text)
    at_once = usual_functions(source).get(rule.function or "") if cells.height > FEW else None
    if at_once is None:
        made, failed = _one_by_one(name, rule, cells, source)
    else:
        made = at_once(*(cells[path] for path in rule.paths)).alias(name)
        rest = made.is_null()
        failed = pl.repeat(False, cells.height, eager=True)
        if rest.any():
            others, missed = _one_by_one(name, rule, cells.filter(rest), source)
            made, failed = made.scatter(rest.arg_true(), others), failed.scatter(rest.arg_true(), missed)
    if failed.any():
        failures[name] = failed
    return made


def _one_by_one(name: str, rule: ColumnRule, cells: pl.DataFrame, source: str) -> tuple[pl.Series, pl.Series]:
    """`column` record by record, each combination of cells once, and for which of them the function failed."""
    kind = COLUMNS[name].kind
    convert = values.CONVERSIONS[kind]
    function = functions(source)[rule.function] if rule.function else None
    table = dict(rule.table)
    memo: dict[_Key, Any] = {}
    failed: set[_Key] = set()

    def work(key: _Key) -> Any:
        inputs = [None if cell is None else jsontext.loads(cell) for cell in key]
        try:
            if rule.every:
                value = function(*inputs) if function else "|".join(values.text(item) or "" for item in inputs)
            else:
                value = next((item for item in inputs if not values.is_empty(item)), None)
                value = function(value) if function and value is not None else value
            if table:
                value = table.get((values.text(value) or "").lower(), rule.default)
            elif value is None:
                value = rule.default
            return None if values.is_empty(value) else convert(value)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError):
            failed.add(key)
            return None

    keys = list(zip(*(cells[path].to_list() for path in rule.paths), strict=True))
    for key in keys:
        if key not in memo:
            memo[key] = work(key)
    made = pl.Series(name, [memo[key] for key in keys], pl.Int64 if kind == "time" else COLUMNS[name].dtype, strict=False)
    missed = pl.Series([key in failed for key in keys], dtype=pl.Boolean) if failed else pl.repeat(False, len(keys), eager=True)
    return made.cast(COLUMNS[name].dtype) if kind == "time" else made, missed
