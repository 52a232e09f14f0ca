"""Incidents in the state: what stands, where what is gone went, and how what people said stays true."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine.incidents.kernel import Given, incidents
from engine.model import Alert, Incident, Level, State
from engine.store.incident_codec import decode, encode
from engine.store.incident_rows import IncidentQuery
from engine.store.records import INCIDENT, StoredIncident
from engine.store.state import State as Store
from tests.incident_samples import ANA, EVE, KEY, RULES, alert, edges
from tests.states import KINDS, commit, later, new_place

GIVEN = Given(RULES, edges(("key_of", f"aws.key:{KEY}", f"aws.user:{EVE}", 0)))
ONE = alert("one", 10, "looks", entities=[("credential", KEY)], level=Level.HIGH)
TWO = alert("two", 11, "takes", entities=[("credential", KEY)], level=Level.HIGH)
EARLY = alert("early", 9, "blinds", entities=[("credential", KEY)], level=Level.HIGH)
OTHER = alert("other", 10, entities=[("user", ANA)])


def made(*alerts: Alert) -> list[Incident]:
    return incidents(alerts, GIVEN)


@pytest.fixture(params=KINDS)
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with Store.open(new_place(request.param, tmp_path)) as opened:
        yield opened


class Keeping:
    """Batches of alerts that all may hang together."""

    def __init__(self, state: Store) -> None:
        self.state = state
        self.batch = 0

    def __call__(self, *alerts: Alert) -> dict[str, StoredIncident]:
        self.batch += 1
        found = self.state.incidents_around(ONE.first_time.replace(year=2025))
        commit(self.state, self.batch, incidents=made(*alerts), components=found.components)
        return self.all()

    def all(self) -> dict[str, StoredIncident]:
        return {each.incident.uid: each for each in self.state.incidents()}

    def standing(self) -> dict[str, tuple[str, ...]]:
        return {uid: each.incident.alert_uids for uid, each in self.all().items() if each.state is State.LIVE and each.followed_by is None}


@pytest.fixture
def keep(state: Store) -> Keeping:
    return Keeping(state)


def uid_of(*alerts: Alert) -> str:
    (found,) = made(*alerts)
    return found.uid


def test_nothing_of_an_incident_is_lost_in_a_text() -> None:
    hostile = replace(EARLY, rule=replace(EARLY.rule, title="a\x00\ud800b"), reason="\x1b[31m")
    for incident in made(hostile, ONE, TWO, OTHER):
        assert decode(encode(incident), component=incident.component) == incident
        assert encode(decode(encode(incident))) == encode(incident)


def test_what_stays_the_same_is_no_change(keep: Keeping) -> None:
    first = keep(ONE, OTHER)
    assert keep(ONE, OTHER) == first
    grown = keep(ONE, TWO, OTHER)
    assert {(each.incident.uid, each.revision) for each in grown.values()} == {(uid_of(ONE), 2), (uid_of(OTHER), 1)}
    assert grown[uid_of(ONE)].incident == made(ONE, TWO)[0]


def test_an_incident_that_begins_earlier_leads_on_and_may_come_back(keep: Keeping) -> None:
    keep(ONE, TWO)
    found = keep(EARLY, ONE, TWO)
    old, new = found[uid_of(ONE)], found[uid_of(EARLY)]
    assert (old.state, old.why, old.moved_to) == (State.SUPERSEDED, "merged", new.incident.uid)
    assert keep.standing() == {new.incident.uid: ("early", "one", "two")}
    found = keep(ONE, TWO)
    assert keep.standing() == {uid_of(ONE): ("one", "two")}
    assert found[uid_of(ONE)].revision == 3
    assert found[uid_of(EARLY)].moved_to == uid_of(ONE)
    found = keep()
    assert keep.standing() == {}
    assert (found[uid_of(ONE)].state, found[uid_of(ONE)].why) == (State.RETRACTED, "withdrawn")


def test_evidence_on_a_closed_incident_opens_another(keep: Keeping, state: Store) -> None:
    keep(ONE)
    uid = uid_of(ONE)
    state.set_human(INCIDENT, uid, "ann", later(5), status="closed", verdict="benign")
    keep(ONE)
    found = keep(ONE, TWO)
    closed = found[uid]
    assert closed.incident.alert_uids == ("one",)
    opened = found[str(closed.followed_by)]
    assert (opened.follows, opened.incident.status, opened.incident.alert_uids) == (uid, "open", ("one", "two"))
    assert keep.standing() == {opened.incident.uid: ("one", "two")}
    assert state.open_incidents() == {opened.incident.level: 1}
    assert keep(ONE, TWO) == found
    state.set_human(INCIDENT, opened.incident.uid, "ann", later(6), status="closed", verdict="benign")
    third = alert("three", 12, entities=[("credential", KEY)])
    found = keep(ONE, TWO, third)
    (last,) = keep.standing()
    assert found[last].follows == opened.incident.uid
    assert found[uid] == replace(closed)


def test_a_closed_incident_that_changes_without_new_evidence_stays_closed(keep: Keeping, state: Store) -> None:
    keep(ONE, TWO)
    state.set_human(INCIDENT, uid_of(ONE), "ann", later(5), status="closed", verdict="benign")
    found = keep(TWO)
    assert found[uid_of(TWO)].incident.status == "closed", "its first alert was withdrawn, so its uid is another one"
    found = keep(replace(TWO, level=Level.LOW))
    assert (found[uid_of(TWO)].incident.status, found[uid_of(TWO)].revision) == ("closed", 2)


def test_who_works_an_incident_goes_with_it(keep: Keeping, state: Store) -> None:
    keep(ONE, TWO)
    state.set_human(INCIDENT, uid_of(ONE), "ann", later(5), assignee="bob")
    found = keep(EARLY, ONE, TWO)
    human = found[uid_of(EARLY)].human
    assert human is not None
    assert (human.status, human.assignee) == ("acknowledged", "bob")


def test_sinks_hear_of_every_change_once(keep: Keeping, state: Store) -> None:
    keep(ONE, TWO)
    (row,) = state.outbox("siem", 10)
    assert (row.kind, row.uid, row.first) == (INCIDENT, uid_of(ONE), True)
    assert row.stored == keep.all()[uid_of(ONE)]
    state.delivered("siem", [row.id], later(9))
    keep(EARLY, ONE, TWO)
    told = {row.uid: (row.first, row.stored) for row in state.outbox("siem", 10)}
    assert told == {uid_of(ONE): (False, keep.all()[uid_of(ONE)]), uid_of(EARLY): (True, keep.all()[uid_of(EARLY)])}


def test_incidents_are_found_by_what_is_asked(keep: Keeping, state: Store) -> None:
    keep(ONE, TWO, OTHER)

    def uids(**query: object) -> set[str]:
        return {each.incident.uid for each in state.incidents(IncidentQuery(**query))}  # type: ignore[arg-type]

    assert uids() == {uid_of(ONE), uid_of(OTHER)}
    assert uids(min_level=Level.HIGH) == {uid_of(ONE)}
    assert uids(start=later(60 * 24 * 30)) == uids(end=later(-60 * 24)) == set()
    assert uids(statuses=["closed"]) == set()
    assert len(uids(limit=1)) == 1
    last = max(each.sequence for each in keep.all().values())
    assert uids(since=last) == set()
    assert state.incident_uid(uid_of(ONE)[:8]) == uid_of(ONE)
