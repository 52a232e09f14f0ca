"""JSON as bytes: where a value ends, whether it is valid, and how to mend its text. No value is built, so hostile input costs no memory.

`value_end` only balances brackets outside strings; `check` decides whether what lies between is JSON.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass

import msgspec

_FLAT = re.compile(rb'[^"{}\[\]]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^"{}\[\]]*+)*+', re.DOTALL)
_OPENERS = re.compile(rb"[{\[]++")
_CLOSERS = re.compile(rb"[}\]]++")
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_SCALAR = re.compile(rb"[^\s,\[\]{}]++")
_IN_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_ESCAPE = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\\.", re.DOTALL)
_MEMBER = re.compile(rb'\s*(?:,\s*)?"([^"\\]*+(?:\\.[^"\\]*+)*+)"\s*:\s*', re.DOTALL)
TOO_DEEP = "nested far deeper than the limit"
_RAW = msgspec.json.Decoder(msgspec.Raw)
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True, slots=True)
class Valid:
    """A JSON text in valid UTF-8 without white space around it. ``repaired``: bytes or escapes that mean no character became U+FFFD."""

    text: bytes | msgspec.Raw
    repaired: bool = False


def check(text: bytes) -> Valid | str:
    """``text`` as one valid JSON value, or why it is none."""
    repaired = False
    if not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError:
            text, repaired = text.decode("utf-8", "replace").encode(), True
    try:
        return Valid(_RAW.decode(text), repaired)
    except RecursionError:
        return TOO_DEEP
    except msgspec.DecodeError as error:
        mended = without_lone_surrogates(text)
        if mended == text:
            return _reason(error)
    try:
        return Valid(_RAW.decode(mended), True)
    except msgspec.DecodeError as error:
        return _reason(error)


def _reason(error: msgspec.DecodeError) -> str:
    message = str(error)
    return "cut off in the middle" if "truncated" in message else "not valid JSON: " + message.removeprefix("JSON is malformed: ")


def without_lone_surrogates(text: bytes) -> bytes:
    r"""``text`` with every ``\ud800``–``\udfff`` escape that has no partner written ``\ufffd``."""
    return _ESCAPE.sub(_mended, text)


def _mended(escape: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if len(escape[0]) == 6 else escape[0]


def members(text: bytes | bytearray | memoryview | msgspec.Raw) -> dict[str, msgspec.Raw] | None:
    """Key → value of the JSON object ``text``, the last of equal keys; None where it is no valid object."""
    try:
        return _MEMBERS.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def value_end(buffer: bytes, start: int, depth: int = 0, stop: int = sys.maxsize) -> int | None:
    """Index after the value that starts at ``start``, None where ``buffer`` ends or ``stop`` comes first. ``depth`` brackets are open already."""
    if not depth and buffer[start] not in b"{[":
        if buffer[start] == 0x22:
            string = _STRING.match(buffer, start)
            return string.end() if string else None
        scalar = _SCALAR.match(buffer, start)
        end = scalar.end() if scalar else start
        return end if end < len(buffer) else None
    position = start
    while True:
        position = _end(_FLAT, buffer, position, stop)
        if run := _OPENERS.match(buffer, position, stop):
            depth += run.end() - position
        elif run := _CLOSERS.match(buffer, position, stop):
            if depth <= run.end() - position:
                return position + depth
            depth -= run.end() - position
        else:
            return None
        position = run.end()


def depth_of(text: bytes) -> int:
    """How deep the containers of the valid JSON ``text`` are nested."""
    deepest = depth = position = 0
    while position < len(text):
        position = _end(_FLAT, text, position)
        if run := _OPENERS.match(text, position):
            depth += run.end() - position
            deepest = max(deepest, depth)
        elif run := _CLOSERS.match(text, position):
            depth -= run.end() - position
        else:
            break
        position = run.end()
    return deepest


def list_start(buffer: bytes, start: int, names: frozenset[str]) -> int | None:
    """Where the elements begin, if the value at ``start`` is a list, or an object whose members before a list named in ``names`` are scalars."""
    if buffer[start] == 0x5B:
        return start + 1
    if buffer[start] != 0x7B:
        return None
    position = start + 1
    while member := _MEMBER.match(buffer, position):
        position = member.end()
        if position >= len(buffer) or buffer[position] == 0x7B:
            return None
        if buffer[position] == 0x5B:
            return position + 1 if member[1].decode("utf-8", "replace") in names else None
        end = value_end(buffer, position)
        if end is None:
            return None
        position = end
    return None


class Discard:
    """Finds the end of a value that is too large to be held, one block at a time."""

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._kept = b""

    def feed(self, block: bytes) -> int | None:
        """Index in ``block`` after the end of the value, None while it goes on. The first block starts with the value."""
        data, shift = self._kept + block, len(self._kept)
        self._kept = b""
        position = 0
        while position < len(data):
            if self._in_string:
                position = _end(_IN_STRING, data, position)
                if position == len(data) - 1 and data[position] == 0x5C:
                    self._kept = b"\\"
                    return None
                if position < len(data):
                    position += 1
                    self._in_string = False
                continue
            position = _end(_FLAT, data, position)
            if position >= len(data):
                return None
            byte = data[position]
            position += 1
            if byte == 0x22:
                self._in_string = True
            elif byte in b"{[":
                self._depth += 1
            else:
                self._depth -= 1
            if self._depth <= 0 and not self._in_string:
                return position - shift
        return None


def _end(pattern: re.Pattern[bytes], data: bytes, position: int, stop: int = sys.maxsize) -> int:
    match = pattern.match(data, position, stop)
    return match.end() if match else position
