"""Incidents as sinks send them: the latest state of each, what people made of it, and where it went."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from engine.documents.common import PRODUCT, product_version, shown, timestamp, without_empty
from engine.documents.delivered import Human, Layout, human_document
from engine.documents.ecs import ECS_VERSION, SEVERITY
from engine.documents.incident import incident_document
from engine.documents.taxonomy import table
from engine.model import Incident, Level, State

DATASET = "crosswind.incident"
KIND = "incident"


@runtime_checkable
class Stored(Protocol):
    """An incident as the state keeps it: unredacted, with the revision it is at."""

    @property
    def incident(self) -> Incident: ...
    @property
    def revision(self) -> int: ...
    @property
    def state(self) -> State: ...
    @property
    def why(self) -> str | None: ...
    @property
    def moved_to(self) -> str | None: ...
    @property
    def follows(self) -> str | None: ...
    @property
    def followed_by(self) -> str | None: ...
    @property
    def created(self) -> datetime: ...
    @property
    def updated(self) -> datetime: ...
    @property
    def human(self) -> Human | None: ...


def incident_to_delivered(stored: Stored, layout: Layout, *, show_content: bool = False) -> dict[str, Any]:
    """The document of ``stored`` in its latest state, redacted unless ``show_content``."""
    own = {"kind": KIND, **incident_document(stored.incident, show_content=show_content), **standing(stored, show_content=show_content)}
    return own if layout is Layout.NDJSON else _to_ecs(stored, own, show_content)


def standing(stored: Stored, *, show_content: bool = False) -> dict[str, Any]:
    """What the store knows of an incident beside itself, as plain values."""
    return without_empty(
        {
            "state": stored.state.value,
            "revision": stored.revision,
            "created": timestamp(stored.created),
            "updated": timestamp(stored.updated),
            "why": stored.why,
            "moved_to": stored.moved_to,
            "follows": stored.follows,
            "followed_by": stored.followed_by,
            "human": human_document(stored.human, show_content),
        }
    )


def _to_ecs(stored: Stored, own: dict[str, Any], show_content: bool) -> dict[str, Any]:
    """``own`` in a nested ECS document. ``event.ingested`` is not here: the sink sets it at every attempt."""
    incident = stored.incident
    active = stored.state is State.LIVE and incident.level > Level.INFORMATIONAL and incident.status != "closed"
    named = {row["tactics"]: (uid, row) for uid, row in table("attack").items() if uid.startswith("TA")}
    tactics = [named[step.tactic] for step in incident.tactics if step.tactic in named]
    return without_empty(
        {
            "@timestamp": timestamp(incident.last_time),
            "message": own["title"],
            "ecs": {"version": ECS_VERSION},
            "event": {
                "id": incident.uid,
                "kind": "alert" if active else "event",
                "category": ["threat"],
                "type": ["indicator"],
                "module": PRODUCT,
                "dataset": DATASET,
                "severity": SEVERITY.get(incident.level),
                "risk_score": incident.score,
                "start": timestamp(incident.first_time),
                "end": timestamp(incident.last_time),
                "created": timestamp(stored.created),
            },
            "threat": {
                "framework": ["MITRE ATT&CK"] if tactics else [],
                "tactic": {"id": [uid for uid, _ in tactics], "name": [row["name"] for _, row in tactics]},
            },
            "cloud": {
                "provider": sorted({cloud.provider.lower() for cloud in incident.clouds if cloud.provider}),
                "account": {"id": [shown(cloud.account, show_content) for cloud in incident.clouds if cloud.account]},
            },
            "related": {"user": [shown(each.entity.partition(":")[2], show_content) for each in incident.principals]},
            "observer": {"product": PRODUCT, "vendor": PRODUCT, "version": product_version()},
            PRODUCT: {"incident": own},
        }
    )
