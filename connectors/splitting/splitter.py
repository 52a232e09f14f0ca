"""Bytes → JSON values: NDJSON, values after each other, and lists of any size, in windows of bounded size.

The fast paths let a JSON parser find and validate all values of a window at once. Where that cannot be done, `Tolerant` goes value by value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from connectors.splitting.texts import is_utf8, joined, lengths, over
from connectors.splitting.tolerant import Tolerant
from connectors.splitting.window import Gathered, OpenList, Values, Window
from connectors.transports.base import Limits
from engine.errors import InputError

_SPACE = re.compile(rb"\s*+")
_HEAD = re.compile(rb'\{\s*+"[^"\\]*+(?:\\.[^"\\]*+)*+"')

_raws = msgspec.json.Decoder(msgspec.Raw)
_list = msgspec.json.Decoder(list[msgspec.Raw])


_MAY_BE_JSON = re.compile(rb'(?:\A|[\n\r\x00\xbf])[\s,]*+[{\["]')
_ENOUGH = 64 * 1024
_MAGIC = (
    (b"PAR1", "a Parquet file"),
    (b"Obj\x01", "an Avro file"),
    (b"ORC", "an ORC file"),
    (b"SQLite format 3", "an SQLite database"),
    (b"ElfFile", "a Windows event log"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ", "an xz file"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"%PDF", "a PDF file"),
)


class _Records(msgspec.Struct):
    values: list[msgspec.Raw] = msgspec.field(name="Records")


class _LowerRecords(msgspec.Struct):
    values: list[msgspec.Raw] = msgspec.field(name="records")


class _Page(msgspec.Struct):
    values: list[msgspec.Raw] = msgspec.field(name="value")


_WHOLE: tuple[tuple[bytes, bytes, msgspec.json.Decoder[Any]], ...] = (
    (b'{"Records":[', b"]}", msgspec.json.Decoder(_Records)),
    (b'{"records":[', b"]}", msgspec.json.Decoder(_LowerRecords)),
    (b'{"value":[', b"]}", msgspec.json.Decoder(_Page)),
    (b"[", b"]", _list),
)


class Splitter:
    """Iterates over the `Values` of an object, window by window."""

    def __init__(self, blocks: Iterable[bytes], limits: Limits, *, fast: bool = True, continued: bool = False) -> None:
        self._window = Window(blocks, limits)
        self._tolerant = Tolerant(self._window)
        self._fast = fast
        self._continued = continued

    @property
    def decompressed(self) -> int:
        """Bytes read so far."""
        return self._window.decompressed

    @property
    def error(self) -> InputError | None:
        """What ended the blocks too early."""
        return self._window.error

    def __iter__(self) -> Iterator[Values]:
        while self._window.fill():
            if self._window.opening and not self._continued and (reason := self._no_json()) is not None:
                gathered = Gathered()
                gathered.problem(reason)
                yield gathered.done()
                return
            yield (self._fast_way() if self._fast else None) or self._tolerant.values()
        if self._window.lists:
            gathered = Gathered()
            gathered.problem("cut off inside its list of records")
            yield gathered.done()

    def _no_json(self) -> str | None:
        """Why an object holds nothing for us at all, judged by its first bytes. One line that may be JSON is enough to go on."""
        start = self._window.buffer[:_ENOUGH]
        if kind := next((kind for magic, kind in _MAGIC if start.startswith(magic)), None):
            return f"{kind}: cannot be read"
        if (len(start) < _ENOUGH and not self._window.ended) or not start.strip() or _MAY_BE_JSON.search(start):
            return None
        return "neither JSON nor lines of JSON: cannot be read"

    def _fast_way(self) -> Values | None:
        window = self._window
        if window.lists:
            return self._list_at_once() if len(window.lists) == 1 else None
        window.at = _SPACE.match(window.buffer, window.at).end()  # type: ignore[union-attr]  # matches the empty string too
        cut = len(window.buffer) if window.ended else 1 + max(window.buffer.rfind(b"\n{", window.at), window.buffer.rfind(b"\n[", window.at))
        if window.ended or cut <= window.at:
            for prefix, tail, decoder in _WHOLE:
                if window.buffer.startswith(prefix + b"{", window.at):
                    if window.ended:
                        values = self._whole(prefix, tail, decoder)
                        if values is not None:
                            return values
                    else:
                        window.at += len(prefix)
                        window.lists.append(OpenList(named=len(prefix) > 1))
                        return self._list_at_once()
        return self._lines_at_once(cut) if cut > window.at else None

    def _whole(self, prefix: bytes, tail: bytes, decoder: msgspec.json.Decoder[Any]) -> Values | None:
        """A canonical document that fills the window."""
        window = self._window
        if not is_utf8(window.buffer):
            return None
        try:
            found = decoder.decode(window.buffer if not window.at else memoryview(window.buffer)[window.at :])
        except (msgspec.DecodeError, RecursionError):
            return None
        sizes = lengths(found if isinstance(found, list) else found.values)
        first = window.at + len(prefix)
        end = first + int(sizes.sum()) + len(sizes) - 1
        if window.buffer[end:].strip() != tail:
            return None
        texts = over(window.buffer, sizes, first, b",")
        if texts is None:
            return None
        window.at = len(window.buffer)
        return Values(texts)

    def _lines_at_once(self, cut: int) -> Values | None:
        """Values after each other, usually one a line."""
        window = self._window
        part: bytes | memoryview = window.buffer if not window.at and cut == len(window.buffer) else memoryview(window.buffer)[window.at : cut]
        if not is_utf8(bytes(part) if isinstance(part, memoryview) else part):
            return None
        try:
            found = _raws.decode_lines(part)
        except (msgspec.DecodeError, RecursionError):
            return None
        if not found:
            return None
        sizes = lengths(found)
        texts = next((texts for separator in (b"\n", b"\r\n") if (texts := over(window.buffer, sizes, window.at, separator)) is not None), None)
        window.lines = window.lines or texts is not None
        window.at = cut
        return Values(joined(found) if texts is None else texts)

    def _list_at_once(self) -> Values | None:
        """The elements of the open list that end in the window."""
        window = self._window
        current = window.lists[-1]
        if current.head is None:
            head = _HEAD.match(window.buffer, window.at)
            if head is None:
                return None
            current.head = head[0]
        if window.ended:
            cut = window.buffer.rfind(b"]", window.at)
            tail = window.buffer[cut + 1 :].strip()
            return self._elements(cut, len(window.buffer), current.separator, last=True) if tail == (b"}" if current.named else b"") else None
        cut = len(window.buffer)
        for _ in range(4):
            cut = window.buffer.rfind(b"}" + current.separator + current.head, window.at, cut)
            if cut < 0:
                return None
            values = self._elements(cut + 1, cut + 1 + len(current.separator), current.separator, last=False)
            if values is not None:
                return values
        return None

    def _elements(self, cut: int, go_on: int, separator: bytes, *, last: bool) -> Values | None:
        window = self._window
        wrapped = b"".join((b"[", memoryview(window.buffer)[window.at : cut], b"]"))
        if not is_utf8(wrapped):
            return None
        try:
            found = _list.decode(wrapped)
        except (msgspec.DecodeError, RecursionError):
            return None
        if not found:
            return None
        texts = over(wrapped, lengths(found), 1, separator)
        window.at = go_on
        window.lists[-1].after_comma = True
        if last:
            window.lists.pop()
        return Values(joined(found) if texts is None else texts)
