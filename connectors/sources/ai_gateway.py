"""What the mapping of AI gateway logs cannot say in a table: the forms of Kong's object ``ai``, and callers behind proxies.

Kong names the part about one model call ``proxy``; older versions use the plugin's name (``ai-proxy``) and keep the request in ``payload`` beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from connectors.inference import bodies
from connectors.inference.answers import Reply, whole_number
from connectors.inference.exchange import reply, request
from connectors.inference.messages import Said, call, flat, joined
from connectors.inference.models import maker, model_name
from connectors.inference.partial import decode
from connectors.inference.verdicts import Finding, azure_findings, filtered_stop, finding, policy, verdict
from connectors.values import ip, is_empty, number, port, text, texts

_PATHS = (
    ("/chat/completions", "chat"),
    ("/completions", "text_completion"),
    ("/embeddings", "embeddings"),
    ("/responses", "chat"),
    ("/messages", "chat"),
    ("/converse", "chat"),
    ("generatecontent", "generate_content"),
    ("/images", "image_generation"),
)


def uid(envoy: Any, kong: Any, start: Any, started: Any) -> str | None:
    """``request id|start``: callers may choose and repeat the request id; None without one."""
    key = kong if is_empty(envoy) else envoy
    time = started if is_empty(start) else start
    return None if is_empty(key) else f"{text(key)}|{text(time) or ''}"


def _part(ai: Any, name: str) -> dict[str, Any]:
    found = ai.get(name) if isinstance(ai, dict) else None
    return found if isinstance(found, dict) else {}


def _proxy(ai: Any) -> dict[str, Any]:
    """The part about the model call, under its present or an older name."""
    for name in ("proxy", "ai-proxy", "ai-proxy-advanced"):
        if _part(ai, name):
            return _part(ai, name)
    others = ai.values() if isinstance(ai, dict) else []
    return next((part for part in others if isinstance(part, dict) and ("meta" in part or "usage" in part)), {})


def _sent(ai: Any) -> Said:
    inner = _part(_proxy(ai), "payload").get("request")
    return request(_part(ai, "payload").get("request") if is_empty(inner) else inner)


def _answer(ai: Any) -> Reply:
    inner = _part(_proxy(ai), "payload").get("response")
    return reply(_part(ai, "payload").get("response") if is_empty(inner) else inner)


def _rpc(ai: Any) -> list[dict[str, Any]]:
    rpc = _part(ai, "mcp").get("rpc")
    return [item for item in (rpc if isinstance(rpc, list) else [rpc]) if isinstance(item, dict)]


def _meta(ai: Any, name: str) -> Any:
    return _part(_proxy(ai), "meta").get(name)


def product(ai: Any) -> str | None:
    """Kong, where the record has Kong's object."""
    return "Kong AI Gateway" if isinstance(ai, dict) else None


def outcome(code: Any, status: Any, ai: Any) -> int | None:
    """1 for HTTP codes below 400, 2 for others and for MCP errors, None where the record has no code."""
    if any(not is_empty(item.get("error")) for item in _rpc(ai)):
        return 2
    found = next((n for item in (code, status) if (n := whole_number(item)) is not None), None)
    return None if found is None else 1 if 100 <= found < 400 else 2


def error_code(*codes: Any) -> str | None:
    """The HTTP code of a failed call."""
    found = next((n for item in codes if (n := whole_number(item)) is not None), None)
    return str(found) if found is not None and not 100 <= found < 400 else None


def details(*found: Any) -> str | None:
    """What the proxy says about the response, unless it only says that it came from upstream."""
    return next((item for item in found if isinstance(item, str) and not is_empty(item) and item != "via_upstream"), None)


def service(provider_: Any, mcp: Any, ai: Any, named: Any, authority: Any) -> str | None:
    """The provider, MCP server or upstream service that was called."""
    known = (None if _routed(provider_) else provider_, mcp, _meta(ai, "provider_name"), named, authority, provider_)
    return next((text(item) for item in known if not is_empty(item)), None)


def _routed(name: Any) -> bool:
    """Envoy puts the reference of a route where it knows no provider."""
    return isinstance(name, str) and "/" in name


def operation(mcp: Any, path: Any, ai: Any, uri: Any) -> str | None:
    """The MCP method, else the kind of call its path means, else the path."""
    method = next((item["method"] for item in _rpc(ai) if isinstance(item.get("method"), str)), None)
    if not is_empty(mcp) or method:
        return method if is_empty(mcp) else text(mcp)
    target = next((item.split("?")[0] for item in (path, uri) if isinstance(item, str) and not is_empty(item)), None)
    return next((kind for part, kind in _PATHS if target and part in target.lower()), target)


def caller(forwarded: Any, client: Any, peer: Any) -> str | None:
    """The address of the caller: the first of ``x-forwarded-for`` (which a caller may forge), else the client, else the peer."""
    return next((found for item in (forwarded, client, peer) if (found := ip(item))), None)


def caller_port(forwarded: Any, client: Any, peer: Any) -> int | None:
    """The port of the caller, where the caller is the peer."""
    return port(peer) if caller(forwarded, client, None) is None else None


def resource_type(mcp: Any, ai: Any) -> str:
    """Whether a model or an MCP server was called."""
    return "model" if is_empty(mcp) and not _rpc(ai) else "mcp_server"


def resource_names(server: Any, model: Any, ai: Any) -> list[str] | None:
    """Names of the MCP server and its tools, or of the model."""
    tools = [item.get("tool_name") for item in _rpc(ai)]
    return texts([server, *tools, model_name(model if not is_empty(model) else _meta(ai, "request_model"))])


def provider(model: Any, route: Any, ai: Any) -> str | None:
    """Who made the model."""
    return maker(name(model, ai), None if _routed(route) else route) or maker(None, _meta(ai, "provider_name"))


def name(model: Any, ai: Any) -> str | None:
    """The model that was asked for."""
    return model_name(_meta(ai, "request_model") if is_empty(model) else model)


def model_uid(override: Any, model: Any, ai: Any) -> str | None:
    """The model the gateway sent the call to."""
    return next((text(item) for item in (override, model, _meta(ai, "request_model")) if not is_empty(item)), None)


def answered_by(model: Any, ai: Any) -> str | None:
    """The model that answered."""
    return next((text(item) for item in (model, _meta(ai, "response_model"), _answer(ai).model) if not is_empty(item)), None)


def _count(logged: Any, ai: Any, member: str, *spellings: str) -> int | None:
    usage = _part(_proxy(ai), "usage")
    found = next((n for item in (logged, *(usage.get(key) for key in spellings)) if (n := whole_number(item)) is not None), None)
    answered: int | None = getattr(_answer(ai), member)
    return answered if found is None else found


def prompt_tokens(logged: Any, ai: Any) -> int | None:
    """Tokens read."""
    return _count(logged, ai, "prompt_tokens", "prompt_tokens", "prompt_token")


def completion_tokens(logged: Any, ai: Any) -> int | None:
    """Tokens written."""
    return _count(logged, ai, "completion_tokens", "completion_tokens", "completion_token")


def total_tokens(logged: Any, read: Any, written: Any, ai: Any) -> int | None:
    """Tokens read and written."""
    total = _count(logged, ai, "total_tokens", "total_tokens")
    counts = [n for n in (prompt_tokens(read, ai), completion_tokens(written, ai)) if n is not None]
    return sum(counts) if total is None and counts else total


def cached_tokens(logged: Any, ai: Any) -> int | None:
    """Tokens read from a cache."""
    details_ = _part(_part(_proxy(ai), "usage"), "prompt_tokens_details")
    found = whole_number(logged)
    return whole_number(details_.get("cached_tokens")) if found is None else found


def elapsed(duration: Any, total: Any, ai: Any) -> float | None:
    """Milliseconds until the answer was complete: of the whole call, else of the model or MCP server alone."""
    own = [item.get("latency") for item in _rpc(ai)]
    return next((found for item in (duration, total, _meta(ai, "llm_latency"), *own) if (found := number(item)) is not None), None)


def cost(ai: Any) -> float | None:
    """Cost of the call; 0 where Kong knows no price."""
    return number(_part(_proxy(ai), "usage").get("cost"))


def answer_calls(ai: Any) -> list[dict[str, Any]] | None:
    """The tools the model asked for, or the MCP tools that were called."""
    calls = list(_answer(ai).said.calls)
    for item in _rpc(ai):
        if item.get("method") == "tools/call":
            asked = decode(_part(item, "payload").get("request"))
            sent = asked.get("params") if isinstance(asked, dict) else None
            params = sent if isinstance(sent, dict) else {}
            calls.append(call(item.get("tool_name") or params.get("name"), params.get("arguments"), item.get("id")))
    return calls or None


def sent_tools(ai: Any) -> str | None:
    """What tools returned: in the messages, or as the result of an MCP call."""
    found = list(_sent(ai).tool)
    for item in _rpc(ai):
        answer = decode(_part(item, "payload").get("response"))
        result = answer.get("result") if isinstance(answer, dict) else None
        found.append(flat(result))
    return joined(filter(None, found))


def sent_parameters(ai: Any) -> dict[str, Any] | None:
    """How the model was asked, without what was said."""
    inner = _part(_proxy(ai), "payload").get("request")
    return bodies.parameters(_part(ai, "payload").get("request") if is_empty(inner) else inner)


def guardrail(ai: Any) -> dict[str, Any] | None:
    """The verdict over Kong's guardrail plugins, its sanitizer, MCP access control, and filter results in the answer."""
    if not isinstance(ai, dict):
        return None
    findings = [*_kong_findings(ai)]
    answer = _part(_proxy(ai), "payload").get("response")
    filters, seen = azure_findings(answer)
    findings.extend(filters)
    guards = _part(_proxy(ai), "aws-guardrails")
    audited = bool(_part(ai, "audit") or _part(ai, "sanitizer") or _part(ai, "mcp").get("audit"))
    stopped = bool(filtered_stop(_answer(ai).finish))
    return verdict(findings, blocked=stopped, checked=seen or bool(guards) or audited, guardrail=guards.get("guardrails_id"))


def _kong_findings(ai: dict[str, Any]) -> Iterator[Finding]:
    guards = _part(_proxy(ai), "aws-guardrails")
    for where in ("input", "output"):
        reason = guards.get(f"{where}_block_reason")
        if not is_empty(reason):
            yield finding(policy(reason), "BLOCKED", name=reason, where=where)
    for label, severity in _part(_part(ai, "audit"), "azure_content_safety").items():
        if isinstance(severity, str) and severity.lower() in ("medium", "high"):
            yield finding(policy(label), "NONE", name=label, confidence=severity.upper(), where="input")
    sanitizer = _part(ai, "sanitizer")
    if whole_number(sanitizer.get("pii_identified")):
        action = "MASKED" if whole_number(sanitizer.get("pii_sanitized")) else "NONE"
        items = sanitizer.get("sanitized_items")
        named = [text(item.get("entity_type")) for item in items if isinstance(item, dict)] if isinstance(items, list) else []
        kinds = dict.fromkeys(named or [None])
        yield from (finding("SENSITIVE_INFORMATION", action, name=kind, where="input") for kind in kinds)
    audit = _part(ai, "mcp").get("audit")
    for item in audit if isinstance(audit, list) else []:
        if isinstance(item, dict) and item.get("action") == "deny":
            yield finding("TOOL", "BLOCKED", name=item.get("primitive_name"), where="input")


def call_uid(ai: Any, envoy: Any, kong: Any) -> str | None:
    """The id of the answer where the payload was logged, else the request id."""
    return _answer(ai).uid or next((text(item) for item in (envoy, kong) if not is_empty(item)), None)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **bodies.FUNCTIONS,
    "answer_calls": answer_calls,
    "answer_id": lambda ai: _answer(ai).uid,
    "answer_text": lambda ai: _answer(ai).text,
    "answered_by": answered_by,
    "cached_tokens": cached_tokens,
    "call": call_uid,
    "caller": caller,
    "caller_port": caller_port,
    "completion_tokens": completion_tokens,
    "cost": cost,
    "details": details,
    "elapsed": elapsed,
    "error_code": error_code,
    "guardrail": guardrail,
    "model_uid": model_uid,
    "name": name,
    "operation": operation,
    "outcome": outcome,
    "product": product,
    "prompt_tokens": prompt_tokens,
    "provider": provider,
    "resource_names": resource_names,
    "resource_type": resource_type,
    "sent_parameters": sent_parameters,
    "sent_prompt": lambda ai: joined(_sent(ai).user),
    "sent_system": lambda ai: joined(_sent(ai).system),
    "sent_tools": sent_tools,
    "service": service,
    "stops": lambda ai: _answer(ai).finish or None,
    "total_tokens": total_tokens,
    "uid": uid,
}
