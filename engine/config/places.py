"""Where in a TOML file a setting stands. The parser does not say, so lines are looked at once more.

A line that is not found costs a message nothing but its number.
"""

from __future__ import annotations

import re

_PART = r"""(?:[A-Za-z0-9_-]+|"[^"\\]*"|'[^']*')"""
_PATH = rf"{_PART}(?:\s*\.\s*{_PART})*"
_TABLE = re.compile(rf"\s*\[\[?\s*({_PATH})\s*\]")
_ENTRY = re.compile(rf"\s*({_PATH})\s*=")
_PARTS = re.compile(_PART)


def places(text: str) -> dict[tuple[str, ...], int]:
    """The first line, from 1, of every table and key, by their full path."""
    found: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    quotes = None
    for number, line in enumerate(text.splitlines(), 1):
        if quotes is None:
            if match := _TABLE.match(line):
                table = _split(match[1])
                found.setdefault(table, number)
            elif match := _ENTRY.match(line):
                path = (*table, *_split(match[1]))
                for depth in range(len(table) + 1, len(path) + 1):
                    found.setdefault(path[:depth], number)
        for mark in ('"""', "'''"):
            if quotes in (None, mark) and line.count(mark) % 2:
                quotes = mark if quotes is None else None
    return found


def _split(path: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _PARTS.findall(path))
