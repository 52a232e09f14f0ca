"""The model's answer in the response body of any provider: texts, tool calls, why it stopped, ids, tokens, latency."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from connectors.inference.messages import Said, joined, message, tool_calls


@dataclass(slots=True)
class Reply:
    """What came back: ``said`` (assistant texts, calls, results of tools the provider ran itself), why it stopped, ids, tokens, milliseconds."""

    said: Said = field(default_factory=Said)
    finish: list[str] = field(default_factory=list)
    uid: str | None = None
    model: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    cached_tokens: int | None = None
    latency_ms: float | None = None

    @property
    def text(self) -> str | None:
        return joined(self.said.assistant)


def _finish(out: Reply, value: Any) -> None:
    if isinstance(value, dict):
        value = value.get("reason")
    if isinstance(value, str) and value:
        out.finish.append(value)


def stopped(out: Reply, body: dict[str, Any]) -> None:
    """Reads why the model stopped, under any provider's name for it."""
    for key in ("stop_reason", "stopReason", "finish_reason", "finishReason", "completionReason", "done_reason"):
        if body.get(key):
            _finish(out, body[key])
            return


def choice(out: Reply, item: Any) -> None:
    """One of several alternatives: OpenAI choice, Gemini candidate, Titan result, Cohere generation, Mistral output, AI21 completion."""
    if isinstance(item, dict):
        inner = next((item[k] for k in ("message", "delta", "data", "content") if isinstance(item.get(k), dict)), item)
        if inner.get("outputText"):
            out.said.add("assistant", inner["outputText"])
        else:
            message(out.said, {**inner, "role": "assistant"})
        stopped(out, item)
    else:
        out.said.add("assistant", item)


_ALTERNATIVES = ("choices", "results", "generations", "outputs", "completions", "candidates", "predictions")
_TEXTS = ("generation", "completion", "text", "outputText", "generated_text", "response")


def whole(out: Reply, body: dict[str, Any]) -> None:
    """Reads one complete response body (or a stream chunk that is written like one) into ``out``."""
    for key in _ALTERNATIVES:
        if key in body and isinstance(body[key], list):
            for item in body[key]:
                if key == "predictions" and isinstance(item, dict) and isinstance(item.get("candidates"), list):
                    whole(out, item)
                else:
                    choice(out, item)
    for key in _TEXTS:
        if key in body:
            out.said.add("assistant", body[key])
    content = body.get("content") if body.get("content") is not None else body.get("parts")
    if isinstance(content, (list, dict)) or body.get("role"):
        message(out.said, {"role": "assistant", "content": content}, "assistant")
    if isinstance(body.get("message"), (list, dict)):
        message(out.said, body["message"], "assistant")
    tool_calls(out.said, body)
    answer = body.get("output")
    if isinstance(answer, dict):
        whole(out, answer)
    elif isinstance(answer, list):
        for item in answer:
            message(out.said, item, "assistant")
    else:
        out.said.add("assistant", answer)
    stopped(out, body)
    if body.get("object") == "response":
        _finish(out, body.get("incomplete_details") or body.get("status"))
    feedback = body.get("promptFeedback") or body.get("prompt_feedback")
    if isinstance(feedback, dict):
        _finish(out, feedback.get("blockReason") or feedback.get("block_reason"))
    identified(out, body)
    counted(out, body)


def identified(out: Reply, body: dict[str, Any]) -> None:
    """Reads the id of the answer and the model that gave it."""
    for key in ("id", "responseId", "response_id"):
        if isinstance(body.get(key), str):
            out.uid = body[key]
            break
    for key in ("model", "modelVersion", "model_version"):
        if isinstance(body.get(key), str):
            out.model = body[key]
            break


_PROMPT_TOKENS = ("inputTokens", "input_tokens", "prompt_tokens", "promptTokenCount", "prompt_token_count", "inputTokenCount", "inputTextTokenCount")
_COMPLETION_TOKENS = (
    "outputTokens",
    "output_tokens",
    "completion_tokens",
    "candidatesTokenCount",
    "candidates_token_count",
    "outputTokenCount",
    "generation_token_count",
    "totalOutputTextTokenCount",
)
_TOTAL_TOKENS = ("totalTokens", "total_tokens", "totalTokenCount", "total_token_count")
_CACHED_TOKENS = (
    "cacheReadInputTokens",
    "cache_read_input_tokens",
    "cacheReadInputTokenCount",
    "cachedContentTokenCount",
    "cached_content_token_count",
    "cached_tokens",
)
_GROUPS = (
    ("prompt_tokens", _PROMPT_TOKENS, frozenset(_PROMPT_TOKENS)),
    ("completion_tokens", _COMPLETION_TOKENS, frozenset(_COMPLETION_TOKENS)),
    ("total_tokens", _TOTAL_TOKENS, frozenset(_TOTAL_TOKENS)),
)
_CACHED = frozenset(_CACHED_TOKENS)
_COUNTS = _CACHED.union(*(group for _, _, group in _GROUPS))
"""The same names as sets: most objects hold none of them, which is seen at once."""


def whole_number(value: Any) -> int | None:
    """``value`` as a count: int, or text of one; None for all else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() else None
    return int(value) if isinstance(value, (int, float)) and value == value and abs(value) < 2**63 else None


def _number(places: list[dict[str, Any]], names: tuple[str, ...], group: frozenset[str]) -> int | None:
    for place in places:
        if not group.isdisjoint(place):
            for name in names:
                if name in place and (number := whole_number(place[name])) is not None:
                    return number
    return None


def counted(out: Reply, body: dict[str, Any]) -> None:
    """Reads token counts and latency of a response body or chunk; later ones replace earlier ones."""
    usage = next((body[k] for k in ("usage", "usageMetadata", "usage_metadata") if isinstance(body.get(k), dict)), None)
    meta, metrics = body.get("meta"), body.get("amazon-bedrock-invocationMetrics")
    details = (usage.get("prompt_tokens_details") or usage.get("input_tokens_details")) if usage else None
    found = (usage, metrics, body, *((meta.get("tokens"), meta.get("billed_units")) if isinstance(meta, dict) else ()))
    places = [place for place in found if isinstance(place, dict) and not _COUNTS.isdisjoint(place)]
    results = body.get("results")
    if isinstance(results, list):
        tokens = [whole_number(item.get("tokenCount")) for item in results if isinstance(item, dict)]
        out.completion_tokens = sum(filter(None, tokens))
    for name, names, group in _GROUPS:
        number = _number(places, names, group)
        if number is not None:
            setattr(out, name, number)
    cached = _number([*places, details] if isinstance(details, dict) else places, _CACHED_TOKENS, _CACHED)
    out.cached_tokens = out.cached_tokens if cached is None else cached
    for place, key in ((body.get("metrics"), "latencyMs"), (metrics, "invocationLatency")):
        if isinstance(place, dict) and isinstance(place.get(key), (int, float)):
            out.latency_ms = float(place[key])
