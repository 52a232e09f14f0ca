"""The exact reader: the cells of one record, found as the look-up of fields is meant. Slow, right, and the oracle of the fast extraction."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import orjson

from engine import jsontext
from engine.schema import split_path

Segments = tuple[str, ...]
NEGATIVE_ZERO = r"[:\[,]\s*-0\s*[,}\]]"
"""Where a record holds a zero with a sign, which parsers forget."""
_FLOAT = re.compile(r"[\[:,]\s*-?(?:[0-9]+[.eE]|[0-9]{19})")
"""Where a text may hold a number that is not whole, or too great to be read as a whole one: if it has none of these, and no sign written as
``\\uXXXX`` by which one could hide in an object that is written as a string, it holds no such number.
"""
_MISSING: Any = object()
_MAX_REPR = 1 << 20


def exact_cells(text: str, paths: Sequence[Segments], embedded: frozenset[Segments] = frozenset()) -> list[str | None]:
    """The cells of one record, read exactly (the oracle of the fast extraction). ``embedded`` are lower-case segments."""
    reader = _reader(tuple(paths), embedded)
    try:
        values = reader.values(orjson.loads(text))
        floats = (_FLOAT.search(text) or "\\u" in text) and any(map(_has_float, values))
        if not floats and not (any(value == 0 for value in values) and re.search(NEGATIVE_ZERO, text)):
            return [None if value is _MISSING else jsontext.encode(value) for value in values]
    except orjson.JSONDecodeError:
        pass
    return [None if value is _MISSING else jsontext.dump(value) for value in reader.values(jsontext.parse(text), exact=True)]


def _has_float(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_float, value.values()))
    if isinstance(value, list):
        return any(map(_has_float, value))
    return isinstance(value, float)


def look_up(value: Any, paths: Sequence[str], embedded: Sequence[str] = ()) -> dict[str, Any]:
    """The values at ``paths`` of a parsed record, without those that are missing; lists of objects fan out into a list of what was found."""
    found = _reader(*parsed(tuple(paths), tuple(embedded))).values(value)
    return {path: item for path, item in zip(paths, found, strict=True) if item is not _MISSING}


@lru_cache(maxsize=512)
def parsed(paths: tuple[str, ...], embedded: tuple[str, ...]) -> tuple[tuple[Segments, ...], frozenset[Segments]]:
    """``paths`` as segments, ``embedded`` as segments in lower case."""
    return tuple(split_path(path) for path in paths), frozenset(tuple(part.lower() for part in split_path(path)) for path in embedded)


class _Node:
    """One object on the way of some paths: what they want of it."""

    __slots__ = ("children", "embedded", "ends", "tails")

    def __init__(self, embedded: bool) -> None:
        self.children: dict[str, _Node] = {}
        self.ends: list[int] = []
        self.tails: dict[str, list[tuple[str, int]]] = {}
        """Folded literal rest of a path with more segments to go → (rest, path)."""
        self.embedded = embedded


class _Reader:
    """All paths of one call as a tree, so that a record is walked once."""

    def __init__(self, paths: Sequence[Segments], embedded: frozenset[Segments]) -> None:
        self._size = len(paths)
        self._root = _Node(() in embedded)
        for index, segments in enumerate(paths):
            node = self._root
            for depth, segment in enumerate(segments):
                if depth + 1 < len(segments):
                    rest = ".".join(segments[depth:])
                    node.tails.setdefault(rest.lower(), []).append((rest, index))
                if segment not in node.children:
                    node.children[segment] = _Node(tuple(part.lower() for part in segments[: depth + 1]) in embedded)
                node = node.children[segment]
            node.ends.append(index)

    def values(self, record: Any, *, exact: bool = False) -> list[Any]:
        """The value at each path, `_MISSING` where there is none. ``exact``: numbers in embedded texts keep their source text as well."""
        found: dict[int, Any] = {}
        self._walk(record, self._root, found, exact)
        return [found.get(index, _MISSING) for index in range(self._size)]

    def _walk(self, value: Any, node: _Node, found: dict[int, Any], exact: bool) -> None:
        for index in node.ends:
            found[index] = value
        if not node.children:
            return
        if node.embedded and isinstance(value, str):
            value = open_embedded(value, exact=exact)
        if isinstance(value, dict):
            self._members(value, node, found, exact)
        elif isinstance(value, list):
            self._elements(value, node, found, exact)

    def _members(self, value: dict[str, Any], node: _Node, found: dict[int, Any], exact: bool) -> None:
        names = {key.lower(): key for key in value}
        for segment, child in node.children.items():
            key = segment if segment in value else names.get(segment.lower())
            if key is not None:
                self._walk(value[key], child, found, exact)
        if node.tails.keys() & names.keys():
            for folded in node.tails.keys() & names.keys():
                for rest, index in node.tails[folded]:
                    found[index] = value[rest] if rest in value else value[names[folded]]

    def _elements(self, value: list[Any], node: _Node, found: dict[int, Any], exact: bool) -> None:
        inner = _Node(False)
        inner.children, inner.tails = node.children, node.tails
        gathered: dict[int, list[Any]] = {}
        for element in value:
            if isinstance(element, (dict, list)):
                part: dict[int, Any] = {}
                self._walk(element, inner, part, exact)
                for index, item in part.items():
                    gathered.setdefault(index, []).extend(item if isinstance(item, list) else [item])
        found.update(gathered)


@lru_cache(maxsize=512)
def _reader(paths: tuple[Segments, ...], embedded: frozenset[Segments]) -> _Reader:
    """Readers hold nothing of the records, so equal questions share one."""
    return _Reader(paths, embedded)


def open_embedded(text: str, *, exact: bool = False) -> Any:
    """The object or list that ``text`` holds as JSON or as a Python literal; ``text`` itself where it holds neither."""
    stripped = text.strip()
    if stripped[:1] not in ("{", "["):
        return text
    try:
        return jsontext.parse(stripped) if exact else orjson.loads(stripped)
    except (ValueError, RecursionError):
        pass
    try:
        value = jsontext.loads(stripped)
    except (ValueError, RecursionError):
        value = _literal(stripped)
    if not isinstance(value, (dict, list)):
        return text
    # Literals hold sets, bytes and keys that are no text, lenient JSON lone surrogates: only what JSON can say goes on.
    return jsontext.loads(jsontext.encode(value))


def _literal(text: str) -> Any:
    if len(text) > _MAX_REPR:
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None
