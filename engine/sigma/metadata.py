"""The parts of a Sigma document that every kind of document has, each checked and read by itself."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import TypedDict

from engine.errors import RuleError
from engine.model import Level
from engine.sigma import timespan
from engine.sigma.document import Source
from engine.sigma.tree import LogSource
from engine.sigma.yamltext import Map, plain

DEFAULT_LEVEL = "medium"
"""Level of a rule that states none."""

LEVELS = tuple(level.word for level in Level)
STATUSES = ("stable", "test", "experimental", "deprecated", "unsupported")

STANDARD_KEYS = frozenset(
    {
        *("title", "id", "name", "related", "taxonomy", "status", "description", "license", "references", "tags", "author", "date", "modified"),
        *("fields", "falsepositives", "level", "scope"),
    }
)
"""Keys that the specification gives every kind of document."""

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Described(TypedDict):
    """What rules and correlations say of themselves in the same words."""

    level: str
    name: str | None
    status: str | None
    description: str | None
    author: str | None
    date: str | None
    references: tuple[str, ...]
    tags: tuple[str, ...]
    falsepositives: tuple[str, ...]
    path: str
    line: int
    extra: tuple[tuple[str, object], ...]


def described(source: Source, keys: Collection[str]) -> Described:
    """What the document says of itself; ``extra`` is what stands under neither a standard key nor one of ``keys``. Raises RuleError."""
    content = source.content
    return {
        "level": word_of(content, "level", LEVELS) or DEFAULT_LEVEL,
        "name": optional_text(content, "name"),
        "status": word_of(content, "status", STATUSES),
        "description": optional_text(content, "description"),
        "author": optional_text(content, "author"),
        "date": optional_text(content, "date"),
        "references": texts(content, "references"),
        "tags": texts(content, "tags"),
        "falsepositives": texts(content, "falsepositives"),
        "path": source.path,
        "line": source.line,
        "extra": tuple((str(key), plain(value)) for key, value in content.items() if key not in STANDARD_KEYS and key not in keys),
    }


def title_of(content: Map) -> str:
    title = content.get("title")
    if title is None or isinstance(title, (dict, list)) or not str(title).strip():
        raise RuleError("a document needs a title", line=content.line_of("title"))
    return str(title)


def id_of(content: Map) -> str | None:
    value = content.get("id")
    if value is None:
        return None
    text = str(value).strip()
    if isinstance(value, (dict, list, bool)) or not text:
        raise RuleError("'id' is a text, best a UUID", line=content.line_of("id"))
    return text.lower() if _UUID.fullmatch(text) else text


def optional_text(content: Map, key: str) -> str | None:
    value = content.get(key)
    if isinstance(value, dict):
        raise RuleError(f"{key!r} is a text", line=content.line_of(key))
    if isinstance(value, list):
        return ", ".join(map(str, value)) or None
    return None if value is None else str(value)


def texts(content: Map, key: str) -> tuple[str, ...]:
    value = content.get(key)
    listed = value if isinstance(value, list) else [] if value is None else [value]
    return tuple(str(item) for item in listed if item is not None)


def word_of(content: Map, key: str, words: Sequence[str]) -> str | None:
    value = content.get(key)
    if value is None:
        return None
    word = str(value).lower()
    if word not in words:
        raise RuleError(f"{key} {value!r} is none of {', '.join(words)}", line=content.line_of(key))
    return word


def logsource_of(content: Map) -> LogSource:
    section = content.get("logsource")
    line = content.line_of("logsource")
    if not isinstance(section, dict):
        raise RuleError("no 'logsource'; it is a map with product, service or category", line=line)
    parts = {}
    for key in ("category", "product", "service"):
        value = section.get(key)
        if isinstance(value, (dict, list)):
            raise RuleError(f"logsource.{key} is a text", line=line)
        parts[key] = str(value).lower() if value is not None else None
    if not any(parts.values()):
        raise RuleError("'logsource' names neither product nor service nor category", line=line)
    return LogSource(**parts)


def group_by_of(content: Map) -> tuple[str, ...] | None:
    if content.get("group_by") is None:
        return None
    value = content["group_by"]
    names = value if isinstance(value, list) else [value]
    if not all(isinstance(name, str) and name.strip() for name in names):
        raise RuleError("'group_by' is a list of field names", line=content.line_of("group_by"))
    return tuple(names)


def suppress_of(content: Map) -> str | None:
    value = content.get("suppress")
    if value is None:
        return None
    try:
        timespan.parse(str(value))
    except ValueError as error:
        raise RuleError(f"'suppress': {error}", line=content.line_of("suppress")) from error
    return str(value)
