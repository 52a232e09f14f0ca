"""LiteLLM gateway: standard logging payloads, one JSON object a file as its object-store sinks write them, and JSON lines from its batch sink."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from engine.simulate.native import ids, writer
from engine.simulate.native.entries import Entry, Record

SOURCE = "ai.litellm"
PRICE = {"bedrock": (3.0e-6, 1.5e-5), "azure": (1.5e-7, 6.0e-7), "vertex_ai": (1.0e-7, 4.0e-7)}
"""Dollars per prompt and completion token."""


@dataclass(frozen=True, slots=True)
class VirtualKey:
    """A key of the gateway and who holds it."""

    hash: str
    alias: str
    user: str
    team: str


class Gateway:
    """The payload log of the gateway."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.entries: list[Entry] = []

    def completion(
        self,
        when: datetime,
        key: VirtualKey,
        ip: str,
        provider: str,
        model: str,
        messages: Sequence[Record],
        answer: str,
        *,
        request: str = "",
        latency: float = 1.2,
        error: tuple[str, str] | None = None,
    ) -> Entry:
        """One call. ``request`` is the provider's request id where it sends one back; ``error`` is (code, class) of a failed call."""
        rng = self.rng
        call, answer_id = ids.guid(rng), f"chatcmpl-{ids.guid(rng)}"
        read, wrote = len(writer.text(messages)) // 4, 0 if error else max(1, len(answer) // 4)
        usage = {"prompt_tokens": read, "completion_tokens": wrote, "total_tokens": read + wrote}
        prices = PRICE[provider]
        start = round(when.timestamp(), 6)
        record: Record = {
            "id": call if error else answer_id,
            "litellm_call_id": call,
            "trace_id": ids.guid(rng),
            "session_id": "",
            "call_type": "acompletion",
            "cache_hit": False,
            "stream": False,
            "status": "failure" if error else "success",
            "status_fields": {"llm_api_status": "failure" if error else "success", "guardrail_status": "not_run"},
            "custom_llm_provider": provider,
            "saved_cache_cost": 0.0,
            "startTime": start,
            "endTime": round(start + latency, 6),
            "completionStartTime": round(start + latency, 6),
            "response_time": latency,
            "model": f"{provider}/{model}",
            "metadata": _metadata(key, ip, usage),
            "response_cost": 0.0 if error else round(read * prices[0] + wrote * prices[1], 9),
            **usage,
            "request_tags": [],
            "end_user": "",
            "api_base": "",
            "model_group": model,
            "model_id": "",
            "requester_ip_address": ip,
            "messages": list(messages),
            "response": {},
            "model_parameters": {"temperature": 0.2},
            "hidden_params": {"additional_headers": {"llm_provider-x-amzn-requestid": request} if request else {}, "litellm_model_name": model},
            "error_str": None,
            "error_information": {"error_code": "", "error_class": "", "llm_provider": "", "traceback": "", "error_message": ""},
        }
        if error:
            record |= _failure(error, provider)
        else:
            said = {"finish_reason": "stop", "index": 0, "message": {"content": answer, "role": "assistant", "tool_calls": None}}
            answered = {"id": answer_id, "created": int(start), "model": model, "object": "chat.completion"}
            record["response"] = {**answered, "choices": [said], "usage": usage}
        entry = Entry(SOURCE, f"{call}|{record['id']}", when, when, record, (key.team,))
        self.entries.append(entry)
        return entry

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Developers' calls are single objects, everybody else's go to a batch a day: path and bytes."""
        batches: dict[datetime, list[Record]] = defaultdict(list)
        for entry in sorted(self.entries, key=lambda e: (e.time, e.uid)):
            if entry.route == ("team-developer",):
                name = f"time-{entry.time:%H-%M-%S-%f}_{entry.record['litellm_call_id']}.json"
                yield f"{entry.time:%Y-%m-%d}/{name}", writer.compact(entry.record)
            else:
                batches[entry.time.replace(hour=0, minute=0, second=0, microsecond=0)].append(entry.record)
        for day, records in sorted(batches.items()):
            yield f"{day:%Y-%m-%d}/batch_000000.jsonl", writer.lines(records)


def _failure(error: tuple[str, str], provider: str) -> Record:
    told = {"error_code": error[0], "error_class": error[1], "llm_provider": provider, "traceback": "", "error_message": ""}
    return {"error_str": f"litellm.{error[1]}: {provider} refused the call", "error_information": told}


def _metadata(key: VirtualKey, ip: str, usage: Record) -> Record:
    return {
        "user_api_key_hash": key.hash,
        "user_api_key_alias": key.alias,
        "user_api_key_team_id": key.team,
        "user_api_key_org_id": "example-corp",
        "user_api_key_user_id": key.user,
        "user_api_key_team_alias": key.team.removeprefix("team-"),
        "user_api_key_user_email": key.user if "@" in key.user else None,
        "user_api_key_end_user_id": None,
        "requester_ip_address": ip,
        "requester_metadata": {},
        "applied_guardrails": [],
        "mcp_tool_call_metadata": None,
        "usage_object": {**usage, "completion_tokens_details": None},
    }
