"""Incidents as JSON text and back, nothing lost: what the state keeps. Equal incidents give equal texts."""

from __future__ import annotations

import json
from typing import Any

from engine.model import (
    Blast,
    CloudAccount,
    Containment,
    Factor,
    Held,
    Incident,
    Join,
    Level,
    NextHunt,
    Principal,
    Strength,
    TacticStep,
)
from engine.store.column_types import microseconds, moment_of

_PLAIN = (
    "uid",
    "score",
    "title",
    "sources",
    "alert_uids",
    "event_uids",
    "events",
    "joins_total",
    "responsibility",
    "continues",
    "continued_by",
    "notes",
)
_TUPLES = ("sources", "alert_uids", "event_uids", "responsibility", "notes")
_BLAST = ("read", "written", "data", "models", "accounts")


def encode(incident: Incident) -> str:
    """``incident`` without its status and component, which live beside it: ASCII text, whatever texts it holds."""
    document = {
        **{name: getattr(incident, name) for name in _PLAIN},
        "level": incident.level.word,
        "first_time": microseconds(incident.first_time),
        "last_time": microseconds(incident.last_time),
        "confidence": incident.confidence.value,
        "held": (incident.held.strong, incident.held.medium),
        "principals": [(each.entity, each.strength.value, each.evidence) for each in incident.principals],
        "clouds": [(each.provider, each.account) for each in incident.clouds],
        "tactics": [(each.tactic, microseconds(each.time), each.alert) for each in incident.tactics],
        "joins": [(each.a, each.b, each.reason, each.strength.value, each.key, each.evidence) for each in incident.joins],
        "factors": [(each.name, each.value, each.points, each.why, each.about) for each in incident.factors],
        "blast": {**{name: getattr(incident.blast, name) for name in _BLAST}, "left_out": incident.blast.left_out},
        "next_hunts": [(each.name, each.parameters, each.why) for each in incident.next_hunts],
        "containment": [(each.provider, each.what, each.command) for each in incident.containment],
    }
    return json.dumps(document, separators=(",", ":"))


def decode(text: str, *, uid: str | None = None, status: str = "open", component: str = "") -> Incident:
    """The incident ``text`` was made from; ``uid``: under another one."""
    found: dict[str, Any] = json.loads(text)
    blast = found["blast"]
    plain: dict[str, Any] = {name: tuple(found[name]) if name in _TUPLES else found[name] for name in _PLAIN}
    if uid is not None:
        plain["uid"] = uid
    return Incident(
        **plain,
        level=Level.of(found["level"]),
        first_time=moment_of(found["first_time"]),
        last_time=moment_of(found["last_time"]),
        confidence=Strength(found["confidence"]),
        principals=tuple(Principal(entity, Strength(word), tuple(proof)) for entity, word, proof in found["principals"]),
        clouds=tuple(CloudAccount(*each) for each in found["clouds"]),
        tactics=tuple(TacticStep(tactic, moment_of(time), alert) for tactic, time, alert in found["tactics"]),
        joins=tuple(Join(a, b, reason, Strength(word), key, tuple(proof)) for a, b, reason, word, key, proof in found["joins"]),
        factors=tuple(Factor(*each) for each in found["factors"]),
        blast=Blast(**{name: tuple(blast[name]) for name in _BLAST}, left_out=blast["left_out"]),
        next_hunts=tuple(NextHunt(name, tuple((key, value) for key, value in parameters), why) for name, parameters, why in found["next_hunts"]),
        containment=tuple(Containment(*each) for each in found["containment"]),
        status=status,
        component=component,
        held=Held(*found.get("held", ())),
    )
