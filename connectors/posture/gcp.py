"""What audit entries of Google Cloud tell of facts.

Long-running operations write a first and a last entry; the last one has no request, so it tells nothing of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from connectors.posture.reading import ANYWHERE, items, names, opened, ports_in, short, text, truth, within

_EVERYBODY = ("allusers", "allauthenticatedusers")
_AI_SERVICES = frozenset(
    f"{name}.googleapis.com"
    for name in (
        *("aiplatform", "generativelanguage", "modelarmor", "notebooks", "discoveryengine", "dialogflow", "cloudaicompanion", "ml"),
        *("documentai", "speech", "vision", "translate", "language"),
    )
)
_PROJECT = re.compile(r"projects/([^/]+)")


def gcp_resource(name: Any, *rest: Any) -> str | None:
    """The name of the resource."""
    return text(name).removeprefix("//") or None


def gcp_told(name: Any, request: Any, operation: Any = None) -> str | None:
    """The name of the resource, of entries that are not the last ones of an operation without its request."""
    ends = truth(within(operation, "last")) is True and truth(within(operation, "first")) is not True
    return None if ends and not _asked(request) else gcp_resource(name)


def _asked(request: Any) -> dict[str, Any]:
    """A request that holds more than its type."""
    found = opened(request)
    return found if set(found) - {"@type"} else {}


def gcp_project(label: Any, name: Any) -> str | None:
    """The project an entry is about."""
    found = _PROJECT.search(text(name))
    return text(label) or (found[1] if found else None)


# --- IAM ------------------------------------------------------------------------------------------------------------------------------------


def _bindings(request: Any, response: Any) -> list[dict[str, Any]] | None:
    """The bindings of the whole policy that was set; None where the entry does not hold it."""
    for policy in (within(response), within(request, "policy")):
        listed = within(policy, "bindings")
        if isinstance(listed, list):
            return [each for each in listed if isinstance(each, dict)]
    return None


def _deltas(data: Any, name: str) -> list[dict[str, Any]]:
    return [each for each in items(within(data, "policyDelta", name)) if isinstance(each, dict)]


def _public(member: Any) -> bool:
    return text(member).lower().rpartition(":")[2] in _EVERYBODY


def opened_policy(name: Any, request: Any, response: Any, data: Any) -> str | None:
    """The resource whose policy was set, where the entry holds the whole policy or a change of who from outside has access."""
    whole = _bindings(request, response) is not None
    return gcp_resource(name) if whole or any(_public(each.get("member")) for each in _deltas(data, "bindingDeltas")) else None


def public_access(request: Any, response: Any, data: Any) -> dict[str, Any] | None:
    """Whether everybody has access, and with which roles. A delta that takes everybody out of one role does not tell of the others."""
    bindings = _bindings(request, response)
    if bindings is not None:
        roles = [each.get("role") for each in bindings if any(map(_public, items(each.get("members"))))]
        return {"public": bool(roles), "roles": names(roles)}
    deltas = _deltas(data, "bindingDeltas")
    added = [each.get("role") for each in deltas if _public(each.get("member")) and text(each.get("action")).upper() == "ADD"]
    return {"public": True, "roles": names(added)} if added else None


def audited(name: Any, request: Any, data: Any) -> str | None:
    """The resource whose audit configuration was set, where the entry says anything of it."""
    configured = within(request, "policy", "auditConfigs") is not None
    return gcp_resource(name) if configured or _deltas(data, "auditConfigDeltas") else None


def audit_config(request: Any, data: Any) -> dict[str, Any] | None:
    """The Data Access logs that are on, per service; of an entry with the change alone, what was switched off."""
    configs = within(request, "policy", "auditConfigs")
    if isinstance(configs, list):
        on = {
            short(within(each, "service")): names(within(kind, "logType") for kind in items(within(each, "auditLogConfigs"))) for each in configs[:50]
        }
        return {"on": {service: kinds for service, kinds in on.items() if service and kinds}}
    deltas = [each for each in _deltas(data, "auditConfigDeltas") if not text(each.get("exemptedMember"))]
    off = [f"{short(each.get('service'))} {short(each.get('logType'))}" for each in deltas if text(each.get("action")).upper() == "REMOVE"]
    return {"off": names(off)} if off else None


def pool_provider(name: Any, request: Any, operation: Any = None) -> str | None:
    """The provider of a pool of outside identities."""
    told = gcp_told(name, request, operation)
    made = text(within(request, "workloadIdentityPoolProviderId")) or text(within(request, "workforcePoolProviderId"))
    return f"{told}/providers/{made}" if told and made and "/providers/" not in told else told


def provider_trust(request: Any) -> dict[str, Any] | None:
    """Whose tokens a provider takes, and whether a condition narrows that."""
    provider = within(request, "workloadIdentityPoolProvider") or within(request, "workforcePoolProvider")
    account = text(within(provider, "aws", "accountId"))
    issuer = short(within(provider, "oidc", "issuerUri")) or (f"aws:{account}" if account else "saml" if within(provider, "saml") else "")
    return {"federated": [issuer], "condition": bool(text(within(provider, "attributeCondition")))} if issuer else None


# --- AI -------------------------------------------------------------------------------------------------------------------------------------


def api_key(name: Any, request: Any, response: Any, operation: Any = None) -> str | None:
    """The API key; of one that is being made, the place where it is made with the name it is given."""
    answer = text(within(response, "name")) or text(within(response, "response", "name"))
    told = gcp_told(name, request, operation)
    if "/keys/" in answer or told is None or "/keys/" in told:
        return answer if "/keys/" in answer and told else told
    given = text(within(request, "keyId")) or text(within(request, "key", "displayName"))
    return f"{told}/keys/{given}" if given else told


def api_key_state(request: Any, response: Any) -> dict[str, Any] | None:
    """Whether a key works for chosen services only."""
    key = within(request, "key")
    if not isinstance(key, dict):
        return None
    targets = [within(each, "service") for each in items(within(key, "restrictions", "apiTargets"))]
    clients = [kind for kind in ("browser", "server", "android", "ios") if within(key, "restrictions", f"{kind}KeyRestrictions")]
    return {"restricted": any(targets), "services": names(targets), "clients": names(clients), "present": True}


def enabled_apis(name: Any, request: Any) -> list[str] | None:
    """The services for AI among those that are switched on or off."""
    said = [text(name).rpartition("/services/")[2], within(request, "serviceName"), *items(within(request, "serviceIds"))]
    said += [text(within(request, "name")).rpartition("/services/")[2]]
    return names(each for each in map(text, said) if each in _AI_SERVICES) or None


def armor(name: Any, request: Any, response: Any) -> str | None:
    """The floor setting or template; of one that is being made, the place where it is made with the id it is given."""
    answer, told, given = text(within(response, "name")), gcp_resource(name), text(within(request, "templateId"))
    return answer or (f"{told}/templates/{given}" if told and given and "/templates/" not in told else told)


def model_armor(request: Any) -> dict[str, Any] | None:
    """What Model Armor looks for, whether a floor setting is enforced, and whether it blocks."""
    setting = within(request, "floorSetting") or within(request, "template")
    if not isinstance(setting, dict):
        return None
    filters = dict(_armor_filters(within(setting, "filterConfig")))
    enforced = truth(within(setting, "enableFloorSettingEnforcement"))
    platform = within(setting, "aiPlatformFloorSetting")
    blocks = truth(within(platform, "inspectAndBlock")) if isinstance(platform, dict) else None
    found: dict[str, Any] = {"present": True}
    found |= {"filters": filters} if filters else {}
    found |= {"enforced": enforced} if enforced is not None else {}
    found |= {"blocks": blocks} if blocks is not None else {}
    return found if len(found) > 1 else None


def _armor_filters(config: Any) -> Iterator[tuple[str, str]]:
    named = {"prompt injection": "piAndJailbreakFilterSettings", "malicious links": "maliciousUriFilterSettings"}
    for title, name in named.items():
        if isinstance(inner := within(config, name), dict):
            on = text(within(inner, "filterEnforcement")).upper() == "ENABLED"
            yield title, (short(within(inner, "confidenceLevel")).upper() or "LOW_AND_ABOVE") if on else "OFF"
    for each in list(items(within(config, "raiSettings", "raiFilters")))[:20]:
        if kind := short(within(each, "filterType")).lower():
            yield kind, short(within(each, "confidenceLevel")).upper() or "LOW_AND_ABOVE"


# --- network --------------------------------------------------------------------------------------------------------------------------------


def firewall(request: Any) -> dict[str, Any] | None:
    """Whether a firewall rule lets everybody reach ports of model servers."""
    allowed = within(request, "alloweds") or within(request, "allowed")
    if allowed is None and not within(request, "denieds"):
        return None
    ingress = text(within(request, "direction")).upper() in ("", "INGRESS") and truth(within(request, "disabled")) is not True
    anywhere = any(text(each) in ANYWHERE for each in items(within(request, "sourceRanges")))
    ranges: list[Any] = []
    for each in items(allowed):
        if text(within(each, "IPProtocol")).lower() in ("tcp", "all", "6"):
            ranges += list(items(within(each, "ports"))) or ["*"]
    ports = ports_in(ranges) if ingress and anywhere else []
    return {"open": bool(ports), "ports": ports}


FUNCTIONS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        *(gcp_resource, gcp_told, gcp_project, opened_policy, public_access, audited, audit_config, pool_provider, api_key, api_key_state),
        *(enabled_apis, armor, model_armor, firewall),
    )
} | {"pool_trust": provider_trust}
"""By their names in mapping files."""
