"""What a rule means, slowly: one event at a time in plain Python, written from the semantics alone. The detect kernel must agree with it.

An event is a dict as its provider wrote it. Of the engine only the tree's classes are shared.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from engine.sigma.tree import (
    And,
    Boolean,
    Cidr,
    Compare,
    Exists,
    Node,
    Not,
    Null,
    Number,
    Or,
    Regex,
    SameAs,
    Text,
    TimePart,
    Wildcard,
)

ABSENT = object()
NUMERIC = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


class SourceNumber:
    """A JSON number with its source text."""

    def __init__(self, text: str) -> None:
        self.text = text


def read(record: str) -> Any:
    """A record's JSON text with numbers as `SourceNumber`."""
    return json.loads(record, parse_int=SourceNumber, parse_float=SourceNumber)


def matches(condition: Node, record: str) -> bool:
    """Whether the condition holds for the record (JSON text)."""
    return holds(condition, read(record))


def holds(node: Node, event: Any) -> bool:
    if isinstance(node, And):
        return all(holds(arg, event) for arg in node.args)
    if isinstance(node, Or):
        return any(holds(arg, event) for arg in node.args)
    if isinstance(node, Not):
        return not holds(node.arg, event)
    if node.field is None:
        return any(satisfies(value, node.predicate) for value in scalars(event))
    field = look_up(event, node.field.split("."))
    if isinstance(node.predicate, Exists):
        return (field is not ABSENT) == node.predicate.expected
    if isinstance(node.predicate, SameAs):
        other = look_up(event, node.predicate.field.split("."))
        return any(same(one, two, node.predicate) for one in elements(field) for two in elements(other))
    if isinstance(node.predicate, Null) and field is ABSENT:
        return True
    return any(satisfies(value, node.predicate) for value in elements(field))


def look_up(value: Any, path: Sequence[str]) -> Any:
    if not path:
        return value
    if isinstance(value, list):
        found = [item for item in (look_up(each, path) for each in value if isinstance(each, (dict, list))) if item is not ABSENT]
        return found or ABSENT
    if not isinstance(value, dict):
        return ABSENT
    whole = member(value, ".".join(path))
    if whole is not ABSENT:
        return whole
    inner = member(value, path[0])
    return ABSENT if inner is ABSENT else look_up(inner, path[1:])


def member(value: dict[str, Any], name: str) -> Any:
    if name in value:
        return value[name]
    for key in reversed(list(value)):
        if key.lower() == name.lower():
            return value[key]
    return ABSENT


def elements(field: Any) -> Iterator[Any]:
    if isinstance(field, list):
        for item in field:
            yield from elements(item)
    elif field is not ABSENT:
        yield field


def scalars(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for item in value.values():
            yield from scalars(item)
    elif isinstance(value, list):
        for item in value:
            yield from scalars(item)
    else:
        yield value


def satisfies(value: Any, predicate: Any) -> bool:
    """Whether one element satisfies a predicate."""
    if isinstance(predicate, Null):
        return value is None
    if value is None:
        return False
    text = as_text(value)
    if isinstance(predicate, Text):
        return satisfies_text(value, text, predicate)
    if isinstance(predicate, Boolean):
        return not isinstance(value, dict) and text.lower() == str(predicate.value).lower()
    if isinstance(predicate, Regex):
        return re.search(predicate.pattern, text) is not None
    if isinstance(predicate, Cidr):
        try:
            return isinstance(value, str) and ipaddress.ip_address(value) in predicate.network
        except ValueError:
            return False
    if isinstance(predicate, Number):
        return as_number(value) == predicate.value
    if isinstance(predicate, Compare):
        return compares(as_number(value), predicate.operator, predicate.number)
    assert isinstance(predicate, TimePart)
    at = as_time(value)
    if at is None:
        return False
    parts = {
        "minute": at.minute,
        "hour": at.hour,
        "day": at.day,
        "week": at.isocalendar()[1],
        "month": at.month,
        "year": at.year,
    }
    return compares(parts[predicate.unit.value], predicate.operator, predicate.number)


def satisfies_text(value: Any, text: str, predicate: Text) -> bool:
    parts = predicate.parts
    if isinstance(value, dict) and not (parts and Wildcard.ANY in (parts[0], parts[-1])):
        return False

    def shape(string: str) -> str:
        return string if predicate.cased else folded(string)

    pattern = "".join(".*" if part is Wildcard.ANY else "." if part is Wildcard.ONE else re.escape(shape(part)) for part in parts)
    if re.fullmatch(pattern, shape(text), re.DOTALL):
        return True
    literal = None if any(isinstance(part, Wildcard) for part in parts) else "".join(parts)
    return isinstance(value, SourceNumber) and literal is not None and as_number(literal) is not None and as_number(literal) == as_number(value)


def as_text(value: Any) -> str:
    if isinstance(value, SourceNumber):
        return value.text
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    return raw_text(value)


def raw_text(value: Any) -> str:
    """Compact JSON text without any escape."""
    if isinstance(value, dict):
        return "{" + ",".join(f'"{key}":{raw_text(item)}' for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(raw_text(item) for item in value) + "]"
    if value is None:
        return "null"
    return f'"{value}"' if isinstance(value, str) else as_text(value)


def as_number(value: Any) -> float | int | None:
    text = value.text if isinstance(value, SourceNumber) else value
    if not isinstance(text, str) or not NUMERIC.fullmatch(text):
        return None
    return float(text) if any(sign in text for sign in ".eE") else int(text)


def as_time(value: Any) -> datetime | None:
    number = as_number(value)
    if number is not None:
        try:
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=number / 1000 if abs(number) >= 100_000_000_000 else number)
        except OverflowError:
            return None
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) and len(value) >= 19 else None
    except ValueError:
        return None
    return at and (at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC))


def compares(value: Any, operator: str, limit: float) -> bool:
    if value is None:
        return False
    return bool({"lt": value < limit, "lte": value <= limit, "gt": value > limit, "gte": value >= limit, "eq": value == limit}[operator])


def same(one: Any, two: Any, predicate: SameAs) -> bool:
    if any(isinstance(value, dict) or value is None for value in (one, two)):
        return False
    left, right = as_text(one), as_text(two)
    if not predicate.cased:
        left, right = folded(left), folded(right)
    if predicate.starts or predicate.ends:
        if predicate.starts and predicate.ends:
            return right in left
        return left.startswith(right) if predicate.starts else left.endswith(right)
    if left == right:
        return True
    numbers = as_number(one), as_number(two)
    return SourceNumber in (type(one), type(two)) and None not in numbers and numbers[0] == numbers[1]


def folded(text: str) -> str:
    return "".join(folded_character(character) for character in text)


def folded_character(character: str) -> str:
    full = character.casefold()
    if len(full) == 1:
        return full
    lower = character.lower()
    return lower if len(lower) == 1 else character
