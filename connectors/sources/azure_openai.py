"""What the mapping of Azure's AI logs cannot say in a table: which of two loggers wrote a row, and values that only a response body holds."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from connectors.inference import bodies
from connectors.inference.answers import whole_number
from connectors.inference.exchange import reply
from connectors.inference.models import maker, model_name, model_version
from connectors.inference.partial import decode
from connectors.inference.verdicts import azure_findings, filtered_stop, verdict
from connectors.values import is_empty, text

_SUBSCRIPTION = re.compile(r"(?:^|/)subscriptions/([^/]+)", re.IGNORECASE)
_VERSION = re.compile(r"(?:API version |api-version=)([\w.-]+)", re.IGNORECASE)
_DEPLOYMENT = re.compile(r"/deployments/([^/?]+)", re.IGNORECASE)
_SERVICES = {"apim": "Microsoft.ApiManagement", "openai": "Microsoft.CognitiveServices"}
_PRODUCTS = {"apim": "Azure API Management", "openai": "Azure OpenAI"}


def uid(correlation: Any, operation: Any, time: Any, generated: Any, *sequences: Any) -> str | None:
    """``correlationId|operationName|time``, or ``correlationId|sequence`` for parts of a gateway's message log; None without correlation id."""
    if is_empty(correlation):
        return None
    sequence = next((item for item in sequences if not is_empty(item)), None)
    parts = [correlation, sequence] if sequence is not None else [correlation, operation, time if not is_empty(time) else generated]
    return "|".join(text(part) or "" for part in parts)


def _logger(category: Any, table: Any, resource: Any) -> str:
    gateway = any(isinstance(item, str) and "gateway" in item.lower() for item in (category, table))
    return "apim" if gateway or (isinstance(resource, str) and "microsoft.apimanagement" in resource.lower()) else "openai"


def product(category: Any, table: Any, resource: Any) -> str:
    """The product that wrote the row."""
    return _PRODUCTS[_logger(category, table, resource)]


def service(category: Any, table: Any, resource: Any) -> str:
    """The resource provider that was called."""
    return _SERVICES[_logger(category, table, resource)]


def outcome(*signs: Any) -> int | None:
    """1 for HTTP codes below 400 and other words of success, 2 for all others, None where the row does not say."""
    for sign in signs:
        if isinstance(sign, bool):
            return 1 if sign else 2
        code = whole_number(sign)
        if code is not None:
            return 1 if 100 <= code < 400 else 2
        if isinstance(sign, str) and not is_empty(sign):
            return 1 if sign.lower() in ("success", "succeeded", "ok", "true") else 2
    return None


def _error(body: Any) -> dict[str, Any]:
    found = decode(body)
    error = found.get("error") if isinstance(found, dict) else None
    return error if isinstance(error, dict) else {}


def reason(*found: Any) -> str | None:
    """The first explanation: one of the row's own, or the error message of a response body."""
    for item in found:
        said = _error(item).get("message") if isinstance(decode(item), dict) else item
        if isinstance(said, str) and not is_empty(said) and not said.lstrip().startswith(("{", "[", "data:", "event:")):
            return said
    return None


def error_code(*found: Any) -> str | None:
    """The error code of a response body (``content_filter``), else the HTTP code of a failed call."""
    for item in found:
        code = _error(item).get("code")
        if isinstance(code, (str, int)) and not is_empty(code):
            return str(code)
        status = whole_number(item)
        if status is not None and status >= 400:
            return str(status)
    return None


def subscription(value: Any) -> str | None:
    """The subscription in a resource id, lower-cased, or the id itself where it stands alone."""
    if not isinstance(value, str):
        return None
    match = _SUBSCRIPTION.search(value)
    return match[1].lower() if match else None if "/" in value else value.lower()


def _search(pattern: re.Pattern[str], value: Any) -> str | None:
    match = pattern.search(value) if isinstance(value, str) else None
    return match[1] if match else None


def api_version(value: Any) -> str | None:
    """The API version in an API name or URL."""
    return _search(_VERSION, value)


def deployment(logged: Any, named: Any, table: Any, *urls: Any) -> str | None:
    """The deployment: as logged, else from the path of a URL."""
    for item in (logged, named, table):
        if isinstance(item, str) and not is_empty(item):
            return item
    return next((found for url in urls if (found := _search(_DEPLOYMENT, url))), None)


def _names(found: tuple[Any, ...]) -> list[str]:
    names = [item if isinstance(item, str) and not item.lstrip().startswith(("{", "[", "data:", "event:")) else _model(item) for item in found]
    return [name for name in names if name and not is_empty(name)]


def _model(body: Any) -> str | None:
    answer = reply(body).model
    return answer or bodies.request_model(body)


def name(*found: Any) -> str | None:
    """The model: as logged, else from the response body or the request body."""
    names = _names(found)
    return model_name(names[0]) if names else None


def version(logged: Any, *found: Any) -> str | None:
    """The version of the model that answered: as logged, else the end of the name it answered with."""
    if not is_empty(logged):
        return text(logged)
    return next((end for item in _names(found) if (end := model_version(item))), None)


def provider(*found: Any) -> str | None:
    """Who made the model; Azure's own resource log without a model name is about OpenAI's."""
    *models, category = found
    names = _names(tuple(models))
    return maker(names[0]) or "openai" if names else "openai" if category in ("RequestResponse", "AzureOpenAIRequestUsage") else None


def user_agent(headers: Any) -> str | None:
    """The user agent among logged request headers."""
    found = decode(headers)
    if not isinstance(found, dict):
        return None
    agent = next((value for key, value in found.items() if key.lower() == "user-agent"), None)
    return agent if isinstance(agent, str) else None


def _count(member: str) -> Callable[..., int | None]:
    def count(*found: Any) -> int | None:
        logged = next((number for item in found[:2] if (number := whole_number(item)) is not None), None)
        if logged is not None:
            return logged
        return next((number for body in found[2:] if body is not None and (number := getattr(reply(body), member)) is not None), None)

    return count


def cached_tokens(body: Any) -> int | None:
    """Tokens read from a cache."""
    return reply(body).cached_tokens


def guardrail(body: Any) -> dict[str, Any] | None:
    """The verdict of Azure's content filters in a response body: results per filter, the refusal as an error, and filtered stop reasons."""
    found = decode(body)
    findings, seen = azure_findings(found)
    unique = [item for index, item in enumerate(findings) if item not in findings[:index]]
    refused = _error(found).get("code") in ("content_filter", "content_filtered", "ResponsibleAIPolicyViolation")
    stopped = bool(filtered_stop(reply(found).finish))
    return verdict(unique, blocked=refused or stopped, checked=seen)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **bodies.FUNCTIONS,
    "api_version": api_version,
    "cached_tokens": cached_tokens,
    "completion_tokens": _count("completion_tokens"),
    "deployment": deployment,
    "error_code": error_code,
    "guardrail": guardrail,
    "name": name,
    "outcome": outcome,
    "product": product,
    "prompt_tokens": _count("prompt_tokens"),
    "provider": provider,
    "reason": reason,
    "service": service,
    "subscription": subscription,
    "total_tokens": _count("total_tokens"),
    "uid": uid,
    "user_agent": user_agent,
    "version": version,
}
