"""The state of one scan: which events were seen, and which matched. Bounded memory: what grows with the input goes to temporary files.

`EventIndex` keeps 33 bytes an event and finds equal identities at the end, whatever the order in which batches arrived.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from engine.store.frames import in_own_memory

_ROW = np.dtype([("high", "u8"), ("low", "u8"), ("content", "u8"), ("object", "u4"), ("position", "u4"), ("source", "u1")])
_BUCKETS = 16
_IN_MEMORY = 400_000

Place = tuple[int, int]
"""Index of an object in the run's list, index of a record in that object."""

ReadAgain = Callable[[Sequence[Place]], dict[Place, str]]
"""Gives the record texts at some places."""

Rows = np.ndarray[Any, Any]
"""Identities of events: high, low, content, object, position, source."""

Weigh = Callable[[Rows], Sequence[Any]]
"""Of rows whose contents clash: what decides between them. The greatest stays."""


@dataclass(frozen=True, slots=True)
class Losers:
    """Records that are not events because another record has the same identity: (object, position, source code) and how they count."""

    places: pl.DataFrame
    duplicates: int
    conflicts: int
    duplicates_by_source: dict[int, int]


class EventIndex:
    """The identities of all events of a run. Not thread-safe: the runner's one consumer adds."""

    def __init__(self) -> None:
        self._rows: list[np.ndarray[Any, Any]] = []
        self._held = 0
        self._files: list[Path] = []
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @staticmethod
    def pack(events: pl.DataFrame, objects: pl.Series, source: int) -> np.ndarray[Any, Any]:
        """The index rows of an events frame (x.uid, raw_data, x.position); ``objects``: the object index of each row. Pure; may run in a worker."""
        uid = events["x.uid"]
        return index_rows(uid.hash(11), uid.hash(23), events["raw_data"].hash(41), objects, events["x.position"], source)

    def add(self, rows: np.ndarray[Any, Any]) -> None:
        """Take packed rows."""
        self._rows.append(rows)
        self._held += len(rows)
        if self._held > _IN_MEMORY:
            self._spill()

    def _spill(self) -> None:
        if not self._rows:
            return
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="crosswind-")
            self._files = [Path(self._folder.name) / f"{bucket}" for bucket in range(_BUCKETS)]
        rows = np.concatenate(self._rows)
        bucket = (rows["high"] >> np.uint64(60)).astype(np.uint8)
        ends = np.searchsorted(bucket, np.arange(1, _BUCKETS), sorter=(order := np.argsort(bucket, kind="stable")))
        for file, part in zip(self._files, np.split(rows[order], ends), strict=True):
            with file.open("ab") as stream:
                part.tofile(stream)
        self._rows, self._held = [], 0

    def resolve(self, read_again: ReadAgain) -> Losers:
        """Find equal identities. Equal records: the first in (object, position) stays. Different content: the greater sha256 of the record wins."""
        losers: list[np.ndarray[Any, Any]] = []
        duplicates = conflicts = 0
        for rows in self._partitions():
            gone, clash = resolve(rows, lambda clashing: _digests(clashing, read_again))
            losers.append(gone)
            duplicates += len(gone) - int(clash.sum())
            conflicts += int(clash.sum())
        lost = np.concatenate(losers) if losers else np.empty(0, dtype=_ROW)
        by_source = {int(code): int(count) for code, count in zip(*np.unique(lost["source"], return_counts=True), strict=True)}
        places = pl.DataFrame({"object": pl.Series(lost["object"], dtype=pl.UInt32), "position": pl.Series(lost["position"], dtype=pl.UInt32)})
        return Losers(places, duplicates, conflicts, by_source)

    def _partitions(self) -> Iterator[np.ndarray[Any, Any]]:
        if self._folder is None:
            yield from [np.concatenate(self._rows)] if self._rows else []
            return
        self._spill()
        for file in self._files:
            yield np.fromfile(file, dtype=_ROW)

    def close(self) -> None:
        """Remove temporary files."""
        self._rows = []
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


def index_rows(
    high: pl.Series, low: pl.Series, content: pl.Series, objects: pl.Series, positions: pl.Series, source: int | pl.Series | Sequence[int]
) -> Rows:
    """Identities as `resolve` reads them: 128 bits of the identity, 64 of the content, where the record stands and the code of its source."""
    rows = np.empty(len(high), dtype=_ROW)
    for name, column in (("high", high), ("low", low), ("content", content), ("object", objects), ("position", positions)):
        rows[name] = column.to_numpy()
    rows["source"] = source
    return rows


def resolve(rows: Rows, weigh: Weigh) -> tuple[Rows, np.ndarray[Any, np.dtype[np.bool_]]]:
    """The rows that are no events because another has their identity, and of each whether its content is another than that one's.

    Of equal contents the first in (object, position) stays, of different ones that which ``weigh`` finds the greatest.
    """
    rows = rows[_repeated(rows["high"])]  # nearly all are alone, and one sort of numbers tells
    rows = rows[np.lexsort((rows["position"], rows["object"], rows["low"], rows["high"]))]
    same = (rows["high"][1:] == rows["high"][:-1]) & (rows["low"][1:] == rows["low"][:-1])
    if not same.any():
        return rows[:0], np.zeros(0, dtype=np.bool_)
    group = np.concatenate(([0], np.cumsum(~same)))
    first = np.concatenate(([True], ~same))
    starts = np.flatnonzero(first)
    clashing = np.unique(group[rows["content"] != rows["content"][starts[group]]])
    keep = first.copy()
    clash = np.zeros(len(rows), dtype=np.bool_)
    if clashing.size:
        ends = np.append(starts[1:], len(rows))
        members = {int(g): np.arange(starts[g], ends[g]) for g in clashing}
        one_each = {g: at[np.unique(rows["content"][at], return_index=True)[1]] for g, at in members.items()}
        asked = np.concatenate(list(one_each.values()))
        weight = dict(zip(asked.tolist(), weigh(rows[asked]), strict=True))
        for g, at in one_each.items():
            winner = max(at.tolist(), key=weight.__getitem__)
            keep[members[g]] = False
            keep[winner] = True
            clash[members[g]] = rows["content"][members[g]] != rows["content"][winner]
    return rows[~keep], clash[~keep]


def _digests(rows: Rows, read_again: ReadAgain) -> list[bytes]:
    """SHA-256 of the records at ``rows``."""
    places = [(int(row["object"]), int(row["position"])) for row in rows]
    texts = read_again(sorted(set(places)))
    return [sha256(texts[place].encode()).digest() for place in places]


def _repeated(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Indices of the values that occur more than once."""
    values = np.ascontiguousarray(values)
    order = np.argsort(values)
    values = values[order]
    equal = values[1:] == values[:-1]
    return order[np.append(equal, False) | np.insert(equal, 0, False)] if equal.any() else order[:0]


class HitStore:
    """All hits of a run. ``slim`` drops long texts no alert will show; it runs whenever the texts taken since the last time pass ``budget`` bytes."""

    def __init__(self, slim: Callable[[pl.DataFrame], pl.DataFrame], budget: int = 48 << 20) -> None:
        self._frames: list[pl.DataFrame] = []
        self._slim = slim
        self._budget = budget
        self._bytes = 0

    def add(self, hits: pl.DataFrame) -> None:
        """Take a frame of hits with their evidence."""
        self._frames.append(in_own_memory(hits))
        self._bytes += int(hits.estimated_size())
        if self._bytes > self._budget:
            self._frames = [in_own_memory(self._slim(pl.concat(self._frames, how="diagonal_relaxed")))]
            self._bytes = 0

    def collect(self) -> pl.DataFrame | None:
        """All hits in one frame, None where there were none."""
        return pl.concat(self._frames, how="diagonal_relaxed") if self._frames else None
