"""What policy documents of AWS allow to whom, as far as their text alone tells."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from connectors.posture.reading import document, items, names, opened, text, within

_ACCOUNT = re.compile(r"(?:arn:[^:]*:(?:iam|sts)::)?(\d{12})(?::.*)?", re.DOTALL)
_AI_SERVICES = ("bedrock", "sagemaker", "bedrock-agentcore")


def _allowing(policy: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for statement in items(policy.get("Statement")):
        if isinstance(statement, dict) and text(statement.get("Effect")).lower() == "allow":
            yield statement


def opening(policy: Any, own: Any) -> dict[str, Any] | None:
    """Whom a resource or trust policy lets in: everybody (``public``; ``conditional`` where conditions narrow that), ``foreign`` accounts,
    ``federated`` providers, and of those of OpenID Connect which ``subjects`` (``*`` where no condition names any). None where the document cannot be
    read.
    """
    found = document(policy)
    if found is None or "Statement" not in found:
        return None
    public = conditional = False
    foreign: set[str] = set()
    federated: set[str] = set()
    subjects: set[str] = set()
    for statement in _allowing(found):
        narrowed = bool(within(statement, "Condition"))
        who = statement.get("Principal")
        aws = list(items(within(who, "AWS"))) if isinstance(who, dict) else [who]
        if "*" in aws or "NotPrincipal" in statement:
            public, conditional = public or not narrowed, conditional or narrowed
        accounts = (_ACCOUNT.fullmatch(text(each)) for each in aws)
        foreign |= {match[1] for match in accounts if match} - {text(own)}
        providers = {text(each) for each in items(within(who, "Federated"))} if isinstance(who, dict) else set()
        federated |= providers
        subjects |= _subjects(within(statement, "Condition")) if any(":oidc-provider/" in each for each in providers) else set()
    value = {"public": public, "conditional": conditional, "foreign": names(foreign), "federated": names(federated)}
    return value | ({"subjects": names(subjects)} if subjects else {})


def _subjects(condition: Any) -> set[str]:
    """The subjects of tokens that a condition lets in."""
    found: set[str] = set()
    for name, keys in opened(condition).items():
        if str(name).lower().rpartition(":")[2] in ("stringequals", "stringlike", "stringequalsignorecase"):
            found |= {text(each) for key, values in opened(keys).items() if str(key).lower().endswith(":sub") for each in items(values)}
    return found - {""} or {"*"}


def ai_reach(policy: Any) -> list[str] | None:
    """The AI services that a policy of permissions gives whole, ``all`` for every service; None where it cannot be read."""
    found = document(policy)
    if found is None or "Statement" not in found:
        return None
    reach: set[str] = set()
    for statement in _allowing(found):
        if "NotAction" in statement:
            reach.add("all")
        for action in items(statement.get("Action")):
            said = text(action).lower()
            if said in ("*", "*:*"):
                reach.add("all")
            service, _, rest = said.partition(":")
            if rest == "*" and service in _AI_SERVICES:
                reach.add(service)
    return sorted(reach)
