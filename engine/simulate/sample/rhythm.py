"""When things happen: people work by day, services run all night with less load."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from engine.simulate.sample.feeds import Stage

PEOPLE = (0, 0, 0, 0, 0, 0, 1, 4, 9, 10, 10, 8, 5, 8, 10, 9, 8, 5, 2, 1, 0, 0, 0, 0)
SERVICES = (4, 4, 3, 3, 3, 4, 5, 7, 9, 10, 10, 10, 9, 10, 10, 10, 9, 8, 7, 6, 6, 5, 5, 4)
"""Weight of each hour of the day, from 0 UTC."""


def moments(rng: random.Random, stage: Stage, per_day: float, hours: tuple[int, ...] = SERVICES) -> list[datetime]:
    """Sorted moments over the whole simulation, about ``per_day * stage.scale`` a day, spread by ``hours``."""
    found: list[datetime] = []
    for day in range(stage.days):
        wanted = per_day * stage.scale
        count = int(wanted) + (rng.random() < wanted % 1)
        for hour in rng.choices(range(24), weights=hours, k=count):
            found.append(stage.at(day, hour, rng.randrange(60), rng.random() * 60))
    return sorted(found)


def after(rng: random.Random, when: datetime, low: float, high: float) -> datetime:
    """A moment between ``low`` and ``high`` seconds later."""
    return when + timedelta(seconds=rng.uniform(low, high))
