"""Alerts as Elastic Common Schema documents for the data stream ``logs-crosswind.alert-<namespace>``."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from engine.documents.common import PRODUCT, clean, is_active, plain, product_version, shown, timestamp, without_empty
from engine.documents.native import contribution, event_document, principal
from engine.documents.redaction import CONTENT_COLUMNS, CONTENT_JSON_COLUMNS, redact_evidence
from engine.documents.taxonomy import Threats, resolve
from engine.model import Alert, Level

ECS_VERSION = "9.5.0-dev"
DATASET = "crosswind.alert"
SEVERITY = {Level.LOW: 21, Level.MEDIUM: 47, Level.HIGH: 73, Level.CRITICAL: 99}
"""The four numbers Kibana's promotion rules know."""

_CONTENT = CONTENT_COLUMNS | CONTENT_JSON_COLUMNS
"""Kept apart from the evidence, so that an index can hold them without making them searchable."""

_CATEGORY = {3001: "iam", 3002: "authentication", 3004: "iam", 3005: "iam"}
_OUTCOME = {1: "success", 2: "failure"}


def to_ecs(alert: Alert, *, namespace: str = "default", show_content: bool = False) -> dict[str, Any]:
    """The alert as a nested ECS document, keys in fixed order, empty members left out.

    ``event.ingested`` is not here: the sink sets it at every attempt. Informational, superseded and retracted alerts are ``event.kind: event``.
    """
    alert = clean(alert, show_content)
    evidence = redact_evidence(alert.evidence, show_content=show_content)
    document = {
        "@timestamp": timestamp(alert.last_time),
        "message": alert.rule.title,
        "ecs": {"version": ECS_VERSION},
        "data_stream": {"type": "logs", "dataset": DATASET, "namespace": namespace},
        "event": _event(alert, evidence, show_content),
        "rule": {
            "uuid": alert.rule.uid,
            "name": alert.rule.title,
            "description": alert.rule.description,
            "reference": list(alert.rule.references),
            "author": [alert.rule.author] if alert.rule.author else None,
            "version": alert.rule.content_hash,
            "ruleset": PRODUCT,
        },
        "threat": _threat(resolve(alert.rule.tags)),
        "cloud": {
            "provider": (provider := evidence.get("cloud.provider")) and str(provider).lower(),
            "region": evidence.get("cloud.region"),
            "account": {"id": evidence.get("cloud.account.uid")},
            "service": {"name": evidence.get("api.service.name")},
        },
        "user": {
            "id": evidence.get("actor.user.uid"),
            "name": evidence.get("actor.user.name"),
            "email": evidence.get("actor.user.email_addr"),
            "target": {"id": evidence.get("user.uid"), "name": evidence.get("user.name")},
        },
        "source": _source(evidence),
        "user_agent": {"original": evidence.get("http_request.user_agent")},
        "related": _related(alert, evidence, show_content),
        "gen_ai": _gen_ai(evidence),
        "observer": {"product": PRODUCT, "vendor": PRODUCT, "version": product_version()},
        PRODUCT: {"alert": _own(alert, evidence, show_content)},
    }
    return without_empty(document)


def _event(alert: Alert, evidence: Mapping[str, Any], show_content: bool) -> dict[str, Any]:
    severity = SEVERITY.get(alert.level)
    category = _CATEGORY.get(evidence.get("class_uid", 0), "threat")
    return {
        "id": alert.uid,
        "kind": "alert" if is_active(alert) else "event",
        "category": [category],
        "type": ["indicator" if category == "threat" else "info"],
        "module": PRODUCT,
        "dataset": DATASET,
        "severity": severity,
        "risk_score": None if severity is None else float(severity),
        "action": evidence.get("api.operation") or evidence.get("x.ai.operation"),
        "provider": evidence.get("api.service.name") or evidence.get("x.source"),
        "outcome": _OUTCOME.get(evidence.get("status_id", 0), "unknown"),
        "start": timestamp(alert.first_time),
        "end": timestamp(alert.last_time),
        "reason": shown(alert.reason, show_content),
        "original": evidence.get("raw_data"),
    }


def _threat(threats: Threats) -> dict[str, Any]:
    main = {technique.parent.uid: technique.parent for technique in threats.techniques if technique.parent}
    main |= {technique.uid: technique for technique in threats.techniques if not technique.parent}
    techniques = [main[uid] for uid in sorted(main)]
    subs = [technique for technique in threats.techniques if technique.parent]
    return {
        "framework": list(threats.frameworks),
        "tactic": {
            "id": [tactic.uid for tactic in threats.tactics],
            "name": [tactic.name for tactic in threats.tactics],
            "reference": [tactic.url for tactic in threats.tactics],
        },
        "technique": {
            "id": [technique.uid for technique in techniques],
            "name": [technique.name for technique in techniques],
            "reference": [technique.url for technique in techniques],
            "subtechnique": {"id": [sub.uid for sub in subs], "name": [sub.name for sub in subs], "reference": [sub.url for sub in subs]},
        },
    }


def is_ip(text: str) -> bool:
    """Whether ``text`` is an IP address, as Elasticsearch's ``ip`` type takes it."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def _source(evidence: Mapping[str, Any]) -> dict[str, Any]:
    address = evidence.get("src_endpoint.ip") or evidence.get("src_endpoint.domain")
    number = evidence.get("src_endpoint.autonomous_system.number")
    return {
        "ip": address if address and is_ip(address) else None,
        "address": address,
        "geo": {"country_iso_code": evidence.get("src_endpoint.location.country")},
        "as": {"number": number},
    }


def _related(alert: Alert, evidence: Mapping[str, Any], show_content: bool) -> dict[str, Any]:
    values = [(entity.type, shown(entity.value, show_content)) for entity in alert.entities]
    users = {value for kind, value in values if kind in ("user", "email")}
    users |= {evidence[name] for name in ("actor.user.name", "user.name") if name in evidence}
    return {"ip": sorted({value for kind, value in values if kind == "ip" and is_ip(value)}), "user": sorted(users)}


def _gen_ai(evidence: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "system": evidence.get("ai_model.ai_provider"),
        "operation": {"name": evidence.get("x.ai.operation")},
        "request": {"model": evidence.get("ai_model.name")},
        "response": {
            "id": evidence.get("x.ai.response_id"),
            "model": evidence.get("ai_model.version"),
            "finish_reasons": evidence.get("x.ai.finish_reasons"),
        },
        "usage": {
            "input_tokens": evidence.get("message_context.prompt_tokens"),
            "output_tokens": evidence.get("message_context.completion_tokens"),
        },
    }


def _own(alert: Alert, evidence: Mapping[str, Any], show_content: bool) -> dict[str, Any]:
    return {
        "uid": alert.uid,
        "state": alert.state.value,
        "kind": alert.kind.value,
        "level": alert.level.word,
        "count": alert.count,
        "first_time": timestamp(alert.first_time),
        "last_time": timestamp(alert.last_time),
        "sources": list(alert.sources),
        "cloud": [{"provider": cloud.provider, "account": cloud.account} for cloud in alert.cloud],
        "entities": [{"type": entity.type, "value": shown(entity.value, show_content)} for entity in alert.entities],
        "principals": [principal(each, show_content) for each in alert.principals],
        "group": [{"name": name, "value": shown(value, show_content)} for name, value in alert.group],
        "rule": {
            "path": alert.rule.path,
            "tags": list(alert.rule.tags),
            "falsepositives": list(alert.rule.falsepositives),
            "response": list(alert.rule.response),
            "owasp": [risk.uid for risk in resolve(alert.rule.tags).risks],
        },
        "rules": [contribution(each) for each in alert.contributions],
        "events": [event_document(event) for event in alert.events],
        "event_uids": list(alert.event_uids),
        "evidence": {name: plain(value) for name, value in evidence.items() if name != "raw_data" and name not in _CONTENT},
        "content": {name.rpartition(".")[2]: plain(value) for name, value in evidence.items() if name in _CONTENT},
    }
