"""What a table cannot say about Entra ID audit records: kind of change, who asked for it, and what modified properties grant."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from connectors.exact import open_embedded
from connectors.sources.entra_signin import guid, tenant
from connectors.values import is_empty, text, texts

ACCOUNT_CHANGE, ENTITY_MANAGEMENT, USER_ACCESS = 3001, 3004, 3005

_ACCOUNT = {
    "add user": 1,
    "invite external user": 1,
    "create user": 1,
    "enable account": 2,
    "change user password": 3,
    "change password (self-service)": 3,
    "reset user password": 4,
    "reset password (by admin)": 4,
    "reset password (self-service)": 4,
    "disable account": 5,
    "delete user": 6,
    "hard delete user": 6,
    "user registered security info": 10,
    "admin registered security info": 10,
    "user deleted security info": 11,
    "admin deleted security info": 11,
    "disable strong authentication": 11,
    "unlock user account (self-service)": 12,
}
_ASSIGNMENTS = (
    *("member to role", "member from role", "app role assignment", "delegated permission grant"),
    *("owner to application", "owner from application", "owner to service principal", "owner from service principal"),
)
_CONSENT = "consent to application"
_ENTITY = {"add": 1, "create": 1, "assign": 3, "unassign": 3, "update": 3, "delete": 4, "remove": 4, "read": 2}
_GRANTS = frozenset(("role.displayname", "approle.value", "delegatedpermissiongrant.scope", "consentaction.permissions"))
_TARGETS = ("user", "serviceprincipal", "device", "application", "group")


def _first(*values: Any) -> str:
    return next((str(value) for value in values if isinstance(value, str) and not is_empty(value)), "")


def _kind(activity: str, category: str) -> int:
    lower = activity.lower()
    if any(words in lower for words in _ASSIGNMENTS) or lower.startswith(_CONSENT):
        return USER_ACCESS
    if lower in _ACCOUNT or (category.lower() == "usermanagement" and "user" in lower):
        return ACCOUNT_CHANGE
    return ENTITY_MANAGEMENT


def event_class(inner: Any, own: Any, operation: Any, inner_category: Any, category: Any, *_: Any) -> int:
    """OCSF class: account change for people, user access for roles and permissions, entity management for the rest."""
    return _kind(_first(inner, own, operation).strip(), _first(inner_category, category))


def activity(inner: Any, own: Any, operation: Any, inner_category: Any, category: Any, *kinds: Any) -> int:
    """OCSF activity of that class, by the activity's name, else by the operation type."""
    name = _first(inner, own, operation).strip().lower()
    kind = _kind(name, _first(inner_category, category))
    if kind == ACCOUNT_CHANGE:
        return _ACCOUNT.get(name, 99)
    if kind == USER_ACCESS:
        return 2 if name.startswith(("remove", "delete", "revoke")) else 99 if name.startswith("update") else 1
    by_type = _ENTITY.get(_first(*kinds).lower())
    return by_type or _ENTITY.get(name.split(" ")[0], 99)


def uid(inner: Any, own: Any) -> str | None:
    """``AuditLogs|id``, the same for a record of the diagnostic setting, of Graph and of Log Analytics."""
    known = _first(inner, own)
    return f"AuditLogs|{known}" if known else None


def error(inner: Any, own: Any, *reasons: Any) -> str | None:
    """The reason of a failure, else the word for it."""
    result = _first(inner, own)
    return _first(*reasons, result) if result.lower() in ("failure", "timeout") else None


def _parties(inner: Any, own: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The user and the app that started it; either may be missing, null, or hold nulls alone."""
    by = next((item for item in map(_opened, (inner, own)) if isinstance(item, dict) and item), {})
    members = {str(key).lower(): value for key, value in by.items()}
    user, app = (_opened(members.get(name)) for name in ("user", "app"))
    return (user if isinstance(user, dict) else {}), (app if isinstance(app, dict) else {})


def _opened(value: Any) -> Any:
    return open_embedded(value) if isinstance(value, str) else value


def _named(party: dict[str, Any], *names: str) -> str:
    return _first(*(party.get(name) for name in names))


def actor_kind(inner: Any, own: Any) -> str | None:
    """``user`` or ``app``: a user wins where both are given."""
    user, app = _parties(inner, own)
    if _named(user, "id", "userPrincipalName"):
        return "user"
    return "app" if _named(app, "servicePrincipalId", "appId", "displayName") else None


def actor_uid(inner: Any, own: Any) -> str | None:
    """Object id of the user, else of the service principal, else the app id."""
    user, app = _parties(inner, own)
    if actor_kind(inner, own) == "user":
        return guid(_named(user, "id"))
    return guid(_named(app, "servicePrincipalId", "appId"))


def actor_name(inner: Any, own: Any) -> str | None:
    """User principal name of the user, else the app's name."""
    user, app = _parties(inner, own)
    if actor_kind(inner, own) == "user":
        return _named(user, "userPrincipalName", "displayName") or None
    return _named(app, "displayName", "servicePrincipalName") or None


def _target(targets: Any) -> dict[str, Any]:
    """The identity acted upon: the first user, else service principal, else device, application or group."""
    items = [item for item in targets if isinstance(item, dict)] if isinstance(targets := _opened(targets), list) else []
    for kind in _TARGETS:
        for item in items:
            if str(item.get("type") or "").lower().replace(" ", "") == kind:
                return item
    return items[0] if items else {}


def target_uid(targets: Any) -> str | None:
    """Object id of the identity acted upon."""
    return guid(_target(targets).get("id"))


def target_name(targets: Any) -> str | None:
    """Its user principal name or display name."""
    return _named(_target(targets), "userPrincipalName", "displayName") or None


def privileges(targets: Any) -> list[str] | None:
    """Roles and permissions among the new values of modified properties, which are JSON written into strings."""
    found: list[Any] = []
    targets = _opened(targets)
    for target in targets if isinstance(targets, list) else []:
        changes = _opened(target.get("modifiedProperties")) if isinstance(target, dict) else None
        for change in changes if isinstance(changes, list) else []:
            if isinstance(change, dict) and str(change.get("displayName") or "").lower() in _GRANTS:
                found.extend(_values(change))
    return texts(found)


def _values(change: dict[str, Any]) -> list[Any]:
    name, value = str(change["displayName"]).lower(), change.get("newValue")
    if not isinstance(value, str):
        return []
    plain = value.strip()
    if len(plain) > 1 and plain[0] == plain[-1] == '"':
        plain = plain[1:-1].replace('\\"', '"')
    if name == "consentaction.permissions":
        return " ".join(re.findall(r"Scope:([^,\]]*)", plain)).split()
    if name == "delegatedpermissiongrant.scope":
        return plain.split()
    opened = open_embedded(plain)
    return [text(item) for item in opened] if isinstance(opened, list) else [plain.strip()]


def user_agent(inner: Any, own: Any, *details: Any) -> str | None:
    """The user agent, from its own member or the ``User-Agent`` pair among the additional details."""
    given = _first(inner, own)
    if given:
        return given
    for pairs in map(_opened, details):
        for pair in pairs if isinstance(pairs, list) else []:
            if isinstance(pair, dict) and str(pair.get("key") or "").lower() == "user-agent":
                return _first(pair.get("value")) or None
    return None


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "activity": activity,
    "actor_kind": actor_kind,
    "actor_name": actor_name,
    "actor_uid": actor_uid,
    "error": error,
    "event_class": event_class,
    "privileges": privileges,
    "target_name": target_name,
    "target_uid": target_uid,
    "tenant": tenant,
    "uid": uid,
    "user_agent": user_agent,
}
