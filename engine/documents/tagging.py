"""Whether a Sigma tag means something: unknown ids, and ids that were renamed, revoked or retired since the rule was written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches

from engine.documents.taxonomy import ATTACK_VERSION, table

_SHAPE = re.compile(r"[a-z0-9_-]+\.[a-z0-9._-]+")
_GROUP_OR_SOFTWARE = re.compile(r"[gs]\d{4}|c\d{4}|m\d{4}|ds\d{4}")
_TECHNIQUE = re.compile(r"t\d{4}(\.\d{3})?")
_OLD_TACTICS = {"defense-evasion": "stealth or defense-impairment"}
"""ATT&CK tactics of former versions and what they are called since."""


@dataclass(frozen=True, slots=True)
class TagProblem:
    """``unknown``: nobody knows the tag; otherwise it is understood and could be written in today's words."""

    message: str
    unknown: bool


def examine(tag: str) -> TagProblem | None:
    """What is to be said about ``tag``; None for a good one and for tags of namespaces crosswind has no table of."""
    word = tag.strip().lower()
    if not _SHAPE.fullmatch(word):
        return TagProblem(f"tag {tag!r} is no namespace.name, such as attack.t1078", True)
    namespace, _, rest = word.partition(".")
    if namespace == "attack" and rest.startswith("atlas."):
        found = _atlas(tag, rest.removeprefix("atlas.").removeprefix("aml."))
        return found or TagProblem(f"tag {tag!r} is read as 'atlas.aml.{rest.removeprefix('atlas.').removeprefix('aml.')}'", False)
    if namespace == "attack":
        return _attack(tag, rest)
    if namespace == "atlas":
        return _atlas(tag, rest.removeprefix("aml."))
    return _owasp(tag, word) if namespace == "owasp" else None


def _attack(tag: str, rest: str) -> TagProblem | None:
    known = table("attack")
    slugs = [row["tactics"] for uid, row in known.items() if uid.startswith("TA")]
    slug = rest.replace("_", "-")
    if slug in _OLD_TACTICS:
        return TagProblem(f"tag {tag!r}: ATT&CK 19 divided this tactic; write attack.{_OLD_TACTICS[slug]}", False)
    if slug in slugs:
        return TagProblem(f"tag {tag!r} is written attack.{slug} today", False) if "_" in rest else None
    if _GROUP_OR_SOFTWARE.fullmatch(rest):
        return None
    row = known.get(rest.upper())
    if row is None:
        names = [*slugs, *(uid.lower() for uid in known if _TECHNIQUE.fullmatch(uid.lower()))] if not _TECHNIQUE.fullmatch(rest) else slugs
        return TagProblem(f"tag {tag!r} is unknown to ATT&CK {ATTACK_VERSION}{_near('attack.', slug, names)}", True)
    if row["replaced_by"]:
        return TagProblem(f"tag {tag!r}: ATT&CK revoked {rest.upper()}; it is attack.{row['replaced_by'].lower()} today", False)
    if row["status"] == "deprecated":
        return TagProblem(f"tag {tag!r}: ATT&CK deprecated {rest.upper()} and named no successor", False)
    return None


def _atlas(tag: str, rest: str) -> TagProblem | None:
    row = table("atlas").get(f"AML.{rest.upper()}")
    if row is None:
        return TagProblem(f"tag {tag!r} is unknown to ATLAS", True)
    if row["replaced_by"]:
        return TagProblem(f"tag {tag!r}: ATLAS retired it; it is atlas.{row['replaced_by'].lower()} today", False)
    return None


def _owasp(tag: str, word: str) -> TagProblem | None:
    known = [row["sigma_tag"] for row in table("owasp").values()]
    if word in known:
        return None
    edition = next((full for full in (f"{word}-2025", f"{word}-2026") if full in known), None)
    if edition is not None:
        return TagProblem(f"tag {tag!r} names no edition and is read as {edition!r}", False)
    return TagProblem(f"tag {tag!r} is unknown to the OWASP lists{_near('', word, known)}", True)


def _near(prefix: str, word: str, known: list[str]) -> str:
    found = get_close_matches(word, known, n=2, cutoff=0.7)
    return f"; did you mean {' or '.join(repr(prefix + each) for each in found)}?" if found else ""
