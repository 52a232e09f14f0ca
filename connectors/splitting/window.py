"""A moving window over the bytes of an object, and what is known at its place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import polars as pl

from connectors.splitting.jsonbytes import Discard, Valid
from connectors.splitting.texts import Buffer, joined
from connectors.transports.base import Limits
from engine.errors import InputError

_BOM = b"\xef\xbb\xbf"


@dataclass(slots=True)
class Values:
    """JSON values in order: ``texts`` (String, null where refused), why by index, indexes of repaired ones, what else is wrong with the object."""

    texts: pl.Series
    reasons: dict[int, str] = field(default_factory=dict)
    repaired: set[int] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)


@dataclass(slots=True)
class OpenList:
    """A list that is being read element by element.

    ``separator`` and ``head`` are the last bytes seen between two elements and at the start of one. ``keys`` are the members of its first elements,
    ``fewest`` the least number of them in one.
    """

    named: bool
    separator: bytes = b","
    head: bytes | None = None
    keys: set[str] = field(default_factory=set)
    fewest: int = 0
    seen: int = 0
    after_comma: bool = False


class Gathered:
    """Values that are found one by one."""

    def __init__(self) -> None:
        self._texts: list[Buffer | None] = []
        self._values = Values(pl.Series("raw_data", [], dtype=pl.String))

    def add(self, value: Valid) -> None:
        if value.repaired:
            self._values.repaired.add(len(self._texts))
        self._texts.append(value.text)

    def refuse(self, reason: str) -> None:
        self._values.reasons[len(self._texts)] = reason
        self._texts.append(None)

    def problem(self, reason: str) -> None:
        self._values.problems.append(reason)

    def done(self) -> Values:
        texts = joined([b"" if text is None else text for text in self._texts])
        if self._values.reasons:
            kept = pl.Series([text is not None for text in self._texts])
            texts = texts.zip_with(kept, pl.Series([None], dtype=pl.String))
        self._values.texts = texts
        return self._values


class Window:
    """The bytes at hand. ``buffer[at:]`` is unread; ``lists`` are the lists around it, outermost first; ``lines``: values have stood one a line,
    ``opening``: these are the first bytes of the object.

    ``decompressed`` counts the bytes read so far; ``error`` is what ended the blocks too early.
    """

    def __init__(self, blocks: Iterable[bytes], limits: Limits) -> None:
        self.buffer = b""
        self.at = 0
        self.ended = False
        self.lists: list[OpenList] = []
        self.lines = False
        self.opening = True
        self.decompressed = 0
        self.error: InputError | None = None
        self._blocks = iter(blocks)
        self._rest = b""
        self._chunk = limits.chunk_bytes
        self._longest = max(limits.chunk_bytes, limits.max_record_bytes)
        self._need = self._chunk
        self._filled_at = -1

    def fill(self) -> bool:
        """Move on: to a chunk of bytes, or to twice as many as before where those were not enough to take a value. False when nothing is left."""
        held = len(self.buffer) - self.at
        self._need = self._chunk if not held or self.at != self._filled_at else 2 * held
        parts = [self.buffer[self.at :]] if held else []
        while held < self._need and (block := self._block()):
            parts.append(block)
            held += len(block)
        self.buffer = parts[0] if len(parts) == 1 else b"".join(parts)
        self.opening = self._filled_at < 0
        self.at = len(_BOM) if self.opening and self.buffer.startswith(_BOM) else 0
        self._filled_at = self.at
        return self.at < len(self.buffer)

    def full(self) -> bool:
        """Whether no more bytes can, or need to, be waited for."""
        return self.ended or len(self.buffer) - self.at >= self._longest

    def discard(self, *, lines: bool) -> None:
        """Pass over the value at hand, to the end of its line or of its brackets, holding one block at a time."""
        block, brackets = self.buffer[self.at :], Discard()
        while block:
            end = (block.find(b"\n") if b"\n" in block else None) if lines else brackets.feed(block)
            if end is not None:
                self.buffer, self.at = block, end
                return
            block = self._block()
        self.buffer, self.at = b"", 0

    def _block(self) -> bytes:
        """The next bytes, at most a chunk of them, b"" at the end."""
        while not self._rest and not self.ended:
            try:
                self._rest = next(self._blocks)
            except StopIteration:
                self.ended = True
            except InputError as error:
                self.ended, self.error = True, error
            self.decompressed += len(self._rest)
        block, self._rest = (self._rest, b"") if len(self._rest) <= self._chunk else (self._rest[: self._chunk], self._rest[self._chunk :])
        return block
