"""The detect kernel: which rules of a plan match which rows of a batch."""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Any

import numpy as np
import polars as pl

from engine.detect import expressions
from engine.detect.batch import BatchField
from engine.detect.cells import Codes, Rows
from engine.detect.expressions import Expression, Negate, Pair, Test
from engine.detect.groups import Groups, group, rows_by
from engine.detect.layout import NONE, Numbers, parts, pieces
from engine.detect.needles import Mask
from engine.detect.plan import Plan
from engine.detect.values import Kind, number
from engine.errors import EngineError
from engine.sigma.tree import SameAs

_MANY_RULES = 100
"""Rows are grouped by fields that so many rules ask about, of those that may match."""


def detect(events: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """The hits of a batch: ``row`` UInt32 (of ``events``) and ``rule`` UInt32 (index into ``plan.rules``), sorted by (row, rule), each pair once.

    ``events`` holds a ``native.<path>`` String column of cells for each of ``plan.paths``, the common columns ``plan.columns`` in their types, and
    ``raw_data`` if ``plan.needs_raw``. Pure: two threads may call it with the same plan. Raises EngineError where a cell is not JSON text.
    """
    if not events.height or not plan.rules:
        return _hits([], [])
    batch = _Batch(events, plan)
    found = list(batch.hits())
    return _hits([rows for _, rows in found], [rules for rules, _ in found])


def _hits(rows: list[Rows], rules: list[Numbers]) -> pl.DataFrame:
    row = np.concatenate(rows) if rows else np.empty(0, dtype=np.uint32)
    rule = np.concatenate(rules) if rules else np.empty(0, dtype=np.int32)
    order = np.sort(row.astype(np.uint64) << np.uint64(32) | rule.astype(np.uint64))
    return pl.DataFrame({"row": (order >> np.uint64(32)).astype(np.uint32), "rule": order.astype(np.uint32)})


def _without(at: np.ndarray[Any, np.dtype[np.int64]], rules: Numbers, rows: Rows) -> tuple[Numbers, Rows]:
    if not len(at):
        return rules, rows
    kept: Mask = np.ones(len(rules), dtype=bool)
    kept[at] = False
    return rules[kept], rows[kept]


class _Batch:
    """The walk over one batch."""

    def __init__(self, events: pl.DataFrame, plan: Plan) -> None:
        self._plan = plan
        self._events = events
        self._fields: dict[int, BatchField] = {}
        self._all: Rows = np.arange(events.height, dtype=np.uint32)

    def field(self, number_: int) -> BatchField:
        found = self._fields.get(number_)
        if found is None:
            found = self._fields[number_] = BatchField(self._plan, number_, self._events)
        return found

    def touched(self) -> list[int]:
        """Rules that may match some row: an anchor of theirs holds somewhere, or they have none."""
        touched = set(self._plan.always)
        anchored = self._plan.anchored
        for at, field in enumerate(self._plan.fields):
            if field.anchors:
                for leaf in self.field(at).leaves:
                    touched.update(anchored.get(leaf, ()))
        return sorted(touched)

    def solve(self, expression: Expression) -> Rows:
        """All rows where the expression holds, ascending."""
        match expression:
            case Test(field, index):
                return self.field(field).find(index)
            case expressions.All(args) if args:
                rows = self.solve(args[0])
                return rows[self._decide_in_turn(args[1:], rows, until=False)]
            case expressions.Any(args) if args:
                return np.unique(np.concatenate([self.solve(arg) for arg in args]))
            case _:
                return self._all[self.holds(expression, self._all)]

    def hits(self) -> Iterator[tuple[Numbers, Rows]]:
        """(rule, row) side by side of all hits, in pieces."""
        layout = self._plan.layout
        touched = np.array(self.touched(), dtype=np.int32)
        groups = self._group(touched)
        alone: list[int] = []
        by_field = layout.starts[touched]
        for number_ in np.unique(by_field).tolist():
            rules = touched[by_field == number_]
            if number_ == NONE or not (field := self.field(number_)).is_eager:
                alone += rules.tolist()
            elif groups is not None and number_ in groups.codes:
                yield from self._by_group(rules, field, groups.codes[number_], groups)
            else:
                for at, rows in field.find_each(layout.first[rules], field.lists):
                    yield self._narrow(rules[at], rows)
        yield from self._one_by_one(alone)

    def _group(self, touched: Numbers) -> Groups | None:
        layout = self._plan.layout
        asked = {number_: int((tests[touched] != NONE).sum()) for number_, tests in layout.further.items()}
        for number_, count in zip(*np.unique(layout.starts[touched], return_counts=True), strict=True):
            asked[int(number_)] = asked.get(int(number_), 0) + int(count)
        common = [self.field(number_) for number_, count in asked.items() if number_ != NONE and count >= _MANY_RULES]
        return group({field.number: (field.codes, field.size) for field in common if field.is_eager})

    def _by_group(self, rules: Numbers, field: BatchField, codes: Codes, groups: Groups) -> Iterator[tuple[Numbers, Rows]]:
        """Hits of rules that start from a field rows are grouped by: what groups decide first."""
        for at, some in field.find_each(self._plan.layout.first[rules], rows_by(codes, field.size)):
            left, in_group = rules[at], some
            for number_, of_group in groups.codes.items():
                left, in_group = self._look_up(number_, left, in_group, of_group)
            for held, rows in pieces(groups.starts, groups.rows, in_group):
                yield self._narrow(left[held], rows, groups.codes)

    def _one_by_one(self, rules: list[int]) -> Iterator[tuple[Numbers, Rows]]:
        """Hits of rules whose first part is no look into a table."""
        for rule in rules:
            rows = self.solve(parts(self._plan.conditions[rule])[0])
            if len(rows):
                yield self._narrow(np.full(len(rows), rule, dtype=np.int32), rows)

    def _look_up(self, number_: int, rules: Numbers, rows: Rows, codes: Codes) -> tuple[Numbers, Rows]:
        """Those pairs where the test that the rule has of this field, if any, holds. ``codes``: of the field, by row."""
        further = self._plan.layout.further.get(number_)
        if further is None:
            return rules, rows
        tests = further[rules]
        asked = np.flatnonzero(tests != NONE)
        if not len(asked):
            return rules, rows
        return _without(asked[~self.field(number_).check_each(tests[asked], codes[rows[asked]])], rules, rows)

    def _narrow(self, rules: Numbers, rows: Rows, decided: Container[int] = ()) -> tuple[Numbers, Rows]:
        """Those pairs of rule and row where the other parts of the rule's condition hold too. ``decided``: fields that are looked up already."""
        further = self._plan.layout.further
        left = [number_ for number_ in further if number_ not in decided]
        dear: list[int] = []
        for number_ in sorted(left, key=lambda number_: self._fields[number_].size if number_ in self._fields else len(self._all) + 1):
            if not (further[number_][rules] != NONE).any():
                continue
            if self.field(number_).is_eager:
                rules, rows = self._look_up(number_, rules, rows, self.field(number_).codes)
            else:
                dear.append(number_)
        for number_ in dear:
            tests = further[number_][rules]
            asked = np.flatnonzero(tests != NONE)
            if len(asked):
                rules, rows = _without(asked[~self.field(number_).drop_hopeless(tests[asked], rows[asked])], rules, rows)
        return self._walk(rules, rows, dear)

    def _walk(self, rules: Numbers, rows: Rows, dear: list[int]) -> tuple[Numbers, Rows]:
        """The same rule by rule, for parts that are not looked up in a table."""
        layout = self._plan.layout
        kept: Mask = np.ones(len(rules), dtype=bool)
        order = np.argsort(rules, kind="stable")
        distinct, starts = np.unique(rules[order], return_index=True)
        for rule, start, stop in zip(distinct.tolist(), starts.tolist(), [*starts[1:].tolist(), len(order)], strict=False):
            at = order[start:stop]
            tests = [Test(number_, test) for number_ in dear if (test := int(layout.further[number_][rule])) != NONE]
            args = [*tests, *layout.rest.get(rule, ())]
            if args:
                kept[at] = self._decide_in_turn(tuple(args), rows[at], until=False)
        return rules[kept], rows[kept]

    def _is_dear(self, expression: Expression) -> bool:
        if isinstance(expression, Test):
            return not self.field(expression.field).is_eager
        if isinstance(expression, Negate):
            return self._is_dear(expression.arg)
        return not isinstance(expression, (expressions.All, expressions.Any)) or any(map(self._is_dear, expression.args))

    def holds(self, expression: Expression, rows: Rows) -> Mask:
        """For each of ``rows`` whether the expression holds."""
        if isinstance(expression, Test):
            return self.field(expression.field).check(expression.index, rows)
        if isinstance(expression, Negate):
            return ~self.holds(expression.arg, rows)
        if isinstance(expression, Pair):
            return self._pair(self.field(expression.left), self.field(expression.right), expression.same, rows)
        if isinstance(expression, expressions.All):
            return self._decide_in_turn(expression.args, rows, until=False)
        if isinstance(expression, expressions.Any):
            return self._decide_in_turn(expression.args, rows, until=True)
        raise EngineError(f"a condition cannot be {expression}")

    def _decide_in_turn(self, args: tuple[Expression, ...], rows: Rows, *, until: bool) -> Mask:
        """All (``until`` False) or any (True) of ``args``: rows that one argument decides are not given to the next."""
        decided: Mask = np.full(len(rows), not until)
        open_ = np.arange(len(rows))
        for arg in sorted(args, key=self._is_dear):
            holds = self.holds(arg, rows[open_])
            decided[open_[holds if until else ~holds]] = until
            open_ = open_[~holds if until else holds]
            if not len(open_):
                break
        return decided

    def _pair(self, left: BatchField, right: BatchField, same: SameAs, rows: Rows) -> Mask:
        pairs = left.codes[rows].astype(np.int64) << 32 | right.codes[rows]
        distinct, inverse = np.unique(pairs, return_inverse=True)
        answers = [_same(left.elements_of(pair >> 32), right.elements_of(pair & 0xFFFFFFFF), same) for pair in distinct.tolist()]
        return np.array(answers, dtype=bool)[inverse]


def _same(left: list[tuple[int, str, str]], right: list[tuple[int, str, str]], same: SameAs) -> bool:
    return any(_equal(one, other, same) for one in left for other in right)


def _equal(one: tuple[int, str, str], other: tuple[int, str, str], same: SameAs) -> bool:
    """Texts compare (folded unless cased), numbers also by value; objects equal nothing. Both ``starts`` and ``ends``: contains."""
    if Kind.OBJECT in (one[0], other[0]):
        return False
    text, part = (one[1], other[1]) if same.cased else (one[2], other[2])
    if same.starts and same.ends:
        return part in text
    if same.starts:
        return text.startswith(part)
    if same.ends:
        return text.endswith(part)
    if text == part:
        return True
    if Kind.NUMBER not in (one[0], other[0]) or max(one[0], other[0]) > Kind.NUMBER:
        return False
    value = number(one[1])
    return value is not None and value == number(other[1])
