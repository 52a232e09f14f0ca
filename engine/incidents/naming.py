"""What an alert calls things, as typed entities."""

from __future__ import annotations

import re
from functools import lru_cache

from engine.identity.entities import guid, sign_in_of_token

_KEY = re.compile(r"(?:AKIA|ASIA)[A-Z0-9]{12,}")
KEY_IN_TEXT = re.compile(r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])")
_SESSION = re.compile(r"arn:[a-z-]+:sts::\d+:assumed-role/[^/]+/.+")
_ROLE = re.compile(r"arn:[a-z-]+:iam::\d+:role/.+")
_USER = re.compile(r"arn:[a-z-]+:(?:iam::\d+:user|sts::\d+:federated-user)/.+")
_ROOT = re.compile(r"arn:[a-z-]+:iam::(\d+):root")
_SERVICE_ACCOUNT = re.compile(r"[^@\s]+@[^@\s]*gserviceaccount\.com")
_EMAIL = re.compile(r"[^@\s|:/]+@[^@\s|:/]+")
_MEMBER = re.compile(r"(?:serviceAccount|user|group):(.+)")
_MODEL = re.compile(
    r"(?:(?:us|eu|apac|global|us-gov)\.)?(?:anthropic|amazon|meta|mistral|cohere|ai21|stability|deepseek|openai|qwen|writer|luma|twelvelabs)\.[\w.:-]+"
    r"|.*(?:foundation-model|inference-profile|/publishers/).*"
)
_CONTAINER = re.compile(r"\d{12}|\*|projects/[^/]+|organizations/[^/]+|folders/[^/]+|/?subscriptions/[^/]+/?|/", re.IGNORECASE)


@lru_cache(maxsize=1 << 16)
def actor(value: str) -> str | None:
    """The entity behind what an alert calls a user or principal; None for a bare name, which says nothing outside its account."""
    if member := _MEMBER.fullmatch(value):
        value = member[1]
    if _SESSION.fullmatch(value):
        return f"aws.arn:{value}"
    if _ROLE.fullmatch(value):
        return f"aws.role:{value}"
    if _USER.fullmatch(value) or re.fullmatch(r"AIDA[A-Z0-9]{12,}", value):
        return f"aws.user:{value}"
    if root := _ROOT.fullmatch(value):
        return f"aws.root:{root[1]}"
    if value.endswith((".amazonaws.com", ".aws.internal")):
        return f"aws.service:{value}"
    if value.startswith("principal://"):
        return f"gcp.principal:{value}"
    if _SERVICE_ACCOUNT.fullmatch(value):
        return f"gcp.account:{value}"
    if _EMAIL.fullmatch(value):
        return f"email:{value}"
    plain = guid(value)
    return f"entra.object:{plain}" if plain else None


@lru_cache(maxsize=1 << 16)
def credential(value: str) -> str | None:
    """The entity behind what an alert calls a credential: a key, a token, a session, or the principal that stands for one."""
    if _KEY.fullmatch(value):
        return f"aws.key:{value}"
    if "serviceAccounts/" in value and "/keys/" in value:
        return f"gcp.key:{value}"
    if named := actor(value):
        return named
    if len(value) >= 20 and (sign_in := sign_in_of_token(value)):
        return f"entra.token:{sign_in}"
    return f"ai.key:{value}"


@lru_cache(maxsize=1 << 16)
def session(value: str) -> str | None:
    """The entity behind a session id."""
    named = actor(value)
    if named and named.startswith("entra.object:"):
        return f"entra.session:{named.partition(':')[2]}"
    return named or f"entra.session:{value}"


@lru_cache(maxsize=1 << 16)
def resource(value: str, account: str | None) -> str | None:
    """The entity behind a resource: a bare name belongs to its account. None for models, accounts and projects, which many touch."""
    if _CONTAINER.fullmatch(value) or _MODEL.fullmatch(value):
        return None
    folded = value.lower() if value.lower().startswith("/subscriptions/") else value
    if "/" in folded or ":" in folded:
        return f"resource:{folded}"
    return f"resource:{account}|{folded}" if account else None


@lru_cache(maxsize=1 << 16)
def target(value: str, account: str | None, provider: str | None) -> str | None:
    """The entity behind an identity that was acted upon: a bare user name of AWS becomes the ARN of that user."""
    named = actor(value)
    if named is None and account and provider == "AWS" and re.fullmatch(r"[\w+=,.@-]{1,128}", value):
        return f"aws.user:arn:aws:iam::{account}:user/{value}"
    return named
