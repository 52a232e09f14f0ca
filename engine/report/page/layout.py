"""What the two drawings share: numbers of a drawing are whole pixels of its own coordinate system."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.model import Alert, Level


@dataclass(frozen=True, slots=True)
class RuleGroup:
    """The alerts of an incident that one document raised, in order of time."""

    uid: str
    title: str
    level: Level
    alerts: tuple[Alert, ...]

    @property
    def label(self) -> str:
        return self.title + (f" ×{len(self.alerts):,}" if len(self.alerts) > 1 else "")


def by_rule(alerts: Sequence[Alert]) -> list[RuleGroup]:
    """``alerts`` (in order of time) by the document that raised them, in the order in which each first spoke."""
    groups: dict[str, list[Alert]] = {}
    for alert in alerts:
        groups.setdefault(alert.rule.uid, []).append(alert)
    return [RuleGroup(uid, of[0].rule.title, max(alert.level for alert in of), tuple(of)) for uid, of in groups.items()]


def worst(groups: Sequence[RuleGroup], most: int) -> list[RuleGroup]:
    """The ``most`` groups of highest level, the earlier first among equals, in the order they had."""
    chosen = sorted(range(len(groups)), key=lambda number: (-groups[number].level, number))[:most]
    return [groups[number] for number in sorted(chosen)]


def cut(text: str, most: int) -> str:
    """``text``, its middle left out where it is longer than ``most`` characters: both ends of an identifier tell something."""
    if len(text) <= most:
        return text
    head = (most - 1) * 2 // 3
    return f"{text[:head]}…{text[len(text) - (most - 1 - head) :]}"


def shortened(text: str, most: int) -> str:
    """``text``, its end left out where it is longer than ``most`` characters: for what is read from its beginning."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
