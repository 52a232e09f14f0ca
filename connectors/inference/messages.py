"""Messages: who said what, and which tools were asked for, in the message form of any provider."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

_ROLES = {
    "system": "system",
    "developer": "system",
    "assistant": "assistant",
    "ai": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "chatbot": "assistant",
    "tool": "tool",
    "function": "tool",
    "ipython": "tool",
    "environment": "tool",
}
_THOUGHTS = {"thinking", "redacted_thinking", "reasoning"}
_CALLS = {"tool_use", "server_tool_use", "mcp_tool_use", "tool_call", "function_call", "mcp_call", "custom_tool_call"}
_DOCUMENTS = {"document", "search_result"}
_TEXT_KINDS = {"", "text", "input_text", "output_text"}
_TEXT_BLOCK = frozenset(("type", "text"))
"""All keys of the usual block, one piece of text: it is read without asking what else it might be."""
_BESIDE_CONTENT = frozenset(("refusal", "tool_calls", "function_call"))


@dataclass(slots=True)
class Said:
    """Texts by who said them, in order, and the tools that were asked for (``{"name", "arguments", "id"}``)."""

    system: list[str] = field(default_factory=list)
    user: list[str] = field(default_factory=list)
    assistant: list[str] = field(default_factory=list)
    tool: list[str] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)

    def add(self, role: str, text: Any) -> None:
        """Appends ``text`` to the texts of ``role`` unless it is empty or no text."""
        if isinstance(text, str) and text:
            getattr(self, role).append(text)


def joined(texts: Iterable[str]) -> str | None:
    """``texts`` as one, a line each; None when there is none."""
    return "\n".join(texts) or None


def flat(value: Any) -> str:
    """The text of a tool result, document or other nested content; JSON text where it is data, "" where it is bytes or nothing."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(filter(None, map(flat, value)))
    if isinstance(value, dict):
        for key in ("text", "content", "json", "result", "response", "output", "outputs", "source", "document", "data"):
            if key in value and not (key == "source" and isinstance(value[key], str)):
                inner = value[key]
                if key == "data" and value.get("type") == "base64":
                    return ""
                return json.dumps(inner, ensure_ascii=False) if key == "json" else flat(inner)
        if "bytes" in value or value.get("type") in ("image", "image_url", "base64"):
            return ""
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else json.dumps(value)


def call(name: Any, arguments: Any, uid: Any) -> dict[str, Any]:
    """One tool call in the form of the column ``x.ai.tool_calls``; arguments stay as they were logged."""
    return {"name": name, "arguments": arguments, "id": uid}


def _asked(block: dict[str, Any], kind: str) -> dict[str, Any] | None:
    for key in ("toolUse", "functionCall", "function_call", "function"):
        inner = block.get(key)
        if isinstance(inner, dict) and "name" in inner:
            arguments = next((inner[k] for k in ("input", "args", "arguments") if k in inner), None)
            return call(inner["name"], arguments, inner.get("toolUseId") or inner.get("id") or block.get("id"))
    if kind in _CALLS:
        arguments = next((block[k] for k in ("input", "arguments", "args", "parameters") if k in block), None)
        return call(block.get("name"), arguments, block.get("call_id") or block.get("id"))
    return None


def _returned(block: dict[str, Any], kind: str) -> Any:
    """The content of a tool result or document block, None for other blocks."""
    for key in ("toolResult", "functionResponse", "function_response", "document", "searchResult"):
        if isinstance(block.get(key), dict):
            return block[key]
    if kind in _DOCUMENTS or kind.endswith(("tool_result", "tool_call_response", "call_output")):
        for key in ("content", "response", "result", "output", "source"):
            if key in block and not (key == "source" and isinstance(block[key], str)):
                return block[key]
        return block.get("text", "")
    return None


def texts(said: Said, role: str, block: Any) -> None:
    """Reads content (text, a block or a list of blocks) that ``role`` sent into ``said``."""
    if isinstance(block, str):
        said.add(role, block)
    elif isinstance(block, list):
        for item in block:
            texts(said, role, item)
    elif isinstance(block, dict):
        kind = block["type"] if isinstance(block.get("type"), str) else ""
        if kind in _TEXT_KINDS and _TEXT_BLOCK.issuperset(block):
            _text(said, role, block)
            return
        asked = _asked(block, kind)
        returned = None if asked else _returned(block, kind)
        if asked:
            said.calls.append(asked)
        elif returned is not None:
            said.add("tool", flat(returned))
        elif kind not in _THOUGHTS and not block.get("thought") and "reasoningContent" not in block:
            _text(said, role, block)


def _text(said: Said, role: str, block: dict[str, Any]) -> None:
    for key in ("text", "content", "refusal", "guardContent", "citationsContent", "value", "prompt", "message"):
        inner = block.get(key)
        if isinstance(inner, str):
            said.add(role, inner)
            return
        if isinstance(inner, (dict, list)):
            texts(said, role, inner)
            return


def message(said: Said, value: Any, default: str = "user") -> str:
    """Reads one message of any provider into ``said`` and answers its role; ``default`` is the role of messages without one."""
    if not isinstance(value, dict):
        texts(said, default, value)
        return default
    named = value.get("role") or value.get("author")
    role = _ROLES.get(named.lower(), "user") if isinstance(named, str) else default
    kind = value["type"] if isinstance(value.get("type"), str) else ""
    if not named and kind and kind != "message":
        texts(said, role, value)
        return role
    content = value.get("content")
    if content in (None, "", []):
        content = next((value[k] for k in ("parts", "message", "text", "tool_results") if value.get(k) not in (None, "", [])), None)
    if role == "tool":
        said.add("tool", flat(_unwrapped(content)))
    else:
        texts(said, role, content)
    if not _BESIDE_CONTENT.isdisjoint(value):
        if isinstance(value.get("refusal"), str):
            said.add(role, value["refusal"])
        tool_calls(said, value)
    return role


def _unwrapped(content: Any) -> Any:
    """Tool content without the result blocks of OpenTelemetry and Gemini around it."""
    if isinstance(content, list):
        return [_unwrapped(item) for item in content]
    if isinstance(content, dict):
        returned = _returned(content, str(content.get("type")))
        return content if returned is None else returned
    return content


def tool_calls(said: Said, value: dict[str, Any]) -> None:
    """Reads the members ``tool_calls`` and ``function_call`` of a message or answer."""
    listed = value.get("tool_calls")
    single = value.get("function_call")
    for item in [*(listed if isinstance(listed, list) else []), *([single] if isinstance(single, dict) else [])]:
        if isinstance(item, dict):
            asked = _asked(item, "tool_call")
            if asked:
                said.calls.append(asked)
