"""Distinct values taken apart: their elements side by side, and which values satisfy a leaf or a test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import Any

import numpy as np
import polars as pl

from engine.detect import expressions
from engine.detect.expressions import Check, Expression, Negate
from engine.detect.needles import Mask
from engine.detect.plan import FieldPlan, Plan
from engine.detect.predicates import Elements, TextMatcher
from engine.detect.values import Decoded, Kind, decode, decode_leaves, number
from engine.errors import EngineError
from engine.sigma.folding import fold, fold_series
from engine.sigma.tree import Exists, Null

_FEW = 64
"""So few values are taken apart one by one: the fixed cost of vector operations would outweigh them."""

Positions = np.ndarray[Any, np.dtype[np.int64]]


class Table:
    """Elements of ``values`` (no nulls). Masks over values have their length. Belongs to one call of the kernel."""

    def __init__(self, plan: Plan, field: FieldPlan, values: pl.Series, *, is_text: bool) -> None:
        self._plan = plan
        self._field = field
        self._size = len(values)
        self._null: Mask = np.zeros(self._size, dtype=bool)
        self._present: Mask = np.ones(self._size, dtype=bool)
        self._owners, kinds, texts = self._take_apart(values, is_text)
        if isinstance(texts, list) and len(texts) <= _FEW:
            self._elements = Elements(kinds, texts, [fold(text) for text in texts])
        else:
            series = texts if isinstance(texts, pl.Series) else pl.Series(texts, dtype=pl.String)
            self._elements = Elements(kinds, series.to_list(), fold_series(series).to_list())
        self._candidates: dict[int, Sequence[int]] = {}
        self._masks: dict[int, Mask] = {}
        self._indexed = False

    def _take_apart(self, values: pl.Series, is_text: bool) -> tuple[Positions, Sequence[int], pl.Series | list[str]]:
        """(index of the value, kind, text) of every element."""
        if is_text:
            return np.arange(self._size), [Kind.STRING] * self._size, values
        if self._size <= _FEW or self._field.source.is_record or self._field.source.inside:
            return self._decode(range(self._size), values.to_list())
        simple = values.str.starts_with('"') & ~values.str.contains("\\", literal=True)
        plain = values.filter(simple).str.strip_prefix('"').str.strip_suffix('"')
        odd = (~simple).arg_true()
        owners, kinds, texts = self._decode(odd.to_list(), values.gather(odd).to_list())
        texts_ = pl.concat([plain, pl.Series(plain.name, texts, dtype=pl.String)]) if texts else plain
        return np.concatenate([simple.arg_true().to_numpy().astype(np.int64), owners]), [Kind.STRING] * len(plain) + list(kinds), texts_

    def _decode(self, indices: Sequence[int], cells: Sequence[str]) -> tuple[Positions, Sequence[int], list[str]]:
        source = self._field.source
        take: Callable[[str], Decoded] = decode_leaves if source.is_record else partial(decode, path=source.inside)
        owners: list[int] = []
        kinds: list[int] = []
        texts: list[str] = []
        for index, cell in zip(indices, cells, strict=True):
            try:
                decoded = take(cell)
            except (ValueError, RecursionError) as error:
                raise EngineError(f"a value of {source} is not the JSON text it must be here ({error}): {cell[:80]!r}") from error
            self._null[index] = decoded.null
            self._present[index] = decoded.present
            for kind, text in decoded.elements:
                owners.append(index)
                kinds.append(kind)
                texts.append(text)
        return np.array(owners, dtype=np.int64), kinds, texts

    def elements_of(self, index: int) -> list[tuple[int, str, str]]:
        """(kind, text, folded text) of the elements of one value."""
        elements = self._elements
        return [(elements.kinds[at], elements.texts[at], elements.folded[at]) for at in np.flatnonzero(self._owners == index).tolist()]

    def index(self) -> list[int]:
        """Looks up every exact value, number and literal of the plan at once. Returns the leaves that may hold somewhere."""
        self._index_exact()
        self._index_literals()
        self._indexed = True
        return list(self._candidates)

    def _index_exact(self) -> None:
        field, elements = self._field, self._elements
        candidates: dict[int, list[int]] = {}

        def note(leaves: Sequence[int], at: int) -> None:
            for leaf in leaves:
                candidates.setdefault(leaf, []).append(at)

        if field.exact:
            wanted = field.exact
            for at in [at for at, text in enumerate(elements.folded) if text in wanted]:
                note(wanted[elements.folded[at]], at)
        if field.numbers or field.numeric_texts:
            for at, text in enumerate(elements.texts):
                if elements.kinds[at] <= Kind.NUMBER and (value := number(text)) is not None:
                    note(field.numbers.get(value, ()), at)
                    if elements.kinds[at] == Kind.NUMBER:
                        note(field.numeric_texts.get(value, ()), at)
        self._candidates |= candidates

    def _index_literals(self) -> None:
        literals = self._field.literals
        if not literals or not self._elements.texts:
            return
        found = pl.Series(self._elements.folded, dtype=pl.String).str.extract_many(list(literals), overlapping=True)
        pairs = pl.DataFrame({"at": pl.int_range(len(found), eager=True), "literal": found}).filter(pl.col("literal").list.len() > 0)
        grouped = pairs.explode("literal", empty_as_null=False).group_by("literal").agg(pl.col("at").unique())
        for literal, where in zip(grouped["literal"], grouped["at"], strict=True):
            at = where.to_list()
            for leaf in literals[literal]:
                self._candidates[leaf] = at

    def leaf(self, leaf: int) -> Mask:
        """Which values satisfy the leaf."""
        mask = self._masks.get(leaf)
        if mask is None:
            mask = self._masks[leaf] = self._test_leaf(leaf)
        return mask

    def _test_leaf(self, leaf: int) -> Mask:
        plan = self._plan.leaves[leaf]
        match plan.leaf.predicate:
            case Null():
                return self._null | ~self._present
            case Exists(expected):
                return self._present if expected else ~self._present
        if plan.matcher is None:
            raise EngineError(f"no test for {plan.leaf}")
        looked_up = self._indexed and plan.indexed
        among: Sequence[int] = self._candidates.get(leaf, ()) if looked_up else range(len(self._elements.texts))
        mask: Mask = np.zeros(self._size, dtype=bool)
        if len(among):
            certain = looked_up and isinstance(plan.matcher, TextMatcher) and plan.matcher.is_contains
            mask[self._owners[among if certain else plan.matcher.pick(self._elements, among)]] = True
        return mask

    def test(self, expression: Expression) -> Mask:
        """Which values satisfy an expression of `Check` leaves."""
        match expression:
            case Check(leaf):
                return self.leaf(leaf)
            case Negate(arg):
                return ~self.test(arg)
            case expressions.All(args):
                return reduce(np.logical_and, map(self.test, args))
            case expressions.Any(args):
                return reduce(np.logical_or, map(self.test, args))
            case _:
                raise EngineError(f"not a test of one field: {expression}")


def missing(plan: Plan, expression: Expression) -> bool:
    """Whether an expression of `Check` leaves holds where the field is missing."""
    match expression:
        case Check(leaf):
            predicate = plan.leaves[leaf].leaf.predicate
            return isinstance(predicate, Null) or (isinstance(predicate, Exists) and not predicate.expected)
        case Negate(arg):
            return not missing(plan, arg)
        case expressions.All(args):
            return all(missing(plan, arg) for arg in args)
        case expressions.Any(args):
            return any(missing(plan, arg) for arg in args)
        case _:
            raise EngineError(f"not a test of one field: {expression}")
