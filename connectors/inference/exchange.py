"""What was said in one model call, read from the body of any provider.

Every provider has its own words for the same few things: what the system said, what the user side said, what tools returned, what the model
answered, which tools it asked for, and why it stopped. `request` and `reply` read all of them into one form. They take plain JSON values, an object
or a list or text that holds one (whole, cut off, or a stream of server-sent events), and never raise: what they do not know adds nothing.

Who said it decides where a text goes: roles ``system`` and ``developer`` to system, ``assistant``, ``model``, … to assistant, ``tool`` and
``function`` and every tool result or attached document to tool, all others (also unknown roles) to user, so that no text escapes by an odd role.
Prompt templates in one string (``Human: … Assistant: …``) stay whole: their marks are text anybody may write.
"""

from __future__ import annotations

from typing import Any

from connectors.inference.answers import Reply, choice, whole
from connectors.inference.messages import Said, flat, message, texts
from connectors.inference.partial import decode
from connectors.inference.streams import fold

_SYSTEM_KEYS = ("system", "systemInstruction", "system_instruction", "instructions", "preamble", "context")
_USER_KEYS = ("prompt", "inputText", "inputs", "message", "texts", "query", "text_prompts", "textToImageParams", "content")
_TOOL_KEYS = ("documents", "tool_results")


def request(body: Any) -> Said:
    """What was sent to the model: ``body`` is a provider's request body, a list of messages, or text holding either; other text is a prompt."""
    said = Said()
    _request(said, decode(body))
    return said


def _request(said: Said, body: Any) -> None:
    if isinstance(body, str):
        said.add("user", body)
    elif isinstance(body, list):
        for item in body:
            if not isinstance(item, (int, float)):
                message(said, item)
    elif isinstance(body, dict):
        if ("role" in body or "parts" in body) and "messages" not in body and "contents" not in body:
            message(said, body)
            return
        for key in _SYSTEM_KEYS:
            if key in body:
                said.add("system", flat(_parts(body[key])))
        for key in ("messages", "contents", "chat_history", "input", "instances"):
            inner = body.get(key)
            if key == "instances" and isinstance(inner, list):
                for item in inner:
                    _request(said, item)
            elif inner is not None:
                _request(said, inner)
        for key in _USER_KEYS:
            if key in body:
                texts(said, "user", body[key])
        for key in _TOOL_KEYS:
            if key in body:
                said.add("tool", flat(body[key]))


def _parts(value: Any) -> Any:
    return value["parts"] if isinstance(value, dict) and "parts" in value else value


def reply(body: Any) -> Reply:
    """What the model answered: ``body`` is a provider's response body, a list of its stream chunks or of messages, or text holding any of these."""
    out = Reply()
    body = decode(body)
    if isinstance(body, str):
        out.said.add("assistant", body)
    elif isinstance(body, list):
        if any(isinstance(item, dict) and ("parts" in item or "content" in item) and "role" in item for item in body):
            for item in body:
                choice(out, item)
        else:
            fold(out, body)
    elif isinstance(body, dict):
        whole(out, body)
    if out.total_tokens is None and out.prompt_tokens is not None and out.completion_tokens is not None:
        out.total_tokens = out.prompt_tokens + out.completion_tokens
    return out
