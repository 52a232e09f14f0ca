"""What runs on the workers of a cluster: rows with a pickled task in, rows with a pickled result out.

The work itself travels once, as a broadcast value where the session has those, and is unpickled once a process.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa

from engine.errors import CrosswindError

TASK = pa.schema([("number", pa.int32()), ("content", pa.binary())])
HEAP = pa.schema([("number", pa.int32()), ("content", pa.binary())])
RESULT = pa.schema([("content", pa.binary())])
TASK_DDL = "number int, content binary"
RESULT_DDL = "content binary"

Batches = Iterator[pa.RecordBatch]

_held: dict[str, Any] = {}
"""The work this process knows, by digest."""
_MOST_HELD = 4
_FAILED = -1
"""Number of the heap with the errors of those that deal rows to heaps."""


@dataclass(frozen=True)
class Parcel:
    """Pickled work on its way: ``content`` is bytes, or a broadcast variable of them. Equal work has an equal ``digest``."""

    digest: str
    content: Any

    def open(self) -> Any:
        """The work itself."""
        if self.digest not in _held:
            if len(_held) >= _MOST_HELD:
                _held.clear()
            content = self.content if isinstance(self.content, bytes) else self.content.value
            _held[self.digest] = pickle.loads(content)  # noqa: S301  made by the process that runs this one
        return _held[self.digest]


@dataclass(frozen=True)
class Failed:
    """An error that is meant for people: it will not go away by trying again, and its message must arrive as it is."""

    error: CrosswindError


def each(parcel: Parcel) -> Callable[[Batches], Batches]:
    """For `mapInArrow`: one row with the result for every row with a task."""

    def work_on(batches: Batches) -> Batches:
        for task in _tasks(batches):
            yield _row(_guarded(parcel.open, task))

    return work_on


def divide(parcel: Parcel) -> Callable[[Batches], Batches]:
    """For `mapInArrow`: rows with the number of a heap and a frame for it."""

    def work_on(batches: Batches) -> Batches:
        for task in _tasks(batches):
            try:
                for number, frame in parcel.open()[0](task):
                    yield _part(number, frame.write_ipc(None, compression="lz4").getvalue())
            except CrosswindError as error:
                yield _part(_FAILED, pickle.dumps(Failed(error)))

    return work_on


def reduce(parcel: Parcel) -> Callable[[pa.Table], pa.Table]:
    """For `applyInArrow`: the result of one heap."""

    def work_on(heap: pa.Table) -> pa.Table:
        number = heap.column("number")[0].as_py()
        contents = [content.as_py() for content in heap.column("content")]
        if number == _FAILED:
            errors = [pickle.loads(content) for content in contents]  # noqa: S301  see `divide`
            return pa.Table.from_batches([_row(min(errors, key=lambda failed: str(failed.error)))])
        frames = [pl.read_ipc(io.BytesIO(content)) for content in contents]
        return pa.Table.from_batches([_row(_guarded(lambda: parcel.open()[1], number, frames))])

    return work_on


def _part(number: int, content: bytes) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([number], pa.int32()), pa.array([content], pa.binary())], schema=HEAP)


def _tasks(batches: Batches) -> Iterator[Any]:
    for batch in batches:
        for content in batch.column("content"):
            yield pickle.loads(content.as_py())  # noqa: S301  made by the process that runs this one


def _guarded(opened: Callable[[], Any], *arguments: Any) -> Any:
    try:
        return opened()(*arguments)
    except CrosswindError as error:
        return Failed(error)


def _row(result: Any) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([pickle.dumps(result, pickle.HIGHEST_PROTOCOL)], pa.binary())], schema=RESULT)
