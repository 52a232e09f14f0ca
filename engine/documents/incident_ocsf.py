"""Incidents as OCSF 1.8.0 Incident Findings (class 2005)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.documents.common import PRODUCT, milliseconds, product_version, shown, without_empty
from engine.documents.incident import incident_document
from engine.documents.ocsf import VERSION, attacks
from engine.documents.taxonomy import resolve
from engine.model import Alert, Incident, Level, Strength

CLASS_UID = 2005
FINDINGS = 1_000
_SEVERITY = ("Unknown", "Informational", "Low", "Medium", "High", "Critical")
_CONFIDENCE = {Strength.WEAK: (1, "Low"), Strength.MEDIUM: (2, "Medium"), Strength.STRONG: (3, "High")}
_PRIORITY = {
    Level.INFORMATIONAL: (1, "Low"),
    Level.LOW: (1, "Low"),
    Level.MEDIUM: (2, "Medium"),
    Level.HIGH: (3, "High"),
    Level.CRITICAL: (4, "Critical"),
}

_UNMAPPED = (
    *("principals", "tactics", "held", "joins", "joins_total", "factors", "blast", "responsibility", "next_hunts", "containment", "notes", "clouds"),
)
_STATUS = {"open": (1, "New"), "acknowledged": (2, "In Progress"), "closed": (5, "Closed")}


def incident_to_ocsf(incident: Incident, alerts: Mapping[str, Alert], *, show_content: bool = False) -> dict[str, Any]:
    """The incident as an Incident Finding, keys in fixed order, nothing null. ``alerts`` by uid: its members, as far as they are at hand.

    The class asks for somebody it is assigned to; until a person takes it that is the group ``unassigned``.
    """
    document = incident_document(incident, show_content=show_content)
    status_id, status = _STATUS.get(incident.status, (1, "New"))
    activity = 3 if status_id == 5 else 1
    confidence_id, confidence = _CONFIDENCE[incident.confidence]
    priority_id, priority = _PRIORITY[incident.level]
    impact_id, impact = _PRIORITY[incident.level]
    members = [alerts.get(uid) for uid in incident.alert_uids[:FINDINGS]]
    tags = {tag for alert in members if alert for tag in alert.rule.tags}
    return without_empty(
        {
            "activity_id": activity,
            "category_uid": 2,
            "class_uid": CLASS_UID,
            "type_uid": CLASS_UID * 100 + activity,
            "severity_id": int(incident.level),
            "severity": _SEVERITY[incident.level],
            "status_id": status_id,
            "status": status,
            "time": milliseconds(incident.last_time),
            "start_time": milliseconds(incident.first_time),
            "end_time": milliseconds(incident.last_time),
            "message": document["title"],
            "desc": describe(document),
            "count": len(incident.alert_uids),
            "confidence_id": confidence_id,
            "confidence": confidence,
            "priority_id": priority_id,
            "priority": priority,
            "impact_id": impact_id,
            "impact": impact,
            "impact_score": round(incident.score),
            "assignee_group": {"name": "unassigned"},
            "attacks": attacks(resolve(tags)),
            "finding_info_list": [_member(uid, alerts.get(uid), show_content) for uid in incident.alert_uids[:FINDINGS]],
            "metadata": {
                "version": VERSION,
                "uid": incident.uid,
                "product": {"name": PRODUCT, "vendor_name": PRODUCT, "version": product_version()},
                "log_name": "incident",
            },
            "unmapped": {name: document[name] for name in _UNMAPPED},
        }
    )


def _member(uid: str, alert: Alert | None, show_content: bool) -> dict[str, Any]:
    if alert is None:
        return {"uid": uid, "title": uid}
    return {
        "uid": uid,
        "title": alert.rule.title,
        "desc": shown(alert.reason, show_content),
        "first_seen_time": milliseconds(alert.first_time),
        "last_seen_time": milliseconds(alert.last_time),
        "related_events_count": alert.count,
    }


def describe(document: Mapping[str, Any]) -> str:
    """An incident document in one sentence or two."""
    who = ", ".join(each["entity"].partition(":")[2] for each in document["principals"][:3])
    course = ", then ".join(each["tactic"] for each in document["tactics"])
    alerts = document["alerts"]
    parts = [f"{alerts:,} alert{'s' if alerts != 1 else ''} over {document['events']:,} event{'s' if document['events'] != 1 else ''}"]
    parts += [f"by {who}"] if who else []
    parts += [f"in {', '.join(sorted({each['provider'] for each in document['clouds']}))}"] if document["clouds"] else []
    return " ".join(parts) + (f": {course}." if course else ".")
