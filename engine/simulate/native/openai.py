"""Azure OpenAI resource logs (RequestResponse, Audit) and the logs of the API Management gateway in front of it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from engine.simulate.native import azure, ids, writer
from engine.simulate.native.actors import AZURE_REGION
from engine.simulate.native.entries import Entry, Record

SOURCE = "azure.openai"
GATEWAY = "GatewayLogs"
SAFE = {"filtered": False, "severity": "safe"}
MODEL = ("gpt-4o-mini", "2024-07-18")


def filter_results(*, jailbreak: bool | None = None) -> Record:
    """Content filter verdicts; with ``jailbreak`` also the prompt shield's, which only detects and does not block."""
    verdict: Record = dict.fromkeys(("hate", "self_harm", "sexual", "violence"), SAFE)
    if jailbreak is not None:
        verdict["jailbreak"] = {"filtered": False, "detected": jailbreak}
    return verdict


class OpenAILog:
    """The logs of an Azure OpenAI account and its gateway; ``resource`` of a record may be another account.

    `stop` is what deleting the account's diagnostic setting does.
    """

    def __init__(self, rng: random.Random, resource: str, gateway: str) -> None:
        self.rng = rng
        self.resource = resource
        self.gateway_resource = gateway
        self.entries: list[Entry] = []
        self._stopped: datetime | None = None

    def stop(self, when: datetime) -> None:
        self._stopped = when

    def request(
        self, when: datetime, ip: str, oid: str, *, deployment: str = "gpt-4o-mini", status: int = 200, length: int = 900, resource: str = ""
    ) -> Entry:
        """One RequestResponse record; ``oid`` is "" when the caller used an account key."""
        rng = self.rng
        duration = rng.randrange(350, 4200)
        correlation = ids.guid(rng)
        start = ids.net_ticks(when)
        record: Record = {
            "Tenant": AZURE_REGION,
            "time": ids.ticks(when, rng),
            "category": "RequestResponse",
            "operationName": "ChatCompletions_Create",
            "resultSignature": str(status),
            "durationMs": duration,
            "callerIpAddress": ip.rsplit(".", 1)[0] + ".***",
            "correlationId": correlation,
            "location": AZURE_REGION,
            "event": "ShoeboxCallResult",
            "resourceId": (resource or self.resource).upper(),
            "properties": {
                "apiName": "Azure OpenAI API version 2024-10-21",
                "requestTime": start,
                "requestLength": length,
                "responseTime": start + duration * 10_000,
                "responseLength": rng.randrange(600, 3200) if status == 200 else 210,
                "objectId": oid,
                "streamType": "Non-Streaming",
                "modelDeploymentName": deployment,
                "modelName": MODEL[0],
                "modelVersion": MODEL[1],
            },
        }
        return self._add(when, correlation, record)

    def audit(self, when: datetime, operation: str, oid: str, *, resource: str = "") -> Entry:
        """One Audit record, such as ListKey."""
        correlation = ids.guid(self.rng)
        record: Record = {
            "Tenant": AZURE_REGION,
            "time": ids.ticks(when, self.rng),
            "category": "Audit",
            "operationName": operation,
            "AssetIdentity": ids.hexes(self.rng, 32),
            "correlationId": correlation,
            "location": AZURE_REGION,
            "resourceId": (resource or self.resource).upper(),
            "properties": {"objectId": oid},
        }
        return self._add(when, correlation, record)

    def gateway(self, when: datetime, ip: str, messages: Sequence[Record], answer: str, *, subscription: str, jailbreak: bool | None = None) -> Entry:
        """One GatewayLogs record with both bodies as JSON texts."""
        rng = self.rng
        correlation = ids.guid(rng)
        asked: Record = {"messages": list(messages), "model": MODEL[0], "max_tokens": 800, "temperature": 0.7}
        read, wrote = len(writer.text(messages)) // 4, max(1, len(answer) // 4)
        said: Record = {
            "id": "chatcmpl-" + ids.letters(rng, 29, ids.BASE32),
            "object": "chat.completion",
            "created": int(when.timestamp()),
            "model": "-".join(MODEL),
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": answer},
                    "content_filter_results": filter_results(),
                }
            ],
            "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": filter_results(jailbreak=bool(jailbreak))}],
            "usage": {"prompt_tokens": read, "completion_tokens": wrote, "total_tokens": read + wrote},
        }
        record: Record = {
            "DeploymentVersion": "0.44.20104.0",
            "Level": 4,
            "isRequestSuccess": True,
            "time": ids.ticks(when, rng),
            "operationName": "Microsoft.ApiManagement/GatewayLogs",
            "category": GATEWAY,
            "durationMs": rng.randrange(400, 5200),
            "callerIpAddress": ip,
            "correlationId": correlation,
            "location": "East US",
            "resourceId": self.gateway_resource.upper(),
            "properties": {
                "method": "POST",
                "url": "https://excorp-apim.example.com/openai/deployments/gpt-4o-mini/chat/completions?api-version=2024-10-21",
                "backendMethod": "POST",
                "backendUrl": "https://excorp-openai.example.com/openai/deployments/gpt-4o-mini/chat/completions?api-version=2024-10-21",
                "responseCode": 200,
                "backendResponseCode": 200,
                "responseSize": 1400 + len(answer),
                "cache": "none",
                "apiId": "azure-openai",
                "operationId": "ChatCompletions_Create",
                "apimSubscriptionId": subscription,
                "clientProtocol": "HTTP/1.1",
                "apiRevision": "1",
                "requestBody": writer.text(asked),
                "responseBody": writer.text(said),
            },
            "truncated": 0,
        }
        return self._add(when, correlation, record)

    def _add(self, when: datetime, correlation: str, record: Record) -> Entry:
        uid = f"{correlation}|{record['operationName']}|{record['time']}"
        published = when + timedelta(seconds=self.rng.randrange(30, 300))
        entry = Entry(SOURCE, uid, when, published, record, (record["category"],))
        self.entries.append(entry)
        return entry

    def delivered(self) -> list[Entry]:
        """The entries that reach the storage account; the gateway has a diagnostic setting of its own."""
        return [e for e in self.entries if e.route == (GATEWAY,) or self._stopped is None or e.time < self._stopped]

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Every blob of the containers: path and bytes."""
        for category, resource in (("RequestResponse", self.resource), ("Audit", self.resource), (GATEWAY, self.gateway_resource)):
            chosen = [e for e in self.delivered() if e.route == (category,)]
            yield from azure.blobs(f"logs-{category.lower()}", f"resourceId={resource.upper()}", chosen)
