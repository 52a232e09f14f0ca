"""Which rules occur in windows, and in which order: temporal types and extended conditions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.correlate.columns import Bools, Ints
from engine.correlate.measures import Measured
from engine.correlate.windows import Windows

_NEVER = np.iinfo(np.int64).min // 2
"""A key before all others."""


def latest(found: Windows, rule: Ints, wanted: int) -> Ints:
    """Per window the key of the last row of rule ``wanted`` at or before its end."""
    keys = np.where(rule == wanted, found.key, _NEVER)
    result: Ints = np.maximum.accumulate(keys)[found.last] if len(keys) else keys
    return result


def occurring(found: Windows, rule: Ints, rules: int) -> Measured:
    """How many of the rules 0 up to ``rules`` have a row in each window."""
    count = np.zeros(len(found.first), dtype=np.int64)
    opens = found.end - found.span
    for wanted in range(rules):
        count += latest(found, rule, wanted) >= opens
    return Measured(count.astype(np.float64))


def together(found: Windows, rule: Ints, wanted: Sequence[int]) -> Bools:
    """Whether each window holds rows of all ``wanted`` rules."""
    held = np.ones(len(found.first), dtype=np.bool_)
    for one in wanted:
        held &= latest(found, rule, one) >= found.end - found.span
    return held


def chain(found: Windows, rule: Ints, steps: Sequence[int]) -> Bools:
    """Whether each window holds rows of all ``steps`` in this order; rows of equal times are in order."""
    begins = latest(found, rule, steps[0])
    for step in steps[1:]:
        begins = _next(found, rule, step, begins)
    held: Bools = begins >= found.end - found.span
    return held


def in_order(found: Windows, rule: Ints, steps: Sequence[int]) -> Measured:
    """How many of ``steps`` each window holds in order: the most steps, some left out, whose rows have times that never fall."""
    opens = found.end - found.span
    length = np.zeros(len(found.first), dtype=np.int64)
    # Of all ordered rows for so many of the steps that end with step i: the latest beginning.
    begins: list[Ints] = [latest(found, rule, step) for step in steps]
    for number in range(1, len(steps) + 1):
        held = np.zeros(len(opens), dtype=np.bool_)
        for begin in begins:
            held |= begin >= opens
        if not held.any():
            break
        length[held] = number
        longer: list[Ints] = []
        best = np.full(len(opens), _NEVER, dtype=np.int64)
        for step, begin in zip(steps, begins, strict=True):
            longer.append(_next(found, rule, step, best))
            best = np.maximum(best, begin)
        begins = longer
    return Measured(length.astype(np.float64))


def _next(found: Windows, rule: Ints, step: int, begins: Ints) -> Ints:
    """``begins`` (per window, rising) after one more step."""
    here = np.where(rule == step, begins[found.at], _NEVER)
    result: Ints = np.maximum.accumulate(here)[found.last] if len(here) else here
    return result


def absent(found: Windows, keys: Ints, after: bool) -> Bools:
    """Whether none of ``keys`` (rising) lies from the span before a window's first row (``after``: from after it) to the span after its last."""
    begin = found.key[found.first]
    low = np.searchsorted(keys, begin, "right") if after else np.searchsorted(keys, begin - found.span, "left")
    none: Bools = np.searchsorted(keys, found.end + found.span, "right") <= low
    return none
