"""Times on the command line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from engine.cli.times import parse_time
from engine.errors import TimeFormatError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T08:00:00Z", datetime(2026, 3, 1, 8, tzinfo=UTC)),
        ("2026-03-01T08:00+01:00", datetime(2026, 3, 1, 7, tzinfo=UTC)),
        ("2026-03-01 08:00:00.25z", datetime(2026, 3, 1, 8, 0, 0, 250000, tzinfo=UTC)),
        ("-24h", NOW - timedelta(hours=24)),
        ("7d", NOW - timedelta(days=7)),
        ("90m", NOW - timedelta(minutes=90)),
    ],
)
def test_valid_forms(text: str, expected: datetime) -> None:
    assert parse_time(text, NOW) == expected


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-3-1", "2026-03-01T08:00:00", "24", "h", "-", "2026-02-30", "999999w", "2026-03-01T25:00Z", "+5h"]
)
def test_anything_else_is_refused_with_the_valid_forms(text: str) -> None:
    with pytest.raises(TimeFormatError, match="2026-03-01T08:00:00Z"):
        parse_time(text, NOW)
