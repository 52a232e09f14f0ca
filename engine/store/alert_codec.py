"""Alerts as JSON text and back, nothing lost: what the state keeps. Equal alerts give equal texts."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from engine.model import Alert, AlertKind, CloudAccount, Contribution, Entity, EventRef, Level, Origin, RuleRef, State
from engine.store.column_types import microseconds, moment_of

_MOMENT = "$time"


def encode(alert: Alert) -> str:
    """``alert`` without its state, which lives beside it: ASCII text, whatever texts it holds."""
    rule = alert.rule
    document = {
        "uid": alert.uid,
        "kind": alert.kind.value,
        "rule": {
            "uid": rule.uid,
            "title": rule.title,
            "level": rule.level,
            "tags": rule.tags,
            "path": rule.path,
            "description": rule.description,
            "references": rule.references,
            "falsepositives": rule.falsepositives,
            "author": rule.author,
            "content_hash": rule.content_hash,
            "response": rule.response,
        },
        "level": alert.level.word,
        "first_time": microseconds(alert.first_time),
        "last_time": microseconds(alert.last_time),
        "count": alert.count,
        "sources": alert.sources,
        "cloud": [(cloud.provider, cloud.account) for cloud in alert.cloud],
        "entities": [(entity.type, entity.value) for entity in alert.entities],
        "events": [(each.uid, microseconds(each.time), each.source, each.object, each.position, each.operation) for each in alert.events],
        "event_uids": alert.event_uids,
        "reason": alert.reason,
        "group": alert.group,
        "evidence": alert.evidence,
        "contributions": [(each.uid, each.title, each.events) for each in alert.contributions],
        "principals": [(each.uid, each.strength, each.spoofable, each.contested) for each in alert.principals],
    }
    return json.dumps(document, separators=(",", ":"), default=_special)


def _special(value: Any) -> Any:
    if isinstance(value, datetime):
        return {_MOMENT: microseconds(value)}
    raise TypeError(f"evidence holds a {type(value).__name__}")


def decode(text: str, state: State) -> Alert:
    """The alert ``text`` was made from, in ``state``."""
    document = json.loads(text)
    rule = document["rule"]
    return Alert(
        uid=document["uid"],
        state=state,
        kind=AlertKind(document["kind"]),
        rule=RuleRef(**{**rule, **{name: tuple(rule[name]) for name in ("tags", "references", "falsepositives", "response")}}),
        level=Level.of(document["level"]),
        first_time=moment_of(document["first_time"]),
        last_time=moment_of(document["last_time"]),
        count=document["count"],
        sources=tuple(document["sources"]),
        cloud=tuple(CloudAccount(*each) for each in document["cloud"]),
        entities=tuple(Entity(*each) for each in document["entities"]),
        events=tuple(EventRef(uid, moment_of(time), *rest) for uid, time, *rest in document["events"]),
        event_uids=tuple(document["event_uids"]),
        reason=document["reason"],
        group=tuple((name, value) for name, value in document["group"]),
        evidence={name: _plain(value) for name, value in document["evidence"].items()},
        contributions=tuple(Contribution(*each) for each in document["contributions"]),
        principals=tuple(Origin(*each) for each in document.get("principals", ())),
    )


def _plain(value: Any) -> Any:
    return moment_of(value[_MOMENT]) if isinstance(value, dict) and value.keys() == {_MOMENT} else value
