"""When what happened: one row a rule, one bar an alert, the tactics above in the order in which they came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from engine.model import Alert, Incident
from engine.report.page.layout import RuleGroup, by_rule, shortened, worst

WIDTH = 1000
_LEFT, _RIGHT = 330, 24
_ROW, _HEAD, _FOOT = 26, 20, 30
_FLAG = 18
_ROWS = 30
_BAR = 7
_LABEL = 50
_STEPS = tuple(
    timedelta(seconds=seconds)
    for seconds in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600)
)
_TICKS = 6


@dataclass(frozen=True, slots=True)
class Bar:
    """One alert: where it begins, how long it is, and what a pointer that rests on it is told."""

    x: int
    y: int
    width: int
    level: str
    told: str
    alert: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A text at a place: the name of a row, a moment of the axis, a tactic."""

    x: int
    y: int
    text: str
    told: str = ""


@dataclass(frozen=True, slots=True)
class Timeline:
    """A drawing of ``WIDTH`` by ``height``. ``left_out`` rules, of the lowest levels, have no row."""

    height: int
    rows: tuple[Mark, ...]
    bars: tuple[Bar, ...]
    ticks: tuple[Mark, ...]
    tactics: tuple[Mark, ...]
    left_out: int
    width: int = WIDTH
    left: int = _LEFT


def timeline(incident: Incident, alerts: Sequence[Alert]) -> Timeline:
    """The time line of ``incident``; ``alerts`` are its members by time."""
    groups = by_rule(alerts)
    shown = worst(groups, _ROWS)
    low, high = incident.first_time, max(incident.last_time, incident.first_time + timedelta(seconds=10))
    flags, top = _tactics(incident, low, high)
    rows = tuple(Mark(0, top + number * _ROW + 17, shortened(group.label, _LABEL), group.label) for number, group in enumerate(shown))
    bars = tuple(bar for number, group in enumerate(shown) for bar in _bars(group, top + number * _ROW + 5, low, high))
    bottom = top + len(shown) * _ROW
    ticks = tuple(Mark(_x(moment, low, high), bottom + 18, text) for moment, text in _axis(low, high))
    return Timeline(bottom + _FOOT, rows, bars, ticks, flags, len(groups) - len(shown))


def _x(moment: datetime, low: datetime, high: datetime) -> int:
    return _LEFT + round((WIDTH - _LEFT - _RIGHT) * ((moment - low) / (high - low)))


def _bars(group: RuleGroup, y: int, low: datetime, high: datetime) -> list[Bar]:
    made: dict[tuple[int, int], Bar] = {}
    for alert in group.alerts:
        start = _x(alert.first_time, low, high)
        width = max(_x(alert.last_time, low, high) - start, _BAR)
        told = f"{alert.level.word}: {alert.rule.title}, {alert.count:,} event{'s' if alert.count != 1 else ''}, {clock(alert.first_time)} UTC"
        made.setdefault((start, width), Bar(start, y, width, alert.level.word, told, alert.uid))
    return list(made.values())


def _tactics(incident: Incident, low: datetime, high: datetime) -> tuple[tuple[Mark, ...], int]:
    """The names of tactics over the rows, each on the lowest line where it fits, and where the rows begin."""
    ends: list[int] = []
    placed: list[tuple[int, int, str, str]] = []
    for step in incident.tactics:
        name = step.tactic.replace("-", " ")
        x = _x(step.time, low, high)
        wide = 8 * len(name) + 14
        start = min(x, WIDTH - wide)
        line = next((number for number, end in enumerate(ends) if end <= start), len(ends))
        ends[line : line + 1] = [start + wide]
        placed.append((start, line, name, clock(step.time)))
    top = _HEAD + len(ends) * _FLAG
    return tuple(Mark(x, top - 8 - line * _FLAG, name, told) for x, line, name, told in placed), top


def _axis(low: datetime, high: datetime) -> list[tuple[datetime, str]]:
    """About six round moments between two, with as much of their date as tells them apart."""
    step = next((each for each in _STEPS if (high - low) / each <= _TICKS), _STEPS[-1])
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    moment = epoch + -(-(low - epoch) // step) * step
    ticks: list[tuple[datetime, str]] = []
    while moment <= high and len(ticks) < 4 * _TICKS:
        form = "%b %d" if step >= timedelta(days=1) else "%H:%M:%S" if step < timedelta(minutes=1) else "%H:%M"
        day = not ticks or ticks[-1][0].date() != moment.date()
        ticks.append((moment, moment.strftime(f"%b %d {form}" if day and form != "%b %d" else form)))
        moment += step
    return ticks


def clock(moment: datetime) -> str:
    """A moment to the second, for people; UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
