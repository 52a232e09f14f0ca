"""crosswind's own alert document: one JSON object an alert."""

from __future__ import annotations

from typing import Any

from engine.documents.common import clean, plain, shown, timestamp
from engine.documents.redaction import redact_evidence
from engine.model import Alert, Contribution, EventRef, Origin


def to_native(alert: Alert, *, show_content: bool = False) -> dict[str, Any]:
    """The alert as plain values in fixed order. Prompts, answers and credentials are redacted unless ``show_content``."""
    alert = clean(alert, show_content)
    rule = alert.rule
    return {
        "uid": alert.uid,
        "state": alert.state.value,
        "kind": alert.kind.value,
        "rule": {
            "uid": rule.uid,
            "title": rule.title,
            "level": rule.level,
            "tags": list(rule.tags),
            "path": rule.path,
            "description": rule.description,
            "references": list(rule.references),
            "falsepositives": list(rule.falsepositives),
            "response": list(rule.response),
            "author": rule.author,
            "content_hash": rule.content_hash,
        },
        "level": alert.level.word,
        "first_time": timestamp(alert.first_time),
        "last_time": timestamp(alert.last_time),
        "count": alert.count,
        "sources": list(alert.sources),
        "cloud": [{"provider": cloud.provider, "account": cloud.account} for cloud in alert.cloud],
        "entities": [{"type": entity.type, "value": shown(entity.value, show_content)} for entity in alert.entities],
        **({"principals": [principal(each, show_content) for each in alert.principals]} if alert.principals else {}),
        "reason": shown(alert.reason, show_content),
        "group": {name: shown(value, show_content) for name, value in alert.group},
        **({"rules": [contribution(each) for each in alert.contributions]} if alert.contributions else {}),
        "events": [event_document(event) for event in alert.events],
        "event_uids": list(alert.event_uids),
        "evidence": {name: plain(value) for name, value in redact_evidence(alert.evidence, show_content=show_content).items()},
    }


def contribution(rule: Contribution) -> dict[str, Any]:
    """A rule whose hits made a correlation's alert."""
    return {"uid": rule.uid, "title": rule.title, "events": rule.events}


def principal(found: Origin, show_content: bool) -> dict[str, Any]:
    """Who stands behind an alert, and how sure that is."""
    return {"uid": shown(found.uid, show_content), "strength": found.strength, "spoofable": found.spoofable, "contested": found.contested}


def event_document(event: EventRef) -> dict[str, Any]:
    """Where one event is found and what it did."""
    return {
        "uid": event.uid,
        "time": timestamp(event.time),
        "source": event.source,
        "object": event.object,
        "position": event.position,
        "operation": event.operation,
    }
