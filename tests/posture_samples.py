"""Invented records of every cloud that tell facts about assets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from engine.pipeline import Settings
from engine.pipeline.posture import Posture, posture_of
from engine.posture.facts import FACTS, described
from tests.logs import event

NOW = datetime(2026, 3, 9, tzinfo=UTC)
START = datetime(2026, 3, 1, tzinfo=UTC)
REGION = "aws.region:111122223333/eu-west-1"
SUBSCRIPTION = "dddddddd-0000-4000-8000-00000000000d"
ACCOUNT = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-ai/providers/Microsoft.CognitiveServices/accounts/Example"
AZURE = f"azure.resource:{ACCOUNT.lower()}"
OID = "cccccccc-0000-4000-8000-00000000000c"
PROJECT = "projects/example-ml"


def aws(service: str, name: str, request: Any = None, response: Any = None, number: int = 1, **changes: Any) -> dict[str, Any]:
    """A call of AWS."""
    return event(number, name, **{"eventSource": f"{service}.amazonaws.com", "requestParameters": request, "responseElements": response, **changes})


def azure(operation: str, resource: str = ACCOUNT, body: Any = None, *, outcome: str = "Success", answer: Any = None) -> dict[str, Any]:
    """A record of the Azure Activity Log; bodies are texts, as Azure writes them."""
    bodies = {name: json.dumps(each) for name, each in (("requestbody", body), ("responseBody", answer)) if each is not None}
    return {
        "time": "2026-03-01T08:00:00.1234567Z",
        "resourceId": resource.upper(),
        "operationName": operation.upper(),
        "category": "Administrative",
        "resultType": outcome,
        "resultSignature": "Succeeded.",
        "correlationId": "eeeeeeee-0000-4000-8000-00000000000e",
        "identity": {"authorization": {"scope": resource, "action": operation}, "claims": {}},
        "properties": {"eventCategory": "Administrative", **bodies},
    }


def entra(name: str, old: str, new: str) -> dict[str, Any]:
    """A change of an application."""
    changed = {"displayName": "FederatedIdentityCredentials", "oldValue": old, "newValue": new}
    target = {"id": OID, "displayName": "sync", "type": "Application", "modifiedProperties": [changed]}
    inner = {"id": f"Directory_{name}", "activityDisplayName": name, "activityDateTime": "2026-03-01T08:00:00Z", "loggedByService": "Core Directory"}
    return {
        "time": "2026-03-01T08:00:00Z",
        "resourceId": "/tenants/t/providers/Microsoft.aadiam",
        "operationName": name,
        "category": "AuditLogs",
        "properties": {**inner, "result": "success", "initiatedBy": {"user": {"id": OID}}, "targetResources": [target]},
    }


def gcp(service: str, method: str, resource: str = PROJECT, request: Any = None, *, code: int = 0, **more: Any) -> dict[str, Any]:
    """An audit entry of Google Cloud."""
    operation = {"operation": more.pop("operation")} if "operation" in more else {}
    payload: dict[str, Any] = {"serviceName": f"{service}.googleapis.com", "methodName": method, "resourceName": resource, **more}
    payload |= {"request": request} if request is not None else {}
    payload |= {"status": {"code": code, "message": "refused"}} if code else {}
    return {
        "insertId": f"{method}-1",
        "logName": f"{PROJECT}/logs/cloudaudit.googleapis.com%2Factivity",
        "timestamp": "2026-03-01T08:00:00Z",
        "resource": {"type": "project", "labels": {"project_id": "example-ml"}},
        **operation,
        "protoPayload": payload,
    }


def posture(folder: Path, *records: Mapping[str, Any], asset: str | None = None, at: datetime | None = None) -> Posture:
    """What records in one file tell."""
    path = folder / "logs.ndjson"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    found = posture_of(asset, at, Settings(now=NOW), paths=[str(path)])
    assert found.report is not None
    assert (found.report.skips, found.report.rejects) == ((), ())
    return found


def facts(*rows: tuple[str, str, float, str, Mapping[str, Any] | None], part: str = "") -> pl.DataFrame:
    """Facts of (fact, asset, hours after `START`, event uid, value)."""
    made = [
        {
            **dict.fromkeys(FACTS),
            "fact": fact,
            "asset": asset,
            "part": part,
            "time": START + timedelta(hours=hours),
            "value": None if value is None else json.dumps(value),
            "why": "the record does not tell it",
            "tier": "a log",
            "source": "test",
            "event_uid": uid,
        }
        for fact, asset, hours, uid, value in rows
    ]
    return described(pl.DataFrame(made, schema=FACTS))


def told(known: pl.DataFrame) -> set[tuple[str, str, str, str | None]]:
    """(fact, asset, part, value) of rows."""
    return set(known.select("fact", "asset", "part", "value").iter_rows())


def value(given: Mapping[str, Any] | None) -> str | None:
    """A value in its one spelling."""
    return None if given is None else json.dumps(given, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def sample(rows: Iterable[tuple[float, str, Mapping[str, Any] | None]], fact: str = "ai.logging", asset: str = REGION) -> pl.DataFrame:
    """Facts of one asset of (hours after `START`, event uid, value)."""
    return facts(*((fact, asset, hours, uid, given) for hours, uid, given in rows))
