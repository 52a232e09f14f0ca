"""Sigma tags to ATT&CK, ATLAS and OWASP: names, tactics, and what replaced an id that was revoked."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TypeVar

ATTACK = "MITRE ATT&CK"
ATLAS = "MITRE ATLAS"
ATTACK_VERSION = "19.2"
_ATTACK_ID = re.compile(r"T\d{4}(\.\d{3})?")
_ATLAS_ID = re.compile(r"AML\.T\d{4}(\.\d{3})?")
_ATLAS_TACTIC = re.compile(r"AML\.TA\d{4}")
_SPLIT = "defense-evasion"
_SPLIT_INTO = ("stealth", "defense-impairment")
_SITES = {ATTACK: "https://attack.mitre.org", ATLAS: "https://atlas.mitre.org"}


@dataclass(frozen=True, slots=True)
class Tactic:
    framework: str
    uid: str
    name: str

    @property
    def url(self) -> str:
        return f"{_SITES[self.framework]}/tactics/{self.uid}"


@dataclass(frozen=True, slots=True)
class Technique:
    """A technique or (``parent`` set) a sub-technique. ``tactics`` are ids; ``tagged`` is the id the rule wrote, which may be a revoked one."""

    framework: str
    uid: str
    name: str
    tactics: tuple[str, ...]
    tagged: str
    parent: Technique | None = None

    @property
    def url(self) -> str:
        path = self.uid.replace(".", "/") if self.framework == ATTACK else self.uid
        return f"{_SITES[self.framework]}/techniques/{path}"


@dataclass(frozen=True, slots=True)
class Risk:
    """An OWASP Top 10 entry; ``uid`` has the edition where the list renumbers, as in LLM01:2025."""

    uid: str
    name: str


@dataclass(frozen=True, slots=True)
class Threats:
    """What the tags of one rule mean, each part distinct and in order of id."""

    tactics: tuple[Tactic, ...]
    techniques: tuple[Technique, ...]
    risks: tuple[Risk, ...]

    @property
    def frameworks(self) -> tuple[str, ...]:
        named = {tactic.framework for tactic in self.tactics} | {technique.framework for technique in self.techniques}
        return tuple(name for name in (ATTACK, ATLAS) if name in named)


_Item = TypeVar("_Item", Tactic, Technique, Risk)


@cache
def table(name: str) -> dict[str, dict[str, str]]:
    """The rows of the table ``attack``, ``atlas`` or ``owasp`` by id, as they stand in ``data/``; not to be changed."""
    text = files(__package__).joinpath("data", f"{name}.tsv").read_text(encoding="utf-8")
    return {row["id"]: row for row in csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)}


@cache
def _slugs() -> dict[str, str]:
    """Tactic slug → ATT&CK tactic id."""
    return {row["tactics"]: uid for uid, row in table("attack").items() if uid.startswith("TA")}


def resolve(tags: Iterable[str]) -> Threats:
    """What ``tags`` mean. Revoked ids become their successors; ids the tables do not know keep their own text as name; other tags are left out."""
    tactics: dict[str, Tactic] = {}
    techniques: dict[str, Technique] = {}
    risks: dict[str, Risk] = {}
    split = False
    for tag in sorted({tag.strip().lower() for tag in tags}):
        namespace, _, word = tag.partition(".")
        if namespace == "attack" and word.startswith("atlas."):
            namespace, word = "atlas", word.removeprefix("atlas.")
        if namespace == "attack":
            split |= word.replace("_", "-") == _SPLIT
            _read_attack(word, tactics, techniques)
        elif namespace == "atlas":
            _read_atlas(word.removeprefix("aml."), tactics, techniques)
        elif namespace == "owasp" and (risk := _risk(word)) is not None:
            risks[risk.uid] = risk
    if split:
        for tactic in _heirs(techniques.values()):
            tactics[tactic.uid] = tactic
    return Threats(_sorted(tactics), _sorted(techniques), _sorted(risks))


def _sorted(found: dict[str, _Item]) -> tuple[_Item, ...]:
    return tuple(found[uid] for uid in sorted(found))


def _heirs(techniques: Iterable[Technique]) -> list[Tactic]:
    """What the tag defense-evasion means in ATT&CK 19: the heirs among the techniques' tactics, both where the rule names no technique."""
    attack = [technique for technique in techniques if technique.framework == ATTACK]
    uids = [_slugs()[slug] for slug in _SPLIT_INTO]
    told = {uid for technique in attack for uid in technique.tactics}
    return [Tactic(ATTACK, uid, table("attack")[uid]["name"]) for uid in uids if not attack or uid in told]


def _read_attack(word: str, tactics: dict[str, Tactic], techniques: dict[str, Technique]) -> None:
    uid = word.upper()
    slug_uid = _slugs().get(word.replace("_", "-"))
    if slug_uid is not None or uid.startswith("TA"):
        tactic = slug_uid or uid
        if tactic in table("attack"):
            tactics[tactic] = Tactic(ATTACK, tactic, table("attack")[tactic]["name"])
    elif _ATTACK_ID.fullmatch(uid):
        technique = _attack(uid)
        techniques.setdefault(technique.uid, technique)


def _attack(tagged: str) -> Technique:
    known = table("attack")
    row = known.get(tagged)
    uid = row["replaced_by"] if row and row["replaced_by"] else tagged
    row = known.get(uid)
    parent = uid.partition(".")[0]
    slugs = row["tactics"].split(",") if row and row["tactics"] else []
    return Technique(
        ATTACK, uid, row["name"] if row else uid, tuple(_slugs()[slug] for slug in slugs), tagged, _attack(parent) if parent != uid else None
    )


def _read_atlas(word: str, tactics: dict[str, Tactic], techniques: dict[str, Technique]) -> None:
    uid = f"AML.{word.upper()}"
    row = table("atlas").get(uid)
    if _ATLAS_TACTIC.fullmatch(uid):
        if row is not None:
            tactics[uid] = Tactic(ATLAS, uid, row["name"])
    elif _ATLAS_ID.fullmatch(uid):
        technique = _atlas(uid)
        techniques.setdefault(technique.uid, technique)


def _atlas(tagged: str) -> Technique:
    known = table("atlas")
    row = known.get(tagged)
    uid = row["replaced_by"] if row and row["replaced_by"] else tagged
    row = known.get(uid)
    parent = row["subtechnique_of"] if row else ""
    return Technique(
        ATLAS,
        uid,
        row["name"] if row else uid,
        tuple(row["tactics"].split(",")) if row and row["tactics"] else (),
        tagged,
        _atlas(parent) if parent else None,
    )


def _risk(word: str) -> Risk | None:
    """An OWASP tag; one without an edition is read as that of 2025."""
    for tag in (f"owasp.{word}", f"owasp.{word}-2025", f"owasp.{word}-2026"):
        for uid, row in table("owasp").items():
            if row["sigma_tag"] == tag:
                return Risk(uid, row["name"])
    return None
