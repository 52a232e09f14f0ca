"""JSON values one by one, where the bytes are damaged or in no usual form.

A broken value is refused alone: where the next one starts is found from line ends, brackets, and the keys its neighbours have.
"""

from __future__ import annotations

import re

from connectors.splitting.jsonbytes import Valid, check, list_start, members, value_end
from connectors.splitting.window import Gathered, OpenList, Values, Window

LIST_NAMES = frozenset(("Records", "records", "value", "logEvents", "Events", "events", "receivedMessages", "resourceSpans", "resourceLogs"))
"""Members that hold the records of a document."""

_BLANK = re.compile(rb"[\s,\x1e]*+")
_SPACE = re.compile(rb"\s*+")
_NULS = re.compile(rb"\x00++")
_SEPARATOR = re.compile(rb'\s*+(?:,\s*+(?=[^\s\]])(?!"[^"\\]*+(?:\\.[^"\\]*+)*+"\s*+:)|(?=[\]{])|,\s*+(?=\]|\Z))')
_HEAD = re.compile(rb'\{\s*+"[^"\\]*+(?:\\.[^"\\]*+)*+"')
_FIRST_KEY = re.compile(rb'\{\s*+"([^"\\]*+(?:\\.[^"\\]*+)*+)"')
_NEXT = re.compile(rb",\s*+(?=\{)")
_CLOSING = re.compile(rb"\s*+\]\s*+(?:\}\s*+)?\Z")
_FOLLOWER = re.compile(rb"[ \t\r\x00]*+(?:,[ \t\r]*+)?(?:(?=[{\[\n\x1e])|\Z)")
_BROKEN_LINE = re.compile(rb"[^\[:,]\r?\n\{")
_AFTER_LIST = re.compile(rb"\]\s*+(?:[\],{\[]|\Z)")
_AFTER_NAMED_LIST = re.compile(rb"\]\s*+(?:,|\}\s*+(?:[\],{\[]|\Z))")
_TAIL = re.compile(rb"\s*+[},]")
_TRIES = 200
_NEAR = 1024 * 1024
_CHAIN = 3
_NESTED = 4


class Tolerant:
    """Takes values from a window one at a time."""

    def __init__(self, window: Window) -> None:
        self._window = window

    def values(self) -> Values:
        gathered = Gathered()
        while self._element(gathered) if self._window.lists else self._value(gathered):
            pass
        return gathered.done()

    def _value(self, out: Gathered) -> bool:
        """Take the next value outside any list. False when the window must move on first."""
        buffer, before = self._window.buffer, self._window.at
        self._window.at = start = _BLANK.match(buffer, before).end()  # type: ignore[union-attr]  # matches the empty string too
        if start >= len(buffer):
            return False
        if nuls := _NULS.match(buffer, start):
            out.refuse("NUL bytes")
            self._window.at = nuls.end()
            return True
        newline = buffer.find(b"\n", start)
        line_end = newline if newline >= 0 else len(buffer) if self._window.ended else None
        if line_end is not None and (before == 0 or buffer.find(b"\n", before - 1, start) >= 0):
            line = check(buffer[start:line_end])
            if isinstance(line, Valid):
                self._window.lines = True
                return self._take(out, line, line_end)
        if buffer[start] not in b"{[":
            return self._no_container(out, line_end)
        if newline >= 0 and _BROKEN_LINE.match(buffer, newline - 1) and buffer[start] == 0x7B:
            return self._broken_line(out, newline)
        end = value_end(buffer, start)
        if end is not None and isinstance(value := check(buffer[start:end]), Valid):
            follower = _FOLLOWER.match(buffer, end)
            if follower is None:
                return self._glued(out, newline)
            if follower.end() == len(buffer) and not self._window.full():
                return False
            return self._take(out, value, end)
        if end is None and not self._window.full():
            return False
        return self._broken_value(out, end)

    def _take(self, out: Gathered, value: Valid, end: int) -> bool:
        """Accept a value; a mended list is gone through instead, since only some of its records are mended."""
        if not value.repaired or not self._enter():
            out.add(value)
            self._window.at = end
        return True

    def _enter(self) -> bool:
        """Go into the value at hand, if it is a list of records."""
        window = self._window
        elements = list_start(window.buffer, window.at, LIST_NAMES) if len(window.lists) < _NESTED else None
        if elements is None:
            return False
        window.lists.append(OpenList(named=window.buffer[window.at] == 0x7B))
        window.at = elements
        return True

    def _broken_line(self, out: Gathered, newline: int) -> bool:
        """Refuse one line; where it is a list of records, go through that instead."""
        if list_start(self._window.buffer[self._window.at : newline], 0, LIST_NAMES) is None or not self._enter():
            self._refuse(out, newline, newline)
        return True

    def _no_container(self, out: Gathered, line_end: int | None) -> bool:
        if line_end is None:
            if not self._window.full():
                return False
            self._window.discard(lines=True)
        else:
            self._window.at = line_end
        out.refuse("not JSON")
        return True

    def _glued(self, out: Gathered, newline: int) -> bool:
        """Refuse a value with something on its line that is no value."""
        if newline < 0 and not self._window.full():
            return False
        line_end = newline if newline >= 0 else len(self._window.buffer)
        self._refuse(out, line_end, line_end)
        return True

    def _value_follows(self, start: int) -> bool:
        """Whether a valid object with members or the end of the line stands at ``start``, so that a broken value does seem to end before it."""
        buffer = self._window.buffer
        if start >= len(buffer) or buffer[start] not in b"{[":
            return True
        end = value_end(buffer, start) if _FIRST_KEY.match(buffer, start) else None
        return end is not None and isinstance(check(buffer[start:end]), Valid)

    def _broken_value(self, out: Gathered, end: int | None) -> bool:
        buffer, start = self._window.buffer, self._window.at
        if self._enter():
            return True
        newline = buffer.find(b"\n", start)
        if self._window.lines and newline >= 0:
            self._refuse(out, newline, newline)
            return True
        indent = buffer[buffer.rfind(b"\n", 0, start) + 1 : start]
        pattern = rb"\n" + (re.escape(indent) if not indent.strip() else b"") + rb"(?=[{\[])"
        after = re.compile(pattern if end is not None else pattern + rb"|(?<=\})[ \t]*+(?=\{)").search(buffer, start + 1)
        if after is not None and (end is None or after.start() < end):
            self._refuse(out, after.start(), after.end())
        elif end is not None:
            follower = _FOLLOWER.match(buffer, end)
            if follower is None or not self._value_follows(follower.end()):
                return self._glued(out, newline)
            self._refuse(out, end, end)
        elif self._window.ended:
            self._refuse(out, len(buffer), len(buffer))
        else:
            self._window.discard(lines=newline < 0)
            out.refuse("longer than a record may be")
        return True

    def _refuse(self, out: Gathered, end: int, go_on: int) -> None:
        verdict = check(self._window.buffer[self._window.at : end])
        out.refuse("broken" if isinstance(verdict, Valid) else verdict)
        self._window.at = go_on

    def _element(self, out: Gathered) -> bool:
        """Take the next element of the open list. False when the window must move on first."""
        buffer, current = self._window.buffer, self._window.lists[-1]
        self._window.at = start = _SPACE.match(buffer, self._window.at).end()  # type: ignore[union-attr]  # matches the empty string too
        if start >= len(buffer):
            return False
        if buffer[start] == 0x5D:
            return self._close(out)
        if buffer[start] == 0x2C:
            out.refuse("no value between two commas")
            self._window.at += 1
            return True
        end = value_end(buffer, start, stop=start + _NEAR)
        if end is None and start + _NEAR < len(buffer):
            if current.keys and (resume := self._next_element(start + 1, start + _NEAR)) is not None:
                self._refuse(out, *resume)
                return True
            end = value_end(buffer, start)
        separator = _SEPARATOR.match(buffer, end) if end is not None else None
        ends_here = end is None or (not buffer[end:].strip() if separator is None else _undecided(buffer, separator.end()))
        if ends_here and not self._window.full():
            return False
        if end is not None and separator is not None and isinstance(value := check(buffer[start:end]), Valid):
            if value.repaired and self._enter():
                return True
            self._learn(value)
            out.add(value)
            self._pass(separator)
            return True
        return self._broken_element(out, end, separator)

    def _pass(self, separator: re.Match[bytes]) -> None:
        current = self._window.lists[-1]
        current.after_comma = b"," in separator[0]
        if current.after_comma:
            current.separator = separator[0]
        self._window.at = separator.end()

    def _learn(self, value: Valid) -> None:
        """Remember what elements of this list look like."""
        current = self._window.lists[-1]
        current.seen += 1
        if current.seen <= 16:
            found = members(value.text)
            current.keys.update(found or ())
            current.fewest = min(current.fewest or len(found or ()), len(found or ()))
        if current.head is None and (head := _HEAD.match(bytes(value.text))):
            current.head = head[0]

    def _broken_element(self, out: Gathered, end: int | None, separator: re.Match[bytes] | None) -> bool:
        """Refuse the element at hand, which seems to end at ``end`` before ``separator``, if it does seem to end."""
        buffer, start = self._window.buffer, self._window.at
        if self._enter():
            return True
        believed = separator is not None and self._element_follows(separator)
        resume = self._next_element(start + 1, separator.start() if separator is not None and believed else len(buffer))
        if resume is not None:
            self._refuse(out, resume[0], resume[1])
            self._window.lists[-1].after_comma = True
        elif not believed and not self._window.full():
            return False
        elif separator is not None and end is not None:
            self._refuse(out, end, end)
            self._pass(separator)
        elif self._window.ended:
            self._refuse(out, len(buffer), len(buffer))
            self._window.lists.clear()
        else:
            self._window.discard(lines=False)
            out.refuse("longer than a record may be")
            if after := _SEPARATOR.match(self._window.buffer, self._window.at):
                self._pass(after)
        return True

    def _element_follows(self, separator: re.Match[bytes]) -> bool:
        """Whether what stands behind a broken element looks like the next one, or like the end of the list.

        Where a quote is missing, brackets in a later text can make it seem that the element ends in its middle.
        """
        current, buffer, place = self._window.lists[-1], self._window.buffer, separator.end()
        if buffer[place : place + 1] == b"]":
            return (_AFTER_NAMED_LIST if current.named else _AFTER_LIST).match(buffer, place) is not None
        head = _FIRST_KEY.match(buffer, place)
        own = _FIRST_KEY.match(buffer, self._window.at)
        known = head is not None and (_key(head) in current.keys or (own is not None and own[1] == head[1]))
        return known if b"," in separator[0] else known and self._value_follows(place)

    def _next_element(self, start: int, limit: int) -> tuple[int, int] | None:
        """Where the broken element seems to end and the next one to start, between ``start`` and ``limit``.

        That is an object with the keys of this list's elements, or one that starts with the same key and stands in a row of valid objects; where
        there is none, one that starts with that key and has a valid neighbour.
        """
        current, buffer = self._window.lists[-1], self._window.buffer
        own = _FIRST_KEY.match(current.head or buffer[self._window.at : self._window.at + _NEAR])
        first = _key(own) if own else None
        for chain in (_CHAIN, 1) if own else (_CHAIN,):
            tries = 0
            for comma in _NEXT.finditer(buffer, start, limit + 1):
                place = comma.end()
                head = _FIRST_KEY.match(buffer, place)
                key = _key(head) if head else None
                if key is None or (first is not None and key != first and key not in current.keys):
                    continue
                tries += 1
                if tries > _TRIES:
                    break
                if (current.keys and self._alike(place)) or (first in (None, key) and self._in_a_row(place, chain)):
                    return comma.start(), place
        return None

    def _in_a_row(self, start: int, chain: int) -> bool:
        """Whether as many valid objects follow each other from ``start`` on, or fewer and the end of the list."""
        buffer = self._window.buffer
        for _ in range(chain):
            end = value_end(buffer, start)
            if end is None or members(buffer[start:end]) is None:
                return False
            if _CLOSING.match(buffer, end):
                return True
            after = _NEXT.match(buffer, _SPACE.match(buffer, end).end())  # type: ignore[union-attr]  # matches the empty string too
            if after is None:
                return False
            start = after.end()
        return True

    def _alike(self, start: int) -> bool:
        """Whether a valid object starts here that looks like the elements of the open list and not like something inside one."""
        current, buffer = self._window.lists[-1], self._window.buffer
        end = value_end(buffer, start)
        found = members(buffer[start:end]) if end is not None else None
        return found is not None and 2 * len(current.keys.intersection(found)) >= current.fewest

    def _close(self, out: Gathered) -> bool:
        """Leave the open list. False when the window must move on first."""
        current = self._window.lists[-1]
        end: int | None = self._window.at + 1
        if current.named:
            tail = _TAIL.match(self._window.buffer, self._window.at + 1)
            end = value_end(self._window.buffer, self._window.at + 1, depth=1) if tail is not None else None
            if end is None and not self._window.full() and (tail is not None or not self._window.buffer[self._window.at + 1 :].strip()):
                return False
        if current.after_comma:
            out.refuse("no value after the last comma")
        if end is None:
            out.problem("its list of records ends, but not the object around it")
            end = self._window.at + 1
        self._window.at = end
        self._window.lists.pop()
        if self._window.lists and (separator := _SEPARATOR.match(self._window.buffer, end)):
            self._pass(separator)
        return True


def _undecided(buffer: bytes, position: int) -> bool:
    """Whether more bytes must show what stands at ``position``: a value, or the name of a member."""
    if position >= len(buffer):
        return True
    if buffer[position] != 0x22:
        return False
    end = value_end(buffer, position)
    return end is None or not buffer[end:].strip()


def _key(head: re.Match[bytes]) -> str:
    return head[1].decode("utf-8", "replace")
