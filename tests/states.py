"""States for tests: an empty one in each kind of database, and short ways to fill one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from engine.model import Alert
from engine.store.records import BatchResult, Committed, OutboxRow, Plan, StoredAlert
from engine.store.state import State
from tests.alert_samples import NOON
from tests.postgres_server import server

KINDS = ("sqlite", "postgresql")


def new_place(kind: str, folder: Path) -> str:
    """Where an empty state of this kind may live."""
    return str(folder / "state.db") if kind == "sqlite" else server().database()


@dataclass(frozen=True)
class Taken:
    """What was taken of an object, as a cursor has it."""

    uri: str
    version: str = "1"
    size: int = 10
    end: int = 10
    prefix: str = ""
    tail: str = ""
    records: int = 0


def plan(batch: int, digest: str = "", sources: Sequence[str] = ("trail",)) -> Plan:
    return Plan(batch, tuple(sources), '["a.json"]', digest or f"digest-{batch}", NOON, "rules-1")


def later(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def commit(state: State, batch: int, **result: Any) -> Committed:
    """Plan a batch and do it, at a time that follows its number."""
    state.write_plan(plan(batch))
    return state.commit(BatchResult(batch, **{"sinks": ("siem",), **result}), later(batch))


def stored_alert(row: OutboxRow) -> Alert:
    """The alert that a row of the outbox is about."""
    assert isinstance(row.stored, StoredAlert)
    return row.stored.alert
