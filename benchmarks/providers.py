"""Seeded records of the other providers, in the form and about the size in which they are delivered, for `scan.py --source`."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Callable
from typing import Any

WORDS = [
    "deploy",
    "backup",
    "summary",
    "invoice",
    "cluster",
    "weather",
    "policy",
    "report",
    "customer",
    "draft",
    "table",
    "recipe",
    "quarter",
    "travel",
]
TYPES = [f"Microsoft.Service{n % 40}/things{n}" for n in range(300)]
MODELS = [f"anthropic.claude-{n}-v1:0" for n in range(12)]
Record = Callable[[random.Random, int], dict[str, Any]]


def _id(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def _moment(number: int, fraction: str) -> str:
    day, hour, minute, second = 1 + number // 86_400 % 28, number // 3_600 % 24, number // 60 % 60, number % 60
    return f"2026-03-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}{fraction}Z"


def _address(rng: random.Random) -> str:
    return f"10.{rng.randrange(4)}.{rng.randrange(250)}.{1 + rng.randrange(20)}"


def azure_activity(rng: random.Random, number: int) -> dict[str, Any]:
    who, kind = rng.randrange(5_000), rng.choices(TYPES, [1 / (rank + 3) for rank in range(300)])[0]
    verb = rng.choice(("write", "read", "delete", "action"))
    resource = (
        f"/SUBSCRIPTIONS/00000000-1111-2222-3333-444455556666/RESOURCEGROUPS/GROUP-{who % 90}/PROVIDERS/{kind.upper()}/ITEM-{rng.randrange(9_000)}"
    )
    return {
        "time": _moment(number, f".{rng.randrange(10**7):07d}"),
        "resourceId": resource,
        "operationName": f"{kind}/{verb}".upper(),
        "category": "Administrative",
        "resultType": rng.choice(("Start", "Success", "Failure")),
        "resultSignature": "Succeeded.OK",
        "durationMs": str(rng.randrange(2_000)),
        "callerIpAddress": _address(rng),
        "correlationId": _id(rng),
        "identity": {
            "authorization": {
                "scope": resource.lower(),
                "action": f"{kind}/{verb}",
                "evidence": {
                    "role": "Contributor",
                    "roleAssignmentScope": "/subscriptions/00000000",
                    "principalId": _id(rng),
                    "principalType": "User",
                },
            },
            "claims": {
                "aud": "https://management.core.windows.net/",
                "iss": "https://sts.windows.net/11112222-3333-4444-5555-666677778888/",
                "iat": "1772000000",
                "name": f"User {who}",
                "ipaddr": _address(rng),
                "appid": _id(rng),
                "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn": f"user{who}@example.com",
                "http://schemas.microsoft.com/identity/claims/objectidentifier": str(uuid.UUID(int=who)),
            },
        },
        "level": "Information",
        "location": "global",
        "properties": {"eventCategory": "Administrative", "entity": resource.lower(), "message": f"{kind}/{verb}", "hierarchy": _id(rng)},
        "tenantId": "11112222-3333-4444-5555-666677778888",
    }


def gcp_audit(rng: random.Random, number: int) -> dict[str, Any]:
    who, kind = rng.randrange(5_000), min(int(rng.paretovariate(0.7)), 300)
    service, method = f"service{kind % 40}.googleapis.com", f"google.cloud.service{kind % 40}.v1.Things.Method{kind}"
    moment = _moment(number, f".{rng.randrange(10**9):09d}")
    name = f"projects/project-{who % 40}/zones/europe-west1-b/instances/machine-{rng.randrange(9_000)}"
    return {
        "protoPayload": {
            "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
            "status": {} if rng.random() < 0.95 else {"code": 7, "message": "PERMISSION_DENIED"},
            "authenticationInfo": {
                "principalEmail": f"user{who}@example.com",
                "serviceAccountKeyName": f"//iam.googleapis.com/projects/project-{who % 40}/serviceAccounts/sa-{who}/keys/{who:040x}",
            },
            "requestMetadata": {
                "callerIp": _address(rng),
                "callerSuppliedUserAgent": f"google-cloud-sdk gcloud/4{who % 30}.0.0 command/gcloud.things.do invocation-id/{_id(rng)}",
                "requestAttributes": {"time": moment, "auth": {}},
                "destinationAttributes": {},
            },
            "serviceName": service,
            "methodName": method,
            "authorizationInfo": [{"resource": name, "permission": f"service{kind % 40}.things.do", "granted": True, "resourceAttributes": {}}],
            "resourceName": name,
            "request": {"@type": f"type.googleapis.com/{method}Request", "name": name, "requestId": _id(rng), "labels": {"team": f"team-{who % 90}"}},
            "response": {"id": str(rng.getrandbits(63)), "status": "RUNNING", "selfLink": f"https://www.googleapis.com/compute/v1/{name}"},
        },
        "insertId": f"{rng.getrandbits(60):x}",
        "resource": {"type": "gce_instance", "labels": {"zone": "europe-west1-b", "project_id": f"project-{who % 40}", "instance_id": str(who)}},
        "timestamp": moment,
        "severity": "NOTICE",
        "logName": f"projects/project-{who % 40}/logs/cloudaudit.googleapis.com%2Factivity",
        "receiveTimestamp": moment,
    }


def bedrock_invocation(rng: random.Random, number: int) -> dict[str, Any]:
    def text(words: int) -> str:
        return " ".join(rng.choices(WORDS, k=words))

    who, model = rng.randrange(400), rng.choice(MODELS)
    used = rng.randrange(40, 400), rng.randrange(20, 300)
    body: dict[str, Any] = {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 1_000,
        "system": "You are the assistant of a company. " + text(40),
        "messages": [{"role": ("user", "assistant")[turn % 2], "content": [{"type": "text", "text": text(30)}]} for turn in range(3)],
    }
    answer: dict[str, Any] = {
        "id": f"msg_{rng.getrandbits(80):x}",
        "type": "message",
        "role": "assistant",
        "content": [{"type": "text", "text": text(60)}],
    }
    answer |= {"stop_reason": "end_turn", "usage": {"input_tokens": used[0], "output_tokens": used[1]}}
    return {
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
        "timestamp": _moment(number, ""),
        "accountId": "111122223333",
        "identity": {"arn": f"arn:aws:sts::111122223333:assumed-role/role-{who}/session-{who}"},
        "region": "us-east-1",
        "requestId": _id(rng),
        "operation": "InvokeModel",
        "modelId": model,
        "input": {"inputContentType": "application/json", "inputBodyJson": body, "inputTokenCount": used[0]},
        "output": {"outputContentType": "application/json", "outputBodyJson": answer, "outputTokenCount": used[1]},
    }


def _names(rng: random.Random, source: str) -> list[str]:
    """Some operations; a third of them occur."""
    if source == "azure.activity":
        return [f"{rng.choice(TYPES)}{rng.choice(('', 'x', 'y'))}/{verb}".upper() for verb in ("WRITE", "DELETE", "ACTION")]
    return [f"google.cloud.service{n % 40}.v1.Things.Method{n}" for n in rng.sample(range(900), 3)]


def detection(rng: random.Random, number: int, source: str) -> dict[str, Any]:
    """The detection part of a rule: of ten 7 name operations, 2 look for text in a field, 1 names a value of many."""
    kind = number % 10
    if source == "aws.bedrock_invocation":
        where = ("message_context.prompt_text", "message_context.response_text")[number % 2]
        if kind < 7:
            body: dict[str, Any] = {"modelId": rng.choice(MODELS), "identity.arn|contains": f"/session-{rng.randrange(900)}-admin"}
        else:
            body = {f"{where}|contains": [f"ignore {rng.choice(WORDS)} {number}", f"secret {number}"]}
        return {"selection": body, "condition": "selection"}
    field, who, agent = (
        ("operationName", "identity.claims.name", "identity.authorization.scope")
        if source == "azure.activity"
        else ("protoPayload.methodName", "protoPayload.authenticationInfo.principalEmail", "protoPayload.requestMetadata.callerSuppliedUserAgent")
    )
    if kind < 7:
        body = {field: _names(rng, source), who: [f"nobody{rng.randrange(900)}", f"root{number}"]}
    elif kind < 9:
        body = {f"{agent}|contains": [f"kali-{number}", f"scanner/{rng.randrange(900)}"]}
    else:
        body = {who: f"admin-{number}@example.com"}
    return {"selection": body, "condition": "selection"}


LOGSOURCES: dict[str, dict[str, str]] = {
    "azure.activity": {"product": "azure", "service": "activitylogs"},
    "gcp.audit": {"product": "gcp", "service": "gcp.audit"},
    "aws.bedrock_invocation": {"product": "aws", "service": "bedrock"},
}
RECORDS: dict[str, Record] = {"azure.activity": azure_activity, "gcp.audit": gcp_audit, "aws.bedrock_invocation": bedrock_invocation}


def rule(rng: random.Random, number: int, source: str) -> str:
    """One Sigma rule for ``source`` as JSON, which is YAML."""
    document = {
        "title": f"Benchmark rule {number}",
        "id": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        "status": "test",
        "logsource": LOGSOURCES[source],
        "detection": detection(rng, number, source),
        "level": ("low", "medium", "high")[number % 3],
    }
    return json.dumps(document)
