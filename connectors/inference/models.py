"""Names of models and of who made them, the same for all sources."""

from __future__ import annotations

import re
from typing import Any

_GEOGRAPHY = re.compile(r"^(?:us-gov|us|eu|apac|ap|ca|sa|af|me|jp|au|global)\.(?=[a-z0-9-]+\.)")
_VENDOR = re.compile(
    r"^(ai21|amazon|anthropic|cohere|deepseek|google|luma|meta|minimax|mistral|moonshotai|moonshot|nvidia|openai|qwen|stability|twelvelabs|writer|xai)\."
)
_FAMILIES = (
    ("anthropic", re.compile(r"claude")),
    ("openai", re.compile(r"gpt-?\d|gpt-oss|chatgpt|davinci|\bo[1345](?:-|$)|text-embedding-(?:3|ada)|dall-e|whisper|computer-use")),
    ("google", re.compile(r"gemini|gemma|\bpalm|bison|imagen|\bveo-|textembedding-gecko")),
    ("meta", re.compile(r"llama")),
    ("mistral", re.compile(r"mistral|mixtral|codestral|pixtral")),
    ("cohere", re.compile(r"\bcommand\b|\bcommand-|rerank")),
    ("amazon", re.compile(r"\bnova-|titan")),
    ("ai21", re.compile(r"jamba|jurassic|\bj2-")),
    ("deepseek", re.compile(r"deepseek")),
    ("qwen", re.compile(r"\bqwen")),
    ("xai", re.compile(r"\bgrok-")),
    ("stability", re.compile(r"stable-|\bsd3")),
)
_ROUTES = {
    "aws.bedrock": "amazon",
    "bedrock": "amazon",
    "azure": "openai",
    "azure.ai.openai": "openai",
    "az.ai.openai": "openai",
    "azure_openai": "openai",
    "vertex_ai": "google",
    "vertexai": "google",
    "gcp.vertex_ai": "google",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gemini": "google",
    "mistral_ai": "mistral",
    "x_ai": "xai",
}


def model_name(uid: Any) -> str | None:
    """The plain name of a model: without ARN or resource path, without the gateway's route (``bedrock/``) and without the geography of a profile."""
    if not isinstance(uid, str) or not uid.strip():
        return None
    name = re.split(r"[/]", uid.strip().rstrip("/"))[-1]
    return _GEOGRAPHY.sub("", name) or None


def model_version(uid: Any) -> str | None:
    """The version at the end of a model id: ``v1:0``, ``v14``, ``001``, ``20240620``, ``2024-07-18``."""
    name = model_name(uid)
    match = re.search(r"(?:[-@])(v\d+(?::\d+)*|\d{4}-\d{2}-\d{2}|\d{8}|\d{3})$", name) if name else None
    return match[1] if match else None


def maker(uid: Any, route: Any = None) -> str | None:
    """Who made a model, lower case (``anthropic``, ``openai``, …): by its id, else by the provider it was called through; None where neither says."""
    name = model_name(uid)
    if name:
        vendor = _VENDOR.match(name.lower())
        if vendor:
            return vendor[1]
        published = re.search(r"publishers/([a-z0-9-]+)/models/", uid.lower()) if isinstance(uid, str) else None
        if published:
            return published[1]
        for family, pattern in _FAMILIES:
            if pattern.search(name.lower()):
                return family
    if isinstance(route, str) and route.strip():
        word = route.strip().lower()
        return _ROUTES.get(word, word if re.fullmatch(r"[a-z0-9_. -]{2,40}", word) else None)
    return None
