"""Timespans of rules."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.sigma import timespan


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("15m", 900), ("6h", 21_600), ("1d", 86_400), ("2w", 1_209_600), ("1M", 2_629_746), ("1y", 31_556_952), (" 1h ", 3_600)],
)
def test_lengths(text: str, seconds: int) -> None:
    assert timespan.parse(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "6", "h", "-1h", "0h", "1.5h", "9999999999w", "6 h", "1h30m", "400d", "2y", "1H"])
def test_what_is_no_timespan_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a timespan"):
        timespan.parse(text)
