"""However alerts come, the incidents that stand in the end are those of all alerts at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.incidents.kernel import Given, incidents
from engine.model import Alert, Incident, Level, State
from engine.pipeline.lasting.regrouping import regroup
from engine.store.incident_rows import Around
from tests.examples import examples
from tests.incident_samples import IP, KEY, RULES, alert, sightings
from tests.property.test_incidents import EDGES, some_alerts

SEEN = sightings({f"ip:{IP}": 1}, ordinary=2_000)


def work(alerts: object) -> list[Incident]:
    return incidents(alerts, Given(RULES, EDGES, SEEN))  # type: ignore[arg-type]


class Kept:
    """Alerts and incidents as a state has them, by uid."""

    def __init__(self) -> None:
        self.alerts: dict[str, Alert] = {}
        self.incidents: dict[str, Incident] = {}
        self.read = 0

    def batch(self, new: list[Alert], gone: list[str]) -> None:
        changed = [*new, *(self.alerts[uid] for uid in gone)]
        self.alerts |= {each.uid: each for each in new}
        for uid in gone:
            del self.alerts[uid]
        low = min(each.first_time for each in changed)
        found = regroup(low, self._standing, self._around, work)
        self.incidents = {uid: each for uid, each in self.incidents.items() if each.component not in found.components}
        assert self.incidents.keys().isdisjoint(each.uid for each in found.incidents)
        self.incidents |= {each.uid: each for each in found.incidents}

    def _standing(self, start: datetime) -> list[Alert]:
        found = [each for each in self.alerts.values() if each.last_time >= start]
        self.read = len(found)
        return found

    def _around(self, since: datetime) -> Around:
        names = {each.component for each in self.incidents.values() if each.last_time >= since}
        held = [each for each in self.incidents.values() if each.component in names]
        alerts = frozenset(uid for each in held for uid in each.alert_uids)
        return Around(frozenset(names), alerts, min((each.first_time for each in held), default=None))


@examples(120)
@given(some_alerts(most=14, hours=24 * 90), st.data())
def test_any_batches_in_any_order_end_in_the_same_incidents(alerts: list[Alert], data: st.DataObject) -> None:
    alerts = [replace(each, state=State.LIVE) for each in alerts]
    shuffled = data.draw(st.permutations(alerts))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(alerts)), max_size=5)))
    kept = Kept()
    for low, high in zip([0, *cuts], [*cuts, len(alerts)], strict=True):
        if high > low:
            part = shuffled[low:high]
            first = [
                replace(each, level=Level.LOW, last_time=each.first_time)
                for each in data.draw(st.lists(st.sampled_from(part), unique_by=id, max_size=2))
            ]
            gone = data.draw(st.lists(st.sampled_from(sorted(kept.alerts)), unique=True, max_size=2)) if kept.alerts else []
            back = [kept.alerts[uid] for uid in gone]
            if first:
                kept.batch(first, [])
            kept.batch(part, gone)
            if back:
                kept.batch(back, [])
    assert kept.incidents == {each.uid: each for each in work(alerts)}


def test_what_is_far_away_is_not_read_again() -> None:
    kept = Kept()
    entities = [("credential", KEY)]
    for day in range(0, 400, 4):
        kept.batch([alert(f"{day:03}", 24.0 * day, entities=entities if day % 40 else [])], [])
    assert len(kept.alerts) == 100
    assert kept.read <= 20, "a new alert reads about 7 + 30 days, and what hangs together with it"


@pytest.mark.parametrize("days", [1, 29, 31])
def test_what_becomes_routine_is_taken_apart_again(days: int) -> None:
    """Late alerts make a key busy; alerts of up to 30 days later no longer join by it."""
    later = [alert(f"l{n}", 24.0 * days + 24 + n, entities=[("credential", KEY)]) for n in range(2)]
    kept = Kept()
    kept.batch(later, [])
    assert len(kept.incidents) == 1
    for day in range(10):
        kept.batch([alert(f"e{day}", -24.0 * day, entities=[("credential", KEY)])], [])
    assert kept.incidents == {each.uid: each for each in work(kept.alerts.values())}
    assert timedelta(days=days) > timedelta(0)
