"""What every transport promises: list objects, read their bytes, within limits.

A transport knows nothing about records. It is a frozen, picklable value without open handles, so it can travel to another process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import ClassVar, Protocol

from engine.model import Reject, Skip

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on hostile input; sizes in bytes.

    ``max_ratio`` (decompressed to compressed) counts only beyond ``ratio_free_bytes`` of output, because small logs may well shrink that far.
    ``chunk_bytes`` is about how much record text is held at a time, ``whole_file_bytes`` the greatest file that is decompressed in one call.
    """

    max_record_bytes: int = 16 * _MIB
    max_depth: int = 128
    max_ratio: int = 200
    ratio_free_bytes: int = 64 * _MIB
    max_object_bytes: int = 64 * 1024 * _MIB
    chunk_bytes: int = 64 * _MIB
    block_bytes: int = 4 * _MIB
    whole_file_bytes: int = 8 * _MIB


@dataclass(frozen=True, slots=True)
class Object:
    """One thing that a transport can read.

    ``uri`` is the place as its owner knows it, ``version`` changes when the content does, ``size`` is in bytes as stored (compressed).
    ``hint`` is the source that the path suggests and nothing more: the records decide. ``locator`` is what the transport itself needs to open it.
    ``unfinished`` says why its bytes are not all there: they are read, and then it fails with that reason. ``modified`` is when it was last written.

    A planned object has an ``end``: its stored bytes ``start`` to ``end`` are read and no others, and only while they are what was planned, which
    ``prefix`` (`fingerprint` of what stands before ``end``) tells, or ``version`` where that is empty. ``first_position`` counts the records before
    ``start``.
    """

    uri: str
    size: int
    version: str
    hint: str | None = None
    locator: str = ""
    member: str | None = None
    unfinished: str | None = None
    modified: datetime | None = None
    start: int = 0
    end: int | None = None
    prefix: str = ""
    first_position: int = 0

    @property
    def length(self) -> int:
        """Stored bytes that are read."""
        return (self.size if self.end is None else self.end) - self.start


class Transport(Protocol):
    """Where objects come from.

    Three ways to know what is new fit behind ``list``, because `connectors.cursors` makes rows of what is taken that are written with the batch:

    * *Listing by marker* (S3, Azure Blob, GCS): keys in order, so ``list`` begins at the newest marker that leaves room for late keys; the marker
      is a row of state like any other and is written when the batch is done. Ranges are range requests; append blobs grow as files do.
    * *Notification queues* (SQS, Event Grid, Pub/Sub): ``list`` gives the objects that messages name, with the receipt in ``locator``. A message is
      acknowledged when the batch is committed, never when it is read; one that comes again names a version that was taken.
    * *Partition offsets* (Event Hubs, Kafka): a partition is an object that only grows: ``start`` and ``end`` are offsets, a plan pins both, and the
      offset in state, not the one of a consumer group, says where to go on.
    """

    grows: ClassVar[bool]
    """Whether objects may be seen while they are still being written. Where they appear whole or not at all nothing has to be waited for."""

    def list(self) -> Iterator[Object | Reject | Skip]:
        """Every object once, in a fixed order; what is left out on purpose as `Skip`, what cannot be had as `Reject`."""
        ...

    def read(self, obj: Object) -> Iterator[bytes]:
        """The decompressed bytes of ``obj`` in blocks. Raises TransportError or LimitError, after the blocks that came before the damage.

        TransientTransportError where the object is gone, may not be read, or is no longer what was planned.
        """
        ...

    def stored(self, obj: Object, start: int, stop: int) -> bytes:
        """The stored bytes from ``start`` to ``stop``, fewer where it ends before. Raises TransientTransportError."""
        ...


SAMPLE_BYTES = 64 * 1024


def fingerprint(stored: Callable[[int, int], bytes], end: int) -> str:
    """What tells the first ``end`` bytes of a growing object from others: a digest of their number, their beginning and their end.

    The middle is left out, or a file that grows all day would be read again with every batch. One that was rotated or cut begins or ends otherwise.
    """
    digest = sha256(end.to_bytes(8, "big"))
    digest.update(stored(0, min(end, SAMPLE_BYTES)))
    if end > SAMPLE_BYTES:
        digest.update(stored(max(SAMPLE_BYTES, end - SAMPLE_BYTES), end))
    return digest.hexdigest()
