"""What a table cannot say about Identity Protection records: their category and identity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connectors.exact import open_embedded
from connectors.sources.entra_signin import guid, tenant, word
from connectors.values import is_empty

_CATEGORIES = {name.lower(): name for name in ("UserRiskEvents", "RiskyUsers", "ServicePrincipalRiskEvents", "RiskyServicePrincipals")}


def category(given: Any, table: Any, *updated: Any) -> str:
    """The category: named by the record or its table; what Graph gives is a risky user where it has the time of the last change, else a detection."""
    for name in (given, table):
        known = _CATEGORIES.get(name.lower().removeprefix("aad")) if isinstance(name, str) else None
        if known is not None:
            return known
    return "UserRiskEvents" if all(map(is_empty, updated)) else "RiskyUsers"


def uid(given: Any, table: Any, inner: Any, own: Any, *updated: Any) -> str | None:
    """``category|id``. The id of a risky user is that of the user, so the time of the change is part of the key there."""
    known = next((item for item in (inner, own) if isinstance(item, str) and not is_empty(item)), None)
    if known is None:
        return None
    kind = category(given, table, *updated)
    changed = next((item for item in updated if isinstance(item, str) and not is_empty(item)), "")
    return f"{kind}|{known}|{changed}" if kind.startswith("Risky") else f"{kind}|{known}"


def user_agent(info: Any) -> str | None:
    """The user agent among the key and value pairs of ``additionalInfo``."""
    pairs = open_embedded(info) if isinstance(info, str) else info
    for pair in pairs if isinstance(pairs, list) else []:
        if isinstance(pair, dict) and str(pair.get("Key", pair.get("key"))).lower() == "useragent":
            value = pair.get("Value", pair.get("value"))
            return value if isinstance(value, str) else None
    return None


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "category": category,
    "guid": guid,
    "tenant": tenant,
    "uid": uid,
    "user_agent": user_agent,
    "word": word,
}
