"""Incidents as plain values: one JSON object an incident, redacted as every output is."""

from __future__ import annotations

import shlex
from typing import Any

from engine.documents.common import shown, timestamp
from engine.model import Incident, NextHunt, Strength


def incident_document(incident: Incident, *, show_content: bool = False) -> dict[str, Any]:
    """The incident as plain values in fixed order. Credentials in what callers chose are redacted unless ``show_content``; it holds no prompts."""

    def text(value: str) -> str:
        return shown(value, show_content)

    def texts(values: tuple[str, ...]) -> list[str]:
        return [text(value) for value in values]

    return {
        "uid": incident.uid,
        "level": incident.level.word,
        "score": incident.score,
        "title": text(incident.title),
        "status": incident.status,
        "confidence": incident.confidence.value,
        "held": {"strong": incident.held.strong, "medium": incident.held.medium},
        "first_time": timestamp(incident.first_time),
        "last_time": timestamp(incident.last_time),
        "principals": [
            {"entity": text(each.entity), "strength": each.strength.value, "evidence": texts(each.evidence)} for each in incident.principals
        ],
        "clouds": [{"provider": each.provider, "account": text(each.account) if each.account else None} for each in incident.clouds],
        "sources": list(incident.sources),
        "tactics": [{"tactic": each.tactic, "time": timestamp(each.time), "alert": each.alert} for each in incident.tactics],
        "alerts": len(incident.alert_uids),
        "events": incident.events,
        "joins_total": incident.joins_total,
        "blast": {
            **{name: texts(getattr(incident.blast, name)) for name in ("read", "written", "data", "models", "accounts")},
            "left_out": incident.blast.left_out,
        },
        "responsibility": list(incident.responsibility),
        "next_hunts": [
            {
                "name": each.name,
                "parameters": {name: text(value) for name, value in each.parameters},
                "why": each.why,
                "command": text(hunt_command(each)),
            }
            for each in incident.next_hunts
        ],
        "containment": [{"provider": each.provider, "what": each.what, "command": text(each.command)} for each in incident.containment],
        "continues": incident.continues,
        "continued_by": incident.continued_by,
        "notes": texts(incident.notes),
        "factors": [
            {"name": each.name, "value": each.value, "points": each.points, "why": text(each.why), "about": each.about or None}
            for each in incident.factors
        ],
        "joins": [
            {
                "a": each.a,
                "b": each.b,
                "reason": each.reason,
                "strength": each.strength.value,
                "key": text(each.key),
                "evidence": texts(each.evidence),
            }
            for each in incident.joins
        ],
        "alert_uids": list(incident.alert_uids),
        "event_uids": texts(incident.event_uids),
    }


def hunt_command(hunt: NextHunt) -> str:
    """How to run a hunt, every value quoted for a shell."""
    parameters = " ".join(f"--param {shlex.quote(f'{name}={value}')}" for name, value in hunt.parameters)
    return f"crosswind hunt run {hunt.name} {parameters}".rstrip()


def certainty(incident: Incident) -> str:
    """How sure it is that the alerts belong together, in words: what the confidence rests on, and how many alerts hang on less."""
    alerts, held, word = len(incident.alert_uids), incident.held, incident.confidence.value
    if not held.strong or held.strong == alerts or (incident.confidence is Strength.MEDIUM and held.medium == alerts):
        return word
    if incident.confidence is Strength.WEAK:
        return f"{word}: at most {held.medium:,} of {alerts:,} alerts hang together without weak joins"
    sure = held.strong if incident.confidence is Strength.STRONG else held.medium
    less = "weak" if held.medium == sure else "medium" if held.medium == alerts else "medium or weak"
    return f"{word}, but {alerts - sure:,} of {alerts:,} alerts {'hang' if alerts - sure > 1 else 'hangs'} on {less} joins alone"
