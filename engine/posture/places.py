"""Where assets are, and which assets and places an alert is about: what facts and alerts are matched by."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from engine.model import Alert
from engine.posture.facts import asset_of

_ARN = re.compile(r"arn:[^:]*:([^:]*):([^:]*):(\d{12}):.+", re.DOTALL)
_OBJECT = re.compile(r"(arn:[^:]*:s3:::[^/]+)/.*", re.DOTALL)
_SESSION = re.compile(r"arn:([^:]*):sts::(\d{12}):assumed-role/([^/]+)/.*", re.DOTALL)
_ACCOUNT = re.compile(r"(/subscriptions/[^/]+/resourcegroups/[^/]+/providers/microsoft\.[^/]+/[^/]+/[^/]+)(?:/.*)?", re.DOTALL)
_PROJECT = re.compile(r"projects/([^/]+)")
_BUCKET = re.compile(r"(projects/_/buckets/[^/]+)/.*", re.DOTALL)
_HOST = re.compile(r"//[^/]+/")
_AI_SERVICES = ("bedrock", "sagemaker", "aiplatform.", "generativelanguage.", "microsoft.cognitiveservices", "microsoft.machinelearningservices")


def place_of(asset: str) -> str | None:
    """Where AI is that an asset says something of: the account and region, the resource of Azure or its subscription, the project."""
    kind, _, value = asset.partition(":")
    if kind == "aws.region":
        return f"aws {value}"
    if kind == "aws.arn" and (found := _ARN.fullmatch(value)):
        return f"aws {found[3]}/{found[2]}"
    if kind == "azure.resource":
        account = _ACCOUNT.fullmatch(value)
        return f"azure {account[1] if account else value}"
    if kind == "azure.subscription":
        return f"azure {value}"
    if kind == "gcp.resource" and (project := _PROJECT.match(value)):
        return f"gcp {project[1]}"
    return f"gcp {value}" if kind == "gcp.project" else None


def is_about_ai(alert: Alert) -> bool:
    """Whether an alert is about models: its first event is a call of one, or of a service for them."""
    evidence = alert.evidence
    service = str(evidence.get("api.service.name") or "").lower()
    return service.startswith(_AI_SERVICES) or any(evidence.get(name) for name in ("x.ai.operation", "ai_model.name", "ai_model.uid"))


def places(alert: Alert) -> set[str]:
    """The places (`place_of`) of an alert: of its first event, and of the resources it names."""
    evidence = alert.evidence
    account, region = str(evidence.get("cloud.account.uid") or "").lower(), str(evidence.get("cloud.region") or "")
    provider = str(evidence.get("cloud.provider") or "").lower()
    found = {f"aws {account}/{region}"} if provider == "aws" else {f"{provider} {account}"}
    return found | {place for asset in assets(alert) if asset.startswith("azure.") and (place := place_of(asset))}


def assets(alert: Alert) -> set[str]:
    """The assets that an alert names: its resources, and what these are parts of."""
    said = {str(value) for value in _listed(alert.evidence.get("resources.uid"))}
    said |= {entity.value for entity in alert.entities if entity.type == "resource"}
    found = {asset_of(text) for value in said for text in _named(value)}
    if any(":s3:::" in value for value in said) and (account := alert.evidence.get("cloud.account.uid")):
        found.add(f"aws.account:{account}")
    return found


def actors(alert: Alert) -> set[str]:
    """Who acted in an alert's first event, as assets: user, role behind the session, object of the directory."""
    found: set[str] = set()
    for name in ("actor.user.uid", "actor.session.issuer"):
        value = str(alert.evidence.get(name) or "")
        if session := _SESSION.fullmatch(value):
            found.add(f"aws.arn:arn:{session[1]}:iam::{session[2]}:role/{session[3]}")
        elif value.startswith("arn:"):
            found.add(f"aws.arn:{value}")
        elif value:
            found.add(asset_of(f"entra.object:{value}"))
    return {asset_of(each) for each in found}


def _named(value: str) -> Iterator[str]:
    if value.startswith("arn:"):
        whole = _OBJECT.fullmatch(value)
        yield f"aws.arn:{whole[1] if whole else value}"
    elif value.startswith("/"):
        inner = _HOST.sub("", value, count=1) if value.startswith("//") else ""
        if inner:
            yield from _named(inner)
            return
        yield f"azure.resource:{value}"
        if account := _ACCOUNT.fullmatch(value.lower()):
            yield f"azure.resource:{account[1]}"
    else:
        bucket = _BUCKET.fullmatch(value)
        yield f"gcp.resource:{bucket[1] if bucket else value}"


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
