"""Bedrock model invocation logs: records with the provider's own bodies, and their delivery to S3."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.simulate.native import ids, writer
from engine.simulate.native.entries import Entry, Record

SOURCE = "aws.bedrock_invocation"
LARGE = 100_000
"""Bodies longer than this leave the record for an object of their own below ``data/``."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call of a model: what was asked, what came back."""

    model: str
    operation: str
    input: Record
    output: Record | list[Record] | None
    prompt_tokens: int
    completion_tokens: int


def tokens(text: str) -> int:
    """A rough token count, four characters each."""
    return max(1, len(text) // 4)


def converse(
    model: str, prompt: str, answer: str, *, system: str = "", latency: int = 800, history: Sequence[Record] = (), stop: str = "end_turn"
) -> Exchange:
    """A Converse call. ``history`` are messages before the prompt; an empty prompt means they already end the conversation."""
    messages = [*history, *([{"role": "user", "content": [{"text": prompt}]}] if prompt else [])]
    asked: Record = {"messages": messages, "inferenceConfig": {"maxTokens": 1024, "temperature": 0.2}}
    if system:
        asked["system"] = [{"text": system}]
    read, wrote = tokens(writer.text(messages) + system), tokens(answer)
    said: Record = {
        "output": {"message": {"role": "assistant", "content": [{"text": answer}]}},
        "stopReason": stop,
        "metrics": {"latencyMs": latency},
        "usage": {"inputTokens": read, "outputTokens": wrote, "totalTokens": read + wrote},
    }
    return Exchange(model, "Converse", asked, said, read, wrote)


def claude(model: str, prompt: str, answer: str, message: str, *, stream: bool = False) -> Exchange:
    """An InvokeModel call with Anthropic's body; ``stream`` makes the output the list of chunks that a streaming call logs."""
    asked: Record = {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 1024,
        "messages": [{"role": "user", "content": [{"type": "text", "text": prompt}]}],
    }
    read, wrote = tokens(prompt), tokens(answer)
    usage = {"input_tokens": read, "output_tokens": wrote}
    head: Record = {"id": message, "type": "message", "role": "assistant", "model": model.split(".", 1)[1]}
    if not stream:
        said: Record = {**head, "content": [{"type": "text", "text": answer}], "stop_reason": "end_turn", "stop_sequence": None, "usage": usage}
        return Exchange(model, "InvokeModel", asked, said, read, wrote)
    middle = answer.find(" ", len(answer) // 2) + 1
    chunks: list[Record] = [
        {"type": "message_start", "message": {**head, "content": [], "usage": {"input_tokens": read, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": part}} for part in (answer[:middle], answer[middle:])),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": wrote}},
        {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": read, "outputTokenCount": wrote, "invocationLatency": 900}},
    ]
    return Exchange(model, "InvokeModelWithResponseStream", asked, chunks, read, wrote)


def nova(model: str, prompt: str, answer: str) -> Exchange:
    """An InvokeModel call with Amazon Nova's body."""
    asked = {"messages": [{"role": "user", "content": [{"text": prompt}]}], "inferenceConfig": {"max_new_tokens": 512, "temperature": 0.3}}
    read, wrote = tokens(prompt), tokens(answer)
    said: Record = {
        "output": {"message": {"content": [{"text": answer}], "role": "assistant"}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": read, "outputTokens": wrote, "totalTokens": read + wrote},
    }
    return Exchange(model, "InvokeModel", asked | {"schemaVersion": "messages-v1"}, said, read, wrote)


class InvocationLog:
    """The invocation logs of all accounts. `stop` is what deleting the logging configuration does: later calls leave no record."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.entries: list[Entry] = []
        self._stopped: dict[str, datetime] = {}

    def stop(self, account: str, when: datetime) -> None:
        self._stopped[account] = when

    def invoked(
        self, when: datetime, account: str, region: str, arn: str, request: str, call: Exchange, *, error: str = "", inference_region: str = ""
    ) -> Entry:
        """One record. ``request`` is the requestID of the CloudTrail record of the same call."""
        record: Record = {
            "schemaType": "ModelInvocationLog",
            "schemaVersion": "1.0",
            "timestamp": ids.seconds(when),
            "accountId": account,
            "identity": {"arn": arn},
            "region": region,
            "requestId": request,
            "operation": call.operation,
            "modelId": call.model,
        }
        if inference_region:
            record["inferenceRegion"] = inference_region
        if error:
            record["errorCode"] = error
        record["input"] = {
            "inputContentType": "application/json",
            "inputBodyJson": call.input,
            "inputTokenCount": 0 if error else call.prompt_tokens,
        }
        if call.output is not None and not error:
            record["output"] = {
                "outputContentType": "application/json",
                "outputBodyJson": call.output,
                "outputTokenCount": call.completion_tokens,
            }
        published = when + timedelta(seconds=self.rng.randrange(60, 300))
        entry = Entry(SOURCE, f"{account}|{request}", when, published, record, (account, region))
        self.entries.append(entry)
        return entry

    def delivered(self) -> list[Entry]:
        """The entries that reach the bucket."""
        return [e for e in self.entries if e.route[0] not in self._stopped or e.time < self._stopped[e.route[0]]]

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Every object of the bucket: path and bytes."""
        slots: dict[tuple[str, str, datetime], list[Record]] = defaultdict(list)
        for entry in sorted(self.delivered(), key=lambda e: (e.published, e.uid)):
            account, region = entry.route
            slot = entry.published.replace(minute=0, second=0, microsecond=0)
            record = entry.record
            body = writer.compact(record["input"]["inputBodyJson"])
            if len(body) > LARGE:
                path = f"{_folder(account, region, slot)}/data/{record['requestId']}_input.json.gz"
                yield path, writer.gzipped(body)
                rest = {key: value for key, value in record["input"].items() if key != "inputBodyJson"}
                record = record | {"input": {"inputBodyS3Path": f"s3://example-bedrock-logs/{path}", **rest}}
            slots[account, region, slot].append(record)
        for (account, region, slot), records in sorted(slots.items()):
            stamp = slot + timedelta(minutes=59)
            name = f"{stamp:%Y%m%dT%H%M%S}000Z_{ids.hexes(self.rng, 16)}.json.gz"
            yield f"{_folder(account, region, slot)}/{name}", writer.gzipped(writer.lines(records))


def _folder(account: str, region: str, slot: datetime) -> str:
    return f"AWSLogs/{account}/BedrockModelInvocationLogs/{region}/{slot:%Y/%m/%d/%H}"
