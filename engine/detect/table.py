"""Distinct values taken apart: their elements side by side, and which values satisfy a leaf or a test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Mapping as AnyMapping
from functools import cached_property, partial, reduce
from typing import Any

import numpy as np
import polars as pl

from engine.detect import expressions
from engine.detect.expressions import Check, Expression, Negate
from engine.detect.needles import Mask
from engine.detect.plan import FieldPlan, Plan
from engine.detect.predicates import Elements, Matcher, RegexMatcher
from engine.detect.values import Decoded, Kind, decode, decode_leaves, number
from engine.errors import EngineError
from engine.sigma.tree import Exists, Null

_FEW = 1_000
"""So few values are taken apart one by one: the fixed cost of vector operations would outweigh them."""

_FEW_REGEXES = 2
"""So many regular expressions are tried one by one before all of the field are looked for at once."""

Positions = np.ndarray[Any, np.dtype[np.int64]]
Kinds = np.ndarray[Any, np.dtype[np.uint8]]


class Table:
    """Elements of ``values`` (no nulls). Masks over values have their length. Belongs to one call of the kernel.

    ``plain``: which values are plain JSON strings, where the caller knows.
    """

    def __init__(self, plan: Plan, field: FieldPlan, values: pl.Series, *, is_text: bool, plain: Mask | None = None) -> None:
        self._plan = plan
        self._field = field
        self._size = len(values)
        self._null: Mask = np.zeros(self._size, dtype=bool)
        self._present: Mask = np.ones(self._size, dtype=bool)
        self._owners, self._elements = self._take_apart(values, is_text, plain)
        self._candidates: dict[int, Sequence[int]] = {}
        self._masks: dict[int, Mask] = {}
        self._indexed = False
        self._regexes = 0

    def _take_apart(self, values: pl.Series, is_text: bool, plain: Mask | None) -> tuple[Positions, Elements]:
        """(index of the value of every element, the elements)"""
        if is_text:
            return np.arange(self._size), Elements(np.zeros(self._size, dtype=np.uint8), values.to_list() if self._size <= _FEW else values)
        if self._size <= _FEW or self._field.source.is_record or self._field.source.inside:
            owners, kinds, texts = self._decode(range(self._size), values.to_list())
            return owners, Elements(kinds, texts)
        plain = plain_strings(values) if plain is None else plain
        all_plain = bool(plain.all())
        stripped = (values if all_plain else values.filter(pl.Series(plain))).str.slice(1).str.head(-1)
        if all_plain:
            return np.arange(self._size), Elements(np.zeros(self._size, dtype=np.uint8), stripped)
        odd = np.flatnonzero(~plain)
        owners, kinds, texts = self._decode(odd.tolist(), values.gather(odd).to_list())
        owners = np.concatenate([np.flatnonzero(plain), owners])
        kinds = np.concatenate([np.zeros(len(stripped), dtype=np.uint8), kinds])
        return owners, Elements(kinds, pl.concat([stripped, pl.Series(stripped.name, texts, dtype=pl.String)]))

    def _decode(self, indices: Sequence[int], cells: Sequence[str]) -> tuple[Positions, Kinds, list[str]]:
        source = self._field.source
        take: Callable[[str], Decoded] = decode_leaves if source.is_record else partial(decode, path=source.inside)
        owners: list[int] = []
        kinds: list[int] = []
        texts: list[str] = []
        paths = bool(source.is_record or source.inside)
        for index, cell in zip(indices, cells, strict=True):
            if not paths and cell.startswith('"') and "\\" not in cell:
                owners.append(index)
                kinds.append(Kind.STRING)
                texts.append(cell[1:-1])
                continue
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
        return np.array(owners, dtype=np.int64), np.array(kinds, dtype=np.uint8), texts

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
            for at, text in self._among(field.exact):
                note(field.exact[text], at)
        if field.numbers or field.numeric_texts:
            for at, text in self._numeric():
                value = number(text)
                if value is not None:
                    note(field.numbers.get(value, ()), at)
                    if elements.kinds[at] == Kind.NUMBER:
                        note(field.numeric_texts.get(value, ()), at)
        self._candidates |= candidates

    def _among(self, wanted: AnyMapping[str, object]) -> list[tuple[int, str]]:
        """(position, folded text) of the elements, objects apart, whose folded text is wanted."""
        elements = self._elements
        if elements.is_listed:
            return [(at, text) for at, text in enumerate(elements.folded) if text in wanted and elements.kinds[at] != Kind.OBJECT]
        folded = elements.folded_series
        found = folded.is_in(pl.Series([list(wanted)], dtype=pl.List(pl.String))).arg_true()
        return [(at, text) for at, text in zip(found.to_list(), folded.gather(found).to_list(), strict=True) if elements.kinds[at] != Kind.OBJECT]

    def _numeric(self) -> list[tuple[int, str]]:
        """(position, text) of the strings and numbers that may read as numbers."""
        elements = self._elements
        if elements.is_listed:
            return [(at, text) for at, text in enumerate(elements.texts) if elements.kinds[at] <= Kind.NUMBER]
        found = elements.series.str.contains("^-?[0-9][0-9.eE+-]*$").arg_true()
        return [
            (at, text) for at, text in zip(found.to_list(), elements.series.gather(found).to_list(), strict=True) if elements.kinds[at] <= Kind.NUMBER
        ]

    def _index_literals(self) -> None:
        literals = self._field.literals
        if not literals or not len(self._elements):
            return
        found = self._elements.folded_series.str.extract_many(list(literals), overlapping=True)
        pairs = pl.DataFrame({"at": pl.int_range(len(found), eager=True), "literal": found}).filter(pl.col("literal").list.len() > 0)
        if not pairs.height:
            return
        grouped = pairs.explode("literal", empty_as_null=False).group_by("literal").agg(pl.col("at").unique())
        for literal, where in zip(grouped["literal"], grouped["at"], strict=True):
            at = where.to_list()
            for leaf in literals[literal]:
                self._candidates[leaf] = at

    @cached_property
    def found(self) -> tuple[Positions, Positions]:
        """(leaf, index of a value that satisfies it) of all leaves found by look-up. Only once `index` was called."""
        leaves: list[int] = []
        lengths: list[int] = []
        held: list[int] = []
        for leaf, among in self._candidates.items():
            plan = self._plan.leaves[leaf]
            hold = among if plan.certain or plan.matcher is None else plan.matcher.pick(self._elements, among)
            leaves.append(leaf)
            lengths.append(len(hold))
            held += hold
        return np.repeat(np.array(leaves, dtype=np.int64), lengths), self._owners[np.array(held, dtype=np.int64)]

    def may_hold(self, leaves: Sequence[int]) -> bool:
        """Whether any of ``leaves``, all found by look-up, holds somewhere."""
        return any(leaf in self._candidates for leaf in leaves)

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
        among = self._candidates.get(leaf, ()) if looked_up else self._worth_trying(plan.matcher)
        mask: Mask = np.zeros(self._size, dtype=bool)
        if len(among):
            mask[self._owners[among if looked_up and plan.certain else plan.matcher.pick(self._elements, among)]] = True
        return mask

    def _worth_trying(self, matcher: Matcher) -> Sequence[int]:
        if isinstance(matcher, RegexMatcher):
            self._regexes += 1
            if self._regexes > _FEW_REGEXES:
                return self._regex_hits
        return range(len(self._elements))

    @cached_property
    def _regex_hits(self) -> Sequence[int]:
        """The elements in which some regular expression of the field is found."""
        joint, elements = self._field.joint, self._elements
        if joint is None:
            return range(len(elements))
        try:
            return elements.series.str.contains(joint).arg_true().to_list()
        except pl.exceptions.ComputeError:  # larger than the regex engine takes
            return range(len(elements))

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


def plain_strings(values: pl.Series) -> Mask:
    """Which JSON texts are strings that stand between their quotes as they are."""
    plain: Mask = values.str.starts_with('"').to_numpy() & ~values.str.contains("\\", literal=True).to_numpy()
    return plain
