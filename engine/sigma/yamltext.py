"""YAML text → plain values that remember their lines, within bounds.

One document at a time, straight from libyaml's events: no tag is ever constructed, depth, size and alias expansion are bounded, a key may stand once.
Plain scalars are read as YAML 1.2 has them: ``yes``, ``on``, ``010``, ``12:30`` and dates are text, as the author of a rule sees them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from engine.errors import RuleError

MAX_CHARACTERS = 1_000_000
MAX_DEPTH = 64
MAX_NODES = 200_000
"""Values in one document, every alias counted as often as it is used."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STRING_TAG = "tag:yaml.org,2002:str"
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEAN = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,299})|0x[0-9a-fA-F]{1,200}|0o[0-7]{1,200}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?")
_BOUNDARY = re.compile(r"^(?:---(?=[ \t\r\n]|\Z)|\.\.\.[ \t]*(?:#.*)?\r?$)", re.MULTILINE)
_HEAD = re.compile(r"(?:%.*|#.*|\s*)\Z")


class Map(dict[Any, Any]):
    """A mapping that knows the line (from 1) of itself and of each of its keys."""

    __slots__ = ("line", "lines")

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.lines: dict[Any, int] = {}

    def set(self, key: Any, value: Any, line: int) -> None:
        self[key] = value
        self.lines[key] = line

    def line_of(self, key: Any) -> int:
        """The line where ``key`` stands, else that of the mapping."""
        return self.lines.get(key, self.line)


class SourceFloat(float):
    """A number with a fraction that knows how it was written (``1.10``)."""

    text: str

    def __new__(cls, text: str) -> SourceFloat:
        number = super().__new__(cls, text)
        number.text = text
        return number


def plain(value: Any) -> Any:
    """``value`` with every `Map` and `SourceFloat` as dict and float: a copy that shares nothing."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return float(value) if isinstance(value, float) else value


def documents(text: str, path: str) -> Iterator[Map | RuleError]:
    """Every YAML document of ``text`` that is not empty, as a `Map`, or the error that refused it; one broken document does not touch the next."""
    for line, chunk in _split(text):
        try:
            value = _load(chunk, line)
            if value is None:
                continue
            if not isinstance(value, Map):
                raise RuleError("a Sigma document is a map with a title, a logsource and a detection", line=line)
            yield value
        except RuleError as error:
            error.path = path
            yield error


def _split(text: str) -> Iterator[tuple[int, str]]:
    """(first line, text) of each document. ``---`` and ``...`` at the start of a line always end a document, so this needs no parser."""
    start, line = 0, 1
    bounds = [match.span() for match in _BOUNDARY.finditer(text)] + [(len(text), len(text))]
    for begin, end in bounds:
        chunk = text[start:begin]
        if any(not _HEAD.fullmatch(row) for row in chunk.splitlines()):
            body = chunk.lstrip("\r\n")
            yield line + chunk.count("\n", 0, len(chunk) - len(body)), body
        line += chunk.count("\n") + text.count("\n", begin, end)
        start = end


def _load(text: str, line: int) -> Any:
    if len(text) > MAX_CHARACTERS:
        raise RuleError(f"document of {len(text):,} characters; at most {MAX_CHARACTERS:,} are read", line=line)
    try:
        return _Builder(text, line).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise RuleError(f"not YAML: {error.problem or error.context}", line=line if mark is None else line + mark.line) from None
    except yaml.YAMLError as error:
        raise RuleError(f"not YAML: {' '.join(str(error).split())}", line=line) from None


class _Builder:
    def __init__(self, text: str, line: int) -> None:
        self._events = yaml.parse(text, Loader=_LOADER)
        self._first = line
        self._nodes = 0
        self._anchors: dict[str, tuple[Any, int]] = {}

    def document(self) -> Any:
        for event in self._events:
            if isinstance(event, yaml.NodeEvent):
                return self._value(event, 0)
        return None

    def _line(self, event: Any) -> int:
        return self._first + int(event.start_mark.line)

    def _count(self, nodes: int, event: yaml.Event) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise RuleError(f"more than {MAX_NODES:,} values once aliases are expanded", line=self._line(event))

    def _value(self, event: Any, depth: int) -> Any:
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise RuleError(f"alias *{event.anchor} stands before its anchor, or inside it", line=self._line(event))
            value, nodes = self._anchors[event.anchor]
            self._count(nodes, event)
            return value
        if depth > MAX_DEPTH:
            raise RuleError(f"nested deeper than {MAX_DEPTH} levels", line=self._line(event))
        if event.tag is not None and event.tag not in ("!", _STRING_TAG):
            raise RuleError(f"YAML tag {event.tag!r} is refused: rules are plain data", line=self._line(event))
        before = self._nodes
        self._count(1, event)
        value = self._content(event, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, self._nodes - before)
        return value

    def _content(self, event: yaml.Event, depth: int) -> Any:
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event.value) if event.implicit[0] and event.tag is None else event.value
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[Any] = []
            while not isinstance(item := next(self._events), yaml.SequenceEndEvent):
                items.append(self._value(item, depth + 1))
            return items
        return self._map(event, depth)

    def _map(self, start: yaml.Event, depth: int) -> Map:
        result = Map(self._line(start))
        merged: list[Any] = []
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            line = self._line(event)
            key = self._value(event, depth + 1)
            if isinstance(key, (dict, list)):
                raise RuleError("a key must be plain text", line=line)
            value = self._value(next(self._events), depth + 1)
            if key == "<<" and isinstance(event, yaml.ScalarEvent) and event.implicit[0]:
                merged += value if isinstance(value, list) else [value]
                continue
            if key in result:
                raise RuleError(f"key {key!r} stands twice (first in line {result.line_of(key)})", line=line)
            result.set(key, value, line)
        for source in merged:
            if not isinstance(source, Map):
                raise RuleError("'<<' merges maps only", line=result.line)
            for key, value in source.items():
                if key not in result:
                    result.set(key, value, source.line_of(key))
        return result


def _scalar(text: str) -> Any:
    """What a plain scalar means under the YAML 1.2 core schema; huge or odd numbers stay text."""
    if text in _NULL:
        return None
    if text in _BOOLEAN:
        return _BOOLEAN[text]
    if _INTEGER.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        number = SourceFloat(text)
        return number if abs(number) != float("inf") else text
    return text
