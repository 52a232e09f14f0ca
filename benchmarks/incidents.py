"""How right incidents are, measured where the truth is known.

    python benchmarks/incidents.py [--seeds 101-120] [--days 7] [--scale 0.2] [--level high] [--without FOLDER] [--json]

For each seed a simulated company lives some days with campaigns and decoys in it (`crosswind simulate`), the built-in rules look at its logs, and the
incidents are compared with the truth, which no part of detection reads. Prints a line a seed and the figures over all of them; with ``--json`` one
document. Nothing here is a test: thresholds are compared by people.

- An alert belongs to the campaign of most of its events, to none where most are ordinary life. A campaign's alerts are its true incident.
- Shown are incidents at or above ``--level``. One is right where the Jaccard index of its alerts and a campaign's is at least one half; as both sides
  are divisions into disjoint sets, such pairs are unique (but for ties at exactly one half, taken by uid). ``precision``, ``recall`` and ``f1`` count
  these pairs; campaigns that no delivered record shows are left out, those without any alert count as missed.
- ``at_10``: of the first ten shown incidents by score, how many are right.
- ``b_cubed``: over the alerts of campaigns, how pure the incident and how whole the campaign of each is, as F1.
- ``stage_recall``: of the stages of campaigns with a delivered record, how many have an event in an alert of a shown incident.
- ``cross_cloud``: pairs of alerts of two clouds in one incident that belong to one campaign (precision), and pairs of clouds of a campaign with
  alerts in both that one incident holds (recall).
- ``reduction``: alerts over incidents. ``loud``: shown incidents made mostly of ordinary life, per million ordinary records.
- ``hours``: median time from a campaign's first event to the alert with which its incident first reached the level.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from engine.incidents.kernel import incidents as make_incidents  # found from wherever this is run
from engine.model import Alert, Incident, Level
from engine.pipeline import Settings, scan
from engine.simulate.generate import Plan, generate

CLOUD = {"aws": "AWS", "azure": "Azure", "entra": "Azure", "gcp": "GCP"}


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
    pairs_right: int = 0
    pairs: int = 0
    bridges_found: int = 0
    bridges: int = 0
    alerts: int = 0
    incidents: int = 0
    loud: int = 0
    ordinary: int = 0
    hours: list[float] = field(default_factory=list)
    missed: Counter[str] = field(default_factory=Counter)

    def add(self, other: Tally) -> None:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    def figures(self) -> dict[str, Any]:
        precision, recall = _share(self.right, self.shown), _share(self.right, self.campaigns)
        pure, whole = _share(self.pure, self.placed), _share(self.whole, self.placed)
        return {
            "precision": precision,
            "recall": recall,
            "f1": _f1(precision, recall),
            "at_10": _share(self.ten_right, self.ten),
            "b_cubed": _f1(pure, whole),
            "stage_recall": _share(self.stages_seen, self.stages),
            "cross_cloud_precision": _share(self.pairs_right, self.pairs),
            "cross_cloud_recall": _share(self.bridges_found, self.bridges),
            "reduction": _share(self.alerts, self.incidents),
            "loud": _share(self.loud * 1_000_000, self.ordinary),
            "hours": round(median(self.hours), 2) if self.hours else None,
        }


def _share(part: float, whole: float) -> float | None:
    return round(part / whole, 3) if whole else None


def _f1(one: float | None, other: float | None) -> float | None:
    return round(2 * one * other / (one + other), 3) if one and other else one and other


def measure(truth: Mapping[str, Any], alerts: Sequence[Alert], found: Sequence[Incident], level: Level) -> Tally:
    """Compare the incidents ``found`` of ``alerts`` with ``truth``."""
    by_uid = {alert.uid: alert for alert in alerts}
    attacks = {each["campaign"]: each for each in truth["campaigns"] if each["attack"] and any(stage["delivered"] for stage in each["stages"])}
    whose = {alert.uid: _campaign(alert, truth["events"], attacks) for alert in alerts}
    true: dict[str, set[str]] = defaultdict(set)
    for uid, campaign in whose.items():
        if campaign:
            true[campaign].add(uid)
    shown = [each for each in found if each.level >= level]
    tally = Tally(shown=len(shown), campaigns=len(attacks), alerts=len(alerts), incidents=len(found))
    matched = _matched(shown, true)
    tally.right = len(matched)
    tally.ten, tally.ten_right = min(len(shown), 10), sum(each.uid in matched for each in shown[:10])
    tally.missed.update(set(attacks) - set(matched.values()))
    tally.loud = sum(sum(whose.get(uid) is None for uid in each.alert_uids) * 2 > len(each.alert_uids) for each in shown)
    tally.ordinary = sum(truth["records"].values()) - len(truth["events"])
    _b_cubed(tally, found, whose, true)
    _stages(tally, truth["events"], attacks, [by_uid[uid] for each in shown for uid in each.alert_uids if uid in by_uid])
    _cross_cloud(tally, found, by_uid, whose, true)
    for each in shown:
        if each.uid in matched:
            tally.hours.append(_hours(each, by_uid, attacks[matched[each.uid]], level))
    return tally


def _campaign(alert: Alert, events: Mapping[str, Any], attacks: Mapping[str, Any]) -> str | None:
    counted = Counter(events[uid]["campaign"] if uid in events else None for uid in alert.event_uids)
    (best, _), *_ = sorted(counted.items(), key=lambda item: (-item[1], item[0] is None, item[0] or ""))
    return best if best in attacks else None


def _matched(shown: Sequence[Incident], true: Mapping[str, set[str]]) -> dict[str, str]:
    """Incident uid → campaign, for the pairs that share at least half of what either holds."""
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


def _stages(tally: Tally, events: Mapping[str, Any], attacks: Mapping[str, Any], alerts: Iterable[Alert]) -> None:
    seen = {(events[uid]["campaign"], events[uid]["stage"]) for alert in alerts for uid in alert.event_uids if uid in events}
    all_of = {(campaign, stage["stage"]) for campaign, of in attacks.items() for stage in of["stages"] if stage["delivered"]}
    tally.stages, tally.stages_seen = len(all_of), len(all_of & seen)


def _clouds(alert: Alert) -> set[str]:
    return {CLOUD[source.partition(".")[0]] for source in alert.sources if source.partition(".")[0] in CLOUD}


def _cross_cloud(
    tally: Tally, found: Sequence[Incident], alerts: Mapping[str, Alert], whose: Mapping[str, str | None], true: Mapping[str, set[str]]
) -> None:
    together: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for each in found:
        by_cloud: dict[str, Counter[str | None]] = defaultdict(Counter)
        for uid in each.alert_uids:
            clouds = _clouds(alerts[uid]) if uid in alerts else set()
            if len(clouds) == 1:
                by_cloud[next(iter(clouds))][whose.get(uid)] += 1
        for a, b in combinations(sorted(by_cloud), 2):
            same = sum(by_cloud[a][campaign] * by_cloud[b][campaign] for campaign in by_cloud[a] if campaign)
            tally.pairs_right += same
            tally.pairs += sum(by_cloud[a].values()) * sum(by_cloud[b].values())
            for campaign in by_cloud[a]:
                if campaign and by_cloud[b][campaign]:
                    together[campaign].add((a, b))
    for campaign, uids in true.items():
        single = sorted({next(iter(clouds)) for uid in uids if len(clouds := _clouds(alerts[uid])) == 1})
        wanted = set(combinations(single, 2))
        tally.bridges += len(wanted)
        tally.bridges_found += len(wanted & together[campaign])


def _hours(incident: Incident, alerts: Mapping[str, Alert], campaign: Mapping[str, Any], level: Level) -> float:
    """From the campaign's first event to the end of the alert with which the incident's alerts first reach the level."""
    began = min(_time(stage["first_time"]) for stage in campaign["stages"] if stage["delivered"])
    members = sorted((alerts[uid] for uid in incident.alert_uids if uid in alerts), key=lambda alert: (alert.last_time, alert.uid))
    low, high = 1, len(members)
    while low < high:
        middle = (low + high) // 2
        reached = max(each.level for each in make_incidents(members[:middle])) >= level
        low, high = (low, middle) if reached else (middle + 1, high)
    return max(members[low - 1].last_time - began, timedelta(0)) / timedelta(hours=1)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _seeds(text: str) -> list[int]:
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=_seeds, default=_seeds("101-120"))
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--scale", type=float, default=0.2)
    parser.add_argument("--level", default="high")
    parser.add_argument("--without", help="leave out what was delivered below this folder of logs/, as if it were not collected")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    level, total, rows = Level.of(asked.level), Tally(), []
    for seed in asked.seeds:
        tally = _one(seed, asked, level)
        total.add(tally)
        rows.append({"seed": seed, **tally.figures(), "missed": sorted(tally.missed)})
        if not asked.json:
            print(json.dumps(rows[-1]), flush=True)
    told = {"seeds": len(rows), "days": asked.days, "scale": asked.scale, **total.figures(), "missed": dict(total.missed.most_common())}
    print(json.dumps({**told, "rows": rows} if asked.json else told))


def _one(seed: int, asked: argparse.Namespace, level: Level) -> Tally:
    with tempfile.TemporaryDirectory(prefix="crosswind-") as folder:
        generate(Path(folder) / "world", Plan(days=asked.days, seed=seed, scale=asked.scale))
        truth = json.loads((Path(folder) / "world" / "truth.json").read_text(encoding="utf-8"))
        now = _time(truth["start"]) + timedelta(days=truth["days"] + 30)
        logs = Path(folder) / "world" / "logs"
        if asked.without:
            shutil.rmtree(logs / asked.without)
        result = scan([str(logs)], Settings(now=now), min_level=Level.LOW)
        return measure(truth, result.raised, result.incidents, level)


if __name__ == "__main__":
    main()
