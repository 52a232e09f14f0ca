"""Times on the command line: RFC 3339 or relative to now, and nothing that has to be guessed."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from engine.errors import TimeFormatError

_RELATIVE = re.compile(r"-?(\d{1,6})(s|m|h|d|w)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_time(text: str, now: datetime) -> datetime:
    """The moment ``text`` names, in UTC: ``2026-03-01``, ``2026-03-01T08:00:00Z``, ``2026-03-01T08:00+01:00``, or ``-24h`` and ``7d`` before ``now``.

    Raises TimeFormatError for anything else, a date and time without a zone included.
    """
    stripped = text.strip()
    if match := _RELATIVE.fullmatch(stripped):
        try:
            return now - timedelta(**{_UNITS[match[2]]: int(match[1])})
        except OverflowError as error:
            raise _refused(text) from error
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", stripped):
        stripped += "T00:00:00Z"
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|z|[+-]\d{2}:\d{2})", stripped):
        raise _refused(text)
    try:
        return datetime.fromisoformat(stripped.replace("z", "Z")).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _refused(text) from error


def _refused(text: str) -> TimeFormatError:
    return TimeFormatError(f"not a time: {text!r}; write 2026-03-01, 2026-03-01T08:00:00Z, 2026-03-01T08:00:00+01:00, -24h or 7d")
