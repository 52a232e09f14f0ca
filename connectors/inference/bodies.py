"""Value functions over request and response bodies that every inference source uses in its mapping file."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from connectors.inference.exchange import reply, request
from connectors.inference.messages import joined
from connectors.inference.models import maker, model_name, model_version
from connectors.inference.partial import decode

_PARAMETERS = {
    "max_tokens": (
        *("max_tokens", "maxTokens", "max_tokens_to_sample", "max_gen_len", "maxTokenCount", "max_new_tokens"),
        *("maxOutputTokens", "max_output_tokens", "max_completion_tokens"),
    ),
    "temperature": ("temperature",),
    "top_p": ("top_p", "topP", "p"),
    "top_k": ("top_k", "topK", "k"),
    "logprobs": ("logprobs", "top_logprobs", "responseLogprobs", "response_logprobs"),
    "stream": ("stream",),
    "choices": ("n", "candidateCount", "candidate_count", "numResults"),
    "previous_response_id": ("previous_response_id",),
}
_GROUPS = ("inferenceConfig", "textGenerationConfig", "generationConfig", "generation_config", "parameters", "config")


def prompt_text(body: Any) -> str | None:
    """What the user side sent, newest last."""
    return joined(request(body).user)


def system_text(body: Any) -> str | None:
    """The system instructions of a request."""
    return joined(request(body).system)


def tool_text(sent: Any, answer: Any = None) -> str | None:
    """What tools or retrieval returned: in the request, or in the answer where the provider runs tools itself."""
    return joined([*request(sent).tool, *(reply(answer).said.tool if answer is not None else [])])


def response_text(body: Any) -> str | None:
    """What the model wrote."""
    return reply(body).text


def tool_calls(body: Any) -> list[dict[str, Any]] | None:
    """The tools the model asked for."""
    return reply(body).said.calls or None


def finish_reasons(body: Any) -> list[str] | None:
    """Why the model stopped, one per alternative answer."""
    return reply(body).finish or None


def response_id(body: Any) -> str | None:
    """The id of the answer."""
    return reply(body).uid


def response_model(body: Any) -> str | None:
    """The model that answered."""
    return reply(body).model


def request_model(body: Any) -> str | None:
    """The model a request body asks for."""
    found = decode(body)
    model = found.get("model") if isinstance(found, dict) else None
    return model if isinstance(model, str) else None


def latency(body: Any) -> float | None:
    """Milliseconds the provider says the answer took."""
    return reply(body).latency_ms


def parameters(body: Any) -> dict[str, Any] | None:
    """How the model was asked, without what was said: limits and sampling in one spelling, names of offered tools, a hash of their definitions."""
    found = decode(body)
    if not isinstance(found, dict):
        return None
    places = [found, *(found[group] for group in _GROUPS if isinstance(found.get(group), dict))]
    out: dict[str, Any] = {}
    for name, spellings in _PARAMETERS.items():
        value = next((place[s] for place in places for s in spellings if isinstance(place.get(s), (int, float, bool, str))), None)
        if value is not None:
            out[name] = value
    config = found.get("toolConfig")
    tools = config.get("tools") if isinstance(config, dict) and config.get("tools") else found.get("tools") or found.get("functions")
    if isinstance(tools, list) and tools:
        out["tools"] = [name for tool in tools for name in _tool_names(tool)]
        out["tools_sha256"] = definition_hash(tools)
    return out or None


def definition_hash(tools: Any) -> str:
    """16 hex digits over tool definitions, whatever the order of their keys."""
    return sha256(json.dumps(tools, sort_keys=True, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _tool_names(tool: Any) -> list[str]:
    if not isinstance(tool, dict):
        return []
    declared = tool.get("functionDeclarations") or tool.get("function_declarations")
    if isinstance(declared, list):
        return [name for item in declared for name in _tool_names(item)]
    inner = next((tool[key] for key in ("toolSpec", "function") if isinstance(tool.get(key), dict)), tool)
    name = inner.get("name") or tool.get("type")
    return [name] if isinstance(name, str) else []


def model_kind(_: Any) -> str:
    """The type of the resource an inference call acts upon."""
    return "model"


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "finish_reasons": finish_reasons,
    "latency": latency,
    "maker": maker,
    "model_kind": model_kind,
    "model_name": model_name,
    "model_version": model_version,
    "parameters": parameters,
    "prompt_text": prompt_text,
    "request_model": request_model,
    "response_id": response_id,
    "response_model": response_model,
    "response_text": response_text,
    "system_text": system_text,
    "tool_calls": tool_calls,
    "tool_text": tool_text,
}
"""Function name → function, for the mapping files of inference sources."""
