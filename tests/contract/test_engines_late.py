"""One rule, two engines, and logs that come late: after every batch of a run the lake, the alerts and the incidents are the same to the byte.

And groups by who stands behind hits, for which nothing is in order: what explains one hit stands in another file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from engine.model import Alert, AlertKind
from engine.pipeline.hunts.sigma import hunt_sigma
from engine.runners.base import Runner
from tests.change_samples import STRONGER, WEAKER, logging
from tests.contract.test_engines import NOW, equal, same, scanned, worked
from tests.contract.test_principals import ANA, BY_PERSON, CALLS, OWN_GROUP, SESSIONS, issued, used
from tests.lakes import events_in, lake_of
from tests.logs import lines, quiet
from tests.running import Place, call, rule

Batch = Sequence[dict[str, Any]]

AGAIN_AND_AGAIN = """
title: Logging weaker again and again
id: 00000000-0000-4000-8000-000000000031
level: critical
correlation: {type: event_count, rules: [weaker], group-by: [cloud.account.uid], timespan: 4h, condition: {gte: 2}, generate: true}
"""


def both(folder: Path, runner: Runner, rules: Sequence[str], batches: Sequence[Batch]) -> list[Place]:
    """Two places, one worked on by ``runner``, the other in this process, each batch two files; equal after every batch."""
    places = [Place(folder / name) for name in ("far", "near")]
    for place in places:
        place.rules(*rules)
    for number, batch in enumerate(batches):
        for place, given in zip(places, (runner, None), strict=True):
            for half in (0, 1):
                if part := batch[half::2]:
                    place.put(f"{number}-{half}.json", *part)
            worked(place, given)
        equal(*places)
    return places


def titles(place: Place) -> list[tuple[str, int]]:
    return sorted((alert.rule.title, alert.count) for alert in place.alerts().values())


def test_late_facts_revise_the_same_alerts(apart: Runner, tmp_path: Path) -> None:
    """What came between, what came before everything, another record of an event that told a fact, and one that was refused."""
    batches = [
        [logging(1, 60, text=True), logging(4, 240, text=True), logging(7, 310, text=True), logging(8, 320, text=False), quiet(90)],
        [logging(3, 180, text=False)],
        [logging(2, 120, text=False), logging(6, 250, text=False, errorCode="AccessDenied")],
        [logging(0, 0, text=False), logging(9, 312, text=False), logging(10, 315, text=True), logging(3, 180, text=False)],
        [logging(4, 240, text=True, userAgent=f"another record {number}") for number in range(3)],
        [logging(4, 240, text=False, userAgent=f"one that tells something else {number}") for number in range(6)],
    ]
    places = both(tmp_path, apart, [WEAKER, STRONGER, AGAIN_AND_AGAIN], batches)
    assert {why for why, _ in places[0].ended().values()} == {"retracted", "superseded"}
    assert ("Logging weaker", 1) in titles(places[0])


@pytest.mark.parametrize("by_principal", [True, False])
def test_late_identity_edges_say_the_same(apart: Runner, tmp_path: Path, by_principal: bool) -> None:
    """Sessions that are explained after their calls, in two steps, and one of them by two users."""
    rules = [rule(1), OWN_GROUP, BY_PERSON] if by_principal else [rule(1), rule(2, "DeleteTrail")]
    batches = [CALLS, [SESSIONS[0], quiet(90)], [used(15, 70, 3), SESSIONS[1]], [issued(3, 6), issued(3, 7, "eve") | {"eventID": "other"}]]
    places = both(tmp_path, apart, rules, batches)
    alerts = list(places[0].alerts().values())
    assert [behind.uid for alert in alerts for behind in alert.principals].count(ANA) >= 2
    assert any(alert.kind is AlertKind.CORRELATION for alert in alerts) is by_principal


def test_late_edges_and_facts_make_the_same_incidents(apart: Runner, tmp_path: Path) -> None:
    """Alerts of sessions that stand apart until somebody tells who began them, and an alert that a late fact takes away from an incident."""
    user = {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/ana", "principalId": "AIDAANA", "accountId": "111122223333"}
    batches = [
        [*CALLS, logging(21, 60, text=True, userIdentity=user), logging(22, 200, text=False, userIdentity=user)],
        [call(23, 210, userIdentity=user), quiet(91)],
        SESSIONS,
        [logging(24, 190, text=False)],
    ]
    places = both(tmp_path, apart, [rule(1), rule(2, "DeleteTrail"), WEAKER.replace("000001", "000003")], batches)
    assert any(len(incident.alert_uids) > 2 for incident in places[0].incidents().values())
    assert places[0].ended()


def many_sessions() -> list[dict[str, Any]]:
    """Sessions of four users, each with calls every 20 minutes, the newest first."""
    users = ("ana", "ben", "eve", "ida")
    begun = [issued(number, number, users[number % 4]) for number in range(1, 13)]
    calls = [used(100 * session + number, 20 * number + session, session, "StopLogging" if number % 2 else "DeleteTrail")
             for session in range(1, 14) for number in range(6)]  # fmt: skip
    return [*begun, *calls][::-1]


def by_user(alerts: Sequence[Alert]) -> int:
    return sum(("principal.uid", ANA) in alert.group for alert in alerts)


def test_groups_of_principals_are_the_same(apart: Runner, tmp_path: Path) -> None:
    """Of a scan, and of a hunt over what is stored."""
    texts = "---".join((rule(1), OWN_GROUP, BY_PERSON))
    logs = tmp_path / "logs"
    logs.mkdir()
    events = many_sessions()
    for number in range(6):
        (logs / f"{number}.json").write_bytes(lines(*events[number::6]))
    wanted = scanned([logs], rules=[texts], builtin=False)
    assert by_user(wanted.alerts) >= 2
    same(scanned([logs], apart, rules=[texts], builtin=False), wanted)
    lake = lake_of(events_in([logs]), tmp_path / "lake")
    hunted = hunt_sigma(lake, texts, now=NOW)
    assert by_user(hunted.alerts) >= 2
    assert repr(hunt_sigma(lake, texts, now=NOW, runner=apart).alerts) == repr(hunted.alerts)
