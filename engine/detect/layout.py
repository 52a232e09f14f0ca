"""The conditions of a plan laid out as arrays, so that one look into a table answers for many rules.

A condition is taken as a conjunction. Its first part says where the rule's candidate rows come from; of the others, those that are tests of one field
are looked up field by field, for all rules at once; what else there is (`Rest`) is walked rule by rule, on the rows that are left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.detect import expressions
from engine.detect.expressions import Expression, Test

Numbers = np.ndarray[Any, np.dtype[np.int32]]

NONE = -1
"""In arrays of tests: the rule has none of this field."""

_PAIRS = 1_000_000
"""About so many pairs of a rule and a row are looked at at once."""


@dataclass(frozen=True, slots=True)
class Lists:
    """A list of numbers for each of many keys: those of ``key`` are ``items[starts[key]:starts[key + 1]]``."""

    starts: Numbers
    items: Numbers

    @classmethod
    def of(cls, lists: Sequence[Sequence[int]]) -> Lists:
        starts = np.zeros(len(lists) + 1, dtype=np.int32)
        np.cumsum([len(items) for items in lists], out=starts[1:])
        return cls(starts, np.array([item for items in lists for item in items], dtype=np.int32))

    def expand(self, keys: np.ndarray[Any, Any]) -> tuple[Numbers, Numbers]:
        """(position in ``keys``, item) of every item of every one of ``keys``."""
        return expand(self.starts, self.items, keys)


def expand(starts: np.ndarray[Any, Any], items: np.ndarray[Any, Any], keys: np.ndarray[Any, Any]) -> tuple[Numbers, np.ndarray[Any, Any]]:
    """(position in ``keys``, item) of every item of the lists that ``keys`` name."""
    first = starts[keys].astype(np.int64)
    sizes = starts[keys + 1] - first
    at = np.repeat(np.arange(len(keys), dtype=np.int32), sizes)
    ends = np.cumsum(sizes)
    return at, items[np.arange(len(at)) + np.repeat(first - ends + sizes, sizes)]


def pieces(starts: np.ndarray[Any, Any], items: np.ndarray[Any, Any], keys: np.ndarray[Any, Any]) -> Iterator[tuple[Numbers, np.ndarray[Any, Any]]]:
    """`expand`, piece by piece where there would be very many."""
    ends = np.cumsum(starts[keys + 1] - starts[keys])
    low, done = 0, 0
    while low < len(keys):
        high = max(int(np.searchsorted(ends, done + _PAIRS, side="right")), low + 1)
        at, found = expand(starts, items, keys[low:high])
        yield at + np.int32(low), found
        low, done = high, int(ends[high - 1])


@dataclass(frozen=True, slots=True)
class Layout:
    """``starts``: by rule, the field of its first part, `NONE` where that is no test, and ``first`` the test; ``further``: by field, the test of
    each rule among its other parts. ``rest``: other parts of a rule.
    """

    starts: Numbers
    first: Numbers
    further: dict[int, Numbers]
    rest: dict[int, tuple[Expression, ...]]


def lay_out(conditions: Sequence[Expression]) -> Layout:
    """The layout of conditions in their order."""
    count = len(conditions)
    starts, first = np.full(count, NONE, dtype=np.int32), np.full(count, NONE, dtype=np.int32)
    further: dict[int, dict[int, int]] = {}
    rest: dict[int, tuple[Expression, ...]] = {}
    for rule, condition in enumerate(conditions):
        head, *others = parts(condition)
        if isinstance(head, Test):
            starts[rule], first[rule] = head.field, head.index
        for part in others:
            if not isinstance(part, Test) or further.setdefault(part.field, {}).setdefault(rule, part.index) != part.index:
                rest[rule] = (*rest.get(rule, ()), part)
    return Layout(starts, first, {where: _spread(count, tests) for where, tests in further.items()}, rest)


def parts(condition: Expression) -> tuple[Expression, ...]:
    """What all must hold where the condition does; at least one part."""
    return condition.args if isinstance(condition, expressions.All) and condition.args else (condition,)


def _spread(count: int, tests: dict[int, int]) -> Numbers:
    spread = np.full(count, NONE, dtype=np.int32)
    spread[list(tests)] = list(tests.values())
    return spread
