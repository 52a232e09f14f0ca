"""OTLP/JSON values as plain ones, and what was said in a GenAI span or log record of any generation of the conventions.

Content stands in attributes (structured, or as JSON text), in attributes numbered by message (``gen_ai.prompt.0.content``), in events of a span,
or in the body of a log record that is one message.
"""

from __future__ import annotations

import re
from typing import Any

from connectors.inference.answers import Reply, choice
from connectors.inference.exchange import reply, request
from connectors.inference.messages import Said, call, flat, message
from connectors.inference.partial import decode
from connectors.values import is_empty

_NUMBERED = re.compile(r"gen_ai\.(prompt|completion)\.(\d+)\.(.+)")


def plain_value(value: Any) -> Any:
    """The plain value of an OTLP ``AnyValue``; what is no AnyValue stays as it is."""
    if not isinstance(value, dict) or len(value) != 1:
        return value
    kind, inner = next(iter(value.items()))
    if kind == "arrayValue":
        items = inner.get("values") if isinstance(inner, dict) else None
        return [plain_value(item) for item in items] if isinstance(items, list) else []
    if kind == "kvlistValue":
        return attributes(inner.get("values") if isinstance(inner, dict) else None)
    if kind == "intValue":
        return int(inner) if isinstance(inner, str) and re.fullmatch(r"-?\d{1,19}", inner, re.ASCII) else inner
    return inner if kind in ("stringValue", "boolValue", "doubleValue", "bytesValue") else value


def attributes(listed: Any) -> dict[str, Any]:
    """A list of ``{"key", "value"}`` as a dict; the last of equal keys counts."""
    if isinstance(listed, dict):
        return listed
    pairs = [item for item in listed if isinstance(item, dict) and isinstance(item.get("key"), str)] if isinstance(listed, list) else []
    return {item["key"]: plain_value(item.get("value")) for item in pairs}


def event_name(record: dict[str, Any], found: dict[str, Any]) -> str:
    """The name of a log record's event, in either place."""
    name = record.get("eventName") or found.get("event.name")
    return name if isinstance(name, str) else ""


def conversation(span: Any, log: Any) -> tuple[Said, Reply]:
    """What was sent and what came back in one span (with its events) or log record."""
    sent, answer = Said(), Reply()
    if isinstance(span, dict):
        found = attributes(span.get("attributes"))
        _attributes(sent, answer, found)
        events = span.get("events")
        for event in events if isinstance(events, list) else []:
            if isinstance(event, dict):
                inside = attributes(event.get("attributes"))
                _event(sent, answer, str(event.get("name")), inside, inside.get("gen_ai.event.content"))
    elif isinstance(log, dict):
        found = attributes(log.get("attributes"))
        _event(sent, answer, event_name(log, found), found, plain_value(log.get("body")))
    _once(answer.said)
    _once(sent)
    return sent, answer


def _once(said: Said) -> None:
    said.calls[:] = [item for index, item in enumerate(said.calls) if item not in said.calls[:index]]


def _merge(into: Said, other: Said) -> None:
    for name in ("system", "user", "assistant", "tool", "calls"):
        getattr(into, name).extend(getattr(other, name))


def _attributes(sent: Said, answer: Reply, found: dict[str, Any]) -> None:
    for key in ("gen_ai.input.messages", "gen_ai.prompt"):
        if not is_empty(found.get(key)):
            _merge(sent, request(found[key]))
    instructions = decode(found.get("gen_ai.system_instructions"))
    sent.add("system", "\n".join(request(instructions).user))
    for key in ("gen_ai.output.messages", "gen_ai.completion"):
        if not is_empty(found.get(key)):
            said = reply(found[key])
            _merge(answer.said, said.said)
            answer.finish.extend(said.finish)
    _numbered(sent, answer, found)
    _tool(sent, answer, found)


def _numbered(sent: Said, answer: Reply, found: dict[str, Any]) -> None:
    messages: dict[tuple[str, int], dict[str, Any]] = {}
    for key, value in found.items():
        match = _NUMBERED.fullmatch(key)
        if match:
            messages.setdefault((match[1], int(match[2])), {})[match[3]] = decode(value)
    for (side, _), item in sorted(messages.items()):
        calls = _numbered_calls(item)
        if side == "prompt":
            message(sent, {key: item[key] for key in ("role", "content") if key in item})
        else:
            choice(answer, {"content": item.get("content"), "finish_reason": item.get("finish_reason"), "tool_calls": calls})


def _numbered_calls(item: dict[str, Any]) -> list[dict[str, Any]]:
    calls: dict[str, dict[str, Any]] = {}
    for key, value in item.items():
        parts = key.split(".")
        if len(parts) == 3 and parts[0] == "tool_calls":
            calls.setdefault(parts[1], {})[parts[2]] = value
    return [call_ for _, call_ in sorted(calls.items())]


def _tool(sent: Said, answer: Reply, found: dict[str, Any]) -> None:
    """The tool that a tool span ran, and what it or a retrieval returned."""
    name = found.get("gen_ai.tool.name") or found.get("mcp.tool.name")
    if name and (found.get("gen_ai.operation.name") == "execute_tool" or "mcp.method.name" in found or "gen_ai.tool.call.id" in found):
        answer.said.calls.append(call(name, found.get("gen_ai.tool.call.arguments"), found.get("gen_ai.tool.call.id")))
    for key in ("gen_ai.tool.call.result", "gen_ai.retrieval.documents"):
        sent.add("tool", flat(decode(found.get(key))))


def _event(sent: Said, answer: Reply, name: str, found: dict[str, Any], body: Any) -> None:
    body = decode(body)
    content = body if isinstance(body, dict) and body else {key: decode(value) for key, value in found.items()}
    if name == "gen_ai.choice":
        choice(answer, content)
    elif name in ("gen_ai.system.message", "gen_ai.user.message", "gen_ai.tool.message"):
        text = {"content": body} if isinstance(body, (str, list)) and body else content
        kept = {key: text[key] for key in ("content", "parts", "tool_results") if key in text}
        message(sent, {**kept, "role": name.split(".")[1]})
    elif name in ("gen_ai.client.inference.operation.details", "gen_ai.content.prompt", "gen_ai.content.completion") or not name.endswith(".message"):
        _attributes(sent, answer, {**found, **(body if isinstance(body, dict) else {})})
