"""Alerts of the state as the documents that sinks send: what an alert says, and what became of it since."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from engine.documents.common import shown, timestamp, without_empty
from engine.documents.ecs import to_ecs
from engine.documents.native import to_native
from engine.model import Alert


class Human(Protocol):
    """What people decided about an alert or an incident."""

    @property
    def status(self) -> str | None: ...
    @property
    def verdict(self) -> str | None: ...
    @property
    def reason(self) -> str | None: ...
    @property
    def assignee(self) -> str | None: ...


class Stored(Protocol):
    """An alert as the state keeps it: unredacted, with the revision it is at."""

    @property
    def alert(self) -> Alert: ...
    @property
    def revision(self) -> int: ...
    @property
    def superseded_by(self) -> tuple[str, ...]: ...
    @property
    def why(self) -> str | None: ...
    @property
    def created(self) -> datetime: ...
    @property
    def updated(self) -> datetime: ...
    @property
    def human(self) -> Human | None: ...


class Layout(StrEnum):
    """The shapes of documents that sinks ask for."""

    NDJSON = "ndjson"
    ECS = "ecs"


def to_delivered(stored: Stored, layout: Layout, *, show_content: bool = False) -> dict[str, Any]:
    """The document of ``stored`` in its latest state, redacted unless ``show_content``."""
    standing = _standing(stored, show_content)
    if layout is Layout.NDJSON:
        return to_native(stored.alert, show_content=show_content) | standing
    document = to_ecs(stored.alert, show_content=show_content)
    document["event"]["created"] = timestamp(stored.created)
    document["crosswind"]["alert"] |= standing
    return document


def _standing(stored: Stored, show_content: bool) -> dict[str, Any]:
    return without_empty(
        {
            "revision": stored.revision,
            "created": timestamp(stored.created),
            "updated": timestamp(stored.updated),
            "why": shown(stored.why, show_content) if stored.why else None,
            "superseded_by": list(stored.superseded_by),
            "human": human_document(stored.human, show_content),
        }
    )


def human_document(human: Human | None, show_content: bool) -> dict[str, Any] | None:
    """What people decided, as plain values; None where nobody did."""
    return (
        None
        if human is None
        else {
            "status": human.status,
            "verdict": human.verdict,
            "reason": shown(human.reason, show_content) if human.reason else None,
            "assignee": human.assignee,
        }
    )
