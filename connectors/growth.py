"""How much of a growing object can be read now, so that what is read in parts is what would be read at once.

A cut is made only between two records. In JSON a line end that follows a closing bracket and precedes an opening one stands between two values and
not inside one, where a comma would be needed; so the last such place is found from the end, and only what follows it has to be looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto

import msgspec

from connectors.splitting.jsonbytes import Discard

Stored = Callable[[int, int], bytes]
"""Stored bytes from here to there."""

STEP = 1024 * 1024
AT_ONCE = 64 * 1024 * 1024
"""More than this is not held to see whether it is complete."""

_BETWEEN = re.compile(rb"[}\]][ \t\r]*+\n[ \t\r\n]*+(?=[{\[])")
_OVERLAP = 256
_IN_NUMBER = b"0123456789+-.eE"
_BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\r\n" + _BOM
_GROWS = "its last record is not complete yet"
_NO_LINE_END = "its last line has no end yet"
_CUT_OFF = "ends inside a record and was not written to for a while: is what writes it still running?"

_raw = msgspec.json.Decoder(msgspec.Raw)


class _Rest(Enum):
    BLANK = auto()
    COMPLETE = auto()
    CUT_OFF = auto()
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class Taken:
    """``end``: how far to read now. ``waits``: why not further; ``refused``: why what is left will not come.

    ``provisional``: all that is there is read although it is cut off, for what it holds; if it changes it is read from the beginning.
    """

    end: int
    waits: str | None = None
    refused: str | None = None
    provisional: bool = False


def take(stored: Stored, start: int, size: int, *, quiet: bool) -> Taken:
    """What to read of an object of ``size`` bytes of which those before ``start`` were read. ``quiet``: nobody has written to it for long."""
    cut = _last_between(stored, start, size)
    kind, line_end = _judge(stored, cut, size)
    if kind is _Rest.BLANK:
        return Taken(size)
    if kind is _Rest.CUT_OFF:
        if not quiet:
            return Taken(cut, waits=_GROWS)
        return Taken(cut, refused=_CUT_OFF) if cut else Taken(size, provisional=True)
    alone = kind is _Rest.COMPLETE and not cut
    if quiet or alone or line_end == size:
        return Taken(size)
    return Taken(line_end if kind is _Rest.OTHER else cut, waits=_NO_LINE_END)


def _last_between(stored: Stored, start: int, size: int) -> int:
    """The last place surely between two records, ``start`` where there is none behind it."""
    stop = size
    while stop > start:
        begin = max(start, stop - STEP)
        block = stored(begin, min(stop + _OVERLAP, size))
        if b"\n" in block:
            last = None
            for last in _BETWEEN.finditer(block):  # noqa: B007 the last one is wanted
                pass
            if last is not None:
                return begin + last.end()
        stop = begin
    return start


def _judge(stored: Stored, start: int, size: int) -> tuple[_Rest, int]:
    """What stands from ``start`` on, and the place after its last line end (``start`` where there is none)."""
    if size - start > AT_ONCE:
        return _judge_steps(stored, start, size)
    rest = stored(start, size)
    line_end = start + rest.rfind(b"\n") + 1
    if not start and _BOM.startswith(rest) and rest != _BOM:
        return _Rest.CUT_OFF, line_end
    if not rest.rstrip(b" \t\r").removesuffix(b"\n").strip(_BLANK):
        return _Rest.BLANK, line_end
    if not rest[line_end - start :].strip(b" \t\r"):
        line_end = size
    value = rest.strip(_BLANK)
    if value[0] not in b"{[":
        return _Rest.OTHER, line_end
    problem = _problem(value)
    if problem is not None and value[-1:] in _IN_NUMBER:
        problem = _problem(value.rstrip(_IN_NUMBER))  # the parser calls a number that is cut off malformed
    if problem is None:
        return _Rest.COMPLETE, line_end
    return (_Rest.CUT_OFF if "truncated" in problem else _Rest.OTHER), line_end


def _problem(value: bytes) -> str | None:
    try:
        _raw.decode(value)
    except (msgspec.DecodeError, RecursionError) as error:
        return str(error)
    return None


def _judge_steps(stored: Stored, start: int, size: int) -> tuple[_Rest, int]:
    """As `_judge`, holding a step at a time."""
    brackets, line_end, ended, begun = Discard(), start, False, False
    kind = _Rest.CUT_OFF
    for begin, block in _steps(stored, start, size):
        if b"\n" in block:
            line_end = begin + block.rfind(b"\n") + 1
        piece = block if begun else block.lstrip(_BLANK)
        if not piece:
            continue
        if not begun and piece[0] not in b"{[":
            kind = _Rest.OTHER
        begun = True
        if not ended and kind is _Rest.CUT_OFF:
            end = brackets.feed(piece)
            ended, piece = end is not None, piece[end:] if end is not None else b""
        if ended:
            kind = _Rest.OTHER if kind is _Rest.OTHER or piece.strip() else _Rest.COMPLETE
    if not begun:
        return _Rest.BLANK, size
    return kind, size if not stored(line_end, min(line_end + STEP, size)).strip(b" \t\r") else line_end


def _steps(stored: Stored, start: int, size: int) -> Iterator[tuple[int, bytes]]:
    for begin in range(start, size, STEP):
        yield begin, stored(begin, min(begin + STEP, size))
