"""Which events are there already, where no one process can hold all identities: they go to files, and from there in heaps to many hands."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import polars as pl

from engine.store.lake_tables import CONTENT, UID_HIGH, UID_LOW
from engine.store.memory import Losers, index_rows, resolve

IDENTITY = (UID_HIGH, UID_LOW)
HEAP_ROWS = 1_000_000
"""About so many identities are compared at a time."""
_FILE_ROWS = 500_000
_FLAGS = 16
"""Flags for each new event: one in so many other identities at most is taken for one of these."""
_MOST_BITS = 30
_EARLIER = "earlier"
_NEW = (UID_HIGH, UID_LOW, CONTENT, "x.source", "x.day", "x.position", "object")
_LOST_SCHEMA = {"object": pl.UInt32(), "position": pl.UInt32(), "x.source": pl.String(), "clash": pl.Boolean()}


@dataclass(slots=True)
class IdentityFiles:
    """Writes the identities of one task's events below ``folder``, which has to be there. ``names`` are the files written so far."""

    folder: Path
    names: list[str] = field(default_factory=list)
    days: set[tuple[str, date]] = field(default_factory=set)
    _waiting: list[pl.DataFrame] = field(default_factory=list)
    _rows: int = 0

    def add(self, frames: Iterable[pl.DataFrame]) -> None:
        """Take identities: x.uid_high, x.uid_low, x.content_hash, x.source, x.day, x.position, object."""
        for frame in frames:
            self.days.update(frame.select("x.source", "x.day").unique().iter_rows())
            self._waiting.append(frame.select(_NEW))
            self._rows += frame.height
        if self._rows >= _FILE_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        if not self._rows:
            return
        name = f"{uuid.uuid4().hex}.ids"
        with _created(self.folder / name) as stream:
            pl.concat(self._waiting).write_parquet(stream, compression="lz4", statistics=False)
        self.names.append(name)
        self._waiting, self._rows = [], 0


def _created(path: Path) -> BinaryIO:
    """A new file that is nobody else's."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


@dataclass(frozen=True, slots=True)
class EarlierFile:
    """A file of the lake with events of earlier batches."""

    path: str
    source: str
    day: date


@dataclass(frozen=True, slots=True)
class NewOnes:
    """Which identities may be those of new events, in a file that all tasks read: a flag for each value of some bits of an identity."""

    path: Path
    bits: int

    @classmethod
    def of(cls, folder: Path, names: Iterable[str], rows: int) -> NewOnes | None:
        """Those in the files ``names`` of ``folder``, about ``rows``. None where there are so many that few others could be told from them."""
        bits = max((rows * _FLAGS).bit_length(), 16)
        if bits > _MOST_BITS:
            return None
        flags = np.zeros(1 << (bits - 3), dtype=np.uint8)
        for name in names:
            at = _places(pl.read_parquet(folder / name, columns=[UID_HIGH], glob=False), bits)
            for bit in range(8):
                flags[at[at & np.uint64(7) == bit] >> np.uint64(3)] |= np.uint8(1 << bit)
        path = folder / f"{uuid.uuid4().hex}.flags"
        with _created(path) as stream:
            stream.write(flags.data)
        return cls(path, bits)

    def among(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Those rows (with x.uid_high) that may be, and few others."""
        at = _places(rows, self.bits)
        flags = np.memmap(self.path, dtype=np.uint8, mode="r")
        return rows.filter(pl.Series(flags[at >> np.uint64(3)] >> (at & np.uint64(7)).astype(np.uint8) & 1, dtype=pl.UInt8()).cast(pl.Boolean()))


def _places(rows: pl.DataFrame, bits: int) -> npt.NDArray[np.uint64]:
    """Which flag each identity has."""
    found: npt.NDArray[np.uint64] = rows[UID_HIGH].to_numpy() & np.uint64((1 << bits) - 1)
    return found


@dataclass(frozen=True, slots=True)
class Divide:
    """Deals the identities in a file to ``heaps`` heaps, equal ones to the same: work of a runner. Of earlier events those that may be ``new``."""

    folder: Path
    heaps: int
    batch: int
    new: NewOnes | None = None

    def __call__(self, task: str | EarlierFile) -> Iterator[tuple[int, pl.DataFrame]]:
        rows = self._new(task) if isinstance(task, str) else self._earlier(task)
        if rows.height:
            for (heap,), part in rows.with_columns((pl.col(UID_HIGH) % self.heaps).alias("heap")).partition_by("heap", as_dict=True).items():
                yield int(heap), part.drop("heap")

    def _new(self, name: str) -> pl.DataFrame:
        return pl.read_parquet(self.folder / name, glob=False).with_columns(pl.lit(False).alias(_EARLIER))

    def _earlier(self, file: EarlierFile) -> pl.DataFrame:
        rows = pl.read_parquet(file.path, columns=[*IDENTITY, CONTENT, "x.batch"], glob=False, hive_partitioning=False)
        rows = rows.filter(pl.col("x.batch") < self.batch).with_columns(pl.col(*IDENTITY, CONTENT).reinterpret(signed=False))
        return (rows if self.new is None else self.new.among(rows)).select(
            *IDENTITY,
            CONTENT,
            pl.lit(file.source).alias("x.source"),
            pl.lit(file.day).alias("x.day"),
            pl.lit(None, dtype=pl.Int64).alias("x.position"),
            pl.lit(None, dtype=pl.UInt32).alias("object"),
            pl.lit(True).alias(_EARLIER),
        )


@dataclass(frozen=True, slots=True)
class Settled:
    """``lost``: new records that are no events because another new one has their identity; ``met``: what `meeting` gives of the others."""

    lost: pl.DataFrame
    met: pl.DataFrame


def settle(heap: int, frames: Sequence[pl.DataFrame]) -> Settled:
    """What the identities of one heap amount to: work of a runner."""
    rows = pl.concat(frames)
    new = rows.filter(~pl.col(_EARLIER)).drop(_EARLIER)
    if not new.height:  # nothing of this batch can meet what is here
        return Settled(pl.DataFrame(schema=_LOST_SCHEMA), meeting(new, rows))
    sources = new["x.source"].unique().sort()
    codes = new["x.source"].replace_strict(sources.to_list(), list(range(len(sources))), return_dtype=pl.UInt8)
    packed = index_rows(new[UID_HIGH], new[UID_LOW], new[CONTENT], new["object"], new["x.position"], codes)
    # The content number is the beginning of the record's SHA-256, so it orders records as that does.
    gone, clash = resolve(packed, lambda clashing: [int(value) for value in clashing["content"]])
    lost = pl.DataFrame(
        [
            pl.Series("object", gone["object"], dtype=pl.UInt32),
            pl.Series("position", gone["position"], dtype=pl.UInt32),
            sources.gather(pl.Series(gone["source"], dtype=pl.UInt32)).alias("x.source"),
            pl.Series("clash", clash, dtype=pl.Boolean),
        ]
    )
    places = lost.select("object", pl.col("position").cast(pl.Int64()).alias("x.position"))
    return Settled(lost, meeting(new.join(places, on=["object", "x.position"], how="anti"), rows.filter(_EARLIER)))


def meeting(pending: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """The new events (x.uid_high, x.uid_low, x.content_hash, x.source, …) that earlier ones have the identity of, with the content (``before``) and
    the x.day (``day``) of these.
    """
    earlier = known.select(*IDENTITY, "x.source", pl.col(CONTENT).alias("before"), pl.col("x.day").alias("day"))
    return pending.join(earlier, on=[*IDENTITY, "x.source"])


def together(heaps: Sequence[Settled], sources: Sequence[str]) -> tuple[Losers, pl.DataFrame]:
    """All heaps in one: the losers, and the meetings with earlier events."""
    lost = pl.concat([pl.DataFrame(schema=_LOST_SCHEMA), *(heap.lost for heap in heaps)])
    met = pl.concat([heap.met for heap in heaps], how="vertical_relaxed") if heaps else pl.DataFrame()
    conflicts = int(lost["clash"].sum())
    code = {source: number for number, source in enumerate(sources)}
    by_source = {code[source]: count for source, count in lost["x.source"].value_counts().iter_rows()}
    return Losers(lost.select("object", "position"), lost.height - conflicts, conflicts, by_source), met
