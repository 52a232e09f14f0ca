"""The figures of the incidents benchmark, on a truth that fits on a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from benchmarks.incident_figures import Tally, Truth, measure
from engine.incidents.kernel import incidents
from engine.model import Alert, Entity, EventRef, Incident, Join, Level, Principal, Strength
from tests.incident_samples import START, alert

PERSON = {"name": "ada@example.com", "kind": "person", "entities": ["email:ada@example.com", "aws.key:AKIAADA", "entra.object:oid-ada"]}
SOURCE = {"aws": "aws.cloudtrail", "azure": "azure.activity", "gcp": "gcp.audit"}


def document(**changes: Any) -> dict[str, Any]:
    """Two campaigns and a decoy: ``x`` in AWS and GCP, linked, ``y`` in Azure, ``tidy`` that is none."""
    events = {
        **{f"e-x{n}": {"campaign": "x", "stage": n, "source": SOURCE["aws" if n < 3 else "gcp"]} for n in (1, 2, 3)},
        "e-y1": {"campaign": "y", "stage": 1, "source": SOURCE["azure"]},
        "e-t1": {"campaign": "tidy", "stage": 1, "source": SOURCE["aws"]},
    }
    link = {
        "kind": "same_actor",
        "proof": "behaviour",
        "parent": "aws.key:AKIAX",
        "child": "gcp.key:k",
        "clouds": ["aws", "gcp"],
        "cross_cloud": True,
    }
    told = {
        "events": events,
        "records": {"aws.cloudtrail": 1_000, "azure.activity": 500, "gcp.audit": 505},
        "principals": [PERSON],
        "campaigns": [
            _campaign("x", 3, links=[{**link, "event_uids": ["e-x2", "e-x3"]}]),
            _campaign("y", 1),
            _campaign("tidy", 1, attack=False),
        ],
    }
    return told | changes


def _campaign(name: str, stages: int, *, attack: bool = True, links: Sequence[Any] = ()) -> dict[str, Any]:
    times = [f"2026-03-10T{hour:02d}:00:00.000000Z" for hour in range(stages)]
    told = [{"stage": n, "first_time": time} for n, time in enumerate(times, 1)]
    return {"campaign": name, "attack": attack, "stages": told, "links": list(links)}


def in_cloud(uid: str, hours: float, cloud: str, events: Iterable[str] = (), entities: Iterable[tuple[str, str]] = ()) -> Alert:
    uids = tuple(events) or (f"e-{uid}",)
    made = alert(uid, hours, sources=(SOURCE[cloud],), event_uids=uids, entities=entities, level=Level.HIGH)
    return replace(made, events=tuple(EventRef(event, made.first_time, SOURCE[cloud], "a.json", 0) for event in uids))


def incident(uid: str, *alerts: Alert, level: Level = Level.HIGH, joins: Sequence[Join] = (), who: Sequence[str] = ()) -> Incident:
    """One incident of ``alerts``, whatever the kernel would make of them."""
    base = incidents(alerts[:1])[0]
    principals = tuple(Principal(each, Strength.STRONG) for each in who)
    return replace(base, uid=uid, level=level, alert_uids=tuple(each.uid for each in alerts), joins=tuple(joins), principals=principals)


def join(a: Alert, b: Alert) -> Join:
    return Join(a.uid, b.uid, "sameActor", Strength.STRONG, "ip:192.0.2.1")


X1, X2, X3 = in_cloud("x1", 0, "aws"), in_cloud("x2", 1, "aws"), in_cloud("x3", 2, "gcp")
Y1, T1, O1 = in_cloud("y1", 3, "azure"), in_cloud("t1", 4, "aws"), in_cloud("o1", 5, "gcp")
ALL = [X1, X2, X3, Y1, T1, O1]
WHOLE = [incident("ix", X1, X2, X3, joins=[join(X1, X2), join(X2, X3)]), incident("iy", Y1), incident("it", T1), incident("io", O1, level=Level.LOW)]


def figures(alerts: Sequence[Alert], found: Sequence[Incident], **more: Any) -> dict[str, Any]:
    truth = Truth(document(), more.pop("without", frozenset()))
    return measure(truth, alerts, found, Level.HIGH, **more).figures()


def test_incidents_that_are_the_campaigns_are_right() -> None:
    found = figures(ALL, WHOLE)
    assert found["recall"] == 1.0
    assert found["precision"] == pytest.approx(2 / 3, abs=1e-3), "the decoy is shown and no campaign"
    assert found["b_cubed"] == 1.0
    assert found["stage_recall"] == 1.0
    assert found["link_precision"] == found["link_recall"] == found["link_kept"] == 1.0
    assert found["reduction"] == 1.5
    assert found["loud"] == pytest.approx(1e6 / 2000), "one of a decoy among 2,000 records of no campaign"


def test_half_of_a_campaign_matches_and_less_does_not() -> None:
    whole = figures([X1, X2, X3], [incident("a", X1, X2), incident("b", X3)])
    assert whole["recall"] == 0.5
    assert whole["precision"] == 0.5
    thirds = figures([X1, X2, X3], [incident("a", X1), incident("b", X2), incident("c", X3)])
    assert thirds["recall"] == 0.0
    assert thirds["f1"] == 0.0


def test_one_incident_of_two_campaigns_is_one_of_them_at_most() -> None:
    x = in_cloud("x1", 0, "aws")
    found = figures([x, Y1], [incident("both", x, Y1)])
    assert found["recall"] == 0.5
    assert found["precision"] == 1.0
    assert found["b_cubed"] == pytest.approx(2 * 0.5 * 1 / 1.5, abs=1e-3)


def test_incidents_below_the_level_show_no_stage() -> None:
    found = figures([X1, X2, X3, Y1], [incident("ix", X1, X2, X3, level=Level.MEDIUM), incident("iy", Y1)])
    assert found["recall"] == 0.5
    assert found["stage_recall"] == 0.25


def test_a_join_of_two_stories_over_clouds_is_wrong_and_told() -> None:
    tally = measure(Truth(document()), [X1, Y1], [incident("both", X1, Y1, joins=[join(X1, Y1)])], Level.HIGH)
    assert (tally.asserted, tally.asserted_right) == (1, 0)
    assert tally.wrong_links[0]["stories"] == ["x", "y"]
    assert tally.wrong_links[0]["key"] == "ip:192.0.2.1"


def test_a_join_inside_a_cloud_is_no_cross_cloud_link() -> None:
    assert figures([X1, X2], [incident("a", X1, X2, joins=[join(X1, X2)])])["link_precision"] is None


def test_two_alerts_of_ordinary_life_are_linked_rightly_by_the_same_person_only() -> None:
    key, oid = ("credential", "AKIAADA"), ("user", "oid-ada")
    one, other = in_cloud("o1", 0, "aws", entities=[key]), in_cloud("o2", 1, "azure", entities=[oid])
    assert figures([one, other], [incident("a", one, other, joins=[join(one, other)])])["link_precision"] == 1.0
    stranger = in_cloud("o2", 1, "azure", entities=[("user", "oid-bob")])
    assert figures([one, stranger], [incident("a", one, stranger, joins=[join(one, stranger)])])["link_precision"] == 0.0


def test_an_alert_that_holds_records_of_two_clouds_asserts_a_link() -> None:
    def over(first: str, second: str) -> Alert:
        made = in_cloud("c", 0, "aws", [first, second])
        refs = (replace(made.events[0], source=SOURCE["aws"]), replace(made.events[1], source=SOURCE["gcp"]))
        return replace(made, sources=(SOURCE["aws"], SOURCE["gcp"]), events=refs)

    right, wrong = over("e-x1", "e-x3"), over("e-x1", "e-o9")
    assert figures([right], [incident("a", right)])["link_precision"] == 1.0
    assert figures([wrong], [incident("a", wrong)])["link_precision"] == 0.0
    of_ada = replace(wrong, entities=(Entity("credential", "AKIAADA"), Entity("user", "oid-ada")))
    assert figures([of_ada], [incident("a", of_ada)])["link_precision"] == 1.0
    assert figures([right], [incident("a", right)])["link_recall"] == 1.0


def test_a_true_link_is_lost_between_incidents_and_out_of_reach_without_alerts() -> None:
    apart = measure(Truth(document()), [X1, X3], [incident("a", X1), incident("b", X3)], Level.HIGH)
    assert (apart.links, apart.links_in_reach, apart.links_found) == (1, 1, 0)
    assert apart.lost_links[0]["alerts_in"] == ["aws", "gcp"]
    unseen = measure(Truth(document()), [X1], [incident("a", X1)], Level.HIGH)
    assert (unseen.links, unseen.links_in_reach, unseen.links_found) == (1, 0, 0)


def test_naming_who_stands_behind_the_other_cloud_finds_the_link() -> None:
    found = figures([X3], [incident("a", X3, who=["aws.key:AKIAX"])])
    assert found["link_recall"] == 1.0


def test_a_missing_source_takes_its_stages_links_and_campaigns_out_of_the_question() -> None:
    truth = Truth(document(), frozenset({"gcp.audit"}))
    assert truth.stages == {("x", 1), ("x", 2), ("y", 1)}
    assert truth.links() == []
    assert truth.ordinary == 1_500 - 4
    assert set(Truth(document(), frozenset({"azure.activity"})).began) == {"x"}


def test_only_one_campaign_counts_where_it_is_left_out() -> None:
    truth = Truth(document())
    tally = measure(truth, ALL, WHOLE, Level.HIGH, only="x")
    assert (tally.shown, tally.right, tally.campaigns, tally.stages, tally.loud) == (1, 1, 1, 3, 0)
    missed = measure(truth, ALL, [incident("iy", Y1)], Level.HIGH, only="x")
    assert (missed.shown, missed.right) == (0, 0)
    assert dict(missed.missed) == {"x": 1}


@pytest.mark.parametrize(("needed", "hours"), [(1, 0.0), (2, 1.0), (3, 2.0)])
def test_time_to_incident_is_the_end_of_the_alert_that_reaches_the_level(needed: int, hours: float) -> None:
    def reached(sets: Sequence[Sequence[Alert]]) -> list[Level]:
        return [Level.HIGH if len(alerts) >= needed else Level.LOW for alerts in sets]

    assert figures([X1, X2, X3], [incident("ix", X1, X2, X3)], reached=reached)["hours"] == hours


def test_time_never_runs_backwards() -> None:
    early = replace(X1, first_time=START - timedelta(hours=9), last_time=START - timedelta(hours=8))
    assert figures([early], [incident("ix", early)], reached=lambda sets: [Level.HIGH for _ in sets])["hours"] == 0.0


def test_counts_of_seeds_are_added_and_then_divided() -> None:
    tally = Tally.of([Tally(right=1, shown=2, campaigns=4, hours=[1.0, 9.0]), Tally(right=2, shown=2, campaigns=2, hours=[2.0])])
    assert tally.figures()["precision"] == 0.75
    assert tally.figures()["recall"] == 0.5
    assert tally.figures()["hours"] == 2.0
    assert tally.figures()["b_cubed"] is None
