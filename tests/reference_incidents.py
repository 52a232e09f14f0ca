"""Incidents once more, slow and obvious: every pair of alerts is looked at, nothing is vectorised. For alerts without identity edges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from math import log2

import polars as pl

from engine.incidents.rules import RANK, RuleFacts
from engine.model import Alert, AlertKind, Level, State

WINDOW = {"strong": timedelta(days=7), "medium": timedelta(hours=24), "weak": timedelta(hours=6)}
BASE = {Level.INFORMATIONAL: 5, Level.LOW: 20, Level.MEDIUM: 40, Level.HIGH: 70, Level.CRITICAL: 95}


def keys_of(alert: Alert) -> dict[str, str]:
    """Key → strength; of the entities that `tests.incident_samples` uses."""
    found = {f"event:{uid}": "strong" for uid in alert.event_uids[:50]}
    for entity in alert.entities:
        if entity.type == "credential":
            found[f"aws.key:{entity.value}"] = "strong"
        elif entity.type == "user":
            found[f"aws.user:{entity.value}"] = "medium"
        elif entity.type == "ip":
            found[f"ip:{entity.value}"] = "weak"
    return found


def is_hub(key: str, alert: Alert, alerts: Sequence[Alert], sightings: pl.DataFrame) -> bool:
    day = alert.first_time.date()
    before = [day - timedelta(days=number) for number in range(1, 31)]
    if not key.startswith("ip:"):
        return len({other.first_time.date() for other in alerts if key in keys_of(other)} & set(before)) >= 10
    if key.startswith("ip:10."):
        return True
    ordinals = {each.toordinal() - 719_163 for each in before}
    rows = [row for row in sightings.unique().iter_rows(named=True) if row["hour"] // 24 in ordinals and row["entity"].startswith("ip:")]
    mine = [row for row in rows if row["entity"] == key]
    if len({row["actor"] for row in mine if row["actor"]}) > 4:
        return True
    return log2((len(rows) + 1) / (len(mine) + 1)) < 8


def addresses(alert: Alert, sightings: pl.DataFrame) -> set[tuple[str, bool]]:
    """The addresses of an alert, and whether many go through each."""
    day = alert.first_time.date().toordinal() - 719_163
    near = [row for row in sightings.iter_rows(named=True) if day - 30 <= row["hour"] // 24 <= day]
    found = {f"ip:{entity.value}" for entity in alert.entities if entity.type == "ip"}
    return {(address, len({row["actor"] for row in near if row["entity"] == address and row["actor"]}) > 4) for address in found}


def groups(alerts: Sequence[Alert], rules: Mapping[str, RuleFacts], sightings: pl.DataFrame) -> set[frozenset[str]]:
    """The uids of the alerts of each incident."""
    standing = sorted(
        {alert.uid: alert for alert in alerts if alert.state in (State.LIVE, State.OPEN)}.values(), key=lambda each: (each.first_time, each.uid)
    )
    keys = {each.uid: {key: s for key, s in keys_of(each).items() if not is_hub(key, each, standing, sightings)} for each in standing}

    def joined(a: Alert, b: Alert, strengths: Sequence[str]) -> bool:
        gap = max(a.first_time, b.first_time) - min(a.last_time, b.last_time)
        shared = keys[a.uid].keys() & keys[b.uid].keys()
        return any(keys[a.uid][key] in strengths and gap <= window(keys[a.uid][key], a, b) for key in shared)

    def window(strength: str, a: Alert, b: Alert) -> timedelta:
        """An identity joins over a day in one cloud or from one address, over an hour from one that many share, across clouds else not at all; an
        address in one cloud alone.
        """
        ways = [addresses(each, sightings) for each in (a, b)]
        same_place = {cloud.provider for cloud in a.cloud} == {cloud.provider for cloud in b.cloud}
        if strength == "weak":
            return WINDOW[strength] if same_place else timedelta.min
        if strength != "medium" or same_place or not all(ways) or any(not many for _, many in ways[0] & ways[1]):
            return WINDOW[strength]
        return timedelta(hours=1) if ways[0] & ways[1] else timedelta.min

    def components(members: Sequence[Alert], strengths: Sequence[str]) -> list[list[Alert]]:
        left = list(members)
        found: list[list[Alert]] = []
        while left:
            reached, pending = [], [left.pop(0)]
            while pending:
                one = pending.pop()
                reached.append(one)
                near = [other for other in left if joined(one, other, strengths)]
                left = [other for other in left if other not in near]
                pending += near
            found.append(sorted(reached, key=lambda each: (each.first_time, each.uid)))
        return found

    result: set[frozenset[str]] = set()
    for whole in components(standing, ("strong", "medium", "weak")):
        tactics = {tactic for each in whole for tactic in rules[each.rule.uid].tactics}
        parts = [whole] if len(tactics) >= 2 else components(whole, ("strong", "medium"))
        for part in parts:
            ends = [max(each.last_time for each in part[: n + 1]) for n in range(len(part))]
            gaps = [part[n + 1].first_time - ends[n] for n in range(len(part) - 1)]
            result |= {frozenset(each.uid for each in piece) for piece in divided(part, gaps)}
    return result


def divided(part: Sequence[Alert], gaps: Sequence[timedelta]) -> list[Sequence[Alert]]:
    if len(part) == 1 or max(each.last_time for each in part) - part[0].first_time <= timedelta(days=14):
        return [part]
    cut = gaps.index(max(gaps))
    return [*divided(part[: cut + 1], gaps[:cut]), *divided(part[cut + 1 :], gaps[cut + 1 :])]


def score(alerts: Sequence[Alert], rules: Mapping[str, RuleFacts], main: Mapping[str, str]) -> float:
    """The formula, by hand, for each hour with the day before it; ``main`` is what each alert is mainly about."""

    def hour(when: datetime) -> datetime:
        return when.replace(minute=0, second=0, microsecond=0)

    days = []
    for end in {hour(each.first_time) for each in alerts}:
        there = [each for each in alerts if hour(each.first_time) <= end and hour(each.last_time) >= end - timedelta(days=1)]
        holds = {other.uid for other in there for each in there if other is not each and _within(each, other)}
        days += [day(there, rules, main), day([each for each in there if each.uid not in holds], rules, main)]
    return max(days)


def _risk(each: Alert) -> float:
    confidence = {AlertKind.RULE: 0.8, AlertKind.CORRELATION: 1.0, AlertKind.ANALYTIC: 0.7}[each.kind] / (2 if each.state is State.OPEN else 1)
    return BASE[each.level] * confidence


def _graver(each: Alert) -> tuple[float, int, str]:
    return (-_risk(each), -each.count, each.uid)


def _within(each: Alert, other: Alert) -> bool:
    return set(each.event_uids) <= set(other.event_uids) and _graver(other) < _graver(each)


def day(alerts: Sequence[Alert], rules: Mapping[str, RuleFacts], main: Mapping[str, str]) -> float:
    head: dict[str, Alert] = {}
    for each in sorted(alerts, key=_graver):
        head[each.uid] = next((other for other in head.values() if head[other.uid] is other and _within(each, other)), each)
    once: dict[tuple[str, str, object], Alert] = {}
    for each in sorted(alerts, key=lambda each: (-_risk(each), each.uid)):
        once.setdefault((each.rule.uid, main[each.uid], each.first_time.replace(minute=0, second=0, microsecond=0)), each)
    families: dict[str, list[float]] = {}
    for each in once.values():
        uid = head[each.uid].rule.uid
        families.setdefault(rules[uid].family or uid, []).append(_risk(each))
    left = 1.0
    for risks in families.values():
        for rank, worth in enumerate(sorted(risks, reverse=True), 1):
            left *= 1 - worth / 100 / rank**1.5
    points = 100 * (1 - left) * (1 + 0.15 * (max(1, longest([rules[each.rule.uid].tactics for each in alerts if head[each.uid] is each])) - 1))
    clouds = {min(cloud.provider for cloud in each.cloud if cloud.provider) for each in alerts if each.level >= Level.MEDIUM and each.cloud}
    return round(min(100.0, points * 1.2 ** max(0, len(clouds) - 1)), 1)


def longest(shown: Sequence[tuple[str, ...]], above: int = -1) -> int:
    """Every sequence of tactics in rising order is tried."""
    if not shown:
        return 0
    best = longest(shown[1:], above)
    for tactic in shown[0]:
        if RANK[tactic] > above:
            best = max(best, 1 + longest(shown[1:], RANK[tactic]))
    return best
