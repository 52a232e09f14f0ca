"""Alerts in the one order that everything here goes by, and their spans as numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from engine.model import Alert, State

HOUR = 3_600_000_000
DAY = 24 * HOUR
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Ordered:
    """Standing alerts sorted by (first_time, uid), each uid once; ``first`` and ``last`` in microseconds, ``day`` in days since the epoch."""

    alerts: list[Alert]
    first: np.ndarray[Any, np.dtype[np.int64]]
    last: np.ndarray[Any, np.dtype[np.int64]]

    @property
    def day(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        return self.first // DAY


def micros(moment: datetime) -> int:
    """Microseconds since the epoch."""
    return (moment - _EPOCH) // _MICROSECOND


def in_order(alerts: Iterable[Alert]) -> Ordered:
    """``alerts`` without those that were superseded or retracted, and without repetitions of a uid."""
    standing = {alert.uid: alert for alert in alerts if alert.state in (State.LIVE, State.OPEN)}
    found = sorted(standing.values(), key=lambda alert: (alert.first_time, alert.uid))
    first = np.fromiter((micros(alert.first_time) for alert in found), np.int64, len(found))
    last = np.fromiter((micros(alert.last_time) for alert in found), np.int64, len(found))
    return Ordered(found, first, np.maximum(first, last))
