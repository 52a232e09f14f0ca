"""Who, through what, did what, to what: four columns of boxes and the lines between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap

from engine.documents.common import shown
from engine.model import Alert, Incident
from engine.report.page.layout import RuleGroup, by_rule, cut, shortened, worst

WIDTH = 1000
_BOX, _HIGH, _GAP, _TOP = 212, 36, 12, 34
_MOST = 12
_LABEL = 31
_TARGETS = ("resource", "model")
_NO_BOX = ("event", "request", "account", *_TARGETS)
"""Keys that prove a join and are nothing one acts with."""
HEADS = ("who", "through", "what was seen", "what was touched")
"""The columns, from left to right."""
KINDS = ("principal", "key", "alert", "target")


@dataclass(frozen=True, slots=True)
class Box:
    """One node: ``kind`` is principal, key, alert, target or more (how many have no box of their own); ``above`` its small first line, ``text`` one
    line or two.
    """

    x: int
    y: int
    kind: str
    above: str
    text: tuple[str, ...]
    told: str
    level: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A line between two boxes as an SVG path, with how strong the bond is."""

    path: str
    strength: str
    told: str


@dataclass(frozen=True, slots=True)
class Graph:
    """A drawing of ``WIDTH`` by ``height``; ``heads`` are (x, name) of its columns."""

    height: int
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    heads: tuple[tuple[int, str], ...]
    width: int = WIDTH
    box: int = _BOX
    high: int = _HIGH


Node = tuple[int, str]
"""Column and what stands there."""

Bond = tuple[Node, Node]


def graph(incident: Incident, alerts: Sequence[Alert], *, show_content: bool = False) -> Graph:
    """The entity graph of ``incident``; ``alerts`` are its members by time. Columns that would stay empty are left out.

    Names are without credentials unless ``show_content``.
    """
    groups = by_rule(alerts)
    people = [principal.entity for principal in incident.principals]
    shared = _shared(incident, people)
    bonds: dict[Bond, tuple[str, str]] = {}
    called: dict[str, str] = {}
    for alert in alerts:
        seen = (2, alert.rule.uid)
        named = {entity.value.casefold() for entity in alert.entities}
        who = [person for person in people if person.partition(":")[2].casefold() in named]
        for key, (strength, reason) in shared.get(alert.uid, {}).items():
            bonds.setdefault(((1, key), seen), (strength, reason))
            for person in who:
                bonds.setdefault(((0, person), (1, key)), (strength, "acted with it"))
        if alert.uid not in shared:
            for person in who:
                bonds.setdefault(((0, person), seen), ("strong", "acted"))
        for entity in alert.entities:
            if entity.type in _TARGETS:
                name = called.setdefault(entity.value, f"{entity.type}:{entity.value}")  # a model is often named as a resource as well
                bonds.setdefault((seen, (3, name)), ("strong", "touched"))
    keys = _frequent(node for bond in bonds for node in bond if node[0] == 1)
    targets = _frequent(node for bond in bonds for node in bond if node[0] == 3)
    return _drawn([people, keys, [group.uid for group in groups], targets], bonds, groups, show_content)


def _shared(incident: Incident, people: Sequence[str]) -> dict[str, dict[str, tuple[str, str]]]:
    """By alert the keys, sessions and addresses over which it joined others, with strength and reason of the best such join."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for join in incident.joins:
        if join.key not in people and join.key.partition(":")[0] not in _NO_BOX:
            for uid in (join.a, join.b):
                found.setdefault(uid, {}).setdefault(join.key, (str(join.strength), join.reason))
    return found


def _frequent(nodes: Iterable[Node]) -> list[str]:
    """What has the most lines first: where there is no room for all, these say most."""
    return [name for (_, name), _ in Counter(nodes).most_common()]


def _drawn(columns: Sequence[Sequence[str]], bonds: Mapping[Bond, tuple[str, str]], groups: Sequence[RuleGroup], show_content: bool) -> Graph:
    used = [number for number, column in enumerate(columns) if column]
    place = {number: index * (WIDTH - _BOX) // max(len(used) - 1, 1) for index, number in enumerate(used)}
    tall = max((min(len(columns[number]), _MOST + 1) for number in used), default=1)
    height = _TOP + tall * (_HIGH + _GAP)
    faces = {group.uid: group for group in groups}
    at: dict[Node, tuple[int, int]] = {}
    boxes: list[Box] = []
    for number in sorted(used, key=lambda each: each != 2):  # what was seen stands in order of time; the others stand near it
        names = columns[number]
        shown = list(names) if len(names) <= _MOST + 1 else list(names[:_MOST]) if number != 2 else [group.uid for group in worst(groups, _MOST)]
        if number != 2:
            shown.sort(key=lambda name: _middle([at[other][1] for other in _others((number, name), bonds) if other in at]))
        left = len(names) - len(shown)
        top = _TOP + (tall - len(shown) - bool(left)) * (_HIGH + _GAP) // 2
        for index, name in enumerate(shown):
            x, y = at[number, name] = place[number], top + index * (_HIGH + _GAP)
            boxes.append(_alert(x, y, faces[name]) if number == 2 else _entity(x, y, KINDS[number], name, show_content))
        if left:
            boxes.append(Box(place[number], top + len(shown) * (_HIGH + _GAP), "more", "", (f"and {left:,} more",), f"{left:,} more"))
    lines = [_line(at[a], at[b], strength, told) for (a, b), (strength, told) in bonds.items() if a in at and b in at]
    return Graph(height, tuple(boxes), tuple(lines), tuple((place[number], HEADS[number]) for number in used))


def _others(node: Node, bonds: Iterable[Bond]) -> list[Node]:
    return [b if a == node else a for a, b in bonds if node in (a, b)]


def _middle(heights: Sequence[int]) -> tuple[bool, float]:
    """Where a box would stand best; one with no neighbour that is shown comes last."""
    return not heights, sum(heights) / len(heights) if heights else 0.0


def _alert(x: int, y: int, group: RuleGroup) -> Box:
    lines = wrap(group.label, _LABEL) or [""]
    shown = lines if len(lines) <= 2 else [lines[0], shortened(" ".join(lines[1:]), _LABEL)]
    return Box(x, y, "alert", "", tuple(cut(line, _LABEL) for line in shown), group.label, group.level.word)


def _entity(x: int, y: int, kind: str, name: str, show_content: bool) -> Box:
    name = shown(name, show_content)  # before it is cut: half of a credential is told by nothing
    type_, _, value = name.partition(":")
    return Box(x, y, kind, type_, (cut(value or type_, _LABEL),), name)


def _line(a: tuple[int, int], b: tuple[int, int], strength: str, told: str) -> Line:
    x1, y1, x2, y2 = a[0] + _BOX, a[1] + _HIGH // 2, b[0], b[1] + _HIGH // 2
    bend = (x2 - x1) // 2
    return Line(f"M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}", strength, told)
