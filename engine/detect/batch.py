"""One field of one batch: which rows satisfy a test.

Fields of few distinct values are taken apart at once, and every value and literal of the plan is looked up in one go. Of fields of many (request
parameters, whole records) only values of candidate rows are, after a look at their raw text; values the plan is anchored on are found by that look.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl

from engine.detect.cells import Codes, Rows, encode
from engine.detect.groups import Starts
from engine.detect.layout import NONE, Numbers, pieces
from engine.detect.needles import Mask, may_hold
from engine.detect.plan import Plan
from engine.detect.table import Table, plain_strings

_MANY_VALUES = 20_000
_MANY_ODD = 2_000
"""More distinct values that are no plain JSON strings than this are not taken apart for nothing."""

_UNKNOWN = -1

_CELLS = 4_000_000
"""So large a table of tests and codes is made at once."""


class BatchField:
    """A field of the batch at hand. Belongs to one call of the kernel."""

    def __init__(self, plan: Plan, number: int, events: pl.DataFrame) -> None:
        self.number = number
        self._plan = plan
        self._field = plan.fields[number]
        self._dictionary = encode(events, self._field.source)
        self.codes: Codes = self._dictionary.codes
        self._masks: dict[int, Mask] = {}
        self._known: dict[int, np.ndarray[Any, np.dtype[np.int8]]] = {}
        self._found: dict[int, Rows] = {}
        self._anchor_values: np.ndarray[Any, np.dtype[np.int64]] | None = None
        self._sure_anchors: frozenset[int] = frozenset()
        self._plain: Mask | None = None
        self.is_eager = self._few_values()
        self._table = self._open(self._dictionary.values, self._plain) if self.is_eager else None
        self.leaves: Sequence[int] = self._look_up()
        """Leaves that may hold in some row; of a field of many values only anchors are told."""

    @property
    def size(self) -> int:
        """How many codes there are."""
        return len(self._dictionary.values) + 1

    def _few_values(self) -> bool:
        values, source = self._dictionary.values, self._field.source
        if source.is_record or len(values) > _MANY_VALUES:
            return False
        if self._dictionary.is_text or len(values) <= _MANY_ODD:
            return True
        self._plain = plain_strings(values)
        return len(values) - int(self._plain.sum()) <= _MANY_ODD

    def _open(self, values: pl.Series, plain: Mask | None = None) -> Table:
        return Table(self._plan, self._field, values, is_text=self._dictionary.is_text, plain=plain)

    def _look_up(self) -> Sequence[int]:
        if self._table is not None:
            return self._table.index()
        needles = {leaf: self._plan.leaves[leaf].needle for leaf in self._field.anchors}
        self._sure_anchors = frozenset(leaf for leaf, needle in needles.items() if needle is not None)
        unsure = [leaf for leaf in self._field.anchors if leaf not in self._sure_anchors]
        if not self._sure_anchors:
            return unsure
        values = self._dictionary.values
        self._anchor_values = np.flatnonzero(may_hold(values, [needle for needle in needles.values() if needle is not None]))
        self._table = self._open(values.gather(self._anchor_values))
        return [leaf for leaf in self._table.index() if leaf in self._sure_anchors] + unsure

    def check(self, test: int, rows: Rows) -> Mask:
        """For each of ``rows`` whether the test holds."""
        codes = self.codes[rows]
        if self.is_eager:
            return self._mask(test)[codes]
        known = self._known.get(test)
        if known is None:
            known = self._known[test] = np.full(len(self._dictionary.values) + 1, _UNKNOWN, dtype=np.int8)
            known[0] = self._plan.tests[test].missing
        answers = known[codes]
        unknown = answers < 0
        if unknown.any():
            self._decide(test, known, np.unique(codes[unknown]))
            answers = known[codes]
        return answers.astype(bool)

    def _mask(self, test: int) -> Mask:
        """Over codes: whether the test holds. For fields of many values only for tests that hold nowhere but in anchor values."""
        mask = self._masks.get(test)
        if mask is None:
            assert self._table is not None
            expression = self._plan.tests[test].expression
            mask = self._masks[test] = np.zeros(len(self._dictionary.values) + 1, dtype=bool)
            mask[0] = self._plan.tests[test].missing
            if self._anchor_values is None:
                mask[1:] = self._table.test(expression)
            else:
                mask[self._anchor_values + 1] = self._table.test(expression)
        return mask

    def _decide(self, test: int, known: np.ndarray[Any, np.dtype[np.int8]], codes: Codes) -> None:
        plan = self._plan.tests[test]
        known[codes] = 0
        values = self._dictionary.values.gather(codes - 1)
        if plan.needles is not None:
            hold = np.flatnonzero(may_hold(values, plan.needles))
            codes, values = codes[hold], values.gather(hold)
        if len(codes):
            known[codes] = self._open(values).test(plan.expression)

    def find(self, test: int) -> Rows:
        """All rows where the test holds, ascending."""
        rows = self._found.get(test)
        if rows is None:
            rows = self._found[test] = self._find(test)
        return rows

    def _find(self, test: int) -> Rows:
        count = len(self.codes)
        needed = self._plan.tests[test].needed
        if not self.is_eager and (needed is None or not self._sure_anchors.issuperset(needed)):
            everywhere: Rows = np.arange(count, dtype=np.uint32)
            return everywhere[self.check(test, everywhere)]
        mask = self._mask(test)
        dictionary = self._dictionary
        indices = np.flatnonzero(mask)
        starts, stops = dictionary.starts[indices], dictionary.starts[indices + 1]
        if len(indices) == 1:
            return dictionary.rows[starts[0] : stops[0]]
        if len(indices) > 1000 or int((stops - starts).sum()) * 4 > count:
            return np.flatnonzero(mask[self.codes]).astype(np.uint32)
        if not len(indices):
            return np.empty(0, dtype=np.uint32)
        return np.sort(np.concatenate([dictionary.rows[start:stop] for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)]))

    def matrix(self, tests: Numbers) -> Mask:
        """By test, all distinct, and code: whether it holds. For fields of few values only."""
        assert self._table is not None
        plan, table = self._plan, self._table
        holds: Mask = np.zeros((len(tests), self.size), dtype=bool)
        row_of = np.full(len(plan.tests), NONE, dtype=np.int32)
        row_of[tests] = np.arange(len(tests), dtype=np.int32)
        leaves, values = table.found
        at, test = plan.unions.expand(leaves)
        rows = row_of[test]
        asked = rows != NONE
        holds[rows[asked], values[at[asked]] + 1] = True
        for row in np.flatnonzero(~plan.is_union[tests]).tolist():
            number_ = int(tests[row])
            asked_ = plan.tests[number_]
            holds[row, 0] = asked_.missing
            if asked_.needed is None or table.may_hold(asked_.needed):
                holds[row, 1:] = table.test(asked_.expression)
        return holds

    def check_each(self, tests: Numbers, codes: Codes) -> Mask:
        """For each of ``codes`` whether the test beside it holds. For fields of few values only."""
        place = np.full(len(self._plan.tests), NONE, dtype=np.int64)
        place[tests] = 0
        distinct = np.flatnonzero(place == 0).astype(np.int32)
        place[distinct] = np.arange(len(distinct))
        at = place[tests]
        step = max(_CELLS // self.size, 1)
        if step >= len(distinct):
            whole: Mask = self.matrix(distinct).ravel()[at * self.size + codes]
            return whole
        held: Mask = np.zeros(len(codes), dtype=bool)
        for low in range(0, len(distinct), step):
            here = np.flatnonzero((at >= low) & (at < low + step))
            held[here] = self.matrix(distinct[low : low + step])[at[here] - low, codes[here]]
        return held

    @property
    def lists(self) -> tuple[Starts, Rows]:
        """The rows of each code, as `layout.pieces` takes them."""
        return self._dictionary.starts, self._dictionary.rows

    def find_each(self, tests: Numbers, lists: tuple[Starts, Rows]) -> Iterator[tuple[Numbers, Rows]]:
        """(position in ``tests``, row) of all rows where the tests hold, in pieces. For fields of few values only. ``lists``: the rows by code."""
        step = max(_CELLS // self.size, 1)
        for low in range(0, len(tests), step):
            distinct, inverse = np.unique(tests[low : low + step], return_inverse=True)
            # One dimension is searched many times faster than two.
            at, codes = np.divmod(np.flatnonzero(self.matrix(distinct)[inverse]), self.size)
            for held, rows in pieces(*lists, codes):
                yield at[held] + low, rows

    def drop_hopeless(self, tests: Numbers, rows: Rows) -> Mask:
        """For each of ``rows`` whether the test beside it may hold, told from the text of the values alone. For fields of many values."""
        may: Mask = np.ones(len(rows), dtype=bool)
        distinct = np.unique(tests).tolist()
        needles = {test: self._plan.tests[test].needles for test in distinct}
        sure = np.array([needles[test] is not None for test in distinct])
        at = np.flatnonzero(sure[np.searchsorted(distinct, tests)])
        codes = self.codes[rows[at]]
        alive: Mask = np.zeros(self.size, dtype=bool)
        alive[codes] = True
        alive[0] = False
        asked = np.flatnonzero(alive)
        texts = [text for test in distinct for text in needles[test] or ()]
        if len(asked):
            alive[asked] = may_hold(self._dictionary.values.gather(asked - 1), texts)
        may[at] = alive[codes]
        return may

    def elements_of(self, code: int) -> list[tuple[int, str, str]]:
        """(kind, text, folded text) of the elements of one value; none of a missing one."""
        if code == 0:
            return []
        if self.is_eager and self._table is not None:
            return self._table.elements_of(code - 1)
        return self._open(self._dictionary.values.slice(code - 1, 1)).elements_of(0)
