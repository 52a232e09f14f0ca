"""Alerts and incidents against the truth of a simulation: what is counted, and the figures made of the counts.

Every definition is in docs/evaluation.md; the functions here are pure, so that they are tested on a truth that fits on a page.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import combinations
from statistics import median
from typing import Any

from engine.model import Alert, Incident, Level

CLOUD = {"aws": "aws", "azure": "azure", "entra": "azure", "gcp": "gcp"}
"""First part of a source → the cloud it is of; gateways and spans are of none."""
Reached = Callable[[Sequence[Sequence[Alert]]], Sequence[Level]]
"""Of several sets of alerts the highest level of the incidents that each amounts to, where these are all there is."""


@dataclass
class Tally:
    """Counts of one seed, or of several added up."""

    right: int = 0
    shown: int = 0
    campaigns: int = 0
    ten_right: int = 0
    ten: int = 0
    pure: float = 0.0
    whole: float = 0.0
    placed: int = 0
    stages_seen: int = 0
    stages: int = 0
    asserted_right: int = 0
    asserted: int = 0
    links_found: int = 0
    links_in_reach: int = 0
    links: int = 0
    alerts: int = 0
    incidents: int = 0
    loud: int = 0
    ordinary: int = 0
    hours: list[float] = field(default_factory=list)
    missed: Counter[str] = field(default_factory=Counter)
    wrong_links: list[dict[str, Any]] = field(default_factory=list)
    lost_links: list[dict[str, Any]] = field(default_factory=list)
    loud_ones: list[dict[str, Any]] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    @classmethod
    def of(cls, tallies: Iterable[Tally]) -> Tally:
        found = cls()
        for each in tallies:
            found.add(each)
        return found

    def figures(self) -> dict[str, float | None]:
        """The figures by name; None where there is nothing to divide by."""
        precision, recall = share(self.right, self.shown), share(self.right, self.campaigns)
        return {
            "precision": precision,
            "recall": recall,
            "f1": f1(precision, recall),
            "at_10": share(self.ten_right, self.ten),
            "b_cubed": f1(share(self.pure, self.placed), share(self.whole, self.placed)),
            "stage_recall": share(self.stages_seen, self.stages),
            "link_precision": share(self.asserted_right, self.asserted),
            "link_recall": share(self.links_found, self.links),
            "link_kept": share(self.links_found, self.links_in_reach),
            "reduction": share(self.alerts, self.incidents),
            "loud": share(self.loud * 1_000_000, self.ordinary),
            "hours": round(median(self.hours), 2) if self.hours else None,
        }


def share(part: float, whole: float) -> float | None:
    return round(part / whole, 3) if whole else None


def f1(one: float | None, other: float | None) -> float | None:
    return round(2 * one * other / (one + other), 3) if one and other else one and other


class Truth:
    """``truth.json``, as it is where the logs of the sources ``without`` were not collected."""

    def __init__(self, document: Mapping[str, Any], without: frozenset[str] = frozenset()) -> None:
        self.events: dict[str, dict[str, Any]] = {uid: at for uid, at in document["events"].items() if at["source"] not in without}
        first: dict[tuple[str, int], datetime] = {}
        self.stories: dict[str, Mapping[str, Any]] = {each["campaign"]: each for each in document["campaigns"]}
        seen = {(at["campaign"], at["stage"]) for at in self.events.values()}
        for name, each in self.stories.items():
            for stage in each["stages"]:
                if (name, stage["stage"]) in seen:
                    first[name, stage["stage"]] = moment(stage["first_time"])
        self.stages = {at for at in first if self.stories[at[0]]["attack"]}
        self.began = {name: min(first[at] for at in self.stages if at[0] == name) for name in {at[0] for at in self.stages}}
        records = {source: count for source, count in document["records"].items() if source not in without}
        self.ordinary = sum(records.values()) - len(self.events)
        self._named = {entity: one["name"] for one in document["principals"] for entity in one["entities"]}
        self._values = {entity.partition(":")[2]: name for entity, name in self._named.items()}

    def links(self) -> list[tuple[str, Mapping[str, Any]]]:
        """Links of attacks between two clouds of which every proof was delivered, with their campaign; got again by one parent they are one."""
        found: dict[tuple[str, ...], tuple[str, Mapping[str, Any]]] = {}
        for name in sorted(self.began):
            for link in self.stories[name]["links"]:
                if link["cross_cloud"] and set(link["clouds"]) <= set(CLOUD.values()) and set(link["event_uids"]) <= self.events.keys():
                    found.setdefault((name, link["kind"], link["parent"], *link["clouds"]), (name, link))
        return list(found.values())

    def story(self, uids: Iterable[str]) -> str | None:
        """The campaign or decoy of most of these events, None where most are ordinary life; of equals the first by name, ordinary life last."""
        counted = Counter(self.events[uid]["campaign"] if uid in self.events else None for uid in uids)
        if not counted:
            return None
        return min(counted, key=lambda name: (-counted[name], name is None, name or ""))

    def attack(self, uids: Iterable[str]) -> str | None:
        story = self.story(uids)
        return story if story in self.began else None

    def who(self, entity: str) -> str | None:
        """The person or workload an identifier (``type:value``) belongs to."""
        return self._named.get(entity)

    def people(self, alert: Alert) -> set[str]:
        """The people and workloads whose lasting identifiers an alert holds; the name of a session may hold a person's address."""
        found = {self._values[each.value] for each in alert.entities if each.value in self._values}
        ends = {each.value.rpartition("/")[2] for each in alert.entities if ":assumed-role/" in each.value}
        return found | {self._values[end] for end in ends if end in self._values}


def measure(
    truth: Truth, alerts: Sequence[Alert], found: Sequence[Incident], level: Level, reached: Reached | None = None, only: str | None = None
) -> Tally:
    """Compare the incidents ``found`` of ``alerts`` with the truth; ``reached`` for the time to incident.

    ``only``: count nothing but that campaign, the incidents that are mostly made of it, and the links it has; what is ordinary life counts nowhere.
    """
    by_uid = {alert.uid: alert for alert in alerts}
    stories = {alert.uid: truth.story(alert.event_uids) for alert in alerts}
    whose = {uid: story if story in truth.began and only in (None, story) else None for uid, story in stories.items()}
    true: dict[str, set[str]] = defaultdict(set)
    for uid, campaign in whose.items():
        if campaign:
            true[campaign].add(uid)
    shown = [each for each in found if each.level >= level and (only is None or _mostly(each, stories) == only)]
    wanted = {only} & truth.began.keys() if only else set(truth.began)
    tally = Tally(shown=len(shown), campaigns=len(wanted), alerts=len(alerts), incidents=len(found))
    matched = _matched(shown, true)
    tally.right = len(matched)
    tally.ten, tally.ten_right = min(len(shown), 10), sum(each.uid in matched for each in shown[:10])
    tally.missed.update(wanted - set(matched.values()))
    tally.ordinary = truth.ordinary
    if only is None:
        loud = [each for each in shown if _mostly(each, whose) is None]
        tally.loud = len(loud)
        tally.loud_ones = [{"title": each.title, "level": each.level.word, "story": _mostly(each, stories)} for each in loud]
    _b_cubed(tally, found, whose, true)
    stages = {at for at in truth.stages if only in (None, at[0])}
    seen = {
        (at["campaign"], at["stage"])
        for each in shown
        for uid in each.alert_uids
        for event in by_uid[uid].event_uids
        if (at := truth.events.get(event))
    }
    tally.stages, tally.stages_seen = len(stages), len(stages & seen)
    if only is None:
        _asserted(tally, found, by_uid, stories, truth)
    _true_links(tally, found, by_uid, whose, truth, only)
    if reached and matched:
        ended = [
            sorted((by_uid[uid] for uid in each.alert_uids), key=lambda alert: (alert.last_time, alert.uid)) for each in shown if each.uid in matched
        ]
        began = [truth.began[matched[each.uid]] for each in shown if each.uid in matched]
        told = _told(ended, level, reached)
        tally.hours = [max(when - first, timedelta(0)) / timedelta(hours=1) for when, first in zip(told, began, strict=True)]
    return tally


def _mostly(incident: Incident, stories: Mapping[str, str | None]) -> str | None:
    """The story of most of an incident's alerts; ordinary life where it holds more than half."""
    counted = Counter(stories.get(uid) for uid in incident.alert_uids)
    if counted[None] * 2 > len(incident.alert_uids):
        return None
    return min((name for name in counted if name), key=lambda name: (-counted[name], name), default=None)


def _matched(shown: Sequence[Incident], true: Mapping[str, set[str]]) -> dict[str, str]:
    """Incident uid → campaign, for the pairs that share at least half of what either holds.

    Both sides are divided into disjoint sets, so at one half or more an assignment that makes the most of it is the greedy one.
    """
    pairs = []
    for each in shown:
        members = set(each.alert_uids)
        for campaign, of in true.items():
            jaccard = len(members & of) / len(members | of)
            if jaccard >= 0.5:
                pairs.append((-jaccard, each.uid, campaign))
    matched: dict[str, str] = {}
    for _, uid, campaign in sorted(pairs):
        if uid not in matched and campaign not in matched.values():
            matched[uid] = campaign
    return matched


def _b_cubed(tally: Tally, found: Sequence[Incident], whose: Mapping[str, str | None], true: Mapping[str, set[str]]) -> None:
    for each in found:
        members = set(each.alert_uids)
        for uid in members:
            if campaign := whose.get(uid):
                same = len(members & true[campaign])
                tally.pure += same / len(members)
                tally.whole += same / len(true[campaign])
                tally.placed += 1


def clouds(alert: Alert) -> set[str]:
    """The clouds of the records an alert rests on."""
    return {CLOUD[source.partition(".")[0]] for source in alert.sources if source.partition(".")[0] in CLOUD}


def _asserted(tally: Tally, found: Sequence[Incident], alerts: Mapping[str, Alert], stories: Mapping[str, str | None], truth: Truth) -> None:
    """Every join between alerts of two clouds, and every alert that holds records of two, says that one actor was in both."""
    for incident in found:
        for join in incident.joins:
            a, b = alerts[join.a], alerts[join.b]
            sides = clouds(a), clouds(b)
            if not all(sides) or sides[0] & sides[1]:
                continue
            told: dict[str, Any] = {"incident": incident.uid, "key": join.key, "reason": join.reason, "strength": join.strength.value}
            told |= {"a": a.rule.title, "b": b.rule.title, "alerts": [a.uid, b.uid], "stories": [stories[a.uid], stories[b.uid]]}
            _judge(tally, _one_story(stories[a.uid], stories[b.uid]) or bool(truth.people(a) & truth.people(b)), told)
        for uid in incident.alert_uids:
            alert = alerts[uid]
            by_cloud: dict[str, list[str]] = defaultdict(list)
            for event in alert.events:
                if cloud := CLOUD.get(event.source.partition(".")[0]):
                    by_cloud[cloud].append(event.uid)
            for one, other in combinations(sorted(by_cloud), 2):
                pair = truth.story(by_cloud[one]), truth.story(by_cloud[other])
                right = _one_story(*pair) or len(truth.people(alert)) == 1
                _judge(tally, right, {"incident": incident.uid, "alert": alert.rule.title, "alerts": [uid], "stories": list(pair)})


def _one_story(one: str | None, other: str | None) -> bool:
    return one is not None and one == other


def _judge(tally: Tally, right: bool, told: dict[str, Any]) -> None:
    tally.asserted += 1
    tally.asserted_right += right
    if not right:
        tally.wrong_links.append(told)


def _true_links(
    tally: Tally, found: Sequence[Incident], alerts: Mapping[str, Alert], whose: Mapping[str, str | None], truth: Truth, only: str | None
) -> None:
    """A true link is found where one incident holds alerts of the campaign in both clouds, or names who stands behind those of the child's."""
    held: dict[str, list[tuple[set[str], set[str]]]] = defaultdict(list)
    for incident in found:
        named = {each.entity for each in incident.principals}
        named |= {name for each in named if (name := truth.who(each))}
        by_campaign: dict[str, set[str]] = defaultdict(set)
        for uid in incident.alert_uids:
            if campaign := whose.get(uid):
                by_campaign[campaign] |= clouds(alerts[uid])
        for campaign, of in by_campaign.items():
            held[campaign].append((of, named))
    for campaign, link in truth.links():
        if only not in (None, campaign):
            continue
        parent, child = link["clouds"]
        everywhere = set().union(*(of for of, _ in held[campaign]))
        one = any({parent, child} <= of for of, _ in held[campaign])
        behind = any(child in of and {link["parent"], truth.who(link["parent"])} & named for of, named in held[campaign])
        tally.links += 1
        tally.links_in_reach += one or behind or {parent, child} <= everywhere
        tally.links_found += one or behind
        if not (one or behind):
            told = {"campaign": campaign, "kind": link["kind"], "proof": link["proof"], "clouds": [parent, child], "alerts_in": sorted(everywhere)}
            tally.lost_links.append(told | {"parent": link["parent"], "child": link["child"]})


def _told(ended: Sequence[Sequence[Alert]], level: Level, reached: Reached) -> list[datetime]:
    """When each set of alerts, given in the order in which they end, first reached the level: by halving, all sets at once."""
    low, high = [1] * len(ended), [len(alerts) for alerts in ended]
    while any(one < other for one, other in zip(low, high, strict=True)):
        middle = [(one + other) // 2 for one, other in zip(low, high, strict=True)]
        levels = reached([alerts[:most] for alerts, most in zip(ended, middle, strict=True)])
        for number, most in enumerate(middle):
            if low[number] == high[number]:
                continue
            if levels[number] >= level:
                high[number] = most
            else:
                low[number] = most + 1
    return [alerts[most - 1].last_time for alerts, most in zip(ended, low, strict=True)]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
