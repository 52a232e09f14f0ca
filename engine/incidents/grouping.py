"""Links → groups of alerts, each bounded in time and number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from engine.incidents.clock import Ordered
from engine.incidents.components import components, divide
from engine.incidents.rules import RANK, RuleFacts
from engine.incidents.windows import LARGEST, LONGEST
from engine.model import Held, Strength

Ints = np.ndarray[Any, np.dtype[np.int64]]
MOST = 0.75
"""So many of an incident's alerts have to hang together without weaker joins for its confidence to be that of the stronger ones."""
TOO_LARGE = "more than {:,} alerts hung together by {} joins, which were not used: an incident names one story"


@dataclass(frozen=True, slots=True)
class Groups:
    """Which alerts are one incident.

    ``members`` are the alert indices of each, sorted; ``before`` is the index of the group each continues, -1 for none; ``held`` how many hang
    together without weaker joins, ``confidence`` the strength of the joins that hold `MOST` of them; ``notes`` by group what was not used;
    ``components`` by group the earliest alert of all that any link leads to.
    """

    members: list[Ints]
    before: list[int]
    confidence: list[Strength]
    held: list[Held]
    notes: list[tuple[str, ...]]
    components: list[int]
    links: pl.DataFrame
    """The links that hold, with ``group``."""


def group(found: pl.DataFrame, ordered: Ordered, rules: Mapping[str, RuleFacts]) -> Groups:
    """The groups that the links ``found`` (`links.SCHEMA`) make of all alerts.

    Weak links hold a component together only where its alerts show two tactics. Of a component of more than `LARGEST` alerts the weak links are
    dropped, then the medium ones; what is still larger, or longer than `LONGEST`, is divided at its largest gaps.
    """
    size = len(ordered.alerts)
    ends = (found["a"].to_numpy().astype(np.int64), found["b"].to_numpy().astype(np.int64))
    grade = found["strength"].replace_strict({each.value: n for n, each in enumerate(Strength)}, return_dtype=pl.Int64).to_numpy()
    allowed = np.full(size, 2)
    reasons: dict[int, tuple[str, ...]] = {}
    whole = label = _held(size, ends, grade, allowed)
    firm = _held(size, ends, grade, np.minimum(allowed, 1))
    one_tactic = ~_several_tactics(label, ordered, rules)[label]
    allowed[one_tactic & _weakly(label, firm)[label]] = 1
    label = _held(size, ends, grade, allowed)
    for level, word in ((1, "weak"), (0, "medium")):
        large = np.bincount(label, minlength=size)[label] > LARGEST
        for index in np.flatnonzero(large):
            reasons[int(index)] = (*reasons.get(int(index), ()), TOO_LARGE.format(LARGEST, word))
        allowed[large] = np.minimum(allowed[large], level)
        label = _held(size, ends, grade, allowed)
    members: list[Ints] = []
    before: list[int] = []
    held: list[Held] = []
    notes: list[tuple[str, ...]] = []
    place = np.empty(size, np.int64)
    certain = [_held(size, ends, grade, np.minimum(allowed, level)) for level in (0, 1)]
    for rows in _runs(label):
        pieces = divide(ordered.first[rows], ordered.last[rows], int(LONGEST.total_seconds() * 1_000_000), LARGEST) if len(rows) > 1 else [(0, 1)]
        for number, (start, stop) in enumerate(pieces):
            piece = rows[start:stop]
            place[piece] = len(members)
            before.append(len(members) - 1 if number else -1)
            members.append(piece)
            held.append(Held(*(_largest(parts[piece]) for parts in certain)))
            notes.append(tuple(dict.fromkeys(note for index in piece if int(index) in reasons for note in reasons[int(index)])))
    holds = (grade <= allowed[ends[0]]) & (grade <= allowed[ends[1]]) & (place[ends[0]] == place[ends[1]])
    together = [int(whole[rows[0]]) for rows in members]
    confidence = [_confidence(each, len(rows)) for each, rows in zip(held, members, strict=True)]
    grouped = found.filter(pl.Series(holds)).with_columns(pl.Series("group", place[ends[0][holds]]))
    return Groups(members, before, confidence, held, notes, together, grouped)


def _confidence(held: Held, size: int) -> Strength:
    """One weak join at the edge of many strong ones says little about them; the more it holds, the more it says."""
    if held.strong >= MOST * size:
        return Strength.STRONG
    return Strength.MEDIUM if held.medium >= MOST * size else Strength.WEAK


def _largest(parts: Ints) -> int:
    """How many are of the most frequent label."""
    return int(np.unique(parts, return_counts=True)[1].max()) if len(parts) > 1 else 1


def _held(size: int, ends: tuple[Ints, Ints], grade: Ints, allowed: Ints) -> Ints:
    """Components over the links whose grade both of their alerts allow."""
    a, b = ends
    used = (grade <= allowed[a]) & (grade <= allowed[b])
    return components(size, a[used], b[used])


def _weakly(label: Ints, firm: Ints) -> Ints:
    """Per label whether its component would fall apart without weak links."""
    apart = np.zeros(len(label), bool)
    apart[label[firm != label]] = True
    return apart


def _several_tactics(label: Ints, ordered: Ordered, rules: Mapping[str, RuleFacts]) -> Ints:
    """Per label whether the alerts of its component show at least two tactics."""
    shown = np.zeros(len(label), np.int64)
    for index, alert in enumerate(ordered.alerts):
        for tactic in rules.get(alert.rule.uid, RuleFacts()).tactics:
            shown[label[index]] |= 1 << RANK[tactic]
    several: Ints = (shown & (shown - 1)) != 0
    return several


def _runs(label: Ints) -> Sequence[Ints]:
    order = np.argsort(label, kind="stable")
    cuts = np.flatnonzero(label[order][1:] != label[order][:-1]) + 1
    return np.split(order, cuts) if len(order) else []
