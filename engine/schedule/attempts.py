"""What a job is to whoever runs it: something that is tried, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.config import JobConfig
from engine.store.runs import DONE, FAILED

STOPPED = "stopped"
"""The outcome of a run that was given up because the scheduler stops: whoever comes next begins it again."""

__all__ = ["DONE", "FAILED", "STOPPED", "Attempt", "Work"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try. ``transient``: another one may go better. ``batches``: of `run`, the account of each batch as JSON values."""

    outcome: str
    errors: tuple[str, ...] = ()
    transient: bool = False
    code: int | None = None
    batches: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)


Work = Callable[[JobConfig, Callable[[], str | None]], Attempt]
"""Tries a job once. The function it is given is to be asked often; it says why the work should end now, or None."""
