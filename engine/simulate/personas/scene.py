"""One hour of the company's life: the clock, the dice and the logs that personas write to."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from engine.simulate.company import Company, Employee
from engine.simulate.delivery import Delivery
from engine.simulate.ground import Ground
from engine.simulate.stamp import Draw

OFFICE = (0, 0, 0, 0, 0, 0, 1, 4, 9, 10, 10, 8, 5, 8, 10, 9, 8, 5, 2, 1, 0.3, 0.2, 0.1, 0)
SERVICES = (4, 4, 3, 3, 3, 4, 5, 7, 9, 10, 10, 10, 9, 10, 10, 10, 9, 8, 7, 6, 6, 5, 5, 4)
"""Load of each hour of the day, 10 at its height."""
T = TypeVar("T")


@dataclass(slots=True)
class Scene:
    """``quiet`` (at most 1) thins everything out; ``hour`` is the beginning of the hour being lived, in UTC."""

    company: Company
    ground: Ground
    delivery: Delivery
    rng: random.Random
    draw: Draw
    quiet: float
    start: datetime
    hour: datetime

    @property
    def day(self) -> int:
        """Days since the start."""
        return (self.hour - self.start).days

    def count(self, expected: float) -> int:
        """How often something happens in this hour that happens ``expected`` times on average."""
        wanted = expected * self.quiet * self.rng.uniform(0.5, 1.5)
        return int(wanted) + (self.rng.random() < wanted % 1)

    def happens(self, expected: float) -> bool:
        """Whether something rare happens in this hour."""
        return self.rng.random() < expected * self.quiet

    def at(self, low: float = 0.0, high: float = 3500.0) -> datetime:
        """A moment of this hour."""
        return self.hour + timedelta(seconds=self.rng.uniform(low, high))

    def service_load(self) -> float:
        """How busy programs are, 0 to 1; weekends are quieter."""
        return SERVICES[self.hour.hour] / 10 * (0.6 if self.hour.weekday() >= 5 else 1.0)

    def office_load(self, zone: int) -> float:
        """How busy people ``zone`` hours from UTC are, 0 to 1."""
        local = self.hour + timedelta(hours=zone)
        return OFFICE[local.hour] / 10 * (0.04 if local.weekday() >= 5 else 1.0)

    def address(self, person: Employee) -> str:
        """Where a person works from in this hour: an office, the VPN or home; the same all day."""
        turn = (sum(person.oid.encode()) * 7 + self.day * 13) % 10
        if turn < 5:
            return self.company.offices[sum(person.name.encode()) % 2]
        return self.company.vpn if turn < 7 else person.home_ip

    def some(self, items: Sequence[T], expected: float) -> list[T]:
        """Members of ``items``, each about ``expected`` times."""
        return [self.rng.choice(items) for _ in range(self.count(expected * len(items)))]
