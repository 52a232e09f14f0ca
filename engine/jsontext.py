"""JSON as text: the one way the engine reads a value exactly as its provider wrote it.

A *cell* is the JSON text of one value (``'"x"'``, ``'5'``, ``'null'``, ``'[1,2]'``) or None where the value is missing. Numbers keep their source
text, the last of several equal keys counts, and object order is kept.
"""

from __future__ import annotations

import json
import json.encoder
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson


class NumberText(str):
    """A JSON number as it stood in the text."""

    __slots__ = ()


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(parse_float=NumberText, parse_int=NumberText, parse_constant=_refuse_constant, strict=False)


def parse(text: str) -> Any:
    """``text`` as Python values, numbers as `NumberText`. Raises ValueError for what is not one JSON value and RecursionError for extreme depth."""
    return _decoder.decode(text)


def dump(value: Any) -> str:
    """Compact JSON text of a value from `parse` (or of plain Python values), numbers in their source text, non-ASCII kept."""
    if type(value) is str:
        return _quote(value)
    if isinstance(value, dict):
        return "{" + ",".join([f"{_quote(str(name))}:{dump(item)}" for name, item in value.items()]) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(dump, value)) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, NumberText):
        return str(value)
    if isinstance(value, str):
        return _quote(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return orjson.dumps(value).decode()


_quote = json.encoder.encode_basestring
"""A text as JSON string, non-ASCII kept: what `json.dumps` calls, without making an encoder for each text."""


def loads(cell: str) -> Any:
    """The plain Python value of a cell: numbers become int or float. For mappings, where the source text of a number does not matter."""
    try:
        return orjson.loads(cell)
    except orjson.JSONDecodeError:
        return json.loads(cell, strict=False)


_SURROGATE = re.compile("[\ud800-\udfff]")


def encode(value: Any) -> str:
    """JSON text of any Python value. What JSON lacks becomes its nearest kin: moments RFC 3339 text, sets lists, numbers that are none null, lone
    surrogates U+FFFD, bytes their text, anything else its ``str``.
    """
    try:
        return orjson.dumps(value, default=_kin, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:
        return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"))


def _kin(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=str)
    return value.decode("utf-8", "replace") if isinstance(value, (bytes, bytearray)) else str(value)


def _plain(value: Any) -> Any:
    """``value`` for the slow encoder: integers of any size stay, everything else is as the fast one has it."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {_plain(key) if isinstance(key, str) else encode(key).strip('"'): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (Mapping, set, frozenset)):
        return _plain(_kin(value))
    return orjson.loads(orjson.dumps(value, default=_kin))


def leaves(value: Any) -> Iterator[Any]:
    """Every scalar below ``value`` in document order; keys are not leaves."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            stack.extend(reversed(list(item.values())))
        elif isinstance(item, list):
            stack.extend(reversed(item))
        else:
            yield item
