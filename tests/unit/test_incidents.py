"""What joins alerts, what does not, and how an incident says so."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from engine.documents.incident import certainty
from engine.incidents import hubs, naming
from engine.incidents.hubs import known_hub
from engine.incidents.kernel import Given, incidents
from engine.incidents.redirects import redirects
from engine.incidents.score import Circumstance, longest_chain
from engine.incidents.windows import LARGEST
from engine.model import AlertKind, CloudAccount, Held, Incident, Level, State, Strength
from tests.incident_samples import ANA, EVE, IP, KEY, OTHER_KEY, RULES, START, alert, edges, sightings

BY_KEY = (("credential", KEY),)
BY_EVE = (("user", EVE),)
BY_IP = (("ip", IP),)
AZURE = (CloudAccount("Azure", "11111111-2222-3333-4444-555555555555"),)
GCP = (CloudAccount("GCP", "example"),)
OID = "22222222-3333-4444-5555-666666666666"


def sizes(found: list[Incident]) -> list[int]:
    return sorted((len(each.alert_uids) for each in found), reverse=True)


@pytest.mark.parametrize(("entities", "hours"), [(BY_KEY, 7 * 24), (BY_EVE, 24), (BY_IP, 6)])
def test_a_key_joins_within_the_window_of_its_strength_and_not_beyond(entities: tuple[tuple[str, str], ...], hours: float) -> None:
    given = Given(RULES, sightings=sightings({}))
    first = alert("a", 0, "looks", 1, entities)
    assert sizes(incidents([first, alert("b", 1 + hours, "takes", 0, entities)], given)) == [2]
    assert sizes(incidents([first, alert("b", 1.01 + hours, "takes", 0, entities)], given)) == [1, 1]


def test_weak_joins_need_two_tactics() -> None:
    given = Given(RULES, sightings=sightings({}))
    same = [alert("a", 0, "looks", 0, BY_IP), alert("b", 1, "looks", 0, BY_IP), alert("c", 2, "plain", 0, BY_IP)]
    assert sizes(incidents(same, given)) == [1, 1, 1]
    found = incidents([*same, alert("d", 3, "takes", 0, BY_IP)], given)
    assert sizes(found) == [4]
    assert found[0].confidence is Strength.WEAK
    assert {join.reason for join in found[0].joins} == {"sharedIndicators"}


def test_confidence_is_that_of_what_holds_most_and_what_hangs_on_less_is_told() -> None:
    """One weak join at the edge of many strong ones makes nobody doubt these; where it holds two halves together it is the one to doubt."""
    given = Given(RULES, sightings=sightings({}))

    def made(by_key: int, by_address: int) -> Incident:
        strong = [alert(f"a{n}", n / 10, "looks", 0, (*BY_KEY, *BY_IP)) for n in range(by_key)]
        weak = [alert(f"b{n}", 1 + n / 10, "takes", 0, (("credential", OTHER_KEY), *BY_IP)) for n in range(by_address)]
        (found,) = incidents([*strong, *weak], given)
        return found

    one = made(9, 1)
    assert (one.confidence, one.held) == (Strength.STRONG, Held(9, 9))
    assert certainty(one) == "strong, but 1 of 10 alerts hangs on weak joins alone"
    assert (made(3, 1).confidence, made(5, 2).confidence) == (Strength.STRONG, Strength.WEAK)
    assert certainty(made(4, 4)) == "weak: at most 4 of 8 alerts hang together without weak joins"
    (by_person,) = incidents([alert(f"a{n}", n, "looks", 0, BY_EVE) for n in range(3)], given)
    assert (by_person.confidence, by_person.held, certainty(by_person)) == (Strength.MEDIUM, Held(1, 3), "medium")
    (alone,) = incidents([alert("a", 0, "looks", 0, BY_KEY)], given)
    assert (alone.confidence, alone.held, certainty(alone)) == (Strength.STRONG, Held(1, 1), "strong")


@pytest.mark.parametrize(
    "seen",
    [
        {"seen": {}, "ordinary": 254},
        {"seen": {f"ip:{IP}": 1}, "ordinary": 480},
        {"seen": {f"ip:{IP}": 5}, "ordinary": 9_000, "actors": 5},
        {"seen": {}, "days_before": 31},
        {"seen": {}, "days_before": 0},
    ],
)
def test_an_address_that_is_not_shown_to_be_rare_joins_nothing_and_that_is_said(seen: dict[str, Any]) -> None:
    found = incidents([alert("a", 0, "looks", 0, BY_IP), alert("b", 1, "takes", 0, BY_IP)], Given(RULES, sightings=sightings(**seen)))
    assert sizes(found) == [1, 1]
    assert found[0].notes[0].startswith(f"ip:{IP} joined nothing: it ")


@pytest.mark.parametrize(
    "entity",
    [
        *("ip:10.1.2.3", "ip:0.0.0.0", "ip:fe80::1", "ip:x", "aws.root:111122223333", "aws.service:lambda.amazonaws.com"),
        "aws.role:arn:aws:iam::111122223333:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig",
        "aws.arn:arn:aws:sts::111122223333:assumed-role/AWSServiceRoleForConfig/x",
        "gcp.account:service-1234@compute-system.iam.gserviceaccount.com",
        "gcp.account:1234@cloudservices.gserviceaccount.com",
    ],
)
def test_what_belongs_to_everybody_is_a_hub(entity: str) -> None:
    assert known_hub(entity)


@pytest.mark.parametrize("entity", ["ip:203.0.113.7", f"aws.user:{EVE}", "gcp.account:ci@example.iam.gserviceaccount.com", "resource:a/b"])
def test_what_belongs_to_somebody_is_none(entity: str) -> None:
    assert known_hub(entity) is None


def test_an_address_is_rare_from_the_256th_part_on() -> None:
    pair = [alert("a", 0, "looks", 0, BY_IP), alert("b", 1, "takes", 0, BY_IP)]
    assert sizes(incidents(pair, Given(RULES, sightings=sightings({}, ordinary=255)))) == [2]
    assert sizes(incidents(pair, Given(RULES, sightings=sightings({f"ip:{IP}": 1}, ordinary=510)))) == [2]
    assert sizes(incidents(pair, Given(RULES, sightings=sightings({f"ip:{IP}": 1}, ordinary=509)))) == [1, 1]


def test_root_joins_nothing() -> None:
    root = (("user", "arn:aws:iam::111122223333:root"),)
    assert sizes(incidents([alert("a", 0, entities=root), alert("b", 1, entities=root)])) == [1, 1]


def test_what_has_alerts_on_most_days_is_routine_from_then_on() -> None:
    daily = [alert(f"{day:02d}", 24 * day, "looks", 0, BY_EVE) for day in range(hubs.BUSY_DAYS + 3)]
    assert sizes(incidents(daily, Given(RULES))) == [hubs.BUSY_DAYS, 1, 1, 1]


def test_years_of_one_key_are_counted_like_a_month() -> None:
    rare = [alert(f"{day:04d}", 24 * day, "looks", 0, BY_EVE) for day in range(0, 60 * 40, 40)]
    daily = [alert(f"{day:04d}", 24 * day, "looks", 0, BY_EVE) for day in range(250, 250 + hubs.BUSY_DAYS + 3)]
    found = incidents([*rare, *daily], Given(RULES))
    # On day 259 the days 240 and 250 to 258 were busy; on day 280 those from 250 on; on day 320 none.
    assert sorted(each.alert_uids[0] for each in found if each.notes) == ["0259", "0260", "0261", "0262", "0280"]


def test_a_resource_that_many_touch_does_not_join() -> None:
    store = ("resource", "arn:aws:s3:::shared")
    before = [alert(f"u{n}", 0, "looks", 0, (("user", f"{EVE}{n}"), store)) for n in range(hubs.SHARED_BY + 1)]
    later = [alert("x", 40, "looks", 0, (store,)), alert("y", 41, "takes", 0, (store,))]
    assert sizes(incidents([*before[:2], *later], Given(RULES))) == [2, 1, 1]
    assert sizes(incidents([*before, *later], Given(RULES))) == [1] * 7


def test_a_target_joins_what_one_identity_did_and_what_nobody_is_named_for() -> None:
    store = ("resource", "arn:aws:s3:::training")
    by_eve, by_ana = alert("a", 0, "looks", 0, (*BY_EVE, store)), alert("b", 1, "takes", 0, (("user", ANA), store))
    assert sizes(incidents([by_eve, by_ana], Given(RULES))) == [1, 1]
    assert sizes(incidents([by_eve, alert("b", 1, "takes", 0, (store,))], Given(RULES))) == [2]
    made = {"user.uid": ANA}
    acts = alert("c", 2, "takes", 0, (("user", ANA),))
    found = incidents([alert("a", 0, "looks", 0, (*BY_EVE, ("user", ANA)), evidence=made), acts], Given(RULES))
    assert (sizes(found), found[0].joins[0].reason) == ([2], "eventSequence")


def test_models_accounts_and_roles_join_nothing() -> None:
    shared = (
        ("model", "gpt-4o"),
        ("resource", "anthropic.claude-3-haiku-20240307-v1:0"),
        ("account", "111122223333"),
        ("resource", "projects/example"),
    )
    role = {"actor.session.issuer": "arn:aws:iam::111122223333:role/shared"}
    pair = [alert("a", 0, entities=shared, evidence=role), alert("b", 1, entities=shared, evidence=role)]
    assert sizes(incidents(pair)) == [1, 1]


def test_a_chain_of_identities_joins_the_session_with_the_key_that_began_it_and_names_the_proof() -> None:
    session = "ASIAIOSFODNN7EXAMPLE"
    chain = edges(("issued_key", f"aws.key:{session}", f"aws.key:{KEY}", 0), ("key_of", f"aws.key:{KEY}", f"aws.user:{EVE}", 0))
    pair = [alert("a", 0, "looks", 0, BY_KEY), alert("b", 100, "takes", 0, (("credential", session),))]
    assert sizes(incidents(pair, Given(RULES))) == [1, 1]
    found = incidents(pair, Given(RULES, chain))
    assert sizes(found) == [2]
    assert [each.entity for each in found[0].principals] == [f"aws.user:{EVE}"]
    assert found[0].joins[0].evidence == ("e-a", "p-0", "e-b")
    assert found[0].joins[0].reason == "sameActor"


def test_who_created_a_key_is_joined_with_who_uses_it() -> None:
    made = edges(("created_key", f"aws.key:{OTHER_KEY}", f"aws.user:{EVE}", 0))
    pair = [alert("a", 0, "looks", 0, BY_EVE), alert("b", 20, "takes", 0, (("credential", OTHER_KEY),))]
    assert sizes(incidents(pair, Given(RULES, made))) == [2]
    early = [alert("a", -30, "looks", 0, BY_EVE), alert("b", -25, "takes", 0, (("credential", OTHER_KEY),))]
    assert sizes(incidents(early, Given(RULES, made))) == [1, 1]


def test_a_key_in_a_prompt_joins_with_its_use() -> None:
    pasted = alert("a", 0, "plain", evidence={"message_context.prompt_text": f"why does {KEY} fail?"}, cloud=())
    found = incidents([pasted, alert("b", 100, "takes", 0, BY_KEY)], Given(RULES))
    assert sizes(found) == [2]
    assert (found[0].joins[0].reason, found[0].joins[0].key) == ("eventSequence", f"aws.key:{KEY}")
    assert found[0].containment[0].command == f"aws iam update-access-key --access-key-id {KEY} --status Inactive"


def test_a_proven_trust_between_clouds_raises_the_score_and_a_shared_address_joins_nothing_there() -> None:
    trust = edges(("exchanged", "gcp.principal:principal://x/subject/s", "aws.arn:arn:aws:sts::111122223333:assumed-role/r/s", 0))
    aws = alert("a", 0, "looks", 0, (("session", "arn:aws:sts::111122223333:assumed-role/r/s"), *BY_IP), level=Level.MEDIUM)
    gcp = alert("b", 1, "takes", 0, (("user", "principal://x/subject/s"), *BY_IP), cloud=GCP, level=Level.MEDIUM)
    by_address = incidents([aws, gcp], Given(RULES, sightings=sightings({})))
    by_trust = incidents([aws, gcp], Given(RULES, trust, sightings({})))[0]
    assert sizes(by_address) == [1, 1]
    assert "trust" not in {factor.name for each in by_address for factor in each.factors}
    assert by_trust.score > max(each.score for each in by_address) * 1.2 * 1.3
    assert {factor.name for factor in by_trust.factors} >= {"clouds", "trust"}
    assert by_trust.confidence is Strength.STRONG


def test_one_address_of_two_people_in_two_tenants_is_nobodys() -> None:
    other = "99999999-3333-4444-5555-666666666666"
    pair = [
        alert("a", 0, "looks", 0, (("user", OID), ("email", "ana@example.com")), cloud=AZURE),
        alert("b", 1, "takes", 0, (("user", other), ("email", "ana@example.com")), cloud=AZURE),
    ]
    found = incidents(pair, Given(RULES))
    assert sizes(found) == [1, 1]
    assert any("ana@example.com" in note for note in found[0].notes)
    same = [pair[0], alert("b", 1, "takes", 0, (("email", "ana@example.com"),), cloud=GCP)]
    assert sizes(incidents(same, Given(RULES))) == [2]


def test_a_crowd_says_nothing_about_its_members() -> None:
    crowd = tuple(("user", f"{EVE}{n}") for n in range(12))
    spray = alert("a", 0, "looks", 0, crowd, kind=AlertKind.CORRELATION)
    found = incidents([spray, *(alert(f"b{n}", 1, "takes", 0, (("user", f"{EVE}{n}"),)) for n in range(12))], Given(RULES))
    assert sizes(found) == [1] * 13


def test_what_lasts_longer_than_a_fortnight_is_cut_at_its_largest_gap_and_linked() -> None:
    hours = (0, 100, 200, 240, 400, 500)
    found = incidents([alert(str(n), each, "looks", 0, BY_KEY) for n, each in enumerate(hours)], Given(RULES))
    parts = sorted(found, key=lambda each: each.first_time)
    assert [each.alert_uids for each in parts] == [("0", "1", "2", "3"), ("4", "5")]
    assert (parts[0].continued_by, parts[1].continues) == (parts[1].uid, parts[0].uid)
    assert (parts[0].continues, parts[1].continued_by) == (None, None)
    assert max(each.last_time - each.first_time for each in parts) <= timedelta(days=14)


def test_a_bridge_that_is_retracted_splits_and_a_merge_leaves_a_redirect() -> None:
    left, bridge, right = alert("a", 0, entities=BY_KEY), alert("b", 1, entities=(*BY_KEY, *BY_EVE)), alert("c", 2, entities=BY_EVE)
    apart = incidents([left, right])
    together = incidents([left, bridge, right])
    assert (sizes(apart), sizes(together)) == ([1, 1], [3])
    assert together[0].uid == next(each.uid for each in apart if each.alert_uids == ("a",))
    gone = next(each.uid for each in apart if each.alert_uids == ("c",))
    assert [(each.old, each.new, each.reason) for each in redirects(apart, together)] == [(gone, together[0].uid, "merged")]
    split = incidents([left, alert("b", 1, entities=(*BY_KEY, *BY_EVE), state=State.RETRACTED), right])
    assert split == apart
    assert redirects(together, []) == [type(redirects(together, [])[0])(together[0].uid, None, "withdrawn")]


def test_open_alerts_count_half_and_retracted_ones_nothing() -> None:
    def score(state: State) -> list[float]:
        return [each.score for each in incidents([alert("a", 0, entities=BY_KEY, state=state)])]

    assert (score(State.LIVE), score(State.OPEN), score(State.RETRACTED)) == ([32.0], [16.0], [])


def test_the_score_is_the_formula_and_its_factors_rebuild_it() -> None:
    given = Given(RULES, circumstances={"b": (Circumstance("asset", 1.25, "training data"),)})
    found = incidents(
        [
            alert("a", 0, "looks", 0, BY_KEY),
            alert("a2", 0.5, "looks", 0, BY_KEY),
            alert("a3", 2, "looks", 0, BY_KEY),
            alert("b", 3, "takes", 0, BY_KEY, level=Level.LOW, kind=AlertKind.CORRELATION),
        ],
        given,
    )[0]
    once, again, taken = 32.0, round(32 / 2**1.5, 6), 25.0
    expected = 100 * (1 - (1 - once / 100) * (1 - again / 100) * (1 - taken / 100))
    assert [factor.points for factor in found.factors if factor.name == "alert"] == [once, taken, again]
    assert found.score == round(expected, 1)
    assert next(factor for factor in found.factors if factor.name == "combined").points == pytest.approx(expected, abs=1e-5)
    assert "asset 1.25 (training data)" in next(factor.why for factor in found.factors if factor.about == "b")


def test_an_incident_is_as_bad_as_its_worst_day() -> None:
    def score(*hours: float) -> float:
        return incidents(
            [alert(f"{n}", each, rule, 0, BY_KEY) for n, (each, rule) in enumerate(zip(hours, ("looks", "takes", "blinds"), strict=False))]
        )[0].score

    assert score(0, 24, 48) == score(0, 24) > score(0, 25, 50) == score(0)
    told = incidents([alert("a", 0, "looks", 0, BY_KEY), alert("b", 30, "takes", 0, BY_KEY, level=Level.HIGH)], Given(RULES))[0]
    assert [(factor.name, factor.about) for factor in told.factors] == [("alert", "b"), ("combined", ""), ("day", ""), ("cap", "")]
    assert "1 alert of other days adds nothing" in told.factors[2].why
    lasting = alert("a", 0, "looks", 20, BY_KEY)
    assert len([factor for factor in incidents([lasting, alert("b", 40, "takes", 0, BY_KEY)])[0].factors if factor.name == "alert"]) == 2


def test_what_the_same_events_show_is_of_one_family_and_no_further_stage() -> None:
    whole = alert("a", 0, "takes", 0, BY_KEY, kind=AlertKind.CORRELATION, event_uids=("e-1", "e-2"))
    part, other = (alert("b", 0, "looks", 0, BY_KEY, event_uids=(uid,)) for uid in ("e-1", "e-3"))
    same, apart = incidents([whole, part], Given(RULES))[0], incidents([whole, other], Given(RULES))[0]
    assert same.score == round(100 * (1 - 0.6 * (1 - 0.32 / 2**1.5)), 1)
    assert apart.score == round(100 * (1 - 0.6 * 0.68) * 1.15, 1)
    assert "the same events as" in next(factor.why for factor in same.factors if factor.about == "b")


def test_weak_alerts_do_not_show_that_somebody_is_in_another_cloud() -> None:
    def clouds(level: Level) -> bool:
        other = alert("b", 1, "takes", 0, BY_KEY, cloud=GCP, level=level)
        return any(factor.name == "clouds" for factor in incidents([alert("a", 0, "looks", 0, BY_KEY), other], Given(RULES))[0].factors)

    assert (clouds(Level.LOW), clouds(Level.MEDIUM)) == (False, True)
    both = alert("a", 0, "looks", 0, BY_KEY, kind=AlertKind.CORRELATION, cloud=(CloudAccount("AWS", "111122223333"), *GCP))
    assert [factor.name for factor in incidents([both])[0].factors] == ["alert", "combined", "cap"]


def test_alerts_that_are_low_alone_make_no_high_incident() -> None:
    many = [alert(f"{n}", n, rule, 0, BY_KEY, kind=AlertKind.CORRELATION, level=Level.LOW) for n, rule in enumerate(("blinds", "takes", "looks") * 3)]
    low = incidents(many, Given(RULES))[0]
    assert (low.score >= 60, low.level) == (True, Level.MEDIUM)
    assert "high needs an alert of level medium" in low.factors[-1].why
    assert incidents([*many, alert("m", 9, "looks", 0, BY_KEY)], Given(RULES))[0].level == Level.HIGH


def test_critical_needs_two_sources_or_a_proof_by_itself() -> None:
    many = [alert(f"{n}", n, rule, 0, BY_KEY, level=Level.CRITICAL) for n, rule in enumerate(("looks", "takes", "blinds"))]
    one_source = incidents(many, Given(RULES))[0]
    two = incidents([*many[:2], alert("2", 2, "blinds", 0, BY_KEY, level=Level.CRITICAL, sources=("aws.bedrock_invocation",))], Given(RULES))[0]
    canary = incidents([*many, alert("z", 3, "canary", 0, BY_KEY)], Given(RULES))[0]
    assert [each.level for each in (one_source, two, canary)] == [Level.HIGH, Level.CRITICAL, Level.CRITICAL]
    assert "two sources" in one_source.factors[-1].why


def test_tactics_count_in_the_order_of_an_attack() -> None:
    rising = [alert("a", 0, "blinds"), alert("b", 1, "takes"), alert("c", 2, "looks")]
    assert longest_chain(rising, RULES) == ["defense-impairment", "credential-access", "discovery"]
    assert longest_chain(rising[::-1], RULES) == ["defense-impairment"]


@pytest.mark.parametrize(
    ("value", "entity"),
    [
        (EVE, f"aws.user:{EVE}"),
        ("arn:aws:sts::111122223333:assumed-role/r/s", "aws.arn:arn:aws:sts::111122223333:assumed-role/r/s"),
        ("arn:aws:iam::111122223333:role/r", "aws.role:arn:aws:iam::111122223333:role/r"),
        ("arn:aws:iam::111122223333:root", "aws.root:111122223333"),
        ("serviceAccount:ci@example.iam.gserviceaccount.com", "gcp.account:ci@example.iam.gserviceaccount.com"),
        ("user:ana@example.com", "email:ana@example.com"),
        ("22222222333344445555666666666666", f"entra.object:{OID}"),
        ("support-agent", None),
    ],
)
def test_what_an_alert_calls_a_user_becomes_an_entity(value: str, entity: str | None) -> None:
    assert naming.actor(value) == entity


# Hostile input


def test_one_key_behind_a_storm_of_sessions_is_bounded_and_explained() -> None:
    size = LARGEST + 500
    sessions = [f"ASIA{n:016d}" for n in range(size)]
    storm = edges(*(("issued_key", f"aws.key:{each}", f"aws.key:{KEY}", -1) for each in sessions))
    found = incidents([alert(f"{n:05d}", n / 1_000, "looks", 0, (("credential", each),)) for n, each in enumerate(sessions)], Given(RULES, storm))
    assert sizes(found)[0] == 1
    assert f"aws.key:{KEY} joined nothing: it has {size:,} alerts that day".replace(",", "") in found[0].notes[0]


def test_a_component_without_end_is_cut_to_a_size() -> None:
    half = hubs.FAN_OUT - 100
    chain = []
    for block in range(4):
        shared = f"ASIA{block:016d}"
        following = f"ASIA{block + 1:016d}"
        chain += [alert(f"{block}-{n:04d}", block * 30 + n / 1_000, "looks", 0, (("credential", shared),)) for n in range(half)]
        chain.append(alert(f"{block}-x", block * 30 + 1, "looks", 0, (("credential", shared), ("credential", following))))
    found = incidents(chain, Given(RULES))
    assert max(sizes(found)) <= LARGEST
    assert sum(sizes(found)) == len(chain)
    assert all(each.continues or each.continued_by for each in found)


def test_cycles_and_contradictions_end() -> None:
    circle = edges(
        ("issued_key", f"aws.key:{KEY}", f"aws.key:{OTHER_KEY}", 0),
        ("issued_key", f"aws.key:{OTHER_KEY}", f"aws.key:{KEY}", 0),
        ("key_of", f"aws.key:{KEY}", f"aws.user:{EVE}", 0),
        ("key_of", f"aws.key:{KEY}", f"aws.user:{ANA}", 0),
    )
    found = incidents([alert("a", 1, "looks", 0, BY_KEY), alert("b", 2, "takes", 0, BY_EVE)], Given(RULES, circle))
    assert sum(sizes(found)) == 2


def test_identifiers_of_any_length_and_kind_are_cut_and_still_join() -> None:
    long = "arn:aws:s3:::" + "x" * 10_000
    odd = (("resource", long), ("credential", "\x00\x1b[2J"), ("user", "'; rm -rf /"), ("ip", "not an address"), ("session", "\ud800"))
    found = incidents([alert("a", 0, entities=odd[:4]), alert("b", 1, entities=odd[:4])])
    assert sizes(found) == [2]
    assert all(len(each.encode()) <= 512 for each in found[0].blast.read)
    assert found[0].containment == ()


def test_masked_addresses_join_nothing() -> None:
    masked = (("ip", "0.0.0.0"),)
    assert sizes(incidents([alert("a", 0, "looks", 0, masked), alert("b", 1, "takes", 0, masked)], Given(RULES, sightings=sightings({})))) == [1, 1]


def test_nothing_gives_nothing() -> None:
    assert incidents([]) == []
    assert START.tzinfo is not None
