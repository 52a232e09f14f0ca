"""Which part of the work the bins of hits go to: bins together until parts are about even, and what is too heavy for one part divided by time.

A slice of time owns what happens in it, and gets the hits around it as far as they can matter (`Work.reaches`). So every alert, decided by the hits
around it, is found as it is by the part that owns it; what other parts find of it, on fewer hits, nobody takes.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
import polars as pl

from engine.correlate.columns import Ints, spread
from engine.correlate.keying import BINS, Work, pairs

_DAY = 86_400_000_000
_FIRST = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class Layout:
    """Where work is done. ``parts``: how many there are. Units with the same reach have one number in ``kind`` (by unit).

    A slot is a kind and a bin: number kind * `BINS` + bin. Its slices are ``start[slot]`` up to ``start[slot + 1]``; each begins at ``low``
    (microseconds since the epoch, the first at the beginning of time) and goes to ``part``. ``reach``: by kind.
    """

    parts: int
    kind: Ints
    reach: Ints
    start: Ints
    low: Ints
    part: Ints

    def owner(self, unit: Ints, bins: Ints, time: Ints) -> Ints:
        """The part that owns these moments."""
        return self.part[self._slice(self.kind[unit] * BINS + bins, time)]

    def places(self, unit: Ints, bins: Ints, time: Ints) -> tuple[Ints, Ints]:
        """Positions (rising, repeated) and the parts in which these moments can matter."""
        slot, reach = self.kind[unit] * BINS + bins, self.reach[self.kind[unit]]
        first, last = self._slice(slot, time - reach), self._slice(slot, time + reach)
        count = last - first + 1
        return np.repeat(np.arange(len(slot)), count), self.part[spread(first, count)]

    def _slice(self, slot: Ints, time: Ints) -> Ints:
        found = self.start[slot]
        divided = np.flatnonzero(self.start[slot + 1] - found > 1)
        for one in np.unique(slot[divided]):
            inside = divided[slot[divided] == one]
            found[inside] += np.searchsorted(self.low[self.start[one] : self.start[one + 1]], time[inside], "right") - 1
        return found


def kinds(work: Work) -> tuple[Ints, list[int | None]]:
    """The kind of each unit of ``work``, and the reach of each kind."""
    reaches = work.reaches()
    distinct = sorted(set(reaches), key=lambda reach: (reach is None, reach or 0))
    return np.array([distinct.index(reach) for reach in reaches], dtype=np.int64), distinct


def weights(hits: pl.DataFrame, work: Work) -> pl.DataFrame:
    """How many hits are where: ``kind``, ``bin``, ``day`` (since the epoch), ``hits``. Those of several frames add up."""
    kind, _ = kinds(work)
    found = pairs(hits, work)
    days = hits["time"].to_physical().to_numpy() // _DAY
    frame = found.select("hit", "bin", kind=pl.Series(kind[found["unit"].to_numpy()]), day=pl.Series(days[found["hit"].to_numpy()])).unique()
    return frame.group_by("kind", "bin", "day").agg(pl.len().cast(pl.Int64()).alias("hits")).sort("kind", "bin", "day")


def lay_out(found: pl.DataFrame, work: Work, parts: int) -> Layout:
    """A layout over ``parts`` for hits with these `weights`. Whatever it is, the alerts are the same."""
    kind, reaches = kinds(work)
    slots = found.group_by("kind", "bin").agg(pl.col("hits").sum()).sort("kind", "bin")
    total = int(slots.group_by("bin").agg(pl.col("hits").max())["hits"].sum())  # one hit is often in one bin for several kinds
    bound = max(-(-total // parts), 1)
    divided: dict[int, list[tuple[int, int]]] = {}
    together = np.zeros(BINS, dtype=np.int64)
    for number, each, count in slots.iter_rows():
        reach = reaches[number]
        if count > bound and reach is not None:
            days = found.filter((pl.col("kind") == number) & (pl.col("bin") == each)).select("day", "hits")
            cut = _slices(days, bound, reach)
            if len(cut) > 1:
                divided[number * BINS + each] = cut
                continue
        together[each] = max(together[each], count)
    return _placed(kind, reaches, parts, divided, together)


def _slices(days: pl.DataFrame, bound: int, reach: int) -> list[tuple[int, int]]:
    """First moments and weights of slices: none narrower than the reach, for else more hits are read twice than once."""
    made = [(_FIRST, 0)]
    begin = int(days["day"][0]) * _DAY
    for day, count in days.iter_rows():
        if made[-1][1] >= bound and day * _DAY - begin >= reach:
            begin = day * _DAY
            made.append((begin, 0))
        made[-1] = (made[-1][0], made[-1][1] + count)
    return made


def _placed(kind: Ints, reaches: list[int | None], parts: int, divided: dict[int, list[tuple[int, int]]], together: Ints) -> Layout:
    """Heaviest first, each to the part that has least."""
    items = [(weight, ("slice", slot, number)) for slot, cut in divided.items() for number, (_, weight) in enumerate(cut)]
    items += [(int(weight), ("bin", each, 0)) for each, weight in enumerate(together)]
    waiting = [(0, part) for part in range(parts)]
    chosen: dict[tuple[str, int, int], int] = {}
    for weight, item in sorted(items, key=lambda item: (-item[0], item[1])):
        load, part = heapq.heappop(waiting)
        chosen[item] = part
        heapq.heappush(waiting, (load + weight + 1, part))
    low, part_of, start = list[int](), list[int](), [0]
    for slot in range(len(reaches) * BINS):
        cut = divided.get(slot, [(_FIRST, 0)])
        low += [begin for begin, _ in cut]
        part_of += [chosen["slice", slot, number] if slot in divided else chosen["bin", slot % BINS, 0] for number in range(len(cut))]
        start.append(len(low))
    reach = np.array([0 if one is None else one for one in reaches], dtype=np.int64)
    return Layout(parts, kind, reach, *(np.array(made, dtype=np.int64) for made in (start, low, part_of)))
