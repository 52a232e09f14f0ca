"""Alerts as OCSF 1.8.0 Detection Findings (class 2004)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from engine.documents.common import PRODUCT, clean, is_active, milliseconds, plain, product_version, shown, without_empty
from engine.documents.ecs import is_ip
from engine.documents.redaction import is_inference, redact_evidence
from engine.documents.taxonomy import ATTACK, ATTACK_VERSION, Tactic, Technique, Threats, resolve
from engine.model import Alert, AlertKind, State

VERSION = "1.8.0"
CLASS_UID = 2004
_RESOURCES = 50
_SEVERITY = ("Unknown", "Informational", "Low", "Medium", "High", "Critical")
_STATUS = {State.LIVE: (1, "New"), State.OPEN: (1, "New"), State.SUPERSEDED: (5, "Archived"), State.RETRACTED: (6, "Deleted")}
_ANALYTIC = {AlertKind.RULE: (1, "Rule"), AlertKind.CORRELATION: (1, "Rule"), AlertKind.ANALYTIC: (3, "Statistical")}
_ACCOUNT = {"AWS": 10, "GCP": 11, "Azure": 13}
_EMAIL = re.compile(r"[a-zA-Z0-9!#$%&'*+/=?^_`{|}~.-]+@[a-zA-Z0-9-]+\.[a-zA-Z0-9.-]+")
_AI = ("x.ai.", "ai_model.", "message_context.")

_OBSERVABLES = (
    ("evidences[].src_endpoint.ip", 2, "IP Address"),
    ("evidences[].actor.user.name", 4, "User Name"),
    ("evidences[].actor.user.email_addr", 5, "Email Address"),
    ("evidences[].http_request.user_agent", 16, "HTTP User-Agent"),
    ("evidences[].actor.session.credential_uid", 19, "User Credential ID"),
    ("evidences[].actor.user.uid", 31, "User Object: uid"),
)


def to_ocsf(alert: Alert, *, show_content: bool = False) -> dict[str, Any]:
    """The alert as a Detection Finding, keys in fixed order, nothing null. AI detail stands in ``unmapped.ai``: the class has no place for it."""
    alert = clean(alert, show_content)
    evidence = redact_evidence(alert.evidence, show_content=show_content)
    activity = 1 if alert.state in (State.LIVE, State.OPEN) else 3
    status_id, status = _STATUS[alert.state]
    cloud = _cloud(alert, evidence)
    document = {
        "activity_id": activity,
        "category_uid": 2,
        "class_uid": CLASS_UID,
        "type_uid": CLASS_UID * 100 + activity,
        "severity_id": int(alert.level),
        "severity": _SEVERITY[alert.level],
        "status_id": status_id,
        "status": status,
        "time": milliseconds(alert.last_time),
        "start_time": milliseconds(alert.first_time),
        "end_time": milliseconds(alert.last_time),
        "message": alert.rule.title,
        "is_alert": is_active(alert),
        "count": alert.count,
        "metadata": {
            "version": VERSION,
            "uid": alert.uid,
            "profiles": ["cloud"] if cloud else None,
            "product": {"name": PRODUCT, "vendor_name": PRODUCT, "version": product_version()},
            "log_name": "alert",
        },
        "cloud": cloud,
        "finding_info": _finding_info(alert, evidence, show_content),
        "evidences": [_evidence(evidence)] if evidence else None,
        "resources": _resources(evidence),
        "unmapped": _unmapped(alert, evidence, show_content),
    }
    finished = without_empty(document)
    finished["observables"] = _observables(finished)
    return without_empty(finished)


def _cloud(alert: Alert, evidence: Mapping[str, Any]) -> dict[str, Any]:
    """The cloud of the first event, else the first known one; {} when no provider is known, because the profile then must not be declared."""
    provider, account, region = evidence.get("cloud.provider"), evidence.get("cloud.account.uid"), evidence.get("cloud.region")
    if not provider:
        known = next((cloud for cloud in alert.cloud if cloud.provider), None)
        if known is None:
            return {}
        provider, account, region = known.provider, known.account, None
    return without_empty(
        {"provider": provider, "region": region, "account": {"uid": account, "type_id": _ACCOUNT.get(str(provider), 0)} if account else None}
    )


def _finding_info(alert: Alert, evidence: Mapping[str, Any], show_content: bool) -> dict[str, Any]:
    type_id, type_name = _ANALYTIC[alert.kind]
    related = [{"uid": event.uid, "first_seen_time": milliseconds(event.time), "type": event.operation} for event in alert.events]
    class_uid, activity = evidence.get("class_uid"), evidence.get("activity_id")
    if related and class_uid is not None and activity is not None and related[0]["uid"] == evidence.get("x.uid"):
        related[0]["type_uid"] = class_uid * 100 + activity
    return {
        "uid": alert.uid,
        "title": alert.rule.title,
        "desc": shown(alert.reason, show_content),
        "analytic": {
            "type_id": type_id,
            "type": type_name,
            "uid": alert.rule.uid,
            "name": alert.rule.title,
            "version": alert.rule.content_hash,
            "desc": alert.rule.description,
        },
        "attacks": attacks(resolve(alert.rule.tags)),
        "first_seen_time": milliseconds(alert.first_time),
        "last_seen_time": milliseconds(alert.last_time),
        "related_events": [without_empty(event) for event in related],
        "related_events_count": alert.count,
        "data_sources": list(alert.sources),
        "tags": [{"name": "sigma", "values": list(alert.rule.tags)}] if alert.rule.tags else None,
    }


def attacks(threats: Threats) -> list[dict[str, Any]]:
    """One entry a technique, with the tactic of the rule it serves, and one for every tactic that no technique serves."""
    found: list[dict[str, Any]] = []
    served: set[str] = set()
    for technique in threats.techniques:
        fitting = [tactic for tactic in threats.tactics if tactic.uid in technique.tactics]
        served.update(tactic.uid for tactic in fitting)
        found += [_attack(technique, tactic) for tactic in fitting] or [_attack(technique, None)]
    return found + [_attack(None, tactic) for tactic in threats.tactics if tactic.uid not in served]


def _attack(technique: Technique | None, tactic: Tactic | None) -> dict[str, Any]:
    main = technique.parent or technique if technique else None
    named = technique or tactic
    parts = {"tactic": tactic, "technique": main, "sub_technique": technique if technique and technique.parent else None}
    told: dict[str, Any] = {name: {"uid": part.uid, "name": part.name, "src_url": part.url} for name, part in parts.items() if part}
    if named and named.framework == ATTACK:
        told["version"] = ATTACK_VERSION
    return told


def _ip(evidence: Mapping[str, Any]) -> str | None:
    address = evidence.get("src_endpoint.ip")
    return address if address and is_ip(address) and len(address) <= 40 else None


def _evidence(evidence: Mapping[str, Any]) -> dict[str, Any]:
    email, type_id = evidence.get("actor.user.email_addr"), evidence.get("actor.user.type_id")
    user = {
        "uid": evidence.get("actor.user.uid"),
        "name": evidence.get("actor.user.name"),
        "email_addr": email if email and _EMAIL.fullmatch(email) else None,
        "account": {"uid": evidence.get("actor.user.account.uid")},
    }
    named = without_empty(user)
    if named.keys() & {"uid", "name", "account"}:
        named |= {"type_id": type_id if type_id in (0, 1, 2, 3, 4, 99) else 0}
    else:
        named = {}
    actor = {
        "user": named,
        "session": {
            "uid": evidence.get("actor.session.uid"),
            "issuer": evidence.get("actor.session.issuer"),
            "is_mfa": evidence.get("actor.session.is_mfa"),
            "credential_uid": evidence.get("actor.user.credential_uid"),
        },
        "app_name": evidence.get("actor.app_name"),
        "app_uid": evidence.get("actor.app_uid"),
    }
    if without_empty(actor):
        actor["idp"] = {"name": evidence.get("actor.idp.name")}
    return {
        "actor": actor,
        "api": _api(evidence),
        "src_endpoint": _src_endpoint(evidence),
        "http_request": {"user_agent": evidence.get("http_request.user_agent")},
        "user": {"uid": evidence.get("user.uid"), "name": evidence.get("user.name")},
        "data": {name: plain(value) for name, value in evidence.items() if not name.startswith(_AI)},
    }


def _api(evidence: Mapping[str, Any]) -> dict[str, Any]:
    operation = evidence.get("api.operation") or evidence.get("x.ai.operation")
    if not operation:
        return {}
    return {
        "operation": operation,
        "service": {"name": evidence.get("api.service.name")},
        "request": {"uid": evidence.get("api.request.uid")},
        "response": {"error": evidence.get("api.response.error"), "message": evidence.get("status_detail")},
    }


def _src_endpoint(evidence: Mapping[str, Any]) -> dict[str, Any]:
    endpoint = {"ip": _ip(evidence), "domain": evidence.get("src_endpoint.domain")}
    if not without_empty(endpoint):
        return {}
    number = evidence.get("src_endpoint.autonomous_system.number")
    return {**endpoint, "location": {"country": evidence.get("src_endpoint.location.country")}, "autonomous_system": {"number": number}}


def _resources(evidence: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The resources of the first event; names and types go with the uids only where there is one for each."""
    columns = {key: evidence.get(f"resources.{key}") or [] for key in ("uid", "name", "type")}
    length = len(columns["uid"]) or len(columns["name"])
    paired = {key: values if len(values) == length else [None] * length for key, values in columns.items()}
    rows = [dict(zip(paired, values, strict=True)) for values in zip(*paired.values(), strict=True)]
    return [without_empty({**row, "role_id": 1}) for row in rows if row["uid"] or row["name"]][:_RESOURCES]


def _observables(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for path, type_id, caption in _OBSERVABLES:
        value: Any = next(iter(document.get("evidences", ())), {})
        for key in path.split(".")[1:]:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, str):
            found.append({"name": path, "type_id": type_id, "type": caption, "value": value})
    for resource in document.get("resources", ()):
        if "uid" in resource:
            found.append({"name": "resources[].uid", "type_id": 10, "type": "Resource UID", "value": resource["uid"]})
    return found


def _unmapped(alert: Alert, evidence: Mapping[str, Any], show_content: bool) -> dict[str, Any]:
    ai = {name.removeprefix("x.ai."): plain(value) for name, value in evidence.items() if name.startswith(_AI)} if is_inference(evidence) else {}
    return {
        "state": alert.state.value,
        "kind": alert.kind.value,
        "group": {name: shown(value, show_content) for name, value in alert.group},
        "entities": [{"type": entity.type, "value": shown(entity.value, show_content)} for entity in alert.entities],
        "event_uids": list(alert.event_uids),
        "rule": {
            "path": alert.rule.path,
            "level": alert.rule.level,
            "falsepositives": list(alert.rule.falsepositives),
            "references": list(alert.rule.references),
            "response": list(alert.rule.response),
        },
        "owasp": [{"uid": risk.uid, "name": risk.name} for risk in resolve(alert.rule.tags).risks],
        "ai": ai,
    }
