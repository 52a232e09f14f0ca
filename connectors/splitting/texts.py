"""Record texts as Arrow strings, made without copying where the bytes allow it."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa

_INLINE = 12
"""Arrow keeps texts of up to so many bytes in the view itself."""
_FARTHEST = (1 << 31) - 1
"""Arrow's views reach no farther into a buffer."""

Buffer = bytes | bytearray | memoryview | msgspec.Raw


def lengths(texts: Sequence[Any]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Byte lengths of ``texts``."""
    return np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))


def over(buffer: bytes, sizes: np.ndarray[Any, np.dtype[np.int64]], first: int, separator: bytes) -> pl.Series | None:
    """A String series over ``buffer``: texts of ``sizes`` bytes, the first at ``first``, ``separator`` between each two. Nothing is copied.

    None where that is not how the bytes lie. The bounds are exact, given that a JSON parser found values of these sizes in this order with only
    white space and commas between them: the first value starts at ``first``, since its first byte is no white space; and if ``separator`` follows a
    value and the byte after it is no white space either, the next value starts there. So by induction all bounds hold. ``buffer`` must be UTF-8.
    """
    count, width = len(sizes), len(separator)
    ends = np.cumsum(sizes + width) + (first - width)
    starts = ends - sizes
    if int(ends[-1]) > len(buffer) or len(buffer) > _FARTHEST:
        return None
    data = np.frombuffer(buffer, dtype=np.uint8)
    if not (data[starts] == ord("{")).all():
        return None
    between = ends[:-1]
    if not all((data[between + i] == byte).all() for i, byte in enumerate(separator)):
        return None
    column = pa.Array.from_buffers(pa.string_view(), count, [None, pa.py_buffer(views(data, starts, sizes)), pa.py_buffer(buffer)])
    return pl.Series("raw_data", pl.from_arrow(column), dtype=pl.String)


def views(
    data: np.ndarray[Any, np.dtype[np.uint8]], starts: np.ndarray[Any, np.dtype[np.int64]], sizes: np.ndarray[Any, np.dtype[np.int64]]
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Arrow's string views of the texts at ``starts``: length, first four bytes, buffer 0, place; of short texts length and text."""
    made = np.zeros((len(sizes), 16), dtype=np.uint8)
    numbers = made.view(np.uint32)
    numbers[:, 0] = sizes
    numbers[:, 3] = starts
    for at in range(4):
        made[:, 4 + at] = data[np.minimum(starts + at, len(data) - 1)]
    short = np.flatnonzero(sizes <= _INLINE)
    if short.size:
        places = np.arange(_INLINE)
        texts = data[np.minimum(starts[short, None] + places, len(data) - 1)]
        texts[places >= sizes[short, None]] = 0
        made[short, 4:] = texts
    return made


def joined(texts: Sequence[Any]) -> pl.Series:
    """A String series of UTF-8 ``texts`` (anything with the buffer protocol), copied once."""
    if not texts:
        return pl.Series("raw_data", [], dtype=pl.String)
    offsets = np.zeros(len(texts) + 1, dtype=np.int64)
    np.cumsum(lengths(texts), out=offsets[1:])
    column = pa.LargeStringArray.from_buffers(len(texts), pa.py_buffer(offsets), pa.py_buffer(b"".join(texts)))
    return pl.Series("raw_data", pl.from_arrow(column), dtype=pl.String)


def as_utf8(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """``blocks`` in UTF-8, if a byte order mark says that they are UTF-16, as files written by PowerShell are; otherwise unchanged."""
    decoder: codecs.IncrementalDecoder | None = None
    start = True
    for block in blocks:
        if start and block[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            decoder = codecs.getincrementaldecoder("utf-16")("replace")
        start = False
        yield block if decoder is None else decoder.decode(block).encode("utf-8", "replace")
    if decoder is not None:
        yield decoder.decode(b"", final=True).encode("utf-8", "replace")


def is_utf8(buffer: bytes) -> bool:
    """Whether ``buffer`` is valid UTF-8."""
    if buffer.isascii():
        return True
    try:
        buffer.decode()
    except UnicodeDecodeError:
        return False
    return True
