"""Trying again: how long to wait, and when to stop asking a server that does not answer."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504, 507})
"""Statuses that say nothing against the document: the same may be taken later."""

REFUSED = frozenset({401, 403, 404, 405, 407})
"""Statuses that speak of the sender, the address or a block: no document is at fault, and nothing gets better without a person."""


STEP = 0.2
"""How often a pause looks whether to end, in seconds."""


def never() -> bool:
    """Not to be stopped."""
    return False


def _pause(seconds: float, stopped: Callable[[], bool]) -> None:
    end = time.monotonic() + seconds
    while not stopped() and (left := end - time.monotonic()) > 0:
        time.sleep(min(STEP, left))


@dataclass(slots=True)
class Backoff:
    """Pauses that double from ``first`` to ``longest`` seconds, shortened by chance so that many senders do not come back at once."""

    first: float = 0.5
    longest: float = 30.0
    attempts: int = 6
    sleep: Callable[[float, Callable[[], bool]], None] = _pause

    def wait(self, attempt: int, asked: float | None = None, stopped: Callable[[], bool] = never) -> None:
        """Pause after the ``attempt``-th failure (from 1), until ``stopped``; ``asked`` is what the server wants, taken up to ``longest``."""
        pause = min(self.longest, self.first * 2 ** (attempt - 1))
        self.sleep(min(self.longest, asked) if asked is not None else pause * random.uniform(0.5, 1.0), stopped)  # noqa: S311


@dataclass(slots=True)
class Breaker:
    """Opens after ``limit`` failed requests in a row; then nothing is asked for ``pause`` seconds, and after that one request decides."""

    limit: int = 5
    pause: float = 60.0
    clock: Callable[[], float] = time.monotonic
    _failed: int = 0
    _opened: float | None = None

    def allows(self) -> bool:
        """Whether a request may be made now."""
        return self._opened is None or self.clock() - self._opened >= self.pause

    def success(self) -> None:
        self._failed, self._opened = 0, None

    def failure(self) -> None:
        self._failed += 1
        if self._failed >= self.limit or self._opened is not None:
            self._opened = self.clock()


@dataclass(slots=True)
class Clock:
    """The time of a send as it goes on: the moment it was given and what has passed since."""

    start: datetime
    ticks: Callable[[], float] = time.monotonic
    _began: float = field(init=False)

    def __post_init__(self) -> None:
        self._began = self.ticks()

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.ticks() - self._began)


def retry_after(value: str | None) -> float | None:
    """The seconds of a Retry-After header; its form with a date is left unheard."""
    return float(value) if value and value.strip().isdigit() else None
