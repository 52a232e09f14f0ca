"""The detect kernel: which rules of a plan match which rows of a batch."""

from __future__ import annotations

import numpy as np
import polars as pl

from engine.detect import expressions
from engine.detect.batch import BatchField
from engine.detect.cells import Rows
from engine.detect.expressions import Expression, Negate, Pair, Test
from engine.detect.needles import Mask
from engine.detect.plan import Plan
from engine.detect.values import Kind, number
from engine.errors import EngineError
from engine.sigma.tree import SameAs


def detect(events: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """The hits of a batch: ``row`` UInt32 (of ``events``) and ``rule`` UInt32 (index into ``plan.rules``), sorted by (row, rule), each pair once.

    ``events`` holds a ``native.<path>`` String column of cells for each of ``plan.paths``, the common columns ``plan.columns`` in their types, and
    ``raw_data`` if ``plan.needs_raw``. Pure: two threads may call it with the same plan. Raises EngineError where a cell is not JSON text.
    """
    if not events.height or not plan.rules:
        return _hits([], [])
    batch = _Batch(events, plan)
    rows: list[Rows] = []
    rules: list[int] = []
    for rule in batch.touched():
        found = batch.solve(plan.conditions[rule])
        if len(found):
            rows.append(found)
            rules.append(rule)
    return _hits(rows, rules)


def _hits(rows: list[Rows], rules: list[int]) -> pl.DataFrame:
    lengths = [len(found) for found in rows]
    row = np.concatenate(rows) if rows else np.empty(0, dtype=np.uint32)
    rule = np.repeat(np.array(rules, dtype=np.uint32), lengths)
    order = np.sort(row.astype(np.uint64) << np.uint64(32) | rule)
    return pl.DataFrame({"row": (order >> np.uint64(32)).astype(np.uint32), "rule": order.astype(np.uint32)})


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
            found = self._fields[number_] = BatchField(self._plan, self._plan.fields[number_], self._events)
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
                return self._narrow(self.solve(args[0]), args[1:])
            case expressions.Any(args) if args:
                return np.unique(np.concatenate([self.solve(arg) for arg in args]))
            case _:
                return self._all[self.holds(expression, self._all)]

    def _narrow(self, rows: Rows, args: tuple[Expression, ...]) -> Rows:
        """Those of ``rows`` where every argument holds; what needs values of fields of many values comes last."""
        for arg in sorted(args, key=self._is_dear):
            if not len(rows):
                break
            rows = rows[self.holds(arg, rows)]
        return rows

    def _is_dear(self, expression: Expression) -> bool:
        match expression:
            case Test(field, _):
                return not self.field(field).is_eager
            case expressions.All(args) | expressions.Any(args):
                return any(self._is_dear(arg) for arg in args)
            case Negate(arg):
                return self._is_dear(arg)
            case _:
                return True

    def holds(self, expression: Expression, rows: Rows) -> Mask:
        """For each of ``rows`` whether the expression holds."""
        match expression:
            case Test(field, index):
                return self.field(field).check(index, rows)
            case Negate(arg):
                return ~self.holds(arg, rows)
            case expressions.All(args):
                return self._all_hold(args, rows)
            case expressions.Any(args):
                # a or b = not (not a and not b): what already holds is not looked at again.
                return ~self._all_hold(tuple(arg.arg if isinstance(arg, Negate) else Negate(arg) for arg in args), rows)
            case Pair(left, right, same):
                return self._pair(self.field(left), self.field(right), same, rows)
            case _:
                raise EngineError(f"a condition cannot be {expression}")

    def _all_hold(self, args: tuple[Expression, ...], rows: Rows) -> Mask:
        mask: Mask = np.zeros(len(rows), dtype=bool)
        alive = np.arange(len(rows))
        for arg in sorted(args, key=self._is_dear):
            if not len(alive):
                break
            alive = alive[self.holds(arg, rows[alive])]
        mask[alive] = True
        return mask

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
