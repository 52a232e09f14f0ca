"""What a table cannot say about Entra ID records; the functions that sign-in, audit and risk logs share stand here."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from connectors.exact import open_embedded
from connectors.values import is_empty, text

_CATEGORIES = {
    name.lower(): name
    for name in (
        "SignInLogs",
        "NonInteractiveUserSignInLogs",
        "ServicePrincipalSignInLogs",
        "ManagedIdentitySignInLogs",
        "ADFSSignInLogs",
        "MicrosoftServicePrincipalSignInLogs",
    )
}
_EVENT_TYPES = {
    "interactiveuser": "SignInLogs",
    "noninteractiveuser": "NonInteractiveUserSignInLogs",
    "serviceprincipal": "ServicePrincipalSignInLogs",
    "managedidentity": "ManagedIdentitySignInLogs",
}
_TENANT = re.compile(r"/tenants/([0-9a-f-]{36})(?:/|$)", re.IGNORECASE)
_NO_GUID = "00000000-0000-0000-0000-000000000000"


def guid(value: Any) -> str | None:
    """An object id with dashes and in lower case; the id of nobody (all zeros) is none; other ids stay as they are."""
    if not isinstance(value, str) or is_empty(value):
        return None
    plain = value.strip()
    if re.fullmatch(r"[0-9a-fA-F]{32}", plain):
        plain = "-".join((plain[:8], plain[8:12], plain[12:16], plain[16:20], plain[20:]))
    if re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", plain):
        plain = plain.lower()
    return None if plain == _NO_GUID else plain


def tenant(column: Any, resource: Any, given: Any, generated: Any, *others: Any) -> str | None:
    """The directory a record belongs to. ``TenantId`` of a Log Analytics row (one with ``TimeGenerated``) is the workspace, so it does not count."""
    if is_empty(column) and is_empty(generated):
        column = given
    match = _TENANT.search(resource) if isinstance(resource, str) else None
    choices = (column, match[1] if match else None, *others)
    return next((item.lower() for item in choices if isinstance(item, str) and not is_empty(item)), None)


def category(given: Any, table: Any, inner_types: Any, types: Any, inner_interactive: Any, interactive: Any) -> str:
    """The sign-in category: named by the record or its table, else by Graph's event types, else by whether a person took part."""
    for name in (given, table):
        known = _CATEGORIES.get(re.sub("^aad", "", name.lower())) if isinstance(name, str) else None
        if known is not None:
            return known
    for names in (inner_types, types):
        opened = open_embedded(names) if isinstance(names, str) else names
        for name in opened if isinstance(opened, list) else [opened]:
            known = _EVENT_TYPES.get(str(name).lower())
            if known is not None:
                return known
    said = {str(value).lower() for value in (inner_interactive, interactive) if value is not None}
    return "NonInteractiveUserSignInLogs" if said == {"false"} else "SignInLogs"


def uid(given: Any, table: Any, inner_types: Any, types: Any, inner_interactive: Any, interactive: Any, inner_id: Any, own_id: Any) -> str | None:
    """``category|id``, the same for a record of the diagnostic setting, of Graph and of Log Analytics."""
    known = next((item for item in (inner_id, own_id) if isinstance(item, str) and not is_empty(item)), None)
    return known and f"{category(given, table, inner_types, types, inner_interactive, interactive)}|{known}"


def result(inner: Any, outer: Any, given: Any) -> str | None:
    """The result code as text: ``0`` is success."""
    return next((text(item) for item in (inner, outer, given) if not is_empty(item) and not isinstance(item, (dict, list))), None)


def status(inner: Any, outer: Any, given: Any) -> int | None:
    """1 for code 0, 2 for any other, interrupts such as a demand for a second factor included."""
    code = result(inner, outer, given)
    return None if code is None else 1 if code.strip().lower() in ("0", "success") else 2


def error(inner: Any, outer: Any, given: Any) -> str | None:
    """The result code of a failure."""
    return result(inner, outer, given) if status(inner, outer, given) == 2 else None


def word(value: Any) -> str | None:
    """Text, not an object."""
    return value if isinstance(value, str) and not value.lstrip().startswith("{") else None


def resource(inner: Any, column: Any, own: Any) -> list[str] | None:
    """The id of the application signed in to; the envelope's own id (``/tenants/…``) is not one."""
    found = (item for item in (inner, column, own) if isinstance(item, str) and not is_empty(item) and not item.startswith("/tenants/"))
    return [item for item in (next(found, None),) if item] or None


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "category": category,
    "error": error,
    "guid": guid,
    "resource": resource,
    "result": result,
    "status": status,
    "tenant": tenant,
    "uid": uid,
    "word": word,
}
