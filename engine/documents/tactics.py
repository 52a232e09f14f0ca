"""Tags of a rule → the tactics it shows, and the family of rules it belongs to."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from engine.documents.taxonomy import ATLAS, Technique, resolve, table

_ATLAS_ALONE = {"AML.TA0000": "TA0001", "AML.TA0001": "TA0042"}
"""Tactics that ATLAS alone has, and where they stand in an attack: access to a model opens it, adapting one prepares it."""


def tactics(tags: Iterable[str]) -> tuple[str, ...]:
    """ATT&CK's words for the tactics of a rule, sorted: those it names; where it names none, the first tactic of its first technique."""
    return _tactics(tuple(tags))


def family(tags: Iterable[str]) -> str | None:
    """The technique by which rules are of one kind: the first of ATT&CK, else of ATLAS, without its sub-technique."""
    techniques = resolve(tags).techniques
    first = min(techniques, key=lambda technique: (technique.framework == ATLAS, technique.uid), default=None)
    return (first.parent or first).uid if first else None


@lru_cache(maxsize=1 << 12)
def _tactics(tags: tuple[str, ...]) -> tuple[str, ...]:
    threats = resolve(tags)
    named = [word for tactic in threats.tactics if (word := _word(tactic.uid))]
    return tuple(sorted(set(named))) or _of_technique(threats.techniques)


def _of_technique(techniques: tuple[Technique, ...]) -> tuple[str, ...]:
    ordered = sorted(techniques, key=lambda technique: (technique.framework == ATLAS, technique.uid))
    for technique in ordered:
        for uid in technique.tactics or (technique.parent.tactics if technique.parent else ()):
            if word := _word(uid):
                return (word,)
    return ()


def _word(uid: str) -> str | None:
    """ATT&CK's word for a tactic of ATT&CK or ATLAS."""
    row = table("atlas").get(uid)
    known = table("attack").get((row["attack_ref"] or _ATLAS_ALONE.get(uid, "")) if row else uid)
    return known["tactics"] or None if known else None
