"""What the mapping of LiteLLM records cannot say in a table: bodies that stand in one of two places, calls of MCP tools, guardrail reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from connectors.inference import bodies
from connectors.inference.exchange import reply, request
from connectors.inference.messages import Said, call, flat, joined
from connectors.inference.models import model_name
from connectors.inference.partial import decode
from connectors.inference.verdicts import Finding, azure_findings, bedrock_findings, filtered_stop, finding, plain, policy, verdict
from connectors.values import email, is_empty, micros, number, text, texts

_BLOCKED = frozenset(("guardrailintervened", "blocked", "failure", "intervened", "block"))
_REFUSALS = frozenset(("contentpolicyviolationerror", "guardrailraisedexception", "guardrailinterventionnormalstringerror"))
_MCP = "mcp_tool"


def uid(call_id: Any, answer: Any, row: Any, start: Any) -> str | None:
    """``litellm_call_id|id``; for spend rows ``request_id|startTime``, as answers from a cache share their id."""
    if not is_empty(call_id):
        return f"{text(call_id)}|{text(answer) or ''}"
    key = answer if is_empty(row) else row
    return None if is_empty(key) else f"{text(key)}|{text(start) or ''}"


def outcome(status: Any, error: Any) -> int | None:
    """1 success, 2 failure; older rows say only by their error text that they failed."""
    known = {"success": 1, "failure": 2}.get(status) if isinstance(status, str) else None
    return known or (2 if not is_empty(error) else None)


def _sent(messages: Any, proxied: Any) -> Said:
    said = request(messages)
    if said.user or said.system or said.tool:
        return said
    found = decode(proxied)
    body = found.get("body", found) if isinstance(found, dict) else None
    return request(body)


def sent_prompt(messages: Any, proxied: Any) -> str | None:
    """What the user side sent."""
    return joined(_sent(messages, proxied).user)


def sent_system(messages: Any, proxied: Any) -> str | None:
    """The system instructions."""
    return joined(_sent(messages, proxied).system)


def _is_mcp(kind: Any) -> bool:
    return isinstance(kind, str) and _MCP in kind


def sent_tools(messages: Any, proxied: Any, response: Any, kind: Any, searched: Any) -> str | None:
    """What tools returned: in the messages, as the result of an MCP call, or from a vector store the proxy searched."""
    found = list(_sent(messages, proxied).tool)
    if _is_mcp(kind):
        found.append(flat(decode(response)))
    for item in searched if isinstance(searched, list) else [searched]:
        hits = item.get("vector_store_search_response") if isinstance(item, dict) else None
        data = hits.get("data") if isinstance(hits, dict) else None
        found.extend(flat(hit.get("content")) for hit in data or [] if isinstance(hit, dict))
    return joined(filter(None, found))


def answer_text(response: Any, kind: Any) -> str | None:
    """What the model wrote; the result of an MCP call is no model's answer."""
    return None if _is_mcp(kind) else reply(response).text


def answer_calls(response: Any, mcp: Any, kind: Any) -> list[dict[str, Any]] | None:
    """The tools the model asked for, or the MCP tool that was called."""
    asked = [] if _is_mcp(kind) else reply(response).said.calls
    if isinstance(mcp, dict) and mcp.get("name"):
        asked = [*asked, call(mcp["name"], mcp.get("arguments"), None)]
    return asked or None


def answer_id(response: Any, *others: Any) -> str | None:
    """The id of the answer, as the response or the record has it."""
    return reply(response).uid or next((text(item) for item in others if not is_empty(item)), None)


def asked(parameters: Any, proxied: Any) -> dict[str, Any] | None:
    """How the model was asked, without what was said."""
    return bodies.parameters(parameters) or bodies.parameters(proxied)


def first_email(*values: Any) -> str | None:
    """The first value that is an e-mail address."""
    return next((found for value in values if (found := email(value))), None)


def endpoint(base: Any, hidden: Any, model: Any) -> list[str] | None:
    """Where the call went, and the deployment of the model."""
    return texts([hidden if is_empty(base) else base, model])


def model_names(group: Any, model: Any) -> list[str] | None:
    """The model's name for callers and the model itself."""
    name = model_name(model)
    return texts([group, name] if group != name else [name])


def elapsed(seconds: Any, start: Any, end: Any) -> float | None:
    """Milliseconds from start to end, else the measured time, which for a streamed answer ends with its first token."""
    first, last = micros(start), micros(end)
    if first is not None and last is not None and last >= first:
        return (last - first) / 1000
    measured = number(seconds) if seconds is not None else None
    return None if measured is None else round(measured * 1000, 3)


def guardrail(information: Any, nested: Any, status: Any, applied: Any, error: Any, response: Any) -> dict[str, Any] | None:
    """The verdict of all guardrails of the proxy, and of the provider's own filter where the response carries it."""
    reports = decode(nested if is_empty(information) else information)
    listed = [item for item in (reports if isinstance(reports, list) else [reports]) if isinstance(item, dict)]
    findings = [found for item in listed for found in _reported(item)]
    filters, filtered = azure_findings(response)
    findings.extend(filters)
    stopped = bool(filtered_stop(reply(response).finish))
    blocked = stopped or any(plain(item.get("guardrail_status")) in _BLOCKED for item in listed)
    blocked |= plain(status) in ("guardrailintervened", "blocked") or plain(error) in _REFUSALS
    names = [name for item in listed if isinstance(name := item.get("guardrail_name"), str)] or texts(applied) or []
    unique = [item for index, item in enumerate(findings) if item not in findings[:index]]
    return verdict(unique, blocked=blocked, checked=bool(listed) or filtered or not is_empty(applied), guardrail=names[0] if names else None)


def _reported(item: dict[str, Any]) -> Iterator[Finding]:
    """What one guardrail of the proxy reports, whoever made it."""
    stopped = "BLOCKED" if plain(item.get("guardrail_status")) in _BLOCKED or plain(item.get("guardrail_action")) in _BLOCKED else "NONE"
    answer = decode(item.get("guardrail_response"))
    mode = item.get("guardrail_mode")
    where = {"pre_call": "input", "during_call": "input", "post_call": "output"}.get(mode) if isinstance(mode, str) else None
    masked = item.get("masked_entity_count")
    if isinstance(masked, dict):
        yield from (finding("SENSITIVE_INFORMATION", "MASKED", name=name, where=where) for name in masked)
    yield from bedrock_findings(answer, where)
    categories = item.get("violation_categories")
    yield from (finding(policy(name), stopped, name=name, where=where) for name in (categories if isinstance(categories, list) else []) if name)
    for name in _flagged(answer):
        if not (isinstance(masked, dict) and name in masked):
            kind = policy(name)
            yield finding("SENSITIVE_INFORMATION" if kind == "OTHER" and name.isupper() else kind, stopped, name=name, where=where)


def _flagged(answer: Any) -> Iterator[str]:
    """Names of entities and categories that detectors report as found."""
    if isinstance(answer, list):
        for item in answer:
            yield from _flagged(item)
    elif isinstance(answer, dict):
        if isinstance(answer.get("entity_type"), str):
            yield answer["entity_type"]
        for key in ("detector_type", "category"):
            if isinstance(answer.get(key), str) and (answer.get("detected") is True or answer.get("flagged") is True):
                yield answer[key]
        categories = answer.get("categories")
        if isinstance(categories, dict):
            yield from (name for name, value in categories.items() if value is True)
        for key in ("results", "breakdown", "detections"):
            yield from _flagged(answer.get(key))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **bodies.FUNCTIONS,
    "answer_calls": answer_calls,
    "answer_id": answer_id,
    "answer_text": answer_text,
    "asked": asked,
    "elapsed": elapsed,
    "endpoint": endpoint,
    "first_email": first_email,
    "guardrail": guardrail,
    "model_names": model_names,
    "outcome": outcome,
    "sent_prompt": sent_prompt,
    "sent_system": sent_system,
    "sent_tools": sent_tools,
    "uid": uid,
}
