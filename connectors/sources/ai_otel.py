"""What the mapping of OpenTelemetry GenAI records cannot say in a table: attributes are lists, so every column reads them by key.

Attribute names are those of the present conventions first, then of older ones.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from connectors.inference import bodies
from connectors.inference.answers import whole_number
from connectors.inference.messages import joined
from connectors.inference.models import maker, model_name
from connectors.inference.otlp import attributes, conversation, event_name
from connectors.inference.partial import decode
from connectors.inference.verdicts import filtered_stop, plain, verdict
from connectors.values import domain, email, integer, ip, is_empty, number, text, texts
from engine import jsontext

_CLOUDS = {"aws": "AWS", "azure": "Azure", "gcp": "GCP", "az": "Azure", "amazon": "AWS", "google_cloud": "GCP"}
_SEVERITIES = ((21, 6), (17, 4), (13, 3), (9, 1), (1, 1))
_USER = ("user.id", "enduser.id", "gen_ai.user.id", "langfuse.user.id", "user.email", "user.name")


def _get(lists: tuple[Any, ...], *names: str) -> Any:
    """The value of the first of ``names`` that any of the attribute lists holds, in the order of the lists."""
    for listed in lists:
        found = attributes(listed)
        for name_ in names:
            if not is_empty(found.get(name_)):
                return found[name_]
    return None


def _first(*names: str) -> Callable[..., Any]:
    return lambda *lists: _get(lists, *names)


def moment(*times: Any) -> int | None:
    """Nanoseconds of the first time that is set; 0 means it is not."""
    return next((nanos for item in times if (nanos := integer(item))), None)


def elapsed(start: Any, end: Any) -> float | None:
    """Milliseconds of a span."""
    first, last = integer(start), integer(end)
    return (last - first) / 1e6 if first and last and last >= first else None


def uid(span: Any, log: Any) -> str | None:
    """``trace|span`` of a span; a log record adds its event, its time and a hash of its content, as one call has several. None without trace id."""
    if isinstance(span, dict):
        return f"{span['traceId']}|{span['spanId']}" if span.get("traceId") and span.get("spanId") else None
    if not isinstance(log, dict) or not log.get("traceId"):
        return None
    found = attributes(log.get("attributes"))
    content = jsontext.dump([log.get("body"), log.get("attributes")])
    time = moment(log.get("timeUnixNano"), log.get("observedTimeUnixNano"))
    digest = sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return "|".join((str(log["traceId"]), str(log.get("spanId") or ""), event_name(log, found), str(time or ""), digest))


def call(span: Any, log: Any) -> str | None:
    """The provider's request id, else the id of the answer, else ``trace|span``, which ties the messages of one call together."""
    carrier = span if isinstance(span, dict) else log if isinstance(log, dict) else {}
    found = _get((carrier.get("attributes"),), "aws.request_id", "gen_ai.response.id", "az.service_request_id")
    if found is not None:
        return text(found)
    return f"{carrier['traceId']}|{carrier['spanId']}" if carrier.get("traceId") and carrier.get("spanId") else None


def event_code(name_: Any, event: Any, logged: Any) -> str | None:
    """``span`` for spans, else the event's name."""
    return "span" if isinstance(name_, str) else event if isinstance(event, str) and event else _get((logged,), "event.name")


def severity(level: Any) -> int:
    """OCSF severity of an OpenTelemetry severity number."""
    value = whole_number(level) or 0
    return next((mapped for limit, mapped in _SEVERITIES if value >= limit), 1)


def outcome(span: Any, log: Any) -> int | None:
    """2 where an error is set; 1 for other spans and for log records of whole calls and answers; None for single messages sent."""
    carrier = span if isinstance(span, dict) else log if isinstance(log, dict) else {}
    status = carrier.get("status")
    code = status.get("code") if isinstance(status, dict) else None
    if code in (2, "2", "STATUS_CODE_ERROR") or _get((carrier.get("attributes"),), "error.type", "exception.type") is not None:
        return 2
    if isinstance(span, dict):
        return 1
    name_ = event_name(carrier, attributes(carrier.get("attributes")))
    return 1 if name_ in ("gen_ai.choice", "gen_ai.client.inference.operation.details") else None


def status_detail(message: Any, logged: Any) -> str | None:
    """The message of a span's status, or of an exception."""
    return message if isinstance(message, str) and message else text(_get((logged,), "exception.message", "error.message"))


def cloud(*lists: Any) -> str | None:
    """The cloud the model or the application runs in."""
    system = _get(lists[:2], "gen_ai.provider.name", "gen_ai.system")
    named = system.split(".")[0].lower() if isinstance(system, str) and "." in system else _get(lists, "cloud.provider")
    return _CLOUDS.get(named) if isinstance(named, str) else None


def operation(span: Any, log: Any, name_: Any, event: Any) -> str | None:
    """The operation, MCP method or event; the span's name where it says no other."""
    found = _get((span, log), "gen_ai.operation.name", "mcp.method.name", "llm.request.type", "event.name")
    return next((item for item in (found, event, name_) if isinstance(item, str) and item), None)


def provider(*lists: Any) -> str | None:
    """Who made the model."""
    model = _get(lists, "gen_ai.request.model", "gen_ai.response.model")
    return maker(model, _get(lists, "gen_ai.provider.name", "gen_ai.system"))


def name(*lists: Any) -> str | None:
    """The model that was asked for, by its plain name."""
    return model_name(_get(lists, "gen_ai.request.model", "gen_ai.response.model"))


def user_name(*lists: Any) -> str | None:
    """The user's name, where the application sets one."""
    return text(_get(lists, "user.name", "enduser.name", "user.email", *_USER))


def user_email(*lists: Any) -> str | None:
    """The user's e-mail address, also where it is the id."""
    return next((found for key in ("user.email", *_USER) if (found := email(_get(lists, key)))), None)


def conversation_id(span: Any, log: Any, *traces: Any) -> str | None:
    """The conversation, session or trace."""
    found = _get((span, log), "gen_ai.conversation.id", "session.id", "mcp.session.id", "gen_ai.thread.id", "langfuse.session.id")
    return next((text(item) for item in (found, *traces) if not is_empty(item)), None)


def targets(*lists: Any) -> list[str] | None:
    """What was reached: MCP resource, data source, knowledge base, and the server's address."""
    address, port = _get(lists, "server.address"), _get(lists, "server.port")
    server = f"{address}:{port}" if address and port else address
    names = ("mcp.resource.uri", "gen_ai.data_source.id", "aws.bedrock.knowledge_base.id")
    return texts([*(_get(lists, key) for key in names), server])


def target_type(*lists: Any) -> str:
    """Whether a tool, an MCP server or a model was called."""
    if _get(lists, "gen_ai.tool.name", "mcp.tool.name") is not None:
        return "tool"
    return "mcp_server" if _get(lists, "mcp.method.name") is not None else "model"


def target_names(*lists: Any) -> list[str] | None:
    """Names of the tool and the model."""
    return texts([_get(lists, "gen_ai.tool.name", "mcp.tool.name"), name(*lists)])


_TOKENS = {
    "prompt_tokens": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.usage.prompt_tokens"),
    "completion_tokens": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.usage.completion_tokens"),
    "cached_tokens": ("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens", "gen_ai.usage.cached_tokens"),
}


def _tokens(kind: str) -> Callable[..., int | None]:
    return lambda *lists: whole_number(_get(lists, *_TOKENS[kind]))


def total_tokens(*lists: Any) -> int | None:
    """Tokens read and written."""
    total = whole_number(_get(lists, "gen_ai.usage.total_tokens", "llm.usage.total_tokens"))
    counts = [n for kind in ("prompt_tokens", "completion_tokens") if (n := _tokens(kind)(*lists)) is not None]
    return sum(counts) if total is None and counts else total


def sent_parameters(*lists: Any) -> dict[str, Any] | None:
    """How the model was asked, without what was said: sampling, limits, and names and hash of the offered tools."""
    found = {key: value for listed in reversed(lists) for key, value in attributes(listed).items()}
    body = {key.removeprefix("gen_ai.request."): value for key, value in found.items() if key.startswith("gen_ai.request.")}
    choices = body.pop("choice.count", None)
    tools = decode(found.get("gen_ai.tool.definitions"))
    return bodies.parameters({**body, "n": choices, "tools": tools})


def stops(span: Any, log: Any) -> list[str] | None:
    """Why the model stopped, from attributes, else from the answers."""
    carrier = span if isinstance(span, dict) else log if isinstance(log, dict) else {}
    return texts(decode(_get((carrier.get("attributes"),), "gen_ai.response.finish_reasons"))) or conversation(span, log)[1].finish or None


def guardrail(span: Any, log: Any) -> dict[str, Any] | None:
    """The verdict as far as stop reasons tell; a guardrail that is named and did not stop the answer counts as checked."""
    carrier = span if isinstance(span, dict) else log if isinstance(log, dict) else {}
    named = _get((carrier.get("attributes"),), "aws.bedrock.guardrail.id", "gen_ai.guardrail.id")
    stopped = filtered_stop(stops(span, log) or [])
    refused = plain(_get((carrier.get("attributes"),), "error.type")) in ("contentfilter", "contentpolicyviolation", "contentpolicyviolationerror")
    findings = [item for item in stopped if item["policy"] != "OTHER"]
    return verdict(findings, blocked=bool(stopped) or refused, checked=named is not None, guardrail=named)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **bodies.FUNCTIONS,
    "agent": _first("gen_ai.agent.id", "gen_ai.agent.name", "service.instance.id"),
    "answer_calls": lambda span, log: conversation(span, log)[1].said.calls or None,
    "answer_id": _first("gen_ai.response.id"),
    "answer_text": lambda span, log: conversation(span, log)[1].text,
    "answered_by": _first("gen_ai.response.model"),
    "application": _first("service.name", "gen_ai.agent.name"),
    "cached_tokens": _tokens("cached_tokens"),
    "call": call,
    "client_domain": lambda *lists: domain(_get(lists, "client.address", "source.address")),
    "client_ip": lambda *lists: ip(_get(lists, "client.address", "source.address", "net.sock.peer.addr")),
    "cloud": cloud,
    "cloud_account": _first("cloud.account.id"),
    "cloud_region": _first("cloud.region", "aws.region"),
    "completion_tokens": _tokens("completion_tokens"),
    "conversation": conversation_id,
    "cost": lambda *lists: number(_get(lists, "gen_ai.usage.cost", "gen_ai.cost")),
    "elapsed": elapsed,
    "error": _first("error.type", "exception.type"),
    "event_code": event_code,
    "guardrail": guardrail,
    "instance": _first("k8s.pod.uid", "service.instance.id", "host.id"),
    "model_uid": _first("gen_ai.request.model", "gen_ai.response.model"),
    "moment": moment,
    "name": name,
    "operation": operation,
    "outcome": outcome,
    "payer": _first("gen_ai.api_key.id", *_USER, "service.name"),
    "prompt_tokens": _tokens("prompt_tokens"),
    "provider": provider,
    "request_id": _first("aws.request_id", "az.service_request_id", "gen_ai.response.id", "jsonrpc.request.id", "mcp.request.id"),
    "sent_parameters": sent_parameters,
    "sent_prompt": lambda span, log: joined(conversation(span, log)[0].user),
    "sent_system": lambda span, log: joined(conversation(span, log)[0].system),
    "sent_tools": lambda span, log: joined(conversation(span, log)[0].tool),
    "service": _first("gen_ai.provider.name", "gen_ai.system", "server.address"),
    "session": _first("session.id", "mcp.session.id", "langfuse.session.id"),
    "severity": severity,
    "status_code": _first("error.type", "http.response.status_code", "http.status_code", "rpc.jsonrpc.error_code"),
    "status_detail": status_detail,
    "stops": stops,
    "target_names": target_names,
    "target_type": target_type,
    "targets": targets,
    "total_tokens": total_tokens,
    "uid": uid,
    "user": _first(*_USER),
    "user_agent": _first("user_agent.original", "http.user_agent"),
    "user_email": user_email,
    "user_name": user_name,
}
