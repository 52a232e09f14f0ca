"""Vertex AI request-response logging: rows of its BigQuery table, exported as gzipped JSON lines.

The rows name no caller. They meet the audit log by endpoint, method and time alone.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta

from engine.simulate.native import writer
from engine.simulate.native.actors import GCP_PROJECT, GCP_REGION
from engine.simulate.native.entries import Entry, Record

SOURCE = "gcp.vertex_ai"


def endpoint(model: str, project: str = GCP_PROJECT) -> str:
    """Resource name of a publisher model."""
    return f"projects/{project}/locations/{GCP_REGION}/publishers/google/models/{model}"


class RequestResponse:
    """The request-response table of one project."""

    def __init__(self, rng: random.Random, project: str = GCP_PROJECT) -> None:
        self.rng = rng
        self.project = project
        self.entries: list[Entry] = []

    def row(self, when: datetime, model: str, prompt: str, answer: str, *, system: str = "") -> Entry:
        """One answered request."""
        rng = self.rng
        read, wrote = max(1, len(prompt) // 4), max(1, len(answer) // 4)
        request: Record = {
            "contents": [{"role": "user", "parts": [{"text": prompt}]}],
            "generation_config": {"temperature": 0.4, "max_output_tokens": 1024},
        }
        if system:
            request["system_instruction"] = {"parts": [{"text": system}]}
        response: Record = {
            "candidates": [{"content": {"role": "model", "parts": [{"text": answer}]}, "finish_reason": "STOP"}],
            "usage_metadata": {"prompt_token_count": read, "candidates_token_count": wrote, "total_token_count": read + wrote},
            "model_version": model,
        }
        name = endpoint(model, self.project)
        number = str(rng.randrange(10**18, 10**19))
        stamp = f"{when + timedelta(milliseconds=900):%Y-%m-%d %H:%M:%S.%f} UTC"
        record: Record = {
            "endpoint": name,
            "deployed_model_id": "",
            "logging_time": stamp,
            "request_id": number,
            "request_payload": [writer.text(request)],
            "response_payload": [writer.text(response)],
            "model": name,
            "model_version": model,
            "api_method": "generateContent",
            "full_request": request,
            "full_response": response,
            "metadata": {"request_latency": f"{rng.randrange(600, 4200)}ms"},
        }
        entry = Entry(SOURCE, f"{name}|{number}|{stamp}", when, when, record)
        self.entries.append(entry)
        return entry

    def files(self) -> Iterator[tuple[str, bytes]]:
        """One export a day: path and bytes."""
        days: dict[datetime, list[Record]] = defaultdict(list)
        for entry in sorted(self.entries, key=lambda e: (e.time, e.uid)):
            days[entry.time.replace(hour=0, minute=0, second=0, microsecond=0)].append(entry.record)
        for day, records in sorted(days.items()):
            yield f"vertex_request_response/{day:%Y%m%d}-000000000000.json.gz", writer.gzipped(writer.lines(records))
