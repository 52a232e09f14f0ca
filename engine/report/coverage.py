"""Which tactics, techniques and risks rules speak about: a table, JSON, or a layer for the ATT&CK Navigator."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TextIO

from engine.documents.escaping import safe_json, safe_text
from engine.documents.taxonomy import ATLAS, ATTACK, ATTACK_VERSION, resolve, table

LAYER_VERSION = "4.5"
_OWASP = "OWASP"


@dataclass(frozen=True, slots=True)
class Tagged:
    """A rule or correlation. ``idle``: why it cannot fire on the input that was given, None where it can or none was."""

    uid: str
    title: str
    tags: tuple[str, ...]
    idle: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A tactic, technique or risk and the titles of the rules that speak about it; ``idle`` are those of them that cannot fire."""

    framework: str
    kind: str
    uid: str
    name: str
    tactics: tuple[str, ...]
    rules: tuple[str, ...]
    idle: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Coverage:
    """``totals``: per framework, active techniques or risks in all."""

    rules: int
    untagged: tuple[str, ...]
    entries: tuple[Entry, ...]
    totals: tuple[tuple[str, int], ...]
    idle: tuple[tuple[str, str], ...]
    """Title and reason of what cannot fire on the input."""


def coverage(rules: Sequence[Tagged]) -> Coverage:
    """What ``rules`` are about. A rule counts for the tactics it is tagged with, in a framework without such tags for those of its techniques."""
    found: dict[tuple[str, str], tuple[Entry, list[Tagged]]] = {}
    untagged = []
    for rule in rules:
        about = list(_about(rule))
        if not about:
            untagged.append(rule.title)
        for entry in about:
            found.setdefault((entry.framework, entry.uid), (entry, []))[1].append(rule)
    for uid, row in table("owasp").items():
        found.setdefault((_OWASP, uid), (Entry(_OWASP, "risk", uid, row["name"], (), (), ()), []))
    entries = [_counted(*found[key]) for key in sorted(found)]
    totals = tuple((name, _size(name)) for name in (ATTACK, ATLAS, _OWASP))
    return Coverage(len(rules), tuple(untagged), tuple(entries), totals, tuple((rule.title, rule.idle) for rule in rules if rule.idle))


def _counted(entry: Entry, by: Sequence[Tagged]) -> Entry:
    titles = tuple(sorted(rule.title for rule in by))
    idle = tuple(sorted(rule.title for rule in by if rule.idle))
    return Entry(entry.framework, entry.kind, entry.uid, entry.name, entry.tactics, titles, idle)


def _size(framework: str) -> int:
    if framework == _OWASP:
        return len(table("owasp"))
    rows = table("attack" if framework == ATTACK else "atlas").items()
    prefix = "T" if framework == ATTACK else "AML.T"
    return sum(uid.startswith(prefix) and uid.removeprefix(prefix)[0].isdigit() and row["status"] == "active" for uid, row in rows)


def _about(rule: Tagged) -> Iterator[Entry]:
    threats = resolve(rule.tags)
    tactics = {(tactic.framework, tactic.uid): tactic.name for tactic in threats.tactics}
    named = {framework for framework, _ in tactics}
    for technique in threats.techniques:
        name = f"{technique.parent.name}: {technique.name}" if technique.parent else technique.name
        yield Entry(technique.framework, "technique", technique.uid, name, technique.tactics, (), ())
        if technique.framework not in named:
            rows = table("attack" if technique.framework == ATTACK else "atlas")
            tactics.update({(technique.framework, uid): rows[uid]["name"] for uid in technique.tactics if uid in rows})
    for (framework, uid), name in tactics.items():
        yield Entry(framework, "tactic", uid, name, (), (), ())
    risks = {risk.uid: risk.name for risk in threats.risks}
    editions = table("owasp")
    for uid in tuple(risks):  # a list that was numbered anew still speaks of the same risk
        other = editions[uid]["same_risk_in_other_edition"]
        if other in editions:
            risks[other] = editions[other]["name"]
    for uid, name in risks.items():
        yield Entry(_OWASP, "risk", uid, name, (), (), ())


def write_coverage(found: Coverage, form: str, stream: TextIO) -> None:
    """Write ``found`` as ``table``, ``json`` or ``navigator`` (an ATT&CK Navigator layer)."""
    if form == "table":
        stream.write("".join(f"{safe_text(line)}\n" for line in _lines(found)))
        return
    document = layer(found) if form == "navigator" else asdict(found)
    stream.write(safe_json(json.dumps(document, ensure_ascii=False)) + "\n")


def _lines(found: Coverage) -> Iterator[str]:
    for framework, total in found.totals:
        mine = [entry for entry in found.entries if entry.framework == framework]
        counted = [entry for entry in mine if entry.kind != "tactic" and entry.rules]
        version = f" {ATTACK_VERSION}" if framework == ATTACK else ""
        yield f"{framework}{version}: {len(counted):,} of {total:,} {'risks' if framework == _OWASP else 'techniques and sub-techniques'}"
        for entry in (entry for entry in mine if entry.kind == "tactic"):
            yield f"  {_count(entry)}  {entry.uid}  {entry.name}"
            yield from (f"      {_count(each)}  {each.uid:<10}  {each.name}" for each in mine if entry.uid in each.tactics)
        yield from (f"  {_count(entry)}  {entry.uid}  {entry.name}" for entry in mine if entry.kind == "risk")
        yield ""
    yield f"{found.rules:,} rules and correlations; {len(found.untagged):,} without a tag of these frameworks"
    if found.idle:
        yield f"{len(found.idle):,} cannot fire on this input (counted as able/all above):"
        yield from (f"  {title}: {reason}" for title, reason in found.idle)


def _count(entry: Entry) -> str:
    number = f"{len(entry.rules) - len(entry.idle)}/{len(entry.rules)}" if entry.idle else f"{len(entry.rules)}"
    return f"{number:>5}"


def layer(found: Coverage) -> dict[str, Any]:
    """A layer for MITRE's ATT&CK Navigator: the score of a technique is the number of rules that speak about it and can fire."""
    techniques = [entry for entry in found.entries if entry.framework == ATTACK and entry.kind == "technique"]
    scores = {entry.uid: len(entry.rules) - len(entry.idle) for entry in techniques}
    with_parts = {uid.partition(".")[0] for uid in scores if "." in uid}
    shown = [
        {
            "techniqueID": entry.uid,
            "score": scores[entry.uid],
            "comment": safe_text("; ".join(entry.rules)),
            "enabled": True,
            "metadata": [],
            "links": [],
            "showSubtechniques": entry.uid in with_parts,
        }
        for entry in techniques
    ]
    shown += [{"techniqueID": uid, "enabled": True, "showSubtechniques": True} for uid in sorted(with_parts - scores.keys())]
    return {
        "name": "crosswind rules",
        "versions": {"attack": ATTACK_VERSION.partition(".")[0], "navigator": "5.1.0", "layer": LAYER_VERSION},
        "domain": "enterprise-attack",
        "description": f"{found.rules} rules and correlations; the score is the number of them",
        "sorting": 3,
        "layout": {"layout": "side", "showID": True, "showName": True},
        "hideDisabled": False,
        "techniques": shown,
        "gradient": {"colors": ["#ffffff", "#66b1ff"], "minValue": 0, "maxValue": max([1, *scores.values()])},
        "legendItems": [],
        "metadata": [],
        "links": [],
        "showTacticRowBackground": False,
        "selectTechniquesAcrossTactics": True,
        "selectSubtechniquesWithParent": False,
    }
