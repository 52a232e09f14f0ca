"""Records to files as the providers deliver them: by the hour in which a record was published, some late, some twice.

Only the hours that can still receive records are held in memory.
"""

from __future__ import annotations

import random
import zlib
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

from engine.simulate.native import ids, otel
from engine.simulate.native.entries import Entry, Record

HOUR = 3_600_000_000
DARK = {
    "aws.data_events": "data events of CloudTrail",
    "aws.bedrock_invocation": "Bedrock invocation logs",
    "gcp.data_access": "Data Access logs of GCP",
    "entra.workload_signin": "sign-ins of service principals and managed identities",
    "ai.litellm": "the log of the model gateway",
    "ai.otel": "spans of the agent",
    "azure.openai": "resource logs of Azure OpenAI",
}
"""Logs that may be switched off in a company: tier → what is missing."""
LATE = {"gcp.audit": 0.002, "aws.cloudtrail": 0.004, "entra.signin": 0.01, "entra.audit": 0.004, "azure.activity": 0.004}
"""Share of records that come an hour to eleven hours late; others 0.001."""
TWICE = {"aws.cloudtrail": 0.01, "azure.activity": 0.002, "entra.signin": 0.004, "gcp.audit": 0.002, "ai.litellm": 0.003}
"""Share of records that are delivered once more."""
PART = 6000
"""An object holds at most so many CloudTrail records."""


def tier(entry: Entry) -> str:
    """Which switch in `DARK` an entry hangs on, or "": always there."""
    if entry.source == "aws.cloudtrail":
        return "aws.data_events" if entry.record["eventCategory"] == "Data" else ""
    if entry.source == "gcp.audit":
        return "gcp.data_access" if entry.route[0] == "data_access" else ""
    if entry.source == "gcp.vertex_ai":
        return "gcp.data_access"
    if entry.source == "entra.signin":
        return "entra.workload_signin" if entry.route[0] in ("ServicePrincipalSignInLogs", "ManagedIdentitySignInLogs") else ""
    return entry.source if entry.source in DARK else ""


def micros(when: datetime) -> int:
    """Microseconds since 1970."""
    return (when - ids.EPOCH) // timedelta(microseconds=1)


@dataclass(slots=True)
class Delivery:
    """Takes records in any order and writes objects below ``root``. ``agent`` describes the service whose spans are collected."""

    root: Path
    rng: random.Random
    dark: frozenset[str]
    tenant: str
    agent: list[Record]
    records: Counter[str] = field(default_factory=Counter)
    files: int = 0
    written: int = 0
    missing: set[str] = field(default_factory=set)
    _waiting: dict[int, dict[tuple[str, tuple[str, ...]], list[tuple[int, bytes]]]] = field(default_factory=dict)

    def take(self, source: str, route: tuple[str, ...], published: int, line: bytes) -> None:
        """One record as JSON, published at that microsecond. Late and second deliveries are decided here."""
        rng = self.rng
        chance = rng.random()
        if chance < LATE.get(source, 0.001):
            published += int(rng.uniform(1, 11) ** 2 / 11 * HOUR)
        self._put(published, source, route, line)
        if chance > 1 - TWICE.get(source, 0.001) and source != "ai.otel":
            self._put(published + rng.randrange(60_000_000, 2 * HOUR), source, route, line)

    def _put(self, published: int, source: str, route: tuple[str, ...], line: bytes) -> None:
        slot = self._waiting.setdefault(published // HOUR, defaultdict(list))
        slot[source, route].append((published, line))
        self.records[source] += 1

    def entry(self, entry: Entry) -> None:
        """One entry of a record maker; those of logs that are switched off are noted as missing and go nowhere."""
        if tier(entry) in self.dark:
            self.missing.add(entry.uid)
            return
        route = entry.route
        if entry.source in ("azure.activity", "azure.openai"):
            route = (route[0] if route else "Administrative", entry.record["resourceId"])
            if entry.source == "azure.activity":
                route = ("Administrative", "/".join(entry.record["resourceId"].split("/")[:3]))
        elif entry.source == "ai.litellm":
            route = ()
        self.take(entry.source, route, micros(entry.published), orjson.dumps(entry.record))

    def flush(self, before: datetime | None = None) -> None:
        """Write the objects of all hours that end at or before ``before``; of all hours without it."""
        until = micros(before) // HOUR if before is not None else None
        for slot in sorted(self._waiting):
            if until is not None and slot >= until:
                break
            for (source, route), lines in sorted(self._waiting.pop(slot).items(), key=lambda item: item[0]):
                self._write(source, route, datetime.fromtimestamp(slot * 3600, UTC), lines)

    def _write(self, source: str, route: tuple[str, ...], hour: datetime, lines: list[tuple[int, bytes]]) -> None:
        if source == "aws.cloudtrail":
            account, region = route
            for part in range(0, len(lines), PART):
                stamp = hour + timedelta(minutes=60 + 5 * (part // PART))
                name = f"{account}_CloudTrail_{region}_{stamp:%Y%m%dT%H%MZ}_{ids.letters(self.rng, 16)}.json.gz"
                body = b'{"Records":[' + b",".join(line for _, line in lines[part : part + PART]) + b"]}"
                self._save(f"aws/AWSLogs/{account}/CloudTrail/{region}/{stamp:%Y/%m/%d}/{name}", _gzipped(body))
            return
        lines.sort(key=lambda item: item[0])
        if source == "ai.otel":
            body = _spans([line for _, line in lines], self.agent)
        else:
            body = b"".join(line + b"\n" for _, line in lines)
        path = self._path(source, route, hour)
        self._save(path, _gzipped(body) if path.endswith(".gz") else body)

    def _path(self, source: str, route: tuple[str, ...], hour: datetime) -> str:
        if source == "aws.bedrock_invocation":
            folder = f"aws/AWSLogs/{route[0]}/BedrockModelInvocationLogs/{route[1]}/{hour:%Y/%m/%d/%H}"
            return f"{folder}/{hour + timedelta(minutes=59):%Y%m%dT%H%M%S}000Z_{ids.hexes(self.rng, 16)}.json.gz"
        if source == "gcp.audit":
            return f"gcp/cloudaudit.googleapis.com/{route[0]}/{hour:%Y/%m/%d/%H}_00_00_{hour:%H}_59_59_S0.json"
        if source == "gcp.vertex_ai":
            return f"gcp/vertex_request_response/{hour:%Y%m%d}-{hour:%H}0000000000.json.gz"
        if source == "ai.litellm":
            return f"litellm/{hour:%Y-%m-%d}/batch_{hour:%H}0000.jsonl"
        if source == "ai.otel":
            return f"otel/traces-{hour:%Y-%m-%dT%H}.jsonl"
        scope = f"tenantId={self.tenant}" if source.startswith("entra.") else f"resourceId={route[1].upper()}"
        category = {"Administrative": "activity-logs"}.get(route[0], "logs-" + route[0].lower())
        return f"azure/insights-{category}/{scope}/{hour:y=%Y/m=%m/d=%d/h=%H}/m=00/PT1H.json"

    def _save(self, name: str, data: bytes) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        self.files += 1
        self.written += len(data)


def _gzipped(data: bytes) -> bytes:
    """A gzip member without name and time; level 1 makes about four fifths of what more effort would save."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return packer.compress(data) + packer.flush()


def _spans(lines: list[bytes], agent: list[Record]) -> bytes:
    """Spans of a trace that stand together become a document of the collector's file exporter."""
    head = orjson.dumps({"resource": {"attributes": agent}})[:-1] + b',"scopeSpans":['
    head += orjson.dumps({"scope": {"name": "opentelemetry.util.genai.handler", "version": "0.4b0"}})[:-1] + b',"spans":['
    tail = b'],"schemaUrl":"' + otel.SCHEMA.encode() + b'"}]}]}\n'
    traces: dict[bytes, list[bytes]] = defaultdict(list)
    for line in lines:
        traces[line[:50]].append(line)
    return b"".join(b'{"resourceSpans":[' + head + b",".join(spans) + tail for spans in traces.values())
