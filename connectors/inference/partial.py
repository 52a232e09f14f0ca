"""Text that holds JSON: whole, cut off by a size limit, or as server-sent events."""

from __future__ import annotations

import re
from typing import Any

from engine.jsontext import loads

_STRUCTURE = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\\\Z)?|[\[\]{}]', re.DOTALL)
_HALF_ESCAPE = re.compile(r"(?<!\\)((?:\\\\)*)\\(?:u[0-9a-fA-F]{0,3})?$")


def decode(value: Any) -> Any:
    """The JSON value that ``value`` holds if it is text of an object, a list or server-sent events, ``value`` itself otherwise.

    Text that was cut off gives what is there: a prompt longer than a log's limit must not hide the part that was logged.
    """
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text.startswith(("{", "[")):
        found = _load(text)
        if found is None:
            found = complete(text)
        return value if found is None else found
    if text.startswith(("data:", "event:")):
        events = [line[5:].strip() for line in text.splitlines() if line.startswith("data:")]
        chunks = [decode(event) for event in events if event.startswith(("{", "["))]
        return chunks or value
    return value


def _load(text: str) -> Any:
    try:
        return loads(text)
    except (ValueError, RecursionError):
        return None


def complete(text: str) -> Any:
    """The value of JSON text that ends early, without its last unfinished member; None if it is no beginning of JSON."""
    open_brackets: list[str] = []
    end = len(text)
    for token in _STRUCTURE.finditer(text):
        mark = token[0]
        if mark in "[{":
            open_brackets.append("]" if mark == "[" else "}")
        elif mark in "]}":
            if not open_brackets or open_brackets.pop() != mark:
                return None
        elif token.end() == end and (len(mark) == 1 or not mark.endswith('"') or _HALF_ESCAPE.search(mark[:-1])):
            text = _HALF_ESCAPE.sub(r"\1", text) + '"'
    closing = "".join(reversed(open_brackets))
    for ending in (closing, "null" + closing, ":null" + closing):
        found = _load(text.rstrip(", \n\r\t") + ending)
        if found is not None:
            return found
    return _load(re.sub(r"[,:\s]*[\w.+-]*$", "", text) + closing)
