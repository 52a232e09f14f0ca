"""The kinds of facts: what each means, how much a value of it protects, and what that makes of alerts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Value = dict[str, Any]
Measures = dict[str, int]

ASSET, POSTURE = "asset", "posture"
"""What an effect is about: how much the asset is worth (1 to 1.5), or how it is protected (0.75 controlled, 1.5 open or unlogged)."""

NAMED, AI_HERE, ACTOR = "named", "ai", "actor"
"""Which alerts an effect reaches: those that name the asset; those about AI in the asset's region, account, subscription or project, or at the
resource itself; those whose actor the asset or the value's ``principal`` is.
"""


@dataclass(frozen=True, slots=True)
class Effect:
    """What a value makes of an alert's risk: ``about`` is `ASSET` or `POSTURE`, ``factor`` multiplies, ``why`` is said beside it."""

    about: str
    factor: float
    why: str


@dataclass(frozen=True, slots=True)
class Kind:
    """``title`` for people, ``what`` the asset it is about. ``measures``: how much each protection of a value protects, greater is safer, a missing
    one 0; None where values have no order. ``effect``: what a known value makes of the alerts it ``reaches``.
    ``one_is_enough``: where one of several of a place protects, what the others lack counts nothing.
    """

    title: str
    what: str
    measures: Callable[[Value], Measures | None]
    reaches: str = NAMED
    effect: Callable[[Value], Effect | None] = lambda value: None
    one_is_enough: bool = False


def _no_order(value: Value) -> None:
    return None


def _logging(value: Value) -> Measures:
    on = value.get("on") is True
    return {"on": int(on)} | {name: int(on and value.get(name) is not False) for name in ("text", "image", "embedding", "video", "audio")}


def _logging_effect(value: Value) -> Effect | None:
    if value.get("on") is False:
        return Effect(POSTURE, 1.5, "model invocation logging was off: what was asked and answered is recorded nowhere")
    return Effect(POSTURE, 1.25, "model invocation logging kept no texts") if value.get("text") is False else None


_LEVELS = {"NONE": 0, "LOW": 1, "MEDIUM": 2, "HIGH": 3}


def _guardrail(value: Value) -> Measures:
    if "enforced" in value:
        return {"enforced": int(value["enforced"] is True)}
    found = {"present": int(value.get("present") is True)}
    filters = value.get("filters")
    for name, sides in (filters if isinstance(filters, dict) else {}).items():
        for side, word in zip(("input", "output"), str(sides).split("/"), strict=False):
            found[f"{name} {side}"] = _LEVELS.get(word, 0)
    return found | {name: _count(value.get(name)) for name in ("topics", "words", "personal", "grounding")}


def _guardrail_effect(value: Value) -> Effect | None:
    if value.get("enforced") is False:
        return Effect(POSTURE, 1.25, "the account enforced a guardrail no longer")
    if value.get("present") is False:
        return Effect(POSTURE, 1.5, "the guardrail was deleted")
    filters = value.get("filters")
    if isinstance(filters, dict) and filters and all(str(sides).replace("/", "").replace("NONE", "") == "" for sides in filters.values()):
        return Effect(POSTURE, 1.5, "all content filters of the guardrail were off")
    return None


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _true(*names: str) -> Callable[[Value], Measures]:
    """Protections that are true or false."""
    return lambda value: {name: int(value.get(name) is True) for name in names}


def _false(*names: str) -> Callable[[Value], Measures]:
    """Exposures that are true or false: true is the weaker one."""
    return lambda value: {name: int(value.get(name) is not True) for name in names}


def _opened_to(value: Value) -> Measures:
    """Policies: who is let in from outside, and everybody."""
    lists = {name: -len(value[name]) for name in ("foreign", "federated", "members") if isinstance(value.get(name), list)}
    return {"public": -int(value.get("public") is True), "conditional": -int(value.get("conditional") is True)} | lists


def _policy_effect(value: Value) -> Effect | None:
    if value.get("public") is True:
        return Effect(POSTURE, 1.5, "it was open to everybody")
    if value.get("foreign"):
        return Effect(POSTURE, 1.25, "other accounts had access")
    return None


def _when(name: str, said: bool, factor: float, why: str, about: str = POSTURE) -> Callable[[Value], Effect | None]:
    return lambda value: Effect(about, factor, why) if value.get(name) is said else None


def _blocked(value: Value) -> Effect | None:
    names = ("block_acls", "ignore_acls", "block_policy", "restrict")
    if all(value.get(name) is True for name in names):
        return Effect(POSTURE, 0.75, "public access was blocked")
    return Effect(POSTURE, 1.25, "public access was not blocked") if value.get("block_policy") is False and value.get("restrict") is False else None


def _endpoint(value: Value) -> Measures | None:
    return None if "config" in value else _true("capture", "isolated", "vpc")(value)


_THRESHOLDS = {"low": 3, "medium": 2, "high": 1}
"""The severity from which Azure blocks: low blocks most."""


def _filters(value: Value) -> Measures:
    filters = value.get("filters")
    found = {"present": int(value.get("present") is True)}
    for name, said in (filters if isinstance(filters, dict) else {}).items():
        words = str(said).lower().split()
        found[str(name)] = _THRESHOLDS.get(words[1], 1) if words[:1] == ["blocks"] and len(words) > 1 else int(words[:1] == ["blocks"])
    return found


def _filters_effect(value: Value) -> Effect | None:
    filters = value.get("filters")
    if value.get("present") is False:
        return Effect(POSTURE, 1.25, "the content filter was deleted")
    if isinstance(filters, dict) and any(not str(said).startswith("blocks") for said in filters.values()):
        return Effect(POSTURE, 1.5, "the content filter let some of it pass")
    return None


def _categories(value: Value) -> Measures:
    on = value.get("on")
    return {str(name): 1 for name in on} if isinstance(on, list) else {}


def _categories_effect(value: Value) -> Effect | None:
    return Effect(POSTURE, 1.5, "it was logged nowhere: its diagnostic setting was empty or deleted") if value.get("on") == [] else None


def _audit(value: Value) -> Measures:
    services = value.get("on")
    if not isinstance(services, dict):
        return {"kept": -len(value["off"])} if isinstance(value.get("off"), list) else {}
    return {f"{service} {kind}": 1 for service, kinds in services.items() if isinstance(kinds, list) for kind in kinds}


def _audit_effect(value: Value) -> Effect | None:
    on, off = value.get("on"), value.get("off")
    if isinstance(off, list) and any(str(each).startswith(("aiplatform.", "allServices")) for each in off):
        return Effect(POSTURE, 1.5, "Data Access logs of Vertex AI were switched off")
    if isinstance(on, dict) and not ({"aiplatform.googleapis.com", "allServices"} & on.keys()):
        return Effect(POSTURE, 1.25, "Data Access logs of Vertex AI were off")
    return None


def _armor(value: Value) -> Measures:
    filters = value.get("filters")
    found = {name: int(value.get(name) is True) for name in ("present", "enforced", "blocks")}
    return found | {str(name): _LEVELS_OF_ARMOR.get(str(said), 1) for name, said in (filters if isinstance(filters, dict) else {}).items()}


_LEVELS_OF_ARMOR = {"OFF": 0, "HIGH": 1, "MEDIUM_AND_ABOVE": 2, "LOW_AND_ABOVE": 3}


def _trust_effect(value: Value) -> Effect | None:
    if value.get("public") is True:
        return Effect(POSTURE, 1.5, "everybody was trusted to become the actor")
    return Effect(POSTURE, 1.25, "other accounts were trusted to become the actor") if value.get("foreign") else None


def _used(value: Value) -> Effect | None:
    if value.get("in_use") is not True:
        return None
    by = value.get("by")
    return Effect(ASSET, 1.25, f"it holds {value.get('holds', 'data of AI')}{f' ({by})' if by else ''}")


KINDS: dict[str, Kind] = {
    "ai.logging": Kind("AI logging", "account and region", _logging, AI_HERE, _logging_effect),
    "ai.guardrail": Kind("guardrail", "guardrail, or account and region where one is enforced", _guardrail, AI_HERE, _guardrail_effect, True),
    "ai.model_access": Kind("access to a model", "account and region", _false("enabled")),
    "ai.key": Kind("long-lived key for AI", "user", _false("active"), NAMED, _when("active", True, 1.25, "it has long-lived keys for AI")),
    "ai.endpoint": Kind("model endpoint", "endpoint or its configuration", _endpoint, NAMED, _when("isolated", False, 1.25, "it was not isolated")),
    "ai.notebook": Kind("notebook exposure", "notebook instance", _false("exposed"), NAMED, _when("exposed", True, 1.25, "the notebook was exposed")),
    "bucket.policy": Kind("bucket policy", "bucket", _opened_to, NAMED, _policy_effect),
    "bucket.acl": Kind("bucket access list", "bucket", _opened_to, NAMED, _policy_effect),
    "bucket.public_access_block": Kind(
        "block of public access", "bucket or account", _true("block_acls", "ignore_acls", "block_policy", "restrict"), NAMED, _blocked
    ),
    "bucket.use": Kind("use of a bucket for AI", "bucket", _no_order, NAMED, _used),
    "key.policy": Kind("key policy", "key", _opened_to, NAMED, _policy_effect),
    "ai.admin": Kind(
        "rights over AI", "role, user or group", _false("granted"), ACTOR, _when("granted", True, 1.25, "the actor may administer AI", ASSET)
    ),
    "ai.account": Kind("exposure of an AI account", "Azure AI account", _false("exposed"), NAMED, _when("exposed", True, 1.25, "it was exposed")),
    "ai.content_filter": Kind("content filter", "content filter of an Azure AI account", _filters, AI_HERE, _filters_effect),
    "ai.deployment": Kind("content filter of a deployment", "deployment of an Azure AI account", _no_order),
    "log.diagnostics": Kind("resource logs", "Azure resource", _categories, AI_HERE, _categories_effect, True),
    "ai.defender": Kind(
        "Defender for AI", "subscription or AI account", _true("on"), AI_HERE, _when("on", False, 1.25, "Microsoft Defender for AI was off")
    ),
    "ai.role": Kind(
        "role over AI", "Azure scope", _false("granted"), ACTOR, _when("granted", True, 1.25, "the actor has a role over AI here", ASSET)
    ),
    "access.public": Kind("access from outside", "GCP resource", _opened_to, NAMED, _policy_effect),
    "log.data_access": Kind("Data Access logs", "GCP project, folder or organisation", _audit, AI_HERE, _audit_effect),
    "ai.api_key": Kind("API key", "API key", _true("restricted"), NAMED, _when("restricted", False, 1.25, "the API key was unrestricted")),
    "ai.api": Kind("API for AI", "GCP project", _false("enabled")),
    "ai.model_armor": Kind(
        "Model Armor", "floor setting or template", _armor, AI_HERE, _when("enforced", False, 1.25, "Model Armor enforced nothing in the project")
    ),
    "identity.trust": Kind("who may become it", "role, identity provider or application", _opened_to, ACTOR, _trust_effect),
    "network.ai_port": Kind(
        "port of a model server", "security group, rule or firewall", _false("open"), NAMED, _when("open", True, 1.25, "a port of models was open")
    ),
}
"""Every kind of fact, in the order of the control planes they are about."""
