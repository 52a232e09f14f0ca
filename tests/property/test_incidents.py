"""Incidents are a pure function of the set of alerts, and the same as a slow and obvious one."""

from __future__ import annotations

import random
from dataclasses import replace

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from engine.incidents.kernel import Given, incidents
from engine.incidents.redirects import redirects
from engine.model import Alert, AlertKind, CloudAccount, Incident, Level, State
from tests.examples import examples
from tests.incident_samples import ANA, EVE, IP, KEY, OTHER_KEY, RULES, alert, edges, sightings
from tests.reference_incidents import groups, score

ENTITIES = (("user", EVE), ("user", ANA), ("credential", KEY), ("credential", OTHER_KEY), ("ip", IP), ("ip", "198.51.100.9"), ("ip", "10.0.0.1"))
CLOUDS = ((CloudAccount("AWS", "111122223333"),), (CloudAccount("GCP", "p"),), ())
EDGES = edges(("key_of", f"aws.key:{KEY}", f"aws.user:{EVE}", 0), ("created_key", f"aws.key:{OTHER_KEY}", f"aws.user:{EVE}", 1))


@st.composite
def some_alerts(draw: st.DrawFn, most: int = 8, hours: int = 24 * 40) -> list[Alert]:
    made = []
    for number in range(draw(st.integers(1, most))):
        made.append(
            alert(
                f"{number:02d}",
                draw(st.one_of(st.integers(0, 30), st.integers(0, hours))),
                draw(st.sampled_from(sorted(RULES))),
                draw(st.sampled_from((0, 1, 5, 30))),
                draw(st.lists(st.sampled_from(ENTITIES), max_size=2, unique=True)),
                level=draw(st.sampled_from(list(Level))),
                kind=draw(st.sampled_from(list(AlertKind))),
                state=draw(st.sampled_from((State.LIVE, State.LIVE, State.LIVE, State.OPEN, State.RETRACTED))),
                cloud=draw(st.sampled_from(CLOUDS)),
                event_uids=draw(st.sampled_from(((f"e-{number}",), (f"e-{number}",), ("e-1", f"e-{number}")))),
            )
        )
    return made


SEEN = st.sampled_from(
    (
        sightings({}),
        sightings({f"ip:{IP}": 24}),
        sightings({f"ip:{IP}": 1}, ordinary=2_000),
        sightings({f"ip:{IP}": 5}, ordinary=4_000, actors=5),
        sightings({}, ordinary=255),
        sightings({}, ordinary=254),
        sightings({"ip:198.51.100.9": 20}, days_before=31),
        sightings({}).clear(),
    )
)


@examples(200)
@given(some_alerts(), SEEN)
def test_groups_and_scores_are_those_of_the_slow_function(alerts: list[Alert], seen: pl.DataFrame) -> None:
    made = incidents(alerts, Given(RULES, sightings=seen))
    assert {frozenset(each.alert_uids) for each in made} == groups(alerts, RULES, seen)
    by_uid = {each.uid: each for each in alerts}
    for incident in made:
        members = [by_uid[uid] for uid in incident.alert_uids]
        main = {each.uid: _main(each, alerts, seen) for each in members}
        assert abs(incident.score - score(members, RULES, main)) <= 0.11  # a tie in rounding


def _main(one: Alert, alerts: list[Alert], seen: pl.DataFrame) -> str:
    from tests.reference_incidents import is_hub, keys_of

    standing = [each for each in alerts if each.state is not State.RETRACTED]
    order = {"aws.key": 0, "aws.user": 1, "ip": 2}
    named = [key for key in keys_of(one) if not key.startswith("event:")]
    fine = sorted((order[key.split(":")[0]], key) for key in named if not is_hub(key, one, standing, seen))
    roles = {"aws.key": "actor", "aws.user": "actor", "ip": "ip"}
    rest = sorted((roles[key.split(":")[0]], key) for key in named)
    return fine[0][1] if fine else rest[0][1] if rest else ""


@examples(75)
@given(some_alerts(12), SEEN, st.randoms(use_true_random=False))
def test_order_repetition_and_batches_change_nothing(alerts: list[Alert], seen: pl.DataFrame, chance: random.Random) -> None:
    once = incidents(alerts, Given(RULES, EDGES, seen))
    shuffled = [*alerts, *chance.sample(alerts, chance.randint(0, len(alerts)))]
    chance.shuffle(shuffled)
    parts = [EDGES.sample(fraction=1, shuffle=True, seed=3), EDGES[:1]]
    again = Given(RULES, pl.concat(parts), pl.concat([seen[1:], seen[:2]]))
    assert incidents(shuffled, again) == once
    assert sorted(uid for each in once for uid in each.alert_uids) == sorted(each.uid for each in alerts if each.state is not State.RETRACTED)
    assert len({each.uid for each in once}) == len(once)


@examples(75)
@given(some_alerts(10, hours=72), st.data())
def test_an_alert_that_goes_changes_no_incident_it_was_not_in(alerts: list[Alert], data: st.DataObject) -> None:
    seen = sightings({})
    before = shown(incidents(alerts, Given(RULES, EDGES, seen)))
    gone = data.draw(st.sampled_from(alerts))
    after = shown(incidents([each for each in alerts if each is not gone], Given(RULES, EDGES, seen)))
    assert [each for each in before if gone.uid not in each.alert_uids] == [each for each in after if each in before]
    former = next((each for each in before if gone.uid in each.alert_uids), None)
    if former is not None:
        left = {uid for each in after if each not in before for uid in each.alert_uids}
        assert left == set(former.alert_uids) - {gone.uid}


def shown(found: list[Incident]) -> list[Incident]:
    """Without what they are worked out together with, which goes by links that hold nothing together too."""
    return [replace(each, component="") for each in found]


@examples(75)
@given(some_alerts(10, hours=72), st.data())
def test_more_evidence_of_the_same_level_never_lowers_a_score(alerts: list[Alert], data: st.DataObject) -> None:
    seen = sightings({})
    level = data.draw(st.sampled_from(list(Level)))
    rule = data.draw(st.sampled_from(sorted(RULES)))
    entities = data.draw(st.lists(st.sampled_from(ENTITIES), max_size=2, unique=True))
    added = alert("zz", data.draw(st.integers(0, 72)), rule, 0, entities, level=level)
    before = incidents(alerts, Given(RULES, EDGES, seen))
    after = incidents([*alerts, added], Given(RULES, EDGES, seen))
    for incident in before:
        held = next(each for each in after if incident.alert_uids[0] in each.alert_uids)
        assert set(incident.alert_uids) <= set(held.alert_uids)
        assert held.score >= incident.score


@examples(60)
@given(some_alerts(10), st.data())
def test_every_uid_that_goes_leads_somewhere(alerts: list[Alert], data: st.DataObject) -> None:
    seen = sightings({})
    before = incidents(alerts, Given(RULES, EDGES, seen))
    kept = data.draw(st.lists(st.sampled_from(alerts), unique_by=lambda each: each.uid))
    added = alert("zz", data.draw(st.integers(0, 100)), "takes", 0, ENTITIES[:3])
    after = incidents([*kept, added], Given(RULES, EDGES, seen))
    uids = {each.uid for each in after}
    found = redirects(before, after)
    assert {each.old for each in found} == {each.uid for each in before} - uids
    for each in found:
        held = next(old for old in before if old.uid == each.old)
        standing = [uid for uid in held.alert_uids if any(uid in new.alert_uids for new in after)]
        if standing:
            assert standing[0] in next(new for new in after if new.uid == each.new).alert_uids
        else:
            assert each.new is None or each.reason == "revised"
