"""Bytes → JSON values: NDJSON, values after each other, and lists of any size, in windows of bounded size.

The fast paths let a JSON parser find and validate all values of a window at once. Where one value of the window is broken, the tolerant way goes value
by value and refuses only that one: it finds where the next value starts from line ends, brackets, and the keys its neighbours have.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import polars as pl

from connectors.jsonbytes import Discard, Valid, check, list_start, members, value_end
from connectors.texts import Buffer, is_utf8, joined, lengths, over
from connectors.transports.base import Limits
from engine.errors import InputError

LIST_NAMES = frozenset(("Records", "records", "value", "logEvents", "Events", "events", "receivedMessages", "resourceSpans", "resourceLogs"))
"""Members that hold the records of a document."""

_BLANK = re.compile(rb"[\s,\x1e]*+")
_SPACE = re.compile(rb"\s*+")
_NULS = re.compile(rb"\x00++")
_SEPARATOR = re.compile(rb"\s*+(?:,\s*+(?=[^\s\]])|(?=[\]{])|,)")
_HEAD = re.compile(rb'\{\s*+"[^"\\]*+(?:\\.[^"\\]*+)*+"')
_FIRST_KEY = re.compile(rb'\{\s*+"([^"\\]*+(?:\\.[^"\\]*+)*+)"')
_NEXT = re.compile(rb",\s*+(?=\{)")
_CLOSING = re.compile(rb"\s*+(?:\}\s*+)?\Z")
_BROKEN_LINE = re.compile(rb"[^\[:,]\r?\n\{")
_TAIL = re.compile(rb"\s*+[},]")
_TRIES = 200
_NEAR = 1024 * 1024
_CHAIN = 3
_BOM = b"\xef\xbb\xbf"

_raws = msgspec.json.Decoder(msgspec.Raw)
_list = msgspec.json.Decoder(list[msgspec.Raw])


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


@dataclass(slots=True)
class Values:
    """JSON values in order: ``texts`` (String, null where refused), why by index, indexes of repaired ones, what else is wrong with the object."""

    texts: pl.Series
    reasons: dict[int, str] = field(default_factory=dict)
    repaired: set[int] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _List:
    """A list that is being read element by element."""

    named: bool
    separator: bytes = b","
    head: bytes | None = None
    keys: set[str] = field(default_factory=set)
    seen: int = 0
    after_comma: bool = False


class _Gathered:
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


class Splitter:
    """Iterates over the `Values` of an object. ``decompressed`` counts the bytes read so far; ``error`` is what ended the blocks too early."""

    def __init__(self, blocks: Iterable[bytes], limits: Limits, *, fast: bool = True) -> None:
        self._chunk = limits.chunk_bytes
        self._longest = max(limits.chunk_bytes, limits.max_record_bytes)
        self._blocks = iter(blocks)
        self._rest = b""
        self._buffer = b""
        self._at = 0
        self._ended = False
        self._need = self._chunk
        self._lists: list[_List] = []
        self._lines = False
        self._started = False
        self._fast = fast
        self.decompressed = 0
        self.error: InputError | None = None

    def __iter__(self) -> Iterator[Values]:
        while self._fill():
            before = self._at
            values = (self._fast_way() if self._fast else None) or self._tolerant_way()
            self._need = self._chunk if self._at > before else 2 * (len(self._buffer) - self._at)
            yield values
        if self._lists:
            gathered = _Gathered()
            gathered.problem("cut off inside its list of records")
            yield gathered.done()

    # --- the window ---

    def _fill(self) -> bool:
        """Move the window on. False when nothing is left."""
        parts = [self._buffer[self._at :]] if self._at < len(self._buffer) else []
        held = len(self._buffer) - self._at
        while held < self._need and (block := self._block()):
            parts.append(block)
            held += len(block)
        self._buffer = parts[0] if len(parts) == 1 else b"".join(parts)
        self._at = 0
        if not self._started and self._buffer.startswith(_BOM):
            self._at = len(_BOM)
        self._started = True
        return held > self._at

    def _block(self) -> bytes:
        """The next bytes, at most a chunk of them, b"" at the end."""
        while not self._rest and not self._ended:
            try:
                self._rest = next(self._blocks)
            except StopIteration:
                self._ended = True
            except InputError as error:
                self._ended, self.error = True, error
            self.decompressed += len(self._rest)
        block, self._rest = (self._rest, b"") if len(self._rest) <= self._chunk else (self._rest[: self._chunk], self._rest[self._chunk :])
        return block

    # --- all at once ---

    def _fast_way(self) -> Values | None:
        if self._lists:
            return self._list_at_once() if len(self._lists) == 1 else None
        self._at = _SPACE.match(self._buffer, self._at).end()  # type: ignore[union-attr]  # matches the empty string too
        cut = len(self._buffer) if self._ended else 1 + max(self._buffer.rfind(b"\n{", self._at), self._buffer.rfind(b"\n[", self._at))
        if self._ended or cut <= self._at:
            for prefix, tail, decoder in _WHOLE:
                if self._buffer.startswith(prefix + b"{", self._at):
                    if self._ended:
                        values = self._whole(prefix, tail, decoder)
                        if values is not None:
                            return values
                    else:
                        self._at += len(prefix)
                        self._lists.append(_List(named=len(prefix) > 1))
                        return self._list_at_once()
        return self._lines_at_once(cut) if cut > self._at else None

    def _whole(self, prefix: bytes, tail: bytes, decoder: msgspec.json.Decoder[Any]) -> Values | None:
        """A canonical document that fills the window."""
        if not is_utf8(self._buffer):
            return None
        try:
            found = decoder.decode(self._buffer if not self._at else memoryview(self._buffer)[self._at :])
        except (msgspec.DecodeError, RecursionError):
            return None
        sizes = lengths(found if isinstance(found, list) else found.values)
        first = self._at + len(prefix)
        end = first + int(sizes.sum()) + len(sizes) - 1
        if self._buffer[end:].strip() != tail:
            return None
        texts = over(self._buffer, sizes, first, b",")
        if texts is None:
            return None
        self._at = len(self._buffer)
        return Values(texts)

    def _lines_at_once(self, cut: int) -> Values | None:
        """Values after each other, usually one a line."""
        part: bytes | memoryview = self._buffer if not self._at and cut == len(self._buffer) else memoryview(self._buffer)[self._at : cut]
        if not is_utf8(bytes(part) if isinstance(part, memoryview) else part):
            return None
        try:
            found = _raws.decode_lines(part)
        except (msgspec.DecodeError, RecursionError):
            return None
        if not found:
            return None
        sizes = lengths(found)
        texts = next((texts for separator in (b"\n", b"\r\n") if (texts := over(self._buffer, sizes, self._at, separator)) is not None), None)
        self._lines = True
        self._at = cut
        return Values(joined(found) if texts is None else texts)

    def _list_at_once(self) -> Values | None:
        """The elements of the open list that end in the window."""
        current = self._lists[-1]
        if current.head is None:
            head = _HEAD.match(self._buffer, self._at)
            if head is None:
                return None
            current.head = head[0]
        if self._ended:
            cut = self._buffer.rfind(b"]", self._at)
            tail = self._buffer[cut + 1 :].strip()
            return self._elements(cut, len(self._buffer), current.separator, last=True) if tail == (b"}" if current.named else b"") else None
        cut = len(self._buffer)
        for _ in range(4):
            cut = self._buffer.rfind(b"}" + current.separator + current.head, self._at, cut)
            if cut < 0:
                return None
            values = self._elements(cut + 1, cut + 1 + len(current.separator), current.separator, last=False)
            if values is not None:
                return values
        return None

    def _elements(self, cut: int, go_on: int, separator: bytes, *, last: bool) -> Values | None:
        wrapped = b"".join((b"[", memoryview(self._buffer)[self._at : cut], b"]"))
        if not is_utf8(wrapped):
            return None
        try:
            found = _list.decode(wrapped)
        except (msgspec.DecodeError, RecursionError):
            return None
        if not found:
            return None
        texts = over(wrapped, lengths(found), 1, separator)
        self._at = go_on
        self._lists[-1].after_comma = True
        if last:
            self._lists.pop()
        return Values(joined(found) if texts is None else texts)

    # --- one by one ---

    def _tolerant_way(self) -> Values:
        gathered = _Gathered()
        while self._element(gathered) if self._lists else self._value(gathered):
            pass
        return gathered.done()

    def _full(self) -> bool:
        """Whether more bytes cannot or must not be waited for."""
        return self._ended or len(self._buffer) - self._at >= self._longest

    def _value(self, out: _Gathered) -> bool:
        """Take the next value outside any list. False when the window must move on first."""
        buffer, before = self._buffer, self._at
        self._at = start = _BLANK.match(buffer, before).end()  # type: ignore[union-attr]  # matches the empty string too
        if start >= len(buffer):
            return False
        if nuls := _NULS.match(buffer, start):
            out.refuse("NUL bytes")
            self._at = nuls.end()
            return True
        newline = buffer.find(b"\n", start)
        line_end = newline if newline >= 0 else len(buffer) if self._ended else None
        if line_end is not None and (before == 0 or buffer.find(b"\n", before - 1, start) >= 0):
            line = check(buffer[start:line_end])
            if isinstance(line, Valid):
                out.add(line)
                self._lines = True
                self._at = line_end
                return True
        if buffer[start] not in b"{[":
            return self._no_container(out, line_end)
        if newline >= 0 and _BROKEN_LINE.match(buffer, newline - 1) and buffer[start] == 0x7B:
            return self._broken_line(out, newline)
        end = value_end(buffer, start)
        if end is not None and isinstance(value := check(buffer[start:end]), Valid):
            out.add(value)
            self._at = end
            return True
        if end is None and not self._full() and not (self._lines and newline >= 0):
            return False
        return self._broken_value(out, end)

    def _broken_line(self, out: _Gathered, newline: int) -> bool:
        """Refuse one line; where it is a list of records, go through that instead."""
        elements = list_start(self._buffer[self._at : newline], 0, LIST_NAMES)
        if elements is None:
            self._refuse(out, newline, newline)
        else:
            self._at += elements
            self._lists.append(_List(named=True))
        return True

    def _no_container(self, out: _Gathered, line_end: int | None) -> bool:
        if line_end is None:
            if not self._full():
                return False
            self._discard(lines=True)
        else:
            self._at = line_end
        out.refuse("not JSON")
        return True

    def _broken_value(self, out: _Gathered, end: int | None) -> bool:
        buffer, start = self._buffer, self._at
        elements = list_start(buffer, start, LIST_NAMES)
        if elements is not None:
            self._lists.append(_List(named=buffer[start] == 0x7B))
            self._at = elements
            return True
        newline = buffer.find(b"\n", start)
        if self._lines and newline >= 0:
            self._refuse(out, newline, newline)
            return True
        indent = buffer[buffer.rfind(b"\n", 0, start) + 1 : start]
        pattern = rb"\n" + (re.escape(indent) if not indent.strip() else b"") + rb"(?=[{\[])"
        after = re.compile(pattern if end is not None else pattern + rb"|(?<=\})[ \t]*+(?=\{)").search(buffer, start + 1)
        if after is not None and (end is None or after.start() < end):
            self._refuse(out, after.start(), after.end())
        elif end is not None:
            self._refuse(out, end, end)
        elif self._ended:
            self._refuse(out, len(buffer), len(buffer))
        else:
            self._discard(lines=newline < 0)
            out.refuse("longer than a record may be")
        return True

    def _refuse(self, out: _Gathered, end: int, go_on: int) -> None:
        verdict = check(self._buffer[self._at : end])
        out.refuse("broken" if isinstance(verdict, Valid) else verdict)
        self._at = go_on

    def _element(self, out: _Gathered) -> bool:
        """Take the next element of the open list. False when the window must move on first."""
        buffer, current = self._buffer, self._lists[-1]
        self._at = start = _SPACE.match(buffer, self._at).end()  # type: ignore[union-attr]  # matches the empty string too
        if start >= len(buffer):
            return False
        if buffer[start] == 0x5D:
            return self._close(out)
        if buffer[start] == 0x2C:
            out.refuse("no value between two commas")
            self._at += 1
            return True
        end = value_end(buffer, start, stop=start + _NEAR)
        if end is None and start + _NEAR < len(buffer):
            if current.keys and (resume := self._next_element(start + 1, start + _NEAR)) is not None:
                self._refuse(out, *resume)
                return True
            end = value_end(buffer, start)
        separator = _SEPARATOR.match(buffer, end) if end is not None else None
        if not self._full() and (end is None or separator is None or separator.end() >= len(buffer)):
            if end is None or separator is not None or not buffer[end:].strip():
                return False
        if end is not None and separator is not None and isinstance(value := check(buffer[start:end]), Valid):
            self._learn(value)
            out.add(value)
            self._pass(separator)
            return True
        return self._broken_element(out, end, separator)

    def _pass(self, separator: re.Match[bytes]) -> None:
        current = self._lists[-1]
        current.after_comma = b"," in separator[0]
        if current.after_comma:
            current.separator = separator[0]
        self._at = separator.end()

    def _learn(self, value: Valid) -> None:
        """Remember what elements of this list look like."""
        current = self._lists[-1]
        current.seen += 1
        if current.seen <= 16:
            found = members(value.text)
            current.keys.update(found or ())
        if current.head is None and (head := _HEAD.match(bytes(value.text))):
            current.head = head[0]

    def _broken_element(self, out: _Gathered, end: int | None, separator: re.Match[bytes] | None) -> bool:
        buffer, start = self._buffer, self._at
        elements = list_start(buffer, start, LIST_NAMES)
        if elements is not None:
            self._lists.append(_List(named=buffer[start] == 0x7B))
            self._at = elements
            return True
        limit = separator.start() if separator is not None else len(buffer)
        resume = self._next_element(start + 1, limit)
        if resume is not None:
            self._refuse(out, resume[0], resume[1])
            self._lists[-1].after_comma = True
        elif separator is not None and end is not None:
            self._refuse(out, end, end)
            self._pass(separator)
        elif self._ended:
            self._refuse(out, len(buffer), len(buffer))
            self._lists.clear()
        elif not self._full():
            return False
        else:
            self._discard(lines=False)
            out.refuse("longer than a record may be")
            if after := _SEPARATOR.match(self._buffer, self._at):
                self._pass(after)
        return True

    def _next_element(self, start: int, limit: int) -> tuple[int, int] | None:
        """Where the broken element seems to end and the next one to start, between ``start`` and ``limit``."""
        keys = self._lists[-1].keys
        tries = 0
        for comma in _NEXT.finditer(self._buffer, start, limit + 1):
            key = _FIRST_KEY.match(self._buffer, comma.end())
            if key is None or (keys and key[1].decode("utf-8", "replace") not in keys):
                continue
            tries += 1
            if tries > _TRIES:
                return None
            if self._plausible(comma.end()):
                return comma.start(), comma.end()
        return None

    def _plausible(self, start: int) -> bool:
        """Whether an element of the open list starts here: its keys are those of its neighbours, or a chain of valid elements follows."""
        keys = self._lists[-1].keys
        for _ in range(_CHAIN):
            end = value_end(self._buffer, start)
            found = members(self._buffer[start:end]) if end is not None else None
            if end is None or found is None:
                return False
            if keys:
                return 2 * len(keys.intersection(found)) > len(found)
            if _CLOSING.match(self._buffer, _end_of_list(self._buffer, end)):
                return True
            after = _NEXT.match(self._buffer, _SPACE.match(self._buffer, end).end())  # type: ignore[union-attr]  # matches the empty string too
            if after is None:
                return False
            start = after.end()
        return True

    def _close(self, out: _Gathered) -> bool:
        """Leave the open list. False when the window must move on first."""
        current = self._lists[-1]
        end: int | None = self._at + 1
        if current.named:
            tail = _TAIL.match(self._buffer, self._at + 1)
            end = value_end(self._buffer, self._at + 1, depth=1) if tail is not None else None
            if end is None and not self._full() and (tail is not None or not self._buffer[self._at + 1 :].strip()):
                return False
        if current.after_comma:
            out.refuse("no value after the last comma")
        if end is None:
            out.problem("its list of records ends, but not the object around it")
            end = self._at + 1
        self._at = end
        self._lists.pop()
        if self._lists and (separator := _SEPARATOR.match(self._buffer, end)):
            self._pass(separator)
        return True

    def _discard(self, *, lines: bool) -> None:
        """Pass over the value at hand, to the end of its line or of its brackets, holding one block at a time."""
        block, ended = self._buffer[self._at :], Discard()
        while block:
            end = (block.find(b"\n") if b"\n" in block else None) if lines else ended.feed(block)
            if end is not None:
                self._buffer, self._at = block, end
                return
            block = self._block()
        self._buffer, self._at = b"", 0


def _end_of_list(buffer: bytes, position: int) -> int:
    """Index after the bracket that closes a list at ``position``, ``position`` itself where something else stands there."""
    at = _SPACE.match(buffer, position).end()  # type: ignore[union-attr]  # matches the empty string too
    return at + 1 if buffer[at : at + 1] == b"]" else position
