"""Objects → batches of records, the unit of work: many small objects share one, a large object is spread over several.

What cannot be read becomes part of a batch, with its reason; it is never an exception that would stop the other objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import BinaryIO

import numpy as np
import polars as pl

from connectors.envelopes import Piece, end_of, split
from connectors.foreign import records_of
from connectors.repeats import Repeats, hashes_of
from connectors.transports.base import Limits, Object, Transport
from connectors.transports.files import FilesTransport
from engine.errors import InputError
from engine.model import Reject, Skip

STREAM_BYTES = 32 << 20
"""Objects are grouped into streams of about this many stored bytes."""

BATCH_BYTES = 32 << 20
"""Records are worked on in batches of about this much text."""

SMALL_BATCH_BYTES = 8 << 20
"""Towards the end of the input batches get smaller, down to this, so that the last does not keep one thread busy while the others have nothing."""

RECALL_BYTES = 1 << 20
"""So much of what was read before of a growing object is looked at again, for records that are equal to new ones."""

Group = tuple[tuple[int, Object], ...]
"""Objects that are read one after the other, each with its index in the run's list."""

Before = Callable[[int, Object], pl.Series | None]
"""Hashes of the records that stand before a range of an object; None where they are to be read."""

Place = tuple[int, int]
"""Index of an object in the run's list, index of a record in that object."""


@dataclass(slots=True)
class Batch:
    """Records of some objects (raw_data, object, object_index, position, repaired) and what happened while they were read.

    ``repeats``: by (object, position), how many records equal to it the object held before, where it held any; ``failed`` are whole objects;
    ``stored`` and ``decompressed`` are bytes. ``ends``: how many records the objects that end here hold up to where they were read, those before
    their ``start`` included; an object that could not be had now has none and is to be read another time.
    """

    records: pl.DataFrame
    repeats: dict[tuple[str, int], int] = field(default_factory=dict)
    skips: list[Skip] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    failed: list[Reject] = field(default_factory=list)
    ends: dict[str, int] = field(default_factory=dict)
    objects_done: int = 0
    stored: int = 0
    decompressed: int = 0


@dataclass(slots=True)
class Input:
    """The objects of a run in order, with what listing already left out."""

    transport: Transport
    objects: list[Object] = field(default_factory=list)
    skips: list[Skip] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)

    def streams(self, limits: Limits) -> Iterator[Iterator[Batch]]:
        """Streams of batches for a runner; each object belongs to exactly one."""
        return (batches(self.transport, group, limits, last=group[-1][0] + 1 == len(self.objects)) for group in self.groups(STREAM_BYTES))

    def groups(self, size: int) -> Iterator[Group]:
        """The objects in groups of about ``size`` stored bytes, none of them empty."""
        return packed(enumerate(self.objects), size)

    def read_again(self, limits: Limits, places: Sequence[Place]) -> dict[Place, str]:
        """The record texts at ``places``, read once more from their objects."""
        wanted: dict[int, list[int]] = {}
        for index, position in places:
            wanted.setdefault(index, []).append(position)
        found: dict[Place, str] = {}
        for index, positions in wanted.items():
            for batch in batches(self.transport, [(index, self.objects[index])], limits):
                hits = batch.records.filter(pl.col("position").is_in(positions))
                found.update(((index, position), text) for position, text in hits.select("position", "raw_data").iter_rows())
        return found


def list_input(paths: Sequence[str], limits: Limits, stdin: BinaryIO | None) -> Input:
    """The input below ``paths`` of the file system; ``-`` is ``stdin``."""
    transport = FilesTransport(paths, limits=limits, stdin=stdin)
    found = Input(transport)
    for item in transport.list():
        if isinstance(item, Object):
            found.objects.append(item)
        elif isinstance(item, Skip):
            found.skips.append(item)
        else:
            found.rejects.append(item)
    return found


def packed(objects: Iterable[tuple[int, Object]], size: int) -> Iterator[Group]:
    """``objects`` in their order, in groups of about ``size`` stored bytes, none of them empty."""
    group: list[tuple[int, Object]] = []
    held = 0
    for index, obj in objects:
        group.append((index, obj))
        held += obj.length
        if held >= size:
            yield tuple(group)
            group, held = [], 0
    if group:
        yield tuple(group)


def batches(
    transport: Transport, group: Sequence[tuple[int, Object]], limits: Limits, *, last: bool = False, before: Before | None = None
) -> Iterator[Batch]:
    """The records of a group of objects in batches; what cannot be read becomes part of a batch, never an exception. ``last``: none comes after.

    ``before`` tells of an object that is read from its middle which records stand before that.
    """
    size = _Sizes(sum(obj.length for _, obj in group) if last else None)
    chunk = replace(limits, chunk_bytes=min(limits.chunk_bytes, BATCH_BYTES))
    frames: list[tuple[int, str, pl.DataFrame]] = []
    batch, held, repeats = _empty_batch(), 0, Repeats()
    for index, obj in group:
        records = first = obj.first_position
        try:
            if obj.start:
                hashes = before(index, obj) if before is not None else None
                repeats.recall(index, hashes_of(read_before(transport, obj, chunk)) if hashes is None else hashes)
            for piece in records_of(transport.read(obj), obj, chunk):
                piece = _placed(piece, first) if first else piece
                records = max(records, end_of(piece))
                batch.skips.extend(piece.skips)
                batch.rejects.extend(piece.rejects)
                batch.decompressed += piece.decompressed
                if not piece.records.height:
                    continue
                frames.append((index, obj.uri, piece.records))
                held += piece.decompressed
                if held + piece.decompressed // 2 >= size.of_batch(held):  # the nearest that whole pieces come to
                    size.text += held
                    yield _filled(batch, frames, repeats)
                    batch, frames, held = _empty_batch(), [], 0
            batch.ends[obj.uri] = records
        except InputError as error:
            batch.failed.append(Reject(obj.uri, str(error).removeprefix(f"{obj.uri}: ")))
            if not error.transient:
                batch.ends[obj.uri] = records
        except OSError as error:
            batch.failed.append(Reject(obj.uri, f"cannot be read: {error.strerror or error}"))
        batch.objects_done += 1
        batch.stored += obj.length
        size.stored += obj.length
    yield _filled(batch, frames, repeats) if frames else batch


@dataclass(slots=True)
class _Sizes:
    """How large a batch of a stream is to be: where nothing comes after its ``whole`` stored bytes, no more than half of the text that is left."""

    whole: int | None
    stored: int = 0
    text: int = 0

    def of_batch(self, held: int) -> int:
        """In bytes of text; ``held`` are those of the batch so far."""
        if self.whole is None or not self.stored:
            return BATCH_BYTES
        left = (self.text + held) * (self.whole - self.stored) // self.stored
        return min(max(left // 2, SMALL_BATCH_BYTES), BATCH_BYTES)


def _filled(batch: Batch, frames: Sequence[tuple[int, str, pl.DataFrame]], repeats: Repeats) -> Batch:
    records = _together(frames)
    return replace(batch, records=records, repeats=repeats.count(records))


def _together(frames: Sequence[tuple[int, str, pl.DataFrame]]) -> pl.DataFrame:
    """The records of some objects, each given with its index and URI, as one frame that says where each record came from."""
    which = pl.Series(np.repeat(np.arange(len(frames)), [records.height for _, _, records in frames]))
    uris = pl.Series("object", [uri for _, uri, _ in frames]).gather(which)
    indexes = pl.Series("object_index", [index for index, _, _ in frames], dtype=pl.UInt32).gather(which)
    return pl.concat([records for _, _, records in frames]).hstack([uris, indexes])


def read_before(transport: Transport, obj: Object, limits: Limits) -> pl.Series:
    """The last records before those that are planned of an object that is read from its middle."""
    begin = max(0, obj.start - RECALL_BYTES)
    block = transport.stored(obj, begin, obj.start)
    pieces = split([block[block.find(b"\n") + 1 :] if begin else block], obj.uri, limits, continued=begin > 0)
    return pl.concat([_empty_batch().records["raw_data"], *(piece.records["raw_data"] for piece in pieces)])


def _placed(piece: Piece, first: int) -> Piece:
    """``piece`` with its positions counted on from ``first``."""
    records = piece.records.with_columns(pl.col("position") + first)
    rejects = [reject if reject.position is None else replace(reject, position=reject.position + first) for reject in piece.rejects]
    return replace(piece, records=records, rejects=rejects)


def _empty_batch() -> Batch:
    schema = {"raw_data": pl.String, "position": pl.Int64, "repaired": pl.Boolean, "object": pl.String, "object_index": pl.UInt32}
    return Batch(pl.DataFrame(schema=schema), {}, [], [], [])
