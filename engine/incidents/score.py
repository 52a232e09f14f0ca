"""How bad an incident is: one number, and every factor that made it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from itertools import groupby

from engine.incidents.clock import DAY, HOUR, micros
from engine.incidents.rules import RANK, TACTICS, RuleFacts
from engine.model import Alert, AlertKind, Factor, Level, State

BASE: dict[Level, int] = {Level.INFORMATIONAL: 5, Level.LOW: 20, Level.MEDIUM: 40, Level.HIGH: 70, Level.CRITICAL: 95}
"""What an alert of a level counts."""
CONFIDENCE: dict[AlertKind, float] = {AlertKind.CORRELATION: 1.0, AlertKind.RULE: 0.8, AlertKind.ANALYTIC: 0.7}
"""How far the kind of document that raised an alert is to be believed; half of that while the alert is open."""
LEVELS: tuple[tuple[float, Level], ...] = ((90, Level.CRITICAL), (60, Level.HIGH), (30, Level.MEDIUM), (10, Level.LOW), (0, Level.INFORMATIONAL))
"""From which score an incident has a level."""
TOLD = 100
"""Alerts that are factors of their own; what the others count stands in one."""
RANK_POWER = 1.5
GRAVE = Level.MEDIUM
"""Alerts below it are what many do in passing: they do not show that somebody acts in another cloud, and alone they make no high incident."""
PER_TACTIC = 0.15
PER_CLOUD = 1.2
TRUST = 1.3


@dataclass(frozen=True, slots=True)
class Circumstance:
    """What a fact about an asset or its protection makes of an alert: ``value`` multiplies its risk (asset 1 to 1.5, posture 0.75 to 1.5)."""

    name: str
    value: float
    why: str


@dataclass(frozen=True, slots=True)
class Scored:
    score: float
    level: Level
    factors: tuple[Factor, ...]


@dataclass(frozen=True, slots=True)
class _Risk:
    """What an alert is worth by itself and why, what it is mainly about, and the graver alert that has all of its events."""

    value: float
    why: str
    key: str
    within: Alert | None


_Risks = Mapping[str, _Risk]
"""By alert uid."""


def score(
    alerts: Sequence[Alert],
    keys: Sequence[str],
    rules: Mapping[str, RuleFacts],
    *,
    trust: bool,
    circumstances: Mapping[str, tuple[Circumstance, ...]],
) -> Scored:
    """The score of ``alerts``, which are sorted by (first_time, uid): that of the worst day in them, of equals the first.

    ``keys`` names who or what each alert is mainly about: alerts of one rule about it within one hour count once. ``trust`` is whether a proven trust
    leads from one provider to another. ``circumstances`` go by alert uid.
    """
    risks = _risks(alerts, keys, circumstances)
    worst = max((_day(day, risks, rules, trust) for day in _days(alerts)), key=lambda each: each.points)
    factors = list(worst.factors)
    if apart := len(alerts) - len(worst.alerts):
        until = f"{worst.alerts[-1].first_time:%Y-%m-%d %H} h UTC"
        why = f"the worst day, which ends {until}; {apart:,} alert{'s of other days add' if apart > 1 else ' of other days adds'} nothing"
        factors.append(Factor("day", len(worst.alerts), worst.points, why))
    points = round(min(worst.points, 100.0), 1)
    level, why = _level(points, worst.alerts, rules)
    factors.append(Factor("cap", 100.0, points, why))
    return Scored(points, level, tuple(factors))


@dataclass(frozen=True, slots=True)
class _Day:
    alerts: Sequence[Alert]
    points: float
    factors: tuple[Factor, ...]


def _risks(alerts: Sequence[Alert], keys: Sequence[str], circumstances: Mapping[str, tuple[Circumstance, ...]]) -> _Risks:
    """Of each alert by itself. Of alerts with the same events the one that counts most stands for them."""
    worth = {alert.uid: (*_risk(alert, circumstances.get(alert.uid, ())), key) for alert, key in zip(alerts, keys, strict=True)}
    holding: dict[str, list[tuple[Alert, frozenset[str]]]] = {}
    found: dict[str, _Risk] = {}
    for alert in sorted(alerts, key=lambda each: (-worth[each.uid][0], -each.count, each.uid)):
        events = frozenset(alert.event_uids)
        within = next((graver for graver, has in holding.get(min(events, default=""), ()) if events <= has), None)
        found[alert.uid] = _Risk(*worth[alert.uid], within)
        for event in events if within is None else ():
            holding.setdefault(event, []).append((alert, events))
    return found


def _days(alerts: Sequence[Alert]) -> Iterator[list[Alert]]:
    """The alerts that were there in a clock hour or the 24 before it, for each hour in which one begins, unless those of the next such hour are more.

    By hours, so that an alert is in a few dozen days at most, however many alerts there are.
    """
    there: list[tuple[int, int]] = []
    rows = iter(enumerate((micros(alert.first_time) // HOUR, micros(alert.last_time) // HOUR) for alert in alerts))
    for hour, begun in groupby(rows, key=lambda row: row[1][0]):
        if there and there[0][0] < hour - DAY // HOUR:
            yield [alerts[number] for number in sorted(number for _, number in there)]
        while there and there[0][0] < hour - DAY // HOUR:
            heappop(there)
        for number, (_, last) in begun:
            heappush(there, (last, number))
    yield [alerts[number] for number in sorted(number for _, number in there)]


def _day(alerts: Sequence[Alert], risks: _Risks, rules: Mapping[str, RuleFacts], trust: bool) -> _Day:
    """What the alerts of one day amount to, before a cut at 100: with those that hold others, or without, whatever is more."""
    whole = _amount(alerts, risks, rules, trust)
    holding = {within.uid for alert in alerts if (within := risks[alert.uid].within)}
    if not holding:
        return whole
    parts = _amount([alert for alert in alerts if alert.uid not in holding], risks, rules, trust)
    return replace(parts, alerts=whole.alerts) if parts.points > whole.points else whole


def _amount(alerts: Sequence[Alert], risks: _Risks, rules: Mapping[str, RuleFacts], trust: bool) -> _Day:
    uids = {alert.uid for alert in alerts}
    heads = {alert.uid: within if (within := risks[alert.uid].within) and within.uid in uids else alert for alert in alerts}
    factors, kept = _worth(alerts, risks, heads, rules)
    left = 1.0
    for worth in kept:
        left *= 1 - worth / 100
    points = round(100 * (1 - left), 6)
    factors.append(Factor("combined", points, points, f"100 × (1 - the product of 1 - points / 100) over {len(kept):,} alerts that count"))
    chain = longest_chain([alert for alert in alerts if heads[alert.uid] is alert], rules)
    if len(chain) > 1:
        value = round(1 + PER_TACTIC * (len(chain) - 1), 6)
        points *= value
        factors.append(Factor("tactics", value, points, f"1 + {PER_TACTIC} × ({len(chain)} - 1): {', then '.join(chain)}"))
    # An alert that tells of several clouds has that in its level already: it counts for one.
    homes = (min((cloud.provider for cloud in alert.cloud if cloud.provider), default=None) for alert in alerts if alert.level >= GRAVE)
    clouds = len({home for home in homes if home})
    if clouds > 1:
        value = round(PER_CLOUD ** (clouds - 1), 6)
        points *= value
        why = f"{PER_CLOUD} for each cloud beyond the first, counting those with an alert of level {GRAVE.word} or above: {clouds}"
        factors.append(Factor("clouds", value, points, why))
    if trust and clouds > 1:
        points *= TRUST
        factors.append(Factor("trust", TRUST, points, "a proven chain of identities leads from one cloud to another"))
    return _Day(alerts, points, tuple(factors))


def _worth(alerts: Sequence[Alert], risks: _Risks, heads: Mapping[str, Alert], rules: Mapping[str, RuleFacts]) -> tuple[list[Factor], list[float]]:
    """A factor for each of the first `TOLD` alerts that count, one for the rest, and what each that counts is worth.

    ``heads``: by alert uid the graver alert in whose family it is, or itself.
    """
    best: dict[tuple[str, str, int], tuple[_Risk, Alert]] = {}
    for alert in alerts:
        risk = risks[alert.uid]
        once = (alert.rule.uid, risk.key, micros(alert.first_time) // HOUR)
        known = best.get(once)
        if known is None or (-risk.value, alert.uid) < (-known[0].value, known[1].uid):
            best[once] = (risk, alert)
    families: dict[str, int] = {}
    told: list[Factor] = []
    for risk, alert in sorted(best.values(), key=lambda each: (-each[0].value, heads[each[1].uid] is not each[1], each[1].uid)):
        head = heads[alert.uid]
        family = rules.get(head.rule.uid, RuleFacts()).family or head.rule.uid
        rank = families[family] = families.get(family, 0) + 1
        worth = round(risk.value / rank**RANK_POWER, 6)
        same = f", the same events as {head.rule.title}" if head is not alert else ""
        place = f"{same}, {rank}. of the family {family}: / {rank}^{RANK_POWER}" if rank > 1 else ""
        told.append(Factor("alert", risk.value, worth, f"{alert.rule.title}: {risk.why}{place}", alert.uid))
    told.sort(key=lambda factor: (-factor.points, factor.about))
    kept = [factor.points for factor in told]
    if len(told) > TOLD:
        left = 1.0
        for worth in kept[TOLD:]:
            left *= 1 - worth / 100
        rest = round(100 * (1 - left), 6)
        told = [*told[:TOLD], Factor("rest", rest, rest, f"{len(kept) - TOLD:,} more alerts, together")]
        kept = [*kept[:TOLD], rest]
    return told, kept


def _risk(alert: Alert, circumstances: Sequence[Circumstance]) -> tuple[float, str]:
    confidence = CONFIDENCE[alert.kind] / (2 if alert.state is State.OPEN else 1)
    risk = BASE[alert.level] * confidence
    why = f"{alert.level.word} {BASE[alert.level]} × {alert.kind.value} {confidence}"
    for each in circumstances:
        risk *= each.value
        why += f" × {each.name} {each.value} ({each.why})"
    return round(min(risk, 100.0), 6), why


def longest_chain(alerts: Sequence[Alert], rules: Mapping[str, RuleFacts]) -> list[str]:
    """The longest sequence of tactics that the alerts show in the order of an attack, each by another alert; of equals the one of earlier tactics."""
    # A chain is its length and its tactics with the sign turned, so that the greater one is the longer, of equals the one of earlier tactics.
    nothing: tuple[int, tuple[int, ...]] = (0, ())
    best = [nothing] * len(RANK)
    for alert in alerts:
        former = list(best)
        for tactic in rules.get(alert.rule.uid, RuleFacts()).tactics:
            rank = RANK[tactic]
            length, ranks = max(former[:rank], default=nothing)
            best[rank] = max(best[rank], (length + 1, (*ranks, -rank)))
    return [TACTICS[-rank] for rank in max(best)[1]]


def _level(points: float, alerts: Sequence[Alert], rules: Mapping[str, RuleFacts]) -> tuple[Level, str]:
    level = next(level for least, level in LEVELS if points >= least)
    if level >= Level.HIGH and all(alert.level < GRAVE for alert in alerts):
        return Level.MEDIUM, f"at most 100; high needs an alert of level {GRAVE.word}, here is none: medium"
    if level is not Level.CRITICAL:
        return level, f"at most 100; {level.word} from {next(least for least, each in LEVELS if each is level)}"
    sources = {source for alert in alerts for source in alert.sources}
    certain = next((alert.rule.title for alert in alerts if rules.get(alert.rule.uid, RuleFacts()).certain), None)
    if len(sources) > 1:
        return level, f"at most 100; critical from 90, as {len(sources)} sources agree"
    if certain:
        return level, f"at most 100; critical from 90, as {certain!r} is proof by itself"
    return Level.HIGH, "at most 100; critical needs two sources that agree, here is one: high"
