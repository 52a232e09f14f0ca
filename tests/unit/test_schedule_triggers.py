"""When jobs are due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine.errors import ConfigError
from engine.schedule.service import first_due
from engine.schedule.triggers import due_after, trigger
from engine.store.jobs import JobRecord
from tests.schedules import job


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def dues(number: int, start: str, **settings: Any) -> list[str]:
    found = trigger(job(**{"every": None, **settings}))
    times: list[datetime] = []
    at = moment(start)
    for _ in range(number):
        due = due_after(found, at)
        assert due is not None
        times.append(due)
        at = due + timedelta(microseconds=1)
    return [f"{each:%a %m-%d %H:%M}" for each in times]


def test_an_interval_is_due_at_whole_multiples_whoever_began_when() -> None:
    found = trigger(job(every=timedelta(minutes=5)))
    assert due_after(found, moment("2026-03-01 12:01:07")) == moment("2026-03-01 12:05")
    assert due_after(found, moment("2026-03-01 12:04:59.9")) == moment("2026-03-01 12:05")
    assert due_after(found, moment("2026-03-01 12:05")) == moment("2026-03-01 12:05")


@pytest.mark.parametrize(
    ("cron", "days"),
    [
        ("0 3 * * 0", ["Sun", "Sun"]),
        ("0 3 * * 7", ["Sun", "Sun"]),
        ("0 3 * * 1-2", ["Mon", "Tue", "Mon"]),
        ("0 3 * * 5-7", ["Fri", "Sat", "Sun", "Fri"]),
        ("0 3 * * fri-sun", ["Fri", "Sat", "Sun", "Fri"]),
        ("0 3 * * 0-6/3", ["Wed", "Sat", "Sun"]),
        ("0 3 * * */2", ["Tue", "Thu", "Sat", "Sun"]),
        ("0 3 * * MON,3", ["Mon", "Wed", "Mon"]),
    ],
)
def test_weekdays_are_those_of_cron(cron: str, days: list[str]) -> None:
    assert [each[:3] for each in dues(len(days), "2026-03-02 03:00:01" if days[0] != "Mon" else "2026-03-02 00:00", cron=cron)] == days


def test_day_and_weekday_together_mean_either() -> None:
    assert dues(3, "2026-03-10 00:00", cron="0 3 13 * 1") == ["Fri 03-13 03:00", "Mon 03-16 03:00", "Mon 03-23 03:00"]


def test_a_time_zone_is_followed_through_the_change_of_the_clocks() -> None:
    assert dues(3, "2026-03-28 00:00", cron="30 7 * * *", timezone="Europe/Berlin") == ["Sat 03-28 06:30", "Sun 03-29 05:30", "Mon 03-30 05:30"]


def test_times_that_the_clock_skips_or_shows_twice() -> None:
    assert dues(3, "2026-03-28 00:00", cron="30 2 * * *", timezone="Europe/Berlin") == ["Sat 03-28 01:30", "Sun 03-29 01:30", "Mon 03-30 00:30"]
    assert dues(3, "2026-10-24 03:00", cron="30 2 * * *", timezone="Europe/Berlin") == ["Sun 10-25 00:30", "Sun 10-25 01:30", "Mon 10-26 01:30"]


@pytest.mark.parametrize("cron", ["61 * * * *", "* * * * 8", "* * * * mo", "* * * * 5-2", "* * * * */0", "x * * * *"])
def test_a_wrong_cron_line_names_its_job(cron: str) -> None:
    with pytest.raises(ConfigError, match=r"\[job\.detect\]"):
        trigger(job(every=None, cron=cron))


def test_a_day_that_never_comes_is_refused() -> None:
    wrong = job(every=None, cron="0 0 31 2 *")
    with pytest.raises(ConfigError, match="never due"):
        first_due(wrong, trigger(wrong), None, moment("2026-03-01"))


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (None, "2026-03-01 12:10"),  # never ran
        ("2026-03-01 12:05", "2026-03-01 12:10"),  # ran when it was due last
        ("2026-03-01 12:00", "2026-03-01 12:05"),  # was missed, not long ago
        ("2026-02-01 12:00", "2026-03-01 12:05"),  # was missed for a month: back to its grace alone
        ("2099-01-01 00:00", "2026-03-01 12:10"),  # a clock that was wrong
    ],
)
def test_what_was_missed_counts_as_far_back_as_its_grace(last: str | None, expected: str) -> None:
    record = last and JobRecord("detect", moment(last), moment(last), 1, moment(last), "done")
    each = job(misfire_grace=timedelta(minutes=4))
    assert first_due(each, trigger(each), record or None, moment("2026-03-01 12:08")) == moment(expected)
