"""What DuckDB's plan of a query says about its scans: which times it can be about, and which columns it takes out of the files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

_BOUND = re.compile(r"\(?\"?time\"? *(>=|<=|>|<|=) *'([^']+)'::TIMESTAMP WITH TIME ZONE\)?")


def asked_range(plan: str) -> tuple[datetime | None, datetime | None]:
    """The least and the greatest (included) time any scan of the plan (DuckDB's JSON) can ask for, None where one of them asks for all."""
    starts: list[datetime | None] = []
    ends: list[datetime | None] = []
    for info in _scans(json.loads(plan)):
        start, end = _bounds(info.get("Filters"))
        starts.append(start)
        ends.append(end)
    low = [moment for moment in starts if moment is not None]
    high = [moment for moment in ends if moment is not None]
    return (min(low) if low and len(low) == len(starts) else None, max(high) if high and len(high) == len(ends) else None)


def read_columns(plan: str) -> frozenset[str]:
    """The columns that come out of the files for more than a condition on them."""
    found: set[str] = set()
    for info in _scans(json.loads(plan)):
        columns = info.get("Projections") or []
        found.update([columns] if isinstance(columns, str) else columns)
    return frozenset(found)


def _scans(nodes: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for node in nodes:
        if node.get("name", "").strip() in ("READ_PARQUET", "PARQUET_SCAN"):
            yield node.get("extra_info") or {}
        yield from _scans(node.get("children") or [])


def _bounds(filters: Any) -> tuple[datetime | None, datetime | None]:
    """The bounds that hold whatever else the filters say: only conditions that all rows must meet count."""
    texts = filters if isinstance(filters, list) else [filters] if isinstance(filters, str) else []
    start: datetime | None = None
    end: datetime | None = None
    for text in texts:
        for part in _conjuncts(text):
            found = _BOUND.fullmatch(part)
            moment = _moment(found[2]) if found else None
            if found is None or moment is None:
                continue
            if found[1] in (">", ">=", "="):
                start = moment if start is None else max(start, moment)
            if found[1] in ("<", "<=", "="):
                last = moment - timedelta(microseconds=1) if found[1] == "<" else moment
                end = last if end is None else min(end, last)
    return start, end


def _conjuncts(text: str) -> list[str]:
    """The parts of ``text`` that AND joins outside all brackets and quotes; none where an OR stands there."""
    parts, depth, quoted, begin, position = [], 0, False, 0, 0
    text = _unwrapped(text.strip())
    while position < len(text):
        sign = text[position]
        if sign == "'":
            quoted = not quoted
        elif not quoted:
            depth += (sign == "(") - (sign == ")")
            if depth == 0 and text.startswith(" OR ", position):
                return []
            if depth == 0 and text.startswith(" AND ", position):
                parts.append(text[begin:position])
                begin = position = position + len(" AND ")
                continue
        position += 1
    parts.append(text[begin:])
    if len(parts) == 1:
        return [parts[0].strip()]
    return [inner for part in parts for inner in _conjuncts(part)]


def _unwrapped(text: str) -> str:
    """``text`` without a pair of brackets around all of it."""
    while text.startswith("(") and text.endswith(")"):
        depth, quoted = 0, False
        for position, sign in enumerate(text):
            if sign == "'":
                quoted = not quoted
            elif not quoted:
                depth += (sign == "(") - (sign == ")")
            if depth == 0 and position < len(text) - 1:
                return text
        text = text[1:-1].strip()
    return text


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
