"""One common column from the cells of its paths, by the mapping's rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from connectors import values
from connectors.cells import FEW, Decided, is_absent, times
from connectors.codes import Codes
from connectors.sources import functions, shared_functions, usual_functions, usual_paths
from engine import jsontext
from engine.schema import COLUMNS, ColumnRule

_Key = tuple[str | None, ...]


def column(name: str, rule: ColumnRule, cells: pl.DataFrame, source: str, failures: dict[str, pl.Series], codes: Codes | None = None) -> pl.Series:
    """The common column ``name``; rows whose function failed are null and marked in ``failures``. ``codes`` of ``cells`` are shared by columns."""
    kind = COLUMNS[name].kind
    if not rule.paths:
        constant = None if rule.constant is None else values.CONVERSIONS[kind](rule.constant)
        return pl.Series(name, [constant], COLUMNS[name].dtype).new_from_index(0, cells.height)
    codes = codes or Codes(cells)
    if rule.function is None and not rule.table and rule.default is None and kind in ("string", "time", "json"):
        text = _first_text(rule.paths, codes).alias(name)
        return times(text) if kind == "time" else text
    decided = _at_once(rule, codes, source)
    if decided is None:
        made, missed = _by_distinct(name, rule, codes, source)
        if missed is not None:
            failures[name] = pl.Series(missed)
        return made
    rest = ~decided.rows
    if not rest.any():
        return decided.values.alias(name)
    others, missed = _by_distinct(name, rule, codes.among(rest), source)
    if missed is not None:
        failed = np.zeros(cells.height, dtype=bool)
        failed[rest.to_numpy()] = missed
        failures[name] = pl.Series(failed)
    return _merged(rest, decided.values.alias(name), others)


def _at_once(rule: ColumnRule, codes: Codes, source: str) -> Decided | None:
    """What the function of a rule gives for whole columns, if it can be asked so: it then sees all cells, and no table comes after it."""
    whole = usual_functions(source).get(rule.function or "")
    if whole is None or codes.cells.height <= FEW or rule.table or rule.default is not None or not (rule.every or len(rule.paths) == 1):
        return None
    further = usual_paths(source).get(rule.function or "", ())
    if further and (codes.odd is None or not set(further) <= set(codes.cells.columns)):
        return None
    cells = [codes.cells[path] for path in (*rule.paths, *further)]
    found = whole(*cells) if not isinstance(whole, values.Then) else whole.rest(codes.once(whole.first, cells))
    if isinstance(found, pl.Series):
        return Decided(found, found.is_not_null())
    return Decided(found.values, found.rows & ~codes.odd) if further and codes.odd is not None else found


def _first_text(paths: Sequence[str], codes: Codes) -> pl.Series:
    """Per row the first text at one of ``paths``; those that no row needs are not made."""
    text = codes.text(paths[0])
    for path in paths[1:]:
        if not text.null_count():
            break
        if not is_absent(codes.cells[path]):
            text = pl.DataFrame([text.alias("a"), codes.text(path).alias("b")]).select(pl.coalesce("a", "b")).to_series()
    return text


def _merged(rest: pl.Series, made: pl.Series, others: pl.Series) -> pl.Series:
    """``made``, with ``others`` in the rows ``rest``."""
    order = np.arange(made.len())
    order[rest.to_numpy()] = np.arange(others.len()) + made.len()
    return pl.concat([made, others.alias(made.name)]).gather(order)


def _by_distinct(name: str, rule: ColumnRule, codes: Codes, source: str) -> tuple[pl.Series, np.ndarray[Any, np.dtype[np.bool_]] | None]:
    """`column` by each distinct combination of cells, and for which rows the function failed, if for any."""
    kind = COLUMNS[name].kind
    convert = values.CONVERSIONS[kind]
    function = functions(source)[rule.function] if rule.function else None
    table = dict(rule.table)
    every, is_empty, loads = rule.every, values.is_empty, jsontext.loads
    failed: list[int] = []

    first, rest = (function.first, function.rest) if isinstance(function, values.Then) else (function, None)
    shared = every and first in shared_functions(source)
    given = codes.given(first, rule.paths) if first and shared else {}

    def work(number: int, key: _Key) -> Any:
        inputs = [] if number in given else [None if cell is None else loads(cell) for cell in key]
        try:
            if shared and first:
                if number not in given:
                    given[number] = first(*inputs)
                value = rest(given[number]) if rest else given[number]
            elif every:
                value = function(*inputs) if function else "|".join(values.text(item) or "" for item in inputs)
            else:
                value = None
                for item in inputs:
                    if not is_empty(item):
                        value = function(item) if function else item
                        break
            if table:
                value = table.get((values.text(value) or "").lower(), rule.default)
            elif value is None:
                value = rule.default
            return None if is_empty(value) else convert(value)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError):
            failed.append(number)
            return None

    coded = codes.coded(rule.paths)
    distinct = [work(number, key) for number, key in enumerate(codes.keys(rule.paths))]
    if len(distinct) == 1:
        made = _series(name, distinct).new_from_index(0, codes.cells.height)
    elif codes.cells.height <= FEW:
        made = _series(name, [distinct[number] for number in coded.codes.tolist()])
    else:
        made = _series(name, distinct).gather(coded.codes)
    return made, np.isin(coded.codes, failed) if failed else None


def _series(name: str, found: list[Any]) -> pl.Series:
    """Converted values as the column ``name``."""
    kind, dtype = COLUMNS[name].kind, COLUMNS[name].dtype
    if kind == "list":  # Polars makes a series of each list first, which takes five times as long
        return pl.Series(name, pl.from_arrow(pa.array(found, type=pa.large_list(pa.large_string()))), dtype)
    made = pl.Series(name, found, pl.Int64 if kind == "time" else dtype, strict=False)
    return made.cast(dtype) if kind == "time" else made
