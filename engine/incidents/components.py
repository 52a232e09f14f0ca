"""Links → which alerts hang together, and where what is too long or too large is cut."""

from __future__ import annotations

from typing import Any

import numpy as np

Ints = np.ndarray[Any, np.dtype[np.int64]]


def components(size: int, a: Ints, b: Ints) -> Ints:
    """Per node of 0 … ``size`` - 1 the least node it hangs together with over the links ``a`` - ``b``."""
    label = np.arange(size)
    while True:
        low = np.minimum(label[a], label[b])
        former = label.copy()
        np.minimum.at(label, label[a], low)
        np.minimum.at(label, label[b], low)
        while True:
            shorter = label[label]
            if np.array_equal(shorter, label):
                break
            label = shorter
        if np.array_equal(former, label):
            return label


def divide(first: Ints, last: Ints, longest: int, largest: int) -> list[tuple[int, int]]:
    """Where a component is cut: (start, stop) of the pieces of its members, which are sorted by ``first``.

    A piece longer than ``longest`` or with more than ``largest`` members is divided at its largest gap (the earliest of equals), and so on with what
    that leaves. A gap is the time from the end of everything before to the next beginning; where spans overlap it is negative, and still there is
    a largest one. Single members are never cut.
    """
    size = len(first)
    ends = np.maximum.accumulate(last)
    gaps = first[1:] - ends[:-1]
    left, right = _cartesian(gaps)
    pieces: list[tuple[int, int]] = []
    pending = [(0, size, _root(left, right, size - 1))]
    while pending:
        start, stop, cut = pending.pop()
        span = int(last[start:stop].max()) - int(first[start])
        if stop - start == 1 or (span <= longest and stop - start <= largest):
            pieces.append((start, stop))
            continue
        pending.append((start, cut + 1, int(left[cut])))
        pending.append((cut + 1, stop, int(right[cut])))
    return sorted(pieces)


def _cartesian(gaps: Ints) -> tuple[Ints, Ints]:
    """Left and right child of every gap in the tree whose root is the largest gap: cutting from the root down never looks at a gap twice."""
    size = len(gaps)
    left, right = np.full(size, -1), np.full(size, -1)
    spine: list[int] = []
    for index in range(size):
        child = -1
        while spine and gaps[spine[-1]] < gaps[index]:
            child = spine.pop()
        left[index] = child
        if spine:
            right[spine[-1]] = index
        spine.append(index)
    return left, right


def _root(left: Ints, right: Ints, size: int) -> int:
    inner = np.zeros(size, bool)
    for children in (left, right):
        inner[children[children >= 0]] = True
    roots = np.flatnonzero(~inner)
    return int(roots[0]) if size else -1
