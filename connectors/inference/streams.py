"""Stream chunks of any provider, joined into one answer.

A logged stream is a list of chunks in order, sometimes ending with the text ``[DONE]``. Texts and tool arguments come in pieces by index; ids, token
counts and stop reasons come once, in the first or in one of the last chunks.
"""

from __future__ import annotations

from typing import Any

from connectors.inference.answers import Reply, counted, identified, stopped, whole
from connectors.inference.messages import call, joined


class _Pieces:
    """Pieces by (kind of index) in order of first appearance."""

    def __init__(self) -> None:
        self.texts: dict[str, list[str]] = {}
        self.calls: dict[str, dict[str, Any]] = {}

    def text(self, index: Any, piece: Any) -> None:
        if isinstance(piece, str) and piece:
            self.texts.setdefault(str(index), []).append(piece)

    def call(self, index: Any, name: Any, uid: Any, arguments: Any) -> None:
        item = self.calls.setdefault(str(index), {"name": None, "id": None, "pieces": [], "whole": None})
        item["name"] = item["name"] or name
        item["id"] = item["id"] or uid
        if isinstance(arguments, str):
            item["pieces"].append(arguments)
        elif arguments:
            item["whole"] = arguments


def fold(out: Reply, chunks: list[Any]) -> None:
    """Reads all ``chunks`` into ``out``."""
    pieces = _Pieces()
    for chunk in chunks:
        if isinstance(chunk, dict):
            kind = chunk["type"] if isinstance(chunk.get("type"), str) else ""
            handled = _claude(out, pieces, chunk, kind) or _converse(out, pieces, chunk) or _openai(out, pieces, chunk)
            if not (handled or _responses(out, pieces, chunk, kind) or _cohere(out, pieces, chunk, kind)):
                _plain(out, pieces, chunk)
    if not out.said.assistant:
        out.said.assistant.extend(text for parts in pieces.texts.values() if (text := "".join(parts)))
    if not out.said.calls:
        out.said.calls.extend(
            call(item["name"], "".join(item["pieces"]) or item["whole"], item["id"])
            for item in pieces.calls.values()
            if item["name"] or item["pieces"]
        )


def _claude(out: Reply, pieces: _Pieces, chunk: dict[str, Any], kind: str) -> bool:
    if kind == "message_start" and isinstance(chunk.get("message"), dict):
        identified(out, chunk["message"])
        counted(out, chunk["message"])
    elif kind == "content_block_start" and isinstance(chunk.get("content_block"), dict):
        block = chunk["content_block"]
        if "name" in block:
            pieces.call(chunk.get("index"), block["name"], block.get("id"), block.get("input"))
        else:
            pieces.text(chunk.get("index"), block.get("text"))
    elif kind == "content_block_delta" and isinstance(chunk.get("delta"), dict):
        delta = chunk["delta"]
        pieces.text(chunk.get("index"), delta.get("text"))
        if isinstance(delta.get("partial_json"), str):
            pieces.call(chunk.get("index"), None, None, delta["partial_json"])
    elif kind == "message_delta" and isinstance(chunk.get("delta"), dict):
        stopped(out, chunk["delta"])
        counted(out, chunk)
    elif kind in ("message_stop", "content_block_stop", "ping"):
        counted(out, chunk)
    else:
        return False
    return True


def _converse(out: Reply, pieces: _Pieces, chunk: dict[str, Any]) -> bool:
    """Bedrock's own chunks. Nova numbers every piece of text as a block of its own, so text goes by no index."""
    for key in ("messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"):
        inner = chunk.get(key)
        if isinstance(inner, dict):
            index = inner.get("contentBlockIndex")
            for part in (inner.get("start"), inner.get("delta")):
                if isinstance(part, dict):
                    pieces.text("text", part.get("text"))
                    use = part.get("toolUse")
                    if isinstance(use, dict):
                        pieces.call(index, use.get("name"), use.get("toolUseId"), use.get("input"))
            stopped(out, inner)
            counted(out, inner)
            counted(out, chunk)
            return True
    return False


def _openai(out: Reply, pieces: _Pieces, chunk: dict[str, Any]) -> bool:
    choices = chunk.get("choices")
    if not isinstance(choices, list) or any(isinstance(choice, dict) and "message" in choice for choice in choices):
        return False
    identified(out, chunk)
    counted(out, chunk)
    for choice in choices:
        if isinstance(choice, dict):
            index = choice.get("index", 0)
            delta = choice["delta"] if isinstance(choice.get("delta"), dict) else choice
            pieces.text(index, delta.get("content") or delta.get("text") or delta.get("refusal"))
            for item in delta.get("tool_calls") or []:
                if isinstance(item, dict):
                    function = item["function"] if isinstance(item.get("function"), dict) else {}
                    pieces.call((index, item.get("index", item.get("id"))), function.get("name"), item.get("id"), function.get("arguments"))
            stopped(out, choice)
    return True


def _responses(out: Reply, pieces: _Pieces, chunk: dict[str, Any], kind: str) -> bool:
    if not kind.startswith("response."):
        return False
    finished = chunk.get("response")
    if kind in ("response.completed", "response.incomplete", "response.failed") and isinstance(finished, dict):
        whole(out, finished)
    elif kind in ("response.output_text.delta", "response.refusal.delta"):
        pieces.text(chunk.get("item_id") or chunk.get("output_index"), chunk.get("delta"))
    elif kind == "response.function_call_arguments.delta":
        pieces.call(chunk.get("item_id") or chunk.get("output_index"), None, None, chunk.get("delta"))
    elif kind == "response.output_item.added" and isinstance(chunk.get("item"), dict) and chunk["item"].get("type") == "function_call":
        item = chunk["item"]
        pieces.call(item.get("id"), item.get("name"), item.get("call_id"), item.get("arguments"))
    return True


def _cohere(out: Reply, pieces: _Pieces, chunk: dict[str, Any], kind: str) -> bool:
    event = chunk.get("event_type")
    if event == "text-generation":
        pieces.text(0, chunk.get("text"))
    elif event == "stream-end" and isinstance(chunk.get("response"), dict):
        whole(out, chunk["response"])
    elif event is None and kind in ("content-start", "content-delta", "message-start", "message-end", "tool-call-start", "tool-call-delta"):
        delta = chunk["delta"] if isinstance(chunk.get("delta"), dict) else {}
        inner = delta["message"] if isinstance(delta.get("message"), dict) else {}
        content = inner.get("content")
        pieces.text(("text", chunk.get("index")), content.get("text") if isinstance(content, dict) else None)
        use = inner.get("tool_calls")
        if isinstance(use, dict) and isinstance(use.get("function"), dict):
            pieces.call(chunk.get("index"), use["function"].get("name"), use.get("id"), use["function"].get("arguments"))
        stopped(out, delta)
        counted(out, delta)
    else:
        return event is not None
    return True


def _plain(out: Reply, pieces: _Pieces, chunk: dict[str, Any]) -> None:
    """A chunk written like a whole answer that holds only the next piece: Titan, Llama, Mistral, Gemini, older Claude and Cohere."""
    piece = Reply()
    whole(piece, chunk)
    pieces.text("plain", joined(piece.said.assistant))
    out.said.calls.extend(piece.said.calls)
    out.finish.extend(reason for reason in piece.finish if reason not in out.finish)
    for name in ("uid", "model", "prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens", "latency_ms"):
        if getattr(piece, name) is not None:
            setattr(out, name, getattr(piece, name))
