"""Incidents of before and of now → where those that are gone went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from engine.model import Incident, Redirect


def redirects(before: Iterable[Incident], now: Iterable[Incident]) -> list[Redirect]:
    """A redirect for every uid of ``before`` that no incident of ``now`` has, by uid.

    It leads to the incident that holds its earliest alert that still stands; where all its alerts are gone, to the one that holds most of its events.
    """
    present = list(now)
    uids = {incident.uid for incident in present}
    by_alert = {alert: incident.uid for incident in present for alert in incident.alert_uids}
    by_event: dict[str, str] = {}
    for incident in sorted(present, key=lambda each: each.uid):
        for event in incident.event_uids:
            by_event.setdefault(event, incident.uid)
    found: list[Redirect] = []
    for incident in sorted(before, key=lambda each: each.uid):
        if incident.uid in uids:
            continue
        new = next((by_alert[alert] for alert in incident.alert_uids if alert in by_alert), None)
        if new is not None:
            found.append(Redirect(incident.uid, new, "merged"))
            continue
        counts = Counter(by_event[event] for event in incident.event_uids if event in by_event)
        most = min(counts, key=lambda uid: (-counts[uid], uid), default=None)
        found.append(Redirect(incident.uid, most, "revised" if most else "withdrawn"))
    return found
