"""Writing one batch into one table: files first, then one commit that names them all, or nothing."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

import polars as pl

from engine.errors import EngineError, StateError
from engine.store.fingerprints import with_fingerprints
from engine.store.frames import in_own_memory
from engine.store.lake_files import Part, Partition, add_action, lake_errors, load, owner_only, remove, sync_log, write_part
from engine.store.lake_log import last_batch, live_parts, remove_action
from engine.store.lake_tables import CONTENT, EVENTS, UID_HIGH, UID_LOW, Table

if TYPE_CHECKING:
    from deltalake import DeltaTable

_ROWS = 50_000
_BYTES = 64 << 20
"""A file is written once so much waits for it."""
_AT_ONCE = 10_000
"""So many rows of one frame make a file: to wait for more would cost a copy of them, and memory."""
_WAITING = 160 << 20
"""Most that may wait for all files together."""
_PLACE = ("x.object", "x.position")
_EVENT = ("x.source", "x.day", "x.uid")
_ATTEMPTS = 20
_PAUSE = 0.05


class Over(Protocol):
    """`map`, or what does the same somewhere else."""

    def __call__(self, function: Callable[[Part], Part | None], parts: Sequence[Part], /) -> Iterable[Part | None]: ...


@dataclass(frozen=True, slots=True)
class Without:
    """A file of a batch that is not committed without the rows at some places: itself where it holds none, None where it holds nothing else."""

    root: Path
    table: Table
    batch: int
    places: pl.DataFrame

    def __call__(self, part: Part) -> Part | None:
        path = self.root / self.table.name / part.path
        names = list(_PLACE)
        with lake_errors(self.root, f"rewrite files of batch {self.batch}"):
            if not pl.read_parquet(path, columns=names, glob=False, hive_partitioning=False).join(self.places, on=names, how="semi").height:
                return part
            left = pl.read_parquet(path, glob=False, hive_partitioning=False).join(self.places, on=names, how="anti", maintain_order="left")
            return _new_file(self.root, self.table, self.batch, left, part.partition) if left.height else None


def _new_file(root: Path, table: Table, batch: int, rows: pl.DataFrame, partition: Partition) -> Part:
    return write_part(root, table, rows, partition, stem=f"batch-{batch:08}")


class LakeWriter:
    """Takes the rows of one batch for one table. Threads may write at the same time; dropping and committing is for one.

    Leaving the ``with`` block without a commit deletes everything that was written.
    """

    def __init__(self, root: Path, table: Table, batch: int) -> None:
        self._root = root
        self._table = table
        self._batch = batch
        self._token = uuid.uuid4().hex
        self._lock = threading.Lock()
        self._waiting: dict[Partition, list[pl.DataFrame]] = {}
        self._sizes: dict[Partition, int] = {}
        self._parts: list[Part] = []
        self._withdrawn: list[pl.DataFrame] = []
        self._open = True

    def __enter__(self) -> LakeWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.abort()

    def write(self, frame: pl.DataFrame) -> None:
        """Take rows. Columns the table does not have are left out (``native.*`` lives in memory alone), those that are missing are null."""
        self._check_open()
        for partition, rows in self._divided(frame):
            if rows.height >= _AT_ONCE:
                self._flush(partition, rows)
                continue
            held = in_own_memory(rows)
            with self._lock:
                self._waiting.setdefault(partition, []).append(held)
                self._sizes[partition] = self._sizes.get(partition, 0) + int(held.estimated_size())
                full = self._sizes[partition] >= _BYTES or sum(frame.height for frame in self._waiting[partition]) >= _ROWS
            if full:
                self._flush(partition)
        while greatest := self._greatest_of_too_much():
            self._flush(greatest)

    def drop(self, places: pl.DataFrame, over: Over = map) -> None:
        """Take back rows of this batch by (x.object, x.position): files that hold any are written anew without them.

        ``over`` applies a function to all files: one after the other, or wherever there are hands. Results come in the order of the files.
        """
        self._check_open()
        keys = places.select(pl.col("x.object").cast(pl.String()), pl.col("x.position").cast(pl.Int64())).unique()
        if not keys.height:
            return
        for frames in self._waiting.values():
            frames[:] = [frame.join(keys, on=list(_PLACE), how="anti", maintain_order="left") for frame in frames]
        before = list(self._parts)
        for part, left in zip(before, over(Without(self._root, self._table, self._batch, keys), before), strict=True):
            if left == part:
                continue
            self._parts.remove(part)
            if left is not None:
                self._parts.append(left)
            remove(self._root, self._table, [part.path])

    def hand_over(self) -> list[Part]:
        """The files with everything that was written, for another writer of this batch to `adopt`; nothing more can be done here."""
        self._check_open()
        self._flush_all()
        self._open = False
        return self._parts

    def adopt(self, parts: Sequence[Part]) -> None:
        """Take files that other writers of this batch handed over for written here."""
        self._check_open()
        self._parts.extend(parts)

    def rows(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Some columns of what is in files by now, a file at a time."""
        for part in self._parts:
            with lake_errors(self._root, f"read files of batch {self._batch}"):
                yield pl.read_parquet(self._root / self._table.name / part.path, columns=list(columns), glob=False, hive_partitioning=False)

    def withdraw(self, rows: pl.DataFrame) -> None:
        """Take rows of EARLIER batches out of the table in the same commit: columns x.source, x.day, x.uid and, for hits of one rule, ``rule``."""
        self._check_open()
        if rows.height:
            self._withdrawn.append(rows.select(name for name in (*_EVENT, "rule") if name in rows.columns))

    @property
    def withdrawn(self) -> pl.DataFrame:
        """The events whose rows are taken out as a whole: x.source, x.day, x.uid."""
        whole = [rows for rows in self._withdrawn if rows.columns == list(_EVENT)]
        return pl.concat(whole) if whole else pl.DataFrame(schema={name: EVENTS.columns[name] for name in _EVENT})

    def commit(self, digest: str) -> bool:
        """Make everything visible in one step, signed with the batch number and the plan's digest. False: an earlier run had done so already.

        Raises StateError where the table has this batch with another plan, or a later batch: the state is older than the lake.
        """
        self._check_open()
        self._flush_all()
        with lake_errors(self._root, f"commit batch {self._batch} to table {self._table.name!r}"):
            for attempt in range(_ATTEMPTS):
                table = load(self._root, self._table)
                done = self._already(table, digest)
                if done is not None:
                    return done
                if self._try(table, digest):
                    self._open = False
                    return True
                time.sleep(_PAUSE * attempt)
        self.abort()
        raise StateError(f"the lake at {self._root}: other writers got in the way of batch {self._batch} {_ATTEMPTS} times; run again")

    def abort(self) -> None:
        """Delete everything this writer wrote, unless it is committed."""
        if self._open:
            self._open = False
            self._waiting.clear()
            remove(self._root, self._table, [part.path for part in self._parts])
            self._parts.clear()

    # --- what happens inside ----------------------------------------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if not self._open:
            raise EngineError("a lake writer was used after its end")

    def _divided(self, frame: pl.DataFrame) -> Iterator[tuple[Partition, pl.DataFrame]]:
        """The rows by partition, with the columns of the table."""
        if not frame.height:
            return
        if "x.day" not in frame.columns:
            frame = frame.with_columns(pl.col("time").dt.date().alias("x.day"))
        if self._table is EVENTS:
            frame = with_fingerprints(frame).with_columns(pl.col(UID_HIGH, UID_LOW, CONTENT).reinterpret(signed=True))
        frame = frame.with_columns(pl.lit(self._batch, dtype=pl.Int64).alias("x.batch")).select(
            pl.col(name).cast(dtype) if name in frame.columns or name == "x.batch" else pl.lit(None, dtype=dtype).alias(name)
            for name, dtype in self._table.columns.items()
        )
        for values, rows in _partitions(frame, self._table.partition):
            if any(value is None for value in values):
                raise EngineError(f"rows without {' or '.join(self._table.partition)} cannot be stored")
            yield tuple(value.isoformat() if isinstance(value, date) else str(value) for value in values), rows

    def _flush_all(self) -> None:
        for partition in list(self._waiting):
            self._flush(partition)

    def _greatest_of_too_much(self) -> Partition | None:
        with self._lock:
            if sum(self._sizes.values()) < _WAITING:
                return None
            return max(self._sizes, key=lambda partition: self._sizes[partition])

    def _flush(self, partition: Partition, more: pl.DataFrame | None = None) -> None:
        """Write what waits for a file, and ``more``."""
        with self._lock:
            frames = self._waiting.pop(partition, [])
            self._sizes.pop(partition, None)
        frames += [] if more is None else [more]
        rows = pl.concat(frames) if frames else None
        if rows is None or not rows.height:
            return
        with lake_errors(self._root, f"write rows of batch {self._batch}"):
            part = _new_file(self._root, self._table, self._batch, rows, partition)
        with self._lock:
            self._parts.append(part)

    def _already(self, table: DeltaTable, digest: str) -> bool | None:
        """What an earlier attempt made of this batch: None nothing, False another writer's commit of the same plan, True our own."""
        last = last_batch(self._root, self._table, table)
        if last.number < self._batch:
            return None
        if last.number == self._batch and last.writer == self._token:
            self._open = False
            return True
        self.abort()
        if last.number == self._batch and last.digest == digest:
            return False
        what = f"batch {last.number}" if last.number > self._batch else f"another batch {last.number}"
        raise StateError(
            f"the lake at {self._root} already holds {what} in table {self._table.name!r}, and the state wants to write batch {self._batch}: "
            "the state is older than the lake, or of another lake. Nothing was written. `crosswind state repair` brings them together"
        )

    def _try(self, table: DeltaTable, digest: str) -> bool:
        """One attempt to commit; False where somebody else committed in between."""
        from deltalake import CommitProperties, Transaction
        from deltalake.exceptions import CommitFailedError

        rewritten, removes = self._without_withdrawn(table)
        actions = [add_action(self._table, part) for part in self._parts] + [add_action(self._table, part) for part in rewritten]
        signed = CommitProperties(
            custom_metadata={"crosswind.batch": self._batch, "crosswind.plan": digest, "crosswind.writer": self._token},
            app_transactions=[Transaction(self._table.application, self._batch)],
            max_commit_retries=0,
        )
        try:
            with owner_only:
                table.create_write_transaction([*actions, *removes], "append", table.schema(), list(self._table.partition), commit_properties=signed)
        except CommitFailedError:
            remove(self._root, self._table, [part.path for part in rewritten])
            return False
        sync_log(self._root, self._table, table.version())
        return True

    def _without_withdrawn(self, table: DeltaTable) -> tuple[list[Part], list[Any]]:
        """Files of earlier batches written anew without the withdrawn rows, and the log entries that take the old ones out."""
        if not self._withdrawn:
            return [], []
        kinds: dict[tuple[str, ...], list[pl.DataFrame]] = {}
        for rows in self._withdrawn:
            kinds.setdefault(tuple(rows.columns), []).append(rows)
        gone = [pl.concat(frames).unique() for frames in kinds.values()]
        rewritten: list[Part] = []
        removes: list[Any] = []
        days = pl.concat([frame.select(self._table.partition) for frame in gone]).unique()
        for part in live_parts(table, self._table).join(days, on=self._table.partition, how="semi").iter_rows(named=True):
            path = self._root / self._table.name / part["path"]
            here = pl.all_horizontal(pl.col(name) == part[name] for name in self._table.partition)
            lost = [frame.filter(here).drop(self._table.partition) for frame in gone]
            names = list(dict.fromkeys(name for frame in lost for name in frame.columns))
            looked = pl.read_parquet(path, columns=names, glob=False, hive_partitioning=False)
            if not any(looked.join(frame, on=frame.columns, how="semi").height for frame in lost):
                continue
            left = pl.read_parquet(path, glob=False, hive_partitioning=False)
            for frame in lost:
                left = left.join(frame, on=frame.columns, how="anti", maintain_order="left")
            missing = [pl.lit(None, dtype=self._table.columns[name]).alias(name) for name in self._table.stored if name not in left.columns]
            if left.height:
                partition = tuple(str(part[name]) for name in self._table.partition)
                rewritten.append(_new_file(self._root, self._table, self._batch, left.with_columns(missing), partition))
            removes.append(remove_action(self._table, part))
        return rewritten, removes


def _partitions(frame: pl.DataFrame, names: tuple[str, ...]) -> Iterator[tuple[tuple[Any, ...], pl.DataFrame]]:
    """The rows by what they hold in columns, without these: slices where equal rows stand together, as they do in logs."""
    keys = frame.select(names)
    first = keys.select(pl.any_horizontal(pl.all().ne_missing(pl.all().shift(1)))).to_series().arg_true()
    starts = [0, *(start for start in first.to_list() if start)]
    found = [keys.row(start) for start in starts]
    if len(set(found)) < len(found):
        yield from frame.partition_by(names, as_dict=True, include_key=False).items()
        return
    rest = frame.drop(names)
    for values, start, end in zip(found, starts, [*starts[1:], frame.height], strict=True):
        yield values, rest.slice(start, end - start)
