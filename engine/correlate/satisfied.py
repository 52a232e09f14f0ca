"""Which windows of a correlation are satisfied, what they measure, and what later records could still undo."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.correlate import measures, sequences
from engine.correlate.columns import Bools, Floats, Ints
from engine.correlate.measures import Measured
from engine.correlate.windows import Windows
from engine.sigma.tree import Bound, BoundOperator, Correlation, CorrelationType

_COMPARE: dict[BoundOperator, Callable[[Floats, float], Bools]] = {
    BoundOperator.LT: np.less,
    BoundOperator.LTE: np.less_equal,
    BoundOperator.GT: np.greater,
    BoundOperator.GTE: np.greater_equal,
    BoundOperator.EQ: np.equal,
    BoundOperator.NEQ: np.not_equal,
}
_RISING = frozenset({BoundOperator.GT, BoundOperator.GTE})
PER_WINDOW = frozenset({CorrelationType.VALUE_AVG, CorrelationType.VALUE_PERCENTILE, CorrelationType.VALUE_MEDIAN})
"""Types of which each window is tested, whatever the operator."""
SETTLED = np.iinfo(np.int64).max
"""The watermark where everything is decided."""
ORDER = frozenset({CorrelationType.TEMPORAL, CorrelationType.TEMPORAL_ORDERED})


@dataclass(frozen=True, slots=True)
class Satisfied:
    """``windows``: the satisfied ones, rising. ``open``: which of these may still be undone. ``measured``: the values of all windows, None of terms.

    ``undecided``: the first rows of what is still undecided.
    """

    windows: Ints
    open: Bools
    measured: Measured | None
    undecided: Ints


def by_session(correlation: Correlation) -> bool:
    """Whether only the greatest window of each session is tested."""
    return correlation.type not in PER_WINDOW and any(bound.operator not in _RISING for bound in correlation.bounds)


def by_bounds(correlation: Correlation, found: Windows, measured: Measured, time: Ints, negative: Bools | None, watermark: int) -> Satisfied:
    """The windows whose measure holds the bounds. ``time`` is that of each row, ``negative`` which windows of a sum hold a negative number."""
    asked = correlation.bounds
    if by_session(correlation):
        return _sessions(asked, found, measured, time, watermark)
    holds = ~np.isnan(measured.value)
    for bound in asked:
        measured.settle_near(bound.number, np.arange(len(holds)))
        holds &= _COMPARE[bound.operator](measured.value, bound.number)
    windows = np.flatnonzero(holds)
    changing = time[found.last[windows]] >= watermark
    if correlation.type not in PER_WINDOW:
        changing &= negative[windows] if negative is not None else False
    return Satisfied(windows, changing, measured, windows[:0])


def _sessions(asked: tuple[Bound, ...], found: Windows, measured: Measured, time: Ints, watermark: int) -> Satisfied:
    session = found.sessions()
    measured.settle_greatest(session)
    ends = np.append(np.flatnonzero(np.diff(session)), len(session) - 1)
    begins = np.append(0, ends[:-1] + 1)
    greatest = first_greatest(measured.value, session, len(ends))
    tested = np.flatnonzero(greatest >= 0)
    windows = greatest[tested]
    holds = np.ones(len(windows), dtype=np.bool_)
    for bound in asked:
        measured.settle_near(bound.number, windows)
        holds &= _COMPARE[bound.operator](measured.value[windows], bound.number)
    changing = time[found.last[ends]] + found.span >= watermark if watermark < SETTLED else np.zeros(len(ends), dtype=np.bool_)
    return Satisfied(windows[holds], changing[tested][holds], measured, found.first[begins[changing]])


def first_greatest(value: Floats, part: Ints, parts: int) -> Ints:
    """Per part (rising from 0; -1: none) the first window with the greatest value, -1 where no window has a value."""
    some = np.flatnonzero((part >= 0) & ~np.isnan(value))
    most = np.full(parts, -np.inf)
    np.maximum.at(most, part[some], value[some])
    best = some[value[some] == most[part[some]]]
    result = np.full(parts, -1, dtype=np.int64)
    result[part[best][::-1]] = best[::-1]
    return result


def by_terms(
    correlation: Correlation, names: tuple[str, ...], found: Windows, rule: Ints, others: dict[int, Ints], time: Ints, watermark: int
) -> Satisfied:
    """The windows over rows of rules without ``not`` in which some term holds.

    ``rule``: per row the index into ``names``. ``others``: per index of a rule under ``not`` the keys of its rows, rising.
    """
    ordered = correlation.type is CorrelationType.TEMPORAL_ORDERED
    holds = np.zeros(len(found.first), dtype=np.bool_)
    changing = np.zeros(len(found.first), dtype=np.bool_)
    late = time[found.last] + found.span >= watermark if watermark < SETTLED else changing
    sure = holds.copy()
    for term in correlation.terms:
        steps = [names.index(uid) for uid in term.present]
        present = (sequences.chain if ordered else sequences.together)(found, rule, steps)
        for uid in term.absent:
            present = present & sequences.absent(found, others[names.index(uid)], ordered)
        holds |= present
        sure |= present & ~late if term.absent else present
        changing |= present & late if term.absent else False
    windows = np.flatnonzero(holds)
    return Satisfied(windows, ~sure[windows], None, found.first[changing])


def measure(correlation: Correlation, found: Windows, rule: Ints, names: tuple[str, ...]) -> Measured:
    """How many rules occur, or occur in order."""
    if correlation.type is CorrelationType.TEMPORAL:
        return sequences.occurring(found, rule, len(names))
    return sequences.in_order(found, rule, [names.index(uid) for uid in correlation.rules])


def numeric(correlation: Correlation, values: measures.Flat) -> Measured:
    """The sum, average or percentile of the numbers in each window."""
    if correlation.type in (CorrelationType.VALUE_SUM, CorrelationType.VALUE_AVG):
        return measures.sums(values, correlation.type is CorrelationType.VALUE_AVG)
    return measures.percentiles(values, 50.0 if correlation.type is CorrelationType.VALUE_MEDIAN else correlation.percentile)
