"""Sigma's timespans: a whole number and one of ``s m h d w M y``."""

from __future__ import annotations

import re
from datetime import timedelta

_SPAN = re.compile(r"([0-9]{1,9})([smhdwMy])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800, "M": 2_629_746, "y": 31_556_952}
"""A month and a year are the mean Gregorian ones, as pySigma counts them."""

LONGEST = timedelta(days=366)
"""Nothing is looked at over more than a year."""


def parse(text: str) -> timedelta:
    """The length ``text`` names. Raises ValueError for what is no timespan, for none at all, and for more than `LONGEST`."""
    match = _SPAN.fullmatch(text.strip())
    seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
    if not 0 < seconds <= LONGEST.total_seconds():
        raise ValueError(f"{text!r} is not a timespan up to a year, such as 30m, 6h or 1d")
    return timedelta(seconds=seconds)
