"""What an entity proves when two alerts share it: its strength by type, and how far apart the alerts may be."""

from __future__ import annotations

from datetime import timedelta

from engine.model import Strength

WINDOWS: dict[Strength, timedelta] = {
    Strength.STRONG: timedelta(days=7),
    Strength.MEDIUM: timedelta(hours=24),
    Strength.WEAK: timedelta(hours=6),
}
"""The longest gap between the spans of two alerts that a join of this strength bridges."""

TIGHT = timedelta(hours=1)
"""What follows so soon through one address is one hand even where many share it: the longer it takes, the more it may be anybody."""

EVENT = "event"
"""Type of the key two alerts share when one event is evidence of both."""

STRENGTHS: dict[str, Strength] = {
    EVENT: Strength.STRONG,
    **dict.fromkeys(("aws.key", "aws.session", "aws.arn", "aws.source"), Strength.STRONG),
    **dict.fromkeys(("entra.token", "entra.session", "entra.key"), Strength.STRONG),
    **dict.fromkeys(("gcp.key", "gcp.account", "gcp.principal"), Strength.STRONG),
    **dict.fromkeys(("oidc.subject", "saml.subject", "k8s.account", "ai.key", "request"), Strength.STRONG),
    **dict.fromkeys(("aws.user", "aws.sso_user", "entra.object", "azure.resource", "email", "resource"), Strength.MEDIUM),
    **dict.fromkeys(("ip", "asn_agent", "prompt"), Strength.WEAK),
}
"""Entity type → what sharing it proves, the best keys first. Types that are not here never join: roles, accounts, models, applications."""

PRINCIPALS = frozenset(
    ("aws.user", "aws.sso_user", "aws.source", "entra.object", "azure.resource", "email", "gcp.account", "oidc.subject", "k8s.account")
)
"""Types that may stand for a person or a workload."""

RANKS: dict[str, int] = {kind: rank for rank, kind in enumerate(STRENGTHS)}
"""Order of key types where one has to be chosen."""

LARGEST = 2_000
"""Most alerts of an incident."""
LONGEST = timedelta(days=14)
"""Longest span of an incident."""
