"""What facts about assets make of alerts: at most one thing about the asset and one about how it was protected, each with its proof."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl

from engine import jsontext
from engine.incidents.score import Circumstance
from engine.model import Alert
from engine.posture.facts import ORDER
from engine.posture.kinds import ACTOR, AI_HERE, KINDS, NAMED, Effect
from engine.posture.places import actors, assets, is_about_ai, place_of, places

_Row = tuple[datetime, str, str | None]
"""Time, event uid and value of a fact."""


@dataclass(slots=True)
class _Line:
    """The facts of one kind, asset and part, in order."""

    fact: str
    asset: str
    part: str
    times: list[datetime] = field(default_factory=list)
    rows: list[_Row] = field(default_factory=list)

    def before(self, alert: Alert) -> _Row | None:
        """The last fact when ``alert`` began, without what its own events tell of that moment."""
        index = bisect_right(self.times, alert.first_time)
        while index and self.times[index - 1] == alert.first_time and self.rows[index - 1][1] in alert.event_uids:
            index -= 1
        return self.rows[index - 1] if index else None


@dataclass(frozen=True, slots=True)
class _Known:
    """A line where it stands for an alert: its value, and what that makes of the alert."""

    line: _Line
    row: _Row
    value: dict[str, Any]
    effect: Effect | None

    def rank(self) -> tuple[float, str, str, str, str]:
        factor = self.effect.factor if self.effect else 1.0
        return (-factor, self.line.fact, self.line.asset, self.line.part, self.row[1])

    def circumstance(self) -> Circumstance:
        assert self.effect
        part = f" ({self.line.part})" if self.line.part else ""
        said = f"{self.effect.why}: {self.line.fact} of {self.line.asset}{part} by event {self.row[1]}"
        return Circumstance(self.effect.about, self.effect.factor, said)


def circumstances(alerts: Sequence[Alert], facts: pl.DataFrame) -> dict[str, tuple[Circumstance, ...]]:
    """By alert uid what ``facts`` (`engine.posture.facts.together`) make of alerts; those of which they make nothing are left out.

    What counts was known when the alert began; unknown and stale facts count nothing. Of several effects on the asset, and of several on how it was
    protected, the one that raises most counts; only where none raises, the one that lowers most.
    """
    if not facts.height or not alerts:
        return {}
    by_asset, by_place, by_principal = _lines(facts, alerts)
    found: dict[str, tuple[Circumstance, ...]] = {}
    for alert in alerts:
        own = [*_named(alert, by_asset), *_near(alert, by_place), *_acting(alert, by_asset, by_principal)]
        if chosen := _chosen(own):
            found[alert.uid] = chosen
    return found


def _lines(facts: pl.DataFrame, alerts: Sequence[Alert]) -> tuple[dict[str, list[_Line]], dict[str, list[_Line]], dict[str, list[_Line]]]:
    """The facts that may count for ``alerts``: by asset, by place, and by the principal that a value names."""
    wanted = {asset for alert in alerts for asset in (*assets(alert), *actors(alert))}
    near = {place for alert in alerts for place in places(alert)}
    everybody = {actor for alert in alerts for actor in actors(alert)}
    by_asset: defaultdict[str, list[_Line]] = defaultdict(list)
    by_place: defaultdict[str, list[_Line]] = defaultdict(list)
    by_principal: defaultdict[str, list[_Line]] = defaultdict(list)
    for (fact, asset, part), rows in facts.sort(ORDER).group_by("fact", "asset", "part", maintain_order=True):
        kind, place = KINDS[str(fact)], place_of(str(asset))
        named = asset in wanted and kind.reaches in (NAMED, ACTOR)
        here = place in near and kind.reaches == AI_HERE
        principals = _principals(rows["value"]) & everybody if kind.reaches == ACTOR else set()
        if not (named or here or principals):
            continue
        line = _Line(str(fact), str(asset), str(part), rows["time"].to_list(), list(rows.select("time", "event_uid", "value").iter_rows()))
        if named:
            by_asset[line.asset].append(line)
        if here and place:
            by_place[place].append(line)
        for principal in principals:
            by_principal[principal].append(line)
    return by_asset, by_place, by_principal


def _principals(values: pl.Series) -> set[str]:
    found = (jsontext.loads(value).get("principal") for value in values.drop_nulls().unique().to_list() if '"principal"' in value)
    return {each for each in found if isinstance(each, str)}


def _standing(lines: Iterable[_Line], alert: Alert) -> Iterator[_Known]:
    for line in lines:
        row = line.before(alert)
        if row is not None and row[2] is not None:
            value = jsontext.loads(row[2])
            yield _Known(line, row, value, KINDS[line.fact].effect(value))


def _named(alert: Alert, by_asset: dict[str, list[_Line]]) -> Iterator[_Known]:
    for asset in assets(alert) & by_asset.keys():
        yield from _standing((line for line in by_asset[asset] if KINDS[line.fact].reaches == NAMED), alert)


def _near(alert: Alert, by_place: dict[str, list[_Line]]) -> Iterator[_Known]:
    here = places(alert) & by_place.keys() if by_place else set()
    if not here or not is_about_ai(alert):
        return
    standing = [known for place in here for known in _standing(by_place[place], alert)]
    covered = {known.line.fact for known in standing if known.effect is None and KINDS[known.line.fact].one_is_enough and _protects(known)}
    yield from (known for known in standing if known.line.fact not in covered)


def _protects(known: _Known) -> bool:
    return any((KINDS[known.line.fact].measures(known.value) or {}).values())


def _acting(alert: Alert, by_asset: dict[str, list[_Line]], by_principal: dict[str, list[_Line]]) -> Iterator[_Known]:
    for actor in actors(alert):
        yield from _standing((line for line in by_asset.get(actor, ()) if KINDS[line.fact].reaches == ACTOR), alert)
        for known in _standing(by_principal.get(actor, ()), alert):
            if known.value.get("principal") == actor:
                yield known


def _chosen(standing: Iterable[_Known]) -> tuple[Circumstance, ...]:
    best: dict[str, _Known] = {}
    for known in standing:
        if known.effect is None:
            continue
        about = known.effect.about
        if about not in best or _stronger(known, best[about]):
            best[about] = known
    return tuple(best[about].circumstance() for about in sorted(best))


def _stronger(one: _Known, other: _Known) -> bool:
    """Whether ``one`` counts rather than ``other``: what raises before what lowers, then what does so more, then by name."""
    assert one.effect
    assert other.effect
    raises, others = one.effect.factor > 1, other.effect.factor > 1
    if not raises and not others:
        return (one.effect.factor, one.rank()) < (other.effect.factor, other.rank())
    return one.rank() < other.rank()
