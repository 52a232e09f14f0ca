"""What the mapping of Vertex AI rows cannot say in a table: bodies that stand in ``full_*`` or, as text, in ``*_payload``."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from connectors.inference import bodies
from connectors.inference.exchange import reply
from connectors.inference.models import maker, model_version
from connectors.inference.partial import decode
from connectors.inference.verdicts import gemini_verdict
from connectors.values import is_empty, text


def _body(full: Any, payload: Any) -> Any:
    """The whole body where the row has it, else the parts of the payload: one alone, or several as a list."""
    found = decode(full)
    if not is_empty(found):
        return found
    parts = [decode(part) for part in payload] if isinstance(payload, list) else [decode(payload)]
    flat = [item for part in parts if not is_empty(part) for item in (part if isinstance(part, list) else [part])]
    return flat[0] if len(flat) == 1 else flat


def _on_body(function: Callable[[Any], Any]) -> Callable[..., Any]:
    def read(full: Any, payload: Any) -> Any:
        return function(_body(full, payload))

    return read


def _of_reply(member: str) -> Callable[..., Any]:
    def read(full: Any, payload: Any) -> Any:
        return getattr(reply(_body(full, payload)), member)

    return read


def uid(endpoint: Any, request: Any, time: Any) -> str | None:
    """``endpoint|request_id|logging_time``; None without a request id."""
    return None if is_empty(request) else "|".join(text(part) or "" for part in (endpoint, request, time))


def _error(full: Any, payload: Any) -> dict[str, Any] | None:
    found = _body(full, payload)
    for item in found if isinstance(found, list) else [found]:
        if isinstance(item, dict) and isinstance(item.get("error"), dict):
            error: dict[str, Any] = item["error"]
            return error
    return None


def outcome(full: Any, payload: Any) -> int | None:
    """2 for a response that is an error, 1 for any other, None without response."""
    if _error(full, payload) is not None:
        return 2
    return None if is_empty(_body(full, payload)) else 1


def error_status(full: Any, payload: Any) -> str | None:
    """The status or code of an error."""
    error = _error(full, payload) or {}
    return text(next((error[key] for key in ("status", "code", "type") if error.get(key)), None))


def reason(full: Any, payload: Any) -> str | None:
    """The message of an error."""
    message = (_error(full, payload) or {}).get("message")
    return message if isinstance(message, str) else None


def _segment(value: Any, kind: str) -> str | None:
    match = re.search(rf"(?:^|/){kind}/([^/]+)", value) if isinstance(value, str) else None
    return match[1] if match else None


def project(value: Any) -> str | None:
    """The project in a resource name."""
    return _segment(value, "projects")


def region(value: Any) -> str | None:
    """The location in a resource name."""
    return _segment(value, "locations")


def provider(*names: Any) -> str | None:
    """Who made the model: the publisher in any of the names, else by the model's name; None for a model of one's own."""
    published = next((found for name in names if (found := _segment(name, "publishers"))), None)
    return published or next((found for name in names if (found := maker(name))), None)


def version(full: Any, payload: Any, logged: Any, model: Any) -> str | None:
    """The version that answered, else the one asked for."""
    answered = reply(_body(full, payload)).model
    return answered or (logged if isinstance(logged, str) and logged else None) or model_version(model)


def call(full: Any, payload: Any, request: Any) -> str | None:
    """The id of the answer, which client spans carry too, else the row's request id."""
    return reply(_body(full, payload)).uid or (None if is_empty(request) else text(request))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **bodies.FUNCTIONS,
    "answer_calls": _on_body(bodies.tool_calls),
    "answer_id": _on_body(bodies.response_id),
    "answer_text": _on_body(bodies.response_text),
    "cached_tokens": _of_reply("cached_tokens"),
    "call": call,
    "completion_tokens": _of_reply("completion_tokens"),
    "error_status": error_status,
    "guardrail": _on_body(gemini_verdict),
    "outcome": outcome,
    "project": project,
    "prompt_tokens": _of_reply("prompt_tokens"),
    "provider": provider,
    "reason": reason,
    "region": region,
    "sent_parameters": _on_body(bodies.parameters),
    "sent_prompt": _on_body(bodies.prompt_text),
    "sent_system": _on_body(bodies.system_text),
    "sent_tools": _on_body(bodies.tool_text),
    "stops": _on_body(bodies.finish_reasons),
    "total_tokens": _of_reply("total_tokens"),
    "uid": uid,
    "version": version,
}
