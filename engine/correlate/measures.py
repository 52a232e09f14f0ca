"""What is measured in windows: events, distinct values, sums, averages, percentiles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.correlate.columns import Bools, Floats, Ints
from engine.correlate.windows import Windows

_EXACT = 2.0**53
"""Integers below it add up exactly as floats, in any order."""
_LONG = float(np.finfo(np.longdouble).eps)
_EPSILON = float(np.finfo(np.float64).eps)


@dataclass(slots=True)
class Measured:
    """A number per window, NaN where there is none. It may be off by ``error`` until `settle` has computed it exactly."""

    value: Floats
    error: Floats | None = None
    exact: Callable[[Ints], Floats] | None = None

    def settle(self, chosen: Ints) -> None:
        """Compute the values of the ``chosen`` windows exactly."""
        if self.error is None or self.exact is None:
            return
        chosen = chosen[self.error[chosen] > 0]
        if len(chosen):
            self.value[chosen] = self.exact(chosen)
            self.error[chosen] = 0

    def settle_near(self, number: float, chosen: Ints) -> None:
        """Compute those values of the ``chosen`` windows exactly that may lie on either side of ``number``."""
        if self.error is not None:
            self.settle(chosen[np.abs(self.value[chosen] - number) <= self.error[chosen]])

    def settle_greatest(self, part: Ints) -> None:
        """Compute the values exactly where several may be the greatest of their part; ``part`` per window, rising, -1 for windows in none."""
        if self.error is None:
            return
        inside = np.flatnonzero((part >= 0) & ~np.isnan(self.value))
        if len(inside):
            least = np.full(int(part.max()) + 1, -np.inf)
            np.maximum.at(least, part[inside], (self.value - self.error)[inside])
            close = inside[(self.value + self.error)[inside] >= least[part[inside]]]
            rivals = np.bincount(part[close])
            self.settle(close[rivals[part[close]] > 1])


def events(found: Windows, counted: Bools) -> Measured:
    """How many ``counted`` rows each window holds."""
    total = np.concatenate([[0], np.cumsum(counted)])
    return Measured((total[found.last + 1] - total[found.first]).astype(np.float64))


def distinct(found: Windows, row: Ints, code: Ints) -> Measured:
    """How many distinct codes each window holds; ``row`` rises and is the row of each code."""
    order = np.argsort(code, kind="stable")
    row, code = row[order], code[order]
    opens = found.at[row]
    closes = found.reach[row] + 1
    same = code[1:] == code[:-1]
    closes[:-1][same] = np.minimum(closes[:-1][same], opens[1:][same])
    windows = len(found.first)
    change = np.bincount(opens, minlength=windows + 1) - np.bincount(closes, minlength=windows + 1)
    return Measured(np.cumsum(change[:windows]).astype(np.float64))


@dataclass(frozen=True, slots=True)
class Flat:
    """The numbers in rows, in the order of rows; those of window w are elements ``first[w]`` up to ``last[w]``."""

    numbers: Floats
    first: Ints
    last: Ints

    @property
    def count(self) -> Ints:
        return self.last - self.first

    def negative(self) -> Bools:
        """Which windows hold a negative number."""
        below = np.concatenate([[0], np.cumsum(self.numbers < 0)])
        found: Bools = below[self.last] > below[self.first]
        return found


def flat(found: Windows, row: Ints, numbers: Floats) -> Flat:
    """``numbers`` and the windows that hold them; ``row`` rises and is the row of each."""
    return Flat(numbers, np.searchsorted(row, found.first, "left"), np.searchsorted(row, found.last, "right"))


def sums(values: Flat, average: bool) -> Measured:
    """The sum or average of the numbers in each window: added one by one in ascending order."""
    count = values.count.astype(np.float64)
    count[count == 0] = np.nan
    share = count if average else np.where(np.isnan(count), np.nan, 1.0)
    size = np.abs(values.numbers)
    if len(size) == 0 or (float(size.sum()) < _EXACT and bool((values.numbers == np.trunc(values.numbers)).all())):
        total = np.concatenate([[0], np.cumsum(values.numbers.astype(np.int64))])
        return Measured((total[values.last] - total[values.first]) / share)

    def exact(chosen: Ints) -> Floats:
        bounds = zip(values.first[chosen].tolist(), values.last[chosen].tolist(), strict=True)
        return np.array([np.cumsum(np.sort(values.numbers[first:last]))[-1] for first, last in bounds], dtype=np.float64) / share[chosen]

    total = np.concatenate([[0], np.cumsum(values.numbers.astype(np.longdouble))])
    weight = np.concatenate([[0], np.cumsum(size.astype(np.longdouble))])
    near = (total[values.last] - total[values.first]) / share
    # Both the running total and adding in order err by at most one rounding of what has been added so far for each number.
    error = 2 * (len(size) * _LONG * weight[values.last] + count * _EPSILON * (weight[values.last] - weight[values.first])) / share
    measured = Measured(near.astype(np.float64), error.astype(np.float64) + np.abs(near).astype(np.float64) * _EPSILON, exact)
    few = np.flatnonzero((values.count == 1) | (values.count == 2))
    one, other = values.numbers[values.first[few]], np.where(values.count[few] == 2, values.numbers[values.last[few] - 1], 0.0)
    assert measured.error is not None
    measured.value[few], measured.error[few] = (one + other) / share[few], 0
    return measured


def percentiles(values: Flat, percentile: float) -> Measured:
    """The value at ``percentile`` of the sorted numbers in each window, between two neighbours linear."""
    count = values.count
    some = np.flatnonzero(count)
    result = np.full(len(count), np.nan)
    place = (count[some] - 1) * percentile / 100
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, count[some] - 1)
    known, ranks = np.unique(values.numbers, return_inverse=True)
    first, last = values.first[some], values.last[some]
    low = known[_nth(ranks, len(known), first, last, below)]
    between = np.flatnonzero(place > below)
    high = low.copy()
    high[between] = known[_nth(ranks, len(known), first[between], last[between], above[between])]
    with np.errstate(over="ignore"):
        result[some] = np.clip(low + (high - low) * (place - below), low, high)
    return Measured(result)


def _nth(ranks: Ints, known: int, first: Ints, last: Ints, nth: Ints) -> Ints:
    """The ``nth`` smallest (from 0) of ``ranks[first:last]`` of every query at once, bit by bit from the highest (a wavelet matrix)."""
    found = np.zeros(len(nth), dtype=np.int64)
    begin, end, nth, rest = first.copy(), last.copy(), nth.copy(), ranks
    for bit in reversed(range(max(known - 1, 0).bit_length())):
        ones = (rest >> bit & 1).astype(np.bool_)
        zeros_before = np.concatenate([[0], np.cumsum(~ones)])
        zero_begin, zero_end = zeros_before[begin], zeros_before[end]
        zeros = zero_end - zero_begin
        up = nth >= zeros
        found |= up.astype(np.int64) << bit
        nth -= np.where(up, zeros, 0)
        total = zeros_before[-1]
        begin = np.where(up, total + begin - zero_begin, zero_begin)
        end = np.where(up, total + end - zero_end, zero_end)
        rest = np.concatenate([rest[~ones], rest[ones]])
    return found
