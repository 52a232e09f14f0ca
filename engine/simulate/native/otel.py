"""OpenTelemetry GenAI spans of an agent, as the collector's file exporter writes them: one OTLP/JSON document a line."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from engine.simulate.native import ids, writer
from engine.simulate.native.entries import Entry, Record

SOURCE = "ai.otel"
SCHEMA = "https://opentelemetry.io/schemas/1.37.0"


@dataclass(frozen=True, slots=True)
class Span:
    """One span before it is written: attributes are plain Python values, ``seconds`` its duration."""

    name: str
    start: datetime
    seconds: float
    attributes: Record
    error: str = ""


def value(plain: Any) -> Record:
    """A Python value as an OTLP AnyValue."""
    if isinstance(plain, bool):
        return {"boolValue": plain}
    if isinstance(plain, int):
        return {"intValue": str(plain)}
    if isinstance(plain, float):
        return {"doubleValue": plain}
    if isinstance(plain, list):
        return {"arrayValue": {"values": [value(item) for item in plain]}}
    return {"stringValue": plain}


def attributes(plain: Record) -> list[Record]:
    """A mapping as OTLP key-values."""
    return [{"key": key, "value": value(item)} for key, item in plain.items()]


def message(role: str, *parts: Record) -> Record:
    """One message in the shape of ``gen_ai.input.messages``."""
    return {"role": role, "parts": list(parts)}


def said(content: str) -> Record:
    return {"type": "text", "content": content}


class Collector:
    """The trace file of the agent's collector."""

    def __init__(self, rng: random.Random, service: str) -> None:
        self.rng = rng
        self.service = service
        self.entries: list[Entry] = []
        self.resource = attributes(
            {
                "telemetry.sdk.language": "python",
                "telemetry.sdk.name": "opentelemetry",
                "telemetry.sdk.version": "1.31.0",
                "service.instance.id": ids.guid(rng),
                "service.name": service,
                "deployment.environment": "prod",
                "k8s.namespace.name": "agents",
                "k8s.pod.name": f"{service}-{ids.hexes(rng, 9)}-x7k2p",
            }
        )
        self._batches: list[tuple[datetime, list[Record]]] = []

    def trace(self, spans: Sequence[Span]) -> list[Entry]:
        """One trace: the first span is the root, the others its children. Returns an entry per span."""
        rng = self.rng
        trace = ids.hexes(rng, 32)
        root = ids.hexes(rng, 16)
        written: list[Record] = []
        entries: list[Entry] = []
        for number, span in enumerate(spans):
            uid = root if number == 0 else ids.hexes(rng, 16)
            end = span.start + timedelta(seconds=span.seconds)
            record: Record = {
                "traceId": trace,
                "spanId": uid,
                **({"parentSpanId": root} if number else {}),
                "name": span.name,
                "kind": 3 if number else 1,
            }
            record |= {"startTimeUnixNano": ids.unix_nano(span.start), "endTimeUnixNano": ids.unix_nano(end)}
            record |= {"attributes": attributes(span.attributes), "status": {"code": 2, "message": span.error} if span.error else {}, "flags": 256}
            written.append(record)
            entries.append(Entry(SOURCE, f"{trace}|{uid}", span.start, end, record, (self.service,)))
        self.entries.extend(entries)
        self._batches.append((max(entry.published for entry in entries), written))
        return entries

    def forget(self) -> None:
        """Drop the traces kept for `files`."""
        self._batches.clear()

    def files(self) -> Iterator[tuple[str, bytes]]:
        """One file a day: path and bytes."""
        days: dict[datetime, list[Record]] = defaultdict(list)
        for published, spans in sorted(self._batches, key=lambda batch: (batch[0], batch[1][0]["traceId"])):
            scope = {"scope": {"name": "opentelemetry.util.genai.handler", "version": "0.4b0"}, "spans": spans, "schemaUrl": SCHEMA}
            document = {"resourceSpans": [{"resource": {"attributes": self.resource}, "scopeSpans": [scope]}]}
            days[published.replace(hour=0, minute=0, second=0, microsecond=0)].append(document)
        for day, documents in sorted(days.items()):
            yield f"traces-{day:%Y-%m-%d}.jsonl", writer.lines(documents)
