"""What records of the Azure Activity Log and of Entra ID tell of facts. A body of a request or an answer is not in every record."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from connectors.identities import federated_subject
from connectors.posture.reading import ANYWHERE, items, names, opened, ports_in, short, text, truth, within, word

_ROLES = {
    "a97b65f3-24c7-4388-baec-2e87135dc908": "Cognitive Services User",
    "25fbc0a9-bd7c-42a3-aa1a-3b75d497ee68": "Cognitive Services Contributor",
    "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd": "Cognitive Services OpenAI User",
    "a001fd3d-188f-4b5d-821b-7da978bf7442": "Cognitive Services OpenAI Contributor",
    "f6c7c914-8db3-469d-8ca1-694a8f32e121": "AzureML Data Scientist",
    "e503ece1-11d0-4e8e-8e2c-7a6c3bf38815": "AzureML Compute Operator",
    "64702f94-c441-49e6-a78b-ef80e0188fee": "Azure AI Developer",
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": "Owner",
    "b24988ac-6180-42a0-ab88-20f7382dd24c": "Contributor",
}
"""Built-in roles that may use or change AI services."""

_CHILD = re.compile(r"(?i)/providers/microsoft\.(?:insights/diagnosticsettings|authorization/roleassignments)/")
_SUBSCRIPTION = re.compile(r"(?i)/?subscriptions/([^/]+)")


def _body(*bodies: Any) -> dict[str, Any]:
    """The first body that is an object: of the request, then of the answer."""
    return next((found for found in map(opened, bodies) if found), {})


def azure_id(*said: Any) -> str | None:
    """The id of the resource."""
    return next((text(each) for each in said if text(each).startswith("/")), None)


def azure_parent(*said: Any) -> str | None:
    """The id of the resource that a setting or role assignment is made on."""
    own = azure_id(*said)
    return (_CHILD.split(own)[0] or "/") if own and _CHILD.search(own) else None


def azure_account(*said: Any) -> str | None:
    """The id of the resource above: the account of a setting, the identity of a credential."""
    own = (azure_id(*said) or "").rstrip("/")
    return own.rpartition("/")[0].rpartition("/")[0] or None


def azure_name(*said: Any) -> str | None:
    """The last part of the id."""
    own = azure_id(*said)
    return own.rstrip("/").rpartition("/")[2].lower() or None if own else None


def azure_subscription(*said: Any) -> str | None:
    """The subscription of the id."""
    found = _SUBSCRIPTION.match(azure_id(*said) or "")
    return found[1] if found else None


# --- AI accounts ----------------------------------------------------------------------------------------------------------------------------


def _exposed(exposed: bool | None) -> dict[str, Any] | None:
    return None if exposed is None else {"exposed": exposed}


def account_network(*bodies: Any) -> dict[str, Any] | None:
    """Whether an account is reached from public networks."""
    return _exposed(word(within(_body(*bodies), "properties", "publicNetworkAccess"), "Enabled", "Disabled"))


def account_keys(*bodies: Any) -> dict[str, Any] | None:
    """Whether keys are taken beside tokens."""
    off = truth(within(_body(*bodies), "properties", "disableLocalAuth"))
    return None if off is None else _exposed(not off)


def account_rules(*bodies: Any) -> dict[str, Any] | None:
    """Whether networks that no rule names are let in."""
    return _exposed(word(within(_body(*bodies), "properties", "networkAcls", "defaultAction"), "Allow", "Deny"))


def content_filter(*bodies: Any) -> dict[str, Any] | None:
    """What a content filter blocks, per harm and side."""
    inner = within(_body(*bodies), "properties")
    listed = [each for each in items(within(inner, "contentFilters")) if isinstance(each, dict)]
    if not listed:
        return None
    filters: dict[str, str] = {}
    for each in listed[:50]:
        name = "/".join(part for part in (short(within(each, "name")).lower().replace(" ", ""), short(within(each, "source")).lower()) if part)
        on = truth(within(each, "enabled")) is not False
        blocks = on and truth(within(each, "blocking")) is True
        severity = short(within(each, "severityThreshold") or within(each, "allowedContentLevel")).lower()
        filters[name] = "off" if not on else f"blocks {severity}".strip() if blocks else "lets pass"
    base, mode = short(within(inner, "basePolicyName")), short(within(inner, "mode"))
    return {"present": True, "filters": filters} | ({"base": base} if base else {}) | ({"mode": mode} if mode else {})


def deployment_state(*bodies: Any) -> dict[str, Any] | None:
    """The content filter and the model of a deployment."""
    inner = within(_body(*bodies), "properties")
    found = {"filter": within(inner, "raiPolicyName"), "model": within(inner, "model", "name"), "version": within(inner, "model", "version")}
    said = {name: short(value) for name, value in found.items() if short(value)}
    return {"present": True, **said} if "filter" in said else None


def defender(*bodies: Any) -> dict[str, Any] | None:
    """Whether a plan of Microsoft Defender is on."""
    inner = within(_body(*bodies), "properties")
    on = word(within(inner, "pricingTier"), "Standard", "Free")
    on = word(within(inner, "state"), "Enabled", "Disabled") if on is None else on
    return None if on is None else {"on": on}


def ai_plan(*said: Any) -> str | None:
    """The subscription whose plan for AI it is; other plans say nothing of AI."""
    return azure_subscription(*said) if azure_name(*said) == "ai" else None


def diagnostics(*bodies: Any) -> dict[str, Any] | None:
    """The categories of logs that a diagnostic setting passes on."""
    inner = within(_body(*bodies), "properties")
    logs = within(inner, "logs")
    if not isinstance(logs, list):
        return None
    on: list[Any] = []
    off: list[Any] = []
    for each in logs:
        (on if truth(within(each, "enabled")) is True else off).append(within(each, "category") or within(each, "categoryGroup"))
    return {"on": names(on), "off": names(off)}


# --- rights and trust -----------------------------------------------------------------------------------------------------------------------


def _role(*bodies: Any) -> tuple[str, str, str]:
    """Id of the role, its name where it is one of `_ROLES`, and whom it is given to."""
    inner = within(_body(*bodies), "properties")
    role = text(within(inner, "roleDefinitionId")).rpartition("/")[2].lower()
    return role, _ROLES.get(role, ""), text(within(inner, "principalId")).lower()


def ai_scope(*given: Any) -> str | None:
    """The scope of a role assignment, unless the role is known and none that may use AI. Bodies first, then ids (two of each)."""
    role, known, _ = _role(*given[:_BODIES])
    return None if role and not known else azure_parent(*given[_BODIES:])


_BODIES = 4
"""So many paths of bodies come before those of ids."""


def ai_role(*bodies: Any) -> dict[str, Any] | None:
    """The role over AI that was given, and to whom."""
    _, known, principal = _role(*bodies)
    return {"granted": True, "role": known, "principal": f"entra.object:{principal}"} if known and principal else None


def azure_federation(*bodies: Any) -> dict[str, Any] | None:
    """The outside identity that may become a managed identity."""
    inner = within(_body(*bodies), "properties")
    issuer, subject = short(within(inner, "issuer")), short(within(inner, "subject"))
    return {"federated": [f"{issuer}|{subject}"]} if issuer and subject else None


def entra_federation(targets: Any) -> dict[str, Any] | None:
    """The outside identity that may become an application."""
    found = federated_subject(targets)
    return {"federated": [found[:400]]} if found else None


def entra_federated(targets: Any) -> str | None:
    """The application that a federated credential was added to."""
    if federated_subject(targets) is None:
        return None
    return next((text(within(each, "id")) for each in items(targets) if text(within(each, "id"))), None)


# --- network --------------------------------------------------------------------------------------------------------------------------------


def nsg_rule(*bodies: Any) -> dict[str, Any] | None:
    """Whether a rule lets everybody reach ports of model servers."""
    inner = within(_body(*bodies), "properties")
    if not within(inner, "access"):
        return None
    allows = word(within(inner, "access"), "Allow", "Deny") is True and word(within(inner, "direction") or "Inbound", "Inbound", "Outbound") is True
    sources = [text(each).lower() for name in ("sourceAddressPrefix", "sourceAddressPrefixes") for each in items(within(inner, name))]
    ranges = [each for name in ("destinationPortRange", "destinationPortRanges") for each in items(within(inner, name))]
    ports = ports_in(ranges) if allows and any(each in ANYWHERE for each in sources) else []
    return {"open": bool(ports), "ports": ports}


FUNCTIONS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        *(azure_id, azure_parent, azure_account, azure_name, azure_subscription, account_network, account_keys, account_rules, content_filter),
        *(deployment_state, defender, ai_plan, diagnostics, ai_scope, ai_role, azure_federation, entra_federation, entra_federated, nsg_rule),
    )
}
"""By their names in mapping files."""
