"""Tables of what Sigma means: rows of a detection, an event, and whether they match, run through `engine.evaluate`."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import engine
from engine.model import Evaluation
from engine.pipeline import evaluate

Row = tuple[str, dict[str, Any], bool]
"""A detection in YAML (the fields of one selection, or several detections with their ``condition``), an event, whether they match."""

Call = tuple[int, tuple[Any, ...], dict[str, Any]]
"""The number of a call of `engine.evaluate`, and its arguments."""


def rule_of(detection: str, number: int) -> str:
    body = textwrap.dedent(detection).strip("\n")
    if "condition:" not in body:
        body = f"selection:\n{textwrap.indent(body, '  ')}\ncondition: selection"
    identity = f"title: Row {number}\nid: 0a1b2c3d-0000-4000-8000-{number:012d}\nlogsource: {{category: any}}\n"
    return f"{identity}detection:\n{textwrap.indent(body, '  ')}\n"


def wrong(rows: Sequence[Row]) -> list[str]:
    """The rows that come out otherwise than they say."""
    found = engine.evaluate([rule_of(detection, number) for number, (detection, _, _) in enumerate(rows)], [event for _, event, _ in rows])
    assert found.errors == []
    hits = set(found.hits)
    return [
        f"{detection.strip()} on {event}: expected {expected}"
        for number, (detection, event, expected) in enumerate(rows)
        if ((f"0a1b2c3d-0000-4000-8000-{number:012d}", number) in hits) != expected
    ]


def refused(detection: str) -> str:
    """What loading says about a detection it refuses."""
    found = engine.evaluate([rule_of(detection, 0)], [{}])
    assert found.hits == []
    return " ".join(str(error) for error in found.errors)


def again(calls: list[Call]) -> list[tuple[int, Evaluation]]:
    """What these calls give, by number."""
    return [(number, evaluate(*given, **named)) for number, given, named in calls]
