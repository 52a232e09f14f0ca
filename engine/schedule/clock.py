"""The clock on the wall, watched by one that nobody sets."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]
LEAST = timedelta(minutes=1)
"""A smaller difference is no jump."""


def wall() -> datetime:
    """Now."""
    return datetime.now(UTC)


def steady() -> float:
    """Seconds that only ever pass, those of a sleeping machine included where the system counts them."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


@dataclass(frozen=True, slots=True)
class Jump:
    """The clock went ``by`` so much further than time did, and showed ``at`` afterwards."""

    at: datetime
    by: timedelta


class ClockWatch:
    """Notices jumps of ``clock`` between one look and the next."""

    def __init__(self, clock: Clock = wall, passed: Callable[[], float] = steady) -> None:
        self._clock = clock
        self._passed = passed
        self._before = (clock(), passed())
        self.last: Jump | None = None

    def look(self) -> Jump | None:
        """The jump since the last look, or None."""
        now, ticks = self._clock(), self._passed()
        by = (now - self._before[0]) - timedelta(seconds=ticks - self._before[1])
        self._before = (now, ticks)
        if abs(by) < LEAST:
            return None
        self.last = Jump(now, by)
        return self.last
