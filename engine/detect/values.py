"""What stands in a cell: its elements, and how an element reads as text, number, address or moment.

A list-valued cell has many elements (nested lists flatten), a scalar one, ``[]`` none. JSON null is no element but is remembered.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any, NamedTuple

from engine import jsontext
from engine.jsontext import NumberText

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.\d+)?\s?(?:[Zz]|UTC|([+-])(\d\d):?(\d\d))?")
_SURROGATE = re.compile("[\ud800-\udfff]")
_LONGEST_INTEGER = 400
_EPOCH_MILLISECONDS = 1e11
"""Numbers from here on are milliseconds: as seconds they would lie beyond the year 5138."""


class Kind(IntEnum):
    STRING = 0
    NUMBER = 1
    BOOLEAN = 2
    OBJECT = 3


class Element(NamedTuple):
    """One scalar or object. ``text``: a string itself, a number's source text, ``true``/``false``, an object's compact JSON text unescaped."""

    kind: Kind
    text: str


class Decoded(NamedTuple):
    """One cell: ``present`` False where a path inside the cell leads nowhere, ``null`` where some element is JSON null."""

    elements: list[Element]
    present: bool
    null: bool


def element(value: Any) -> Element:
    """The element of a value from `jsontext.parse` that is neither list nor None."""
    if value is True or value is False:
        return Element(Kind.BOOLEAN, "true" if value else "false")
    if isinstance(value, NumberText):
        return Element(Kind.NUMBER, str(value))
    if isinstance(value, str):
        return Element(Kind.STRING, value)
    return Element(Kind.OBJECT, unescaped(value))


def unescaped(value: Any) -> str:
    """Compact JSON text with every string, keys too, written raw between its quotes: what a rule's ``contains`` sees of an object."""
    if isinstance(value, NumberText):
        return str(value)
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, dict):
        return "{" + ",".join([f'"{key}":{unescaped(item)}' for key, item in value.items()]) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(unescaped, value)) + "]"
    return "null" if value is None else "true" if value else "false"


def decode(cell: str, path: Sequence[str] = ()) -> Decoded:
    """The elements of one cell, or of what lies at ``path`` inside it. Raises ValueError for text that is not JSON."""
    value = _parse(cell)
    if not path:
        return _gather([value])
    found = list(_follow(value, path))
    return _gather(found) if found else Decoded([], False, False)


def decode_leaves(record: str) -> Decoded:
    """Every scalar leaf of a record as elements: what keywords search. Keys are not leaves. Raises ValueError for text that is not JSON."""
    return _gather(jsontext.leaves(_parse(record)))


def _parse(text: str) -> Any:
    # A lone surrogate can only come from an escape, and no Arrow string can hold one.
    if "\\u" in text and _SURROGATE.search(parsed := jsontext.dump(jsontext.parse(text))):
        text = _SURROGATE.sub("\ufffd", parsed)
    return jsontext.parse(text)


def _gather(values: Iterable[Any]) -> Decoded:
    elements: list[Element] = []
    null = False
    for value in values:
        if isinstance(value, list):
            inner = _gather(value)
            elements += inner.elements
            null |= inner.null
        elif value is None:
            null = True
        else:
            elements.append(element(value))
    return Decoded(elements, True, null)


def _follow(value: Any, path: Sequence[str]) -> Iterable[Any]:
    """Path look-up: the whole remaining path as one key first, then nested; exact spelling before any case; lists fan out."""
    if not path:
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _follow(item, path)
    elif isinstance(value, dict):
        if (whole := _spelling(value, ".".join(path))) is not None:
            yield value[whole]
        elif (key := _spelling(value, path[0])) is not None:
            yield from _follow(value[key], path[1:])


def _spelling(value: dict[str, Any], name: str) -> str | None:
    if name in value:
        return name
    lowered = name.lower()
    return next((key for key in reversed(value) if key.lower() == lowered), None)


def number(text: str) -> int | float | None:
    """The value of numeric text (JSON number syntax), else None. Integers are exact; int and float of equal value compare and hash equal."""
    if not text or text[0] not in "-0123456789" or _NUMBER.fullmatch(text) is None:
        return None
    if len(text) <= _LONGEST_INTEGER and text.lstrip("-").isdecimal():
        return int(text)
    return float(text)


def moment(text: str) -> datetime | None:
    """RFC 3339 text (also with a space, without zone: UTC) or epoch seconds or milliseconds, as UTC; None for anything else."""
    match = _TIME.fullmatch(text)
    try:
        if match is None:
            epoch = number(text)
            if epoch is None:
                return None
            seconds = epoch / 1000 if abs(epoch) >= _EPOCH_MILLISECONDS else epoch
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
        parts = [int(part) for part in match.groups()[:6]]
        # A leap second has no datetime of its own: it belongs to the minute it ends.
        parts[5] = min(parts[5], 59) if parts[5] == 60 else parts[5]
        offset = timedelta(hours=int(match[8]), minutes=int(match[9])) if match[7] else timedelta()
        return datetime(parts[0], parts[1], parts[2], parts[3], parts[4], parts[5], tzinfo=UTC) - (offset if match[7] == "+" else -offset)
    except (ValueError, OverflowError):
        return None
