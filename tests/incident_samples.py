"""Invented alerts that share identities, for tests of incidents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from engine.identity.edges import described
from engine.incidents.rules import RuleFacts
from engine.incidents.sightings import SIGHTINGS
from engine.model import Alert, AlertKind, CloudAccount, Entity, EventRef, Level, Origin, RuleRef, State

START = datetime(2026, 3, 10, tzinfo=UTC)
KEY = "AKIAIOSFODNN7EXAMPLE"
OTHER_KEY = "AKIAI44QH8DHBEXAMPLE"
EVE = "arn:aws:iam::111122223333:user/eve"
ANA = "arn:aws:iam::111122223333:user/ana"
IP = "203.0.113.7"
RULES: dict[str, RuleFacts] = {
    "looks": RuleFacts(("discovery",), "t1526", "paas"),
    "takes": RuleFacts(("credential-access",), "t1555", "iaas"),
    "blinds": RuleFacts(("defense-impairment",), "t1685", "paas"),
    "canary": RuleFacts(("exfiltration",), "t1567", "saas", certain=True),
    "plain": RuleFacts(),
}
_DETAIL = frozenset(("state", "kind", "level", "evidence", "event_uids", "cloud", "sources", "group", "principals"))


def alert(uid: str, hours: float, rule: str = "looks", lasts: float = 0.0, entities: Iterable[tuple[str, str]] = (), **changes: Any) -> Alert:
    """An alert of ``rule`` that begins ``hours`` after `START` and lasts ``lasts`` hours, about ``entities``; its one event is ``e-<uid>``."""
    assert changes.keys() <= _DETAIL, changes
    first = START + timedelta(hours=hours)
    events = tuple(changes.get("event_uids", (f"e-{uid}",)))
    level = changes.get("level", Level.MEDIUM)
    return Alert(
        uid=uid,
        state=changes.get("state", State.LIVE),
        kind=changes.get("kind", AlertKind.RULE),
        rule=RuleRef(rule, rule.title(), level.word),
        level=level,
        first_time=first,
        last_time=first + timedelta(hours=lasts),
        count=len(events),
        sources=tuple(changes.get("sources", ("aws.cloudtrail",))),
        cloud=tuple(changes.get("cloud", (CloudAccount("AWS", "111122223333"),))),
        entities=tuple(Entity(*each) for each in entities),
        events=tuple(EventRef(event, first, "aws.cloudtrail", "a.json", 0) for event in events[:20]),
        event_uids=events,
        reason="because",
        group=tuple(changes.get("group", ())),
        evidence=changes.get("evidence", {}),
        principals=tuple(Origin(each, "strong") for each in changes.get("principals", ())),
    )


def edges(*rows: tuple[str, str, str, float]) -> pl.DataFrame:
    """Identity edges of (kind, child, parent, hours after `START`); each is proven by an event ``p-<number>``."""
    made = [
        {
            "kind": kind,
            "child": child,
            "parent": parent,
            "time": START + timedelta(hours=hours),
            "until": None,
            "source": "test",
            "event_uid": f"p-{n}",
        }
        for n, (kind, child, parent, hours) in enumerate(rows)
    ]
    texts = dict.fromkeys(("kind", "child", "parent", "source", "event_uid"), pl.String())
    times = dict.fromkeys(("time", "until"), pl.Datetime("us", "UTC"))
    return described(pl.DataFrame(made, schema={**texts, **times}))


def sightings(seen: Mapping[str, int], *, ordinary: int = 480, days_before: int = 1, actors: int = 1) -> pl.DataFrame:
    """So many sightings by entity, by as many actors, on one day before `START`; and ``ordinary`` ones of other addresses."""
    hour = 24 * (START.toordinal() - datetime(1970, 1, 1, tzinfo=UTC).toordinal() - days_before)
    rows: list[tuple[str, str | None, int]] = [(f"ip:192.0.2.{number // 24}", None, hour + number % 24) for number in range(ordinary)]
    rows += [(f"asn_agent:64500|agent {number // 24}", None, hour + number % 24) for number in range(ordinary)]
    rows += [(entity, f"actor {number % actors}", hour + number // actors % 24) for entity, times in seen.items() for number in range(times)]
    return pl.DataFrame(rows, schema=SIGHTINGS, orient="row")
