"""What incidents need to know of the rules behind alerts."""

from __future__ import annotations

from dataclasses import dataclass

TACTICS: tuple[str, ...] = (
    "reconnaissance",
    "resource-development",
    "initial-access",
    "execution",
    "persistence",
    "privilege-escalation",
    "stealth",
    "defense-impairment",
    "credential-access",
    "discovery",
    "lateral-movement",
    "collection",
    "command-and-control",
    "exfiltration",
    "impact",
)
"""ATT&CK's tactics in the order of an attack."""

RANK: dict[str, int] = {tactic: rank for rank, tactic in enumerate(TACTICS)}


@dataclass(frozen=True, slots=True)
class RuleFacts:
    """``tactics`` are words of `TACTICS`; ``family`` is what related rules share, such as a technique, and the rule's uid where there is nothing;
    ``responsibility`` is who must act (saas, paas, iaas); ``certain`` that one alert is proof by itself, such as a canary that was used.
    """

    tactics: tuple[str, ...] = ()
    family: str = ""
    responsibility: str | None = None
    certain: bool = False
