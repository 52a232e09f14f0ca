"""Windows over hits, all groups at once: one rising key puts the groups side by side, too far apart for a window to reach over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from engine.correlate.columns import Bools, Ints

_ROOM = 2**62
"""Keys lie below this; what does not fit is laid out in several goes."""


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of rows sorted by key, one for each distinct key.

    ``key``: per row, its time in microseconds moved so that rows of different groups lie more than ``span`` apart. ``last`` and ``first``: per window
    its last and its first row. ``at``: per row the window that ends at its time. ``reach``: per row the last window that still holds it.
    """

    key: Ints
    span: int
    first: Ints
    last: Ints
    at: Ints
    reach: Ints

    @property
    def end(self) -> Ints:
        """The key at which each window ends."""
        return self.key[self.last]

    def sessions(self) -> Ints:
        """Per window the number of its session, from 0: rows of a session have gaps of at most the span."""
        end = self.end
        return np.concatenate([np.zeros(min(1, len(end)), dtype=np.int64), np.cumsum(np.diff(end) > self.span)])


def windows(key: Ints, span: int) -> Windows:
    """The windows of ``key``, which rises."""
    ties = np.flatnonzero(np.diff(key) > 0)
    last = np.append(ties, len(key) - 1) if len(key) else ties
    first = np.searchsorted(key, key[last] - span, "left")
    at = np.zeros(len(key), dtype=np.int64)
    at[ties + 1] = 1
    at = np.cumsum(at)
    reach = np.searchsorted(first, np.arange(len(key)), "right") - 1
    return Windows(key, span, first, last, at, reach)


def lay_out(group: Ints, groups: int, time: Ints, span: int) -> Iterator[tuple[Ints, Ints]]:
    """Row numbers in the order of their keys, and these keys; groups that do not fit into one range of keys come in several goes."""
    if len(time) == 0:
        return
    least = np.full(groups, np.iinfo(np.int64).max)
    np.minimum.at(least, group, time)
    greatest = np.full(groups, np.iinfo(np.int64).min)
    np.maximum.at(greatest, group, time)
    width = greatest - least + span + 1
    if float(width.sum(dtype=np.float64)) < _ROOM:
        key = (np.cumsum(width) - width - least)[group] + time
        order = np.argsort(key, kind="stable")
        yield order, key[order]
        return
    parts = (np.cumsum(width.astype(np.float64)) // (_ROOM / 4)).astype(np.int64)
    part = parts[group]
    for number in range(int(parts[-1]) + 1):
        rows = np.flatnonzero(part == number)
        if len(rows) == 0:
            continue
        chosen = parts == number
        offset = np.zeros(groups, dtype=np.int64)
        offset[chosen] = np.cumsum(width[chosen]) - width[chosen] - least[chosen]
        key = offset[group[rows]] + time[rows]
        order = np.argsort(key, kind="stable")
        yield rows[order], key[order]


@dataclass(frozen=True, slots=True)
class Pieces:
    """Alerts as runs of satisfied windows: per alert the first one (its number) and the first and last row.

    ``number``: which multiple of the longest length it lies in, where it must be told from the alert before, which begins with the same row; else -1.
    ``run_first`` and ``run_last``: per alert the first and last row of the undivided run, ``divided`` whether that was divided.
    """

    opening: Ints
    first: Ints
    last: Ints
    number: Ints
    run_first: Ints
    run_last: Ints
    divided: Bools


def pieces(found: Windows, satisfied: Ints, time: Ints, longest: int) -> Pieces:
    """The alerts that ``satisfied`` windows (rising numbers) make. ``time`` is that of each row, ``longest`` L in microseconds."""
    first, last = found.first[satisfied], found.last[satisfied]
    starts = np.ones(len(satisfied), dtype=np.bool_)
    starts[1:] = first[1:] > last[:-1]
    run = np.cumsum(starts) - 1
    opens = np.flatnonzero(starts)
    closes = _before(opens, len(satisfied))
    divided = (time[last[closes]] - time[first[opens]]) > longest
    number = np.where(divided[run], time[last] // longest, -1)
    cut = starts.copy()
    cut[1:] |= number[1:] != number[:-1]
    opening = np.flatnonzero(cut)
    closing = _before(opening, len(satisfied))
    begins = first[opening]
    again = np.zeros(len(opening), dtype=np.bool_)
    again[1:] = (begins[1:] == begins[:-1]) & (run[opening][1:] == run[opening][:-1])
    own = run[opening]
    return Pieces(
        satisfied[opening],
        begins,
        last[closing],
        np.where(again, number[opening], -1),
        first[opens][own],
        last[closes][own],
        divided[own],
    )


def _before(opens: Ints, total: int) -> Ints:
    """Where the stretches end that begin at ``opens``, of ``total`` places."""
    return np.append(opens[1:], total)[: len(opens)] - 1
