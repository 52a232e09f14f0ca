"""When a job is due. The times follow from its settings alone, so that every scheduler finds the same ones."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from engine.config import JobConfig
from engine.errors import ConfigError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_PART = re.compile(r"(\*|[a-z]{3}|\d)(?:-([a-z]{3}|\d))?(?:/(\d+))?")


def trigger(job: JobConfig) -> BaseTrigger:
    """What tells when ``job`` is due: whole multiples of ``every`` since the epoch, or its cron line. Raises ConfigError."""
    if job.every is not None:
        return IntervalTrigger(seconds=round(job.every.total_seconds()), start_date=_EPOCH, timezone=UTC)
    try:
        return _cron(job.cron or "", ZoneInfo(job.timezone))
    except ValueError as error:
        raise ConfigError(f"[job.{job.name}]: cron {job.cron!r}: {error}") from None


def due_after(found: BaseTrigger, moment: datetime) -> datetime | None:
    """The first time due at or after ``moment``, in UTC; None where there is none."""
    due: datetime | None = found.get_next_fire_time(None, moment)
    return None if due is None else due.astimezone(UTC)


def _cron(line: str, zone: ZoneInfo) -> BaseTrigger:
    """As cron has it: Sunday is 0 and 7, and where day and weekday are both restricted, either will do."""
    minute, hour, day, month, weekday = line.lower().split()
    common = {"minute": minute, "hour": hour, "month": month, "timezone": zone}
    named = _weekdays(weekday)
    if not day.startswith("*") and not weekday.startswith("*"):
        return OrTrigger([CronTrigger(day=day, **common), CronTrigger(day_of_week=named, **common)])
    return CronTrigger(day=day, day_of_week=named, **common)


def _weekdays(field: str) -> str:
    """Days of the week by name, because APScheduler counts them from Monday."""
    if field == "*":
        return field
    days: set[int] = set()
    for part in field.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(f"{part!r} is no day of the week")
        first, last, step = match[1], match[2], int(match[3] or 1)
        low = 0 if first == "*" else _number(first)
        high = 6 if first == "*" or (last is None and match[3]) else _number(last or first)
        if high == 0 < low:
            high = 7  # to Sunday
        if low > high or step == 0:
            raise ValueError(f"{part!r} holds no day of the week")
        days.update(each % 7 for each in range(low, high + 1, step))
    return ",".join(_DAYS[each] for each in sorted(days))


def _number(word: str) -> int:
    if word.isdigit():
        if int(word) > 7:
            raise ValueError(f"{word} is no day of the week: 0 to 7 are, 0 and 7 are Sunday")
        return int(word)
    if word not in _DAYS:
        raise ValueError(f"{word!r} is no day of the week")
    return _DAYS.index(word)
