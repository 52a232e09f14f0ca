"""One great object as several: ranges of its bytes that are read apart and give, together, what the whole gives.

A range ends behind a line that is a JSON object and before another one, so that what reads lines or values begins anew there with nothing open. What
else a reader remembers on its way is counted first (`count`): the number of records, and which ones there were. Where an object does not keep to that
it stays whole.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
import polars as pl

from connectors.batches import BATCH_BYTES, read_before
from connectors.cursors import readable_in_parts
from connectors.envelopes import end_of
from connectors.foreign import records_of
from connectors.repeats import MEMORY, hashes_of
from connectors.transports.base import Limits, Object, Transport, fingerprint
from engine.errors import InputError

_WINDOW = 4 << 20
"""A place to cut is looked for in so many bytes."""
_HEAD_BYTES = 4096
_TRIES = 50
_BEGINNING = re.compile(rb'(?:\xef\xbb\xbf)?\s*+\{\s*+"')
_BETWEEN = re.compile(rb'\}[ \t\r]*+\n(?=\{\s*+")')
_raw = msgspec.json.Decoder(msgspec.Raw)


@dataclass(frozen=True, slots=True)
class Counted:
    """What one range holds: how many records, refused ones included, and the hashes of the last that were not. Not ``sound``: it cannot be read
    apart from the others.
    """

    records: int
    hashes: pl.Series
    sound: bool


def cut(transport: Transport, obj: Object, size: int, limits: Limits) -> list[Object]:
    """``obj`` as ranges of about ``size`` stored bytes; alone where its form, or what stands in it, does not allow that."""
    end = obj.size if obj.end is None else obj.end
    if obj.length <= 2 * size or obj.length > limits.max_object_bytes or obj.member is not None or obj.unfinished is not None:
        return [obj]
    try:
        head = transport.stored(obj, 0, _HEAD_BYTES)
        if not readable_in_parts(head) or _BEGINNING.match(head) is None or not _as_planned(transport, obj):
            return [obj]
        places, at = [obj.start], obj.start + size
        while at < end - size // 2:
            found = _place(transport.stored(obj, at, min(at + _WINDOW, end)))
            if found is not None:
                places.append(at + found)
            at += size + (found or 0)
        bounds = list(zip(places, [*places[1:], end], strict=True))
        return [replace(obj, start=low, end=high, prefix=_prefix(transport, obj, high)) for low, high in bounds] if len(bounds) > 1 else [obj]
    except InputError:
        return [obj]  # whoever reads it says what is wrong


def count(transport: Transport, obj: Object, limits: Limits, *, first: bool) -> Counted:
    """What a range of an object holds; ``first`` is the one that nothing else of the same plan stands before."""
    chunk = replace(limits, chunk_bytes=min(limits.chunk_bytes, BATCH_BYTES))
    hashes = [hashes_of(read_before(transport, obj, chunk))] if first and obj.start else []
    records = accepted = 0
    try:
        for piece in records_of(transport.read(obj), obj, chunk):
            records = max(records, end_of(piece))
            if piece.records.height:
                accepted = piece.records["position"][-1] + 1
            hashes.append(hashes_of(piece.records["raw_data"]))
            if any(reject.position is None for reject in piece.rejects):
                return Counted(records, _last(hashes), sound=False)
    except (InputError, OSError):
        return Counted(records, _last(hashes), sound=False)
    # The line before a cut is an object. Where it is no record it became part of something broken, which may go on behind the cut.
    return Counted(records, _last(hashes), sound=accepted == records > 0)


def _last(hashes: Sequence[pl.Series]) -> pl.Series:
    return pl.concat([pl.Series("hash", [], dtype=pl.UInt64), *hashes]).tail(MEMORY)


def _as_planned(transport: Transport, obj: Object) -> bool:
    return obj.end is None or (obj.prefix != "" and _prefix(transport, obj, obj.end) == obj.prefix)


def _prefix(transport: Transport, obj: Object, end: int) -> str:
    return fingerprint(lambda start, stop: transport.stored(obj, start, stop), end)


def _place(block: bytes) -> int | None:
    """A place between two lines that are JSON objects, None where there is none."""
    for tries, between in enumerate(_BETWEEN.finditer(block)):
        before, after = block.rfind(b"\n", 0, between.start()) + 1, block.find(b"\n", between.end())
        if before and after > 0 and _is_json(block[before : between.start() + 1]) and _is_json(block[between.end() : after]):
            return between.end()
        if tries == _TRIES:
            break
    return None


def _is_json(line: bytes) -> bool:
    try:
        _raw.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True
