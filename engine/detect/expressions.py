"""A condition cut along its fields: what the kernel walks.

Leaves get numbers, equal ones of all rules the same. Every largest part of a tree that reads one field becomes a `Test`, decided once per distinct
value of that field; what joins several fields (`All`, `Any`, `Negate`, `Pair`) is walked per rule, on its candidate rows only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from engine.sigma.tree import And, Boolean, Exists, Leaf, Node, Not, Null, Number, Regex, SameAs, Text, TimePart


@dataclass(frozen=True, slots=True)
class Check:
    """Leaf number ``leaf`` holds for some element of a cell. Stands inside a `Test` only."""

    leaf: int


@dataclass(frozen=True, slots=True)
class Test:
    """Test number ``index`` of field number ``field`` holds."""

    field: int
    index: int


@dataclass(frozen=True, slots=True)
class Pair:
    """Two fields compared element by element."""

    left: int
    right: int
    same: SameAs


@dataclass(frozen=True, slots=True)
class All:
    args: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Any:
    args: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Negate:
    arg: Expression


Expression: TypeAlias = Check | Test | Pair | All | Any | Negate
Needed: TypeAlias = Sequence[tuple[int, ...] | None]
"""By number of a test, leaves of which one must hold where it does; None where there are none."""


@dataclass
class Cutter:
    """Collects leaves and tests of many conditions. ``number_of`` gives a field name of the rule at hand (None: keywords) its number."""

    leaves: list[tuple[int, Leaf]] = field(default_factory=list)
    tests: list[tuple[int, Expression]] = field(default_factory=list)
    _leaf_numbers: dict[tuple[int, object], int] = field(default_factory=dict)
    _test_numbers: dict[tuple[int, Expression], int] = field(default_factory=dict)

    def cut(self, node: Node, number_of: Callable[[str | None], int]) -> Expression:
        """The expression of one condition."""
        return self._close(self._cut(node, number_of))

    def _cut(self, node: Node, number_of: Callable[[str | None], int]) -> tuple[int | None, Expression]:
        """(field, expression over its `Check`s), or (None, expression over `Test`s) where several fields are read."""
        if isinstance(node, Leaf):
            if isinstance(node.predicate, SameAs):
                return None, Pair(number_of(node.field), number_of(node.predicate.field), node.predicate)
            where = number_of(node.field)
            return where, Check(self._leaf(where, node))
        if isinstance(node, Not):
            where_, inner = self._cut(node.arg, number_of)
            return where_, inner.arg if isinstance(inner, Negate) else Negate(inner)
        shape = All if isinstance(node, And) else Any
        flat: list[tuple[int | None, Expression]] = []
        for arg in node.args:
            where_, inner = self._cut(arg, number_of)
            flat += [(where_, part) for part in inner.args] if isinstance(inner, shape) else [(where_, inner)]
        return self._join(shape, flat)

    def _join(self, shape: type[All] | type[Any], parts: list[tuple[int | None, Expression]]) -> tuple[int | None, Expression]:
        by_field: dict[int, list[Expression]] = {}
        mixed: list[Expression] = []
        for where, part in parts:
            if where is None and isinstance(part, Test):
                by_field.setdefault(part.field, []).append(self.tests[part.index][1])
            elif where is None:
                mixed.append(part)
            else:
                by_field.setdefault(where, []).append(part)
        groups = {where: _group(shape, members) for where, members in by_field.items()}
        if not mixed and len(groups) == 1:
            return next(iter(groups.items()))
        args = [self._close((where, group)) for where, group in groups.items()] + mixed
        return None, args[0] if len(args) == 1 else shape(tuple(args))

    def _close(self, part: tuple[int | None, Expression]) -> Expression:
        where, inner = part
        if where is None:
            return inner
        key = (where, inner)
        if key not in self._test_numbers:
            self._test_numbers[key] = len(self.tests)
            self.tests.append(key)
        return Test(where, self._test_numbers[key])

    def _leaf(self, where: int, leaf: Leaf) -> int:
        # 1, 1.0 and True are equal for Python and differ in type: the type is part of the key.
        predicate = leaf.predicate
        key = (where, (type(predicate), type(getattr(predicate, "value", None)), predicate))
        if key not in self._leaf_numbers:
            self._leaf_numbers[key] = len(self.leaves)
            self.leaves.append((where, leaf))
        return self._leaf_numbers[key]


def _group(shape: type[All] | type[Any], members: list[Expression]) -> Expression:
    flat: dict[Expression, None] = {}
    for member in members:
        for part in member.args if isinstance(member, shape) else (member,):
            flat[part] = None
    return next(iter(flat)) if len(flat) == 1 else shape(tuple(flat))


def necessary(expression: Expression, needed: Needed, cost: Callable[[int], float]) -> tuple[int, ...] | None:
    """Leaves of which at least one must hold wherever the expression holds: the set of least total ``cost``; None where there is none.

    ``needed``: the same of each test.
    """
    if isinstance(expression, Check):
        return (expression.leaf,) if cost(expression.leaf) != float("inf") else None
    if isinstance(expression, Test):
        return needed[expression.index]
    if isinstance(expression, Any):
        union: dict[int, None] = {}
        for arg in expression.args:
            some = necessary(arg, needed, cost)
            if some is None:
                return None
            union |= dict.fromkeys(some)
        return tuple(union)
    if isinstance(expression, All):
        choices = [some for arg in expression.args if (some := necessary(arg, needed, cost)) is not None]
        return min(choices, key=lambda some: sum(map(cost, some)), default=None) if len(choices) != 1 else choices[0]
    return None


def arrange(expression: Expression, needed: Needed, cost: Callable[[int], float], efforts: Sequence[int]) -> Expression:
    """The same expression with the arguments of every `All` and `Any` in a good order: in `All` the cheapest anchor first, then by effort.

    ``efforts``: `effort` of each test.
    """
    if isinstance(expression, Negate):
        return Negate(arrange(expression.arg, needed, cost, efforts))
    if not isinstance(expression, (All, Any)):
        return expression
    ordered = sorted((arrange(arg, needed, cost, efforts) for arg in expression.args), key=lambda arg: effort(arg, efforts, int))
    if isinstance(expression, Any):
        return Any(tuple(ordered))
    anchors = [(sum(map(cost, some)), at) for at, arg in enumerate(ordered) if (some := necessary(arg, needed, cost)) is not None]
    if anchors:
        ordered.insert(0, ordered.pop(min(anchors)[1]))
    return All(tuple(ordered))


def effort(expression: Expression, efforts: Sequence[int], of_leaf: Callable[[int], int]) -> int:
    """How dear an expression is to decide, roughly. ``efforts``: the same of each test."""
    if isinstance(expression, Check):
        return of_leaf(expression.leaf)
    if isinstance(expression, Test):
        return efforts[expression.index]
    if isinstance(expression, (All, Any)):
        return max(effort(arg, efforts, of_leaf) for arg in expression.args) + 1
    if isinstance(expression, Negate):
        return effort(expression.arg, efforts, of_leaf)
    return 50


def numbers_in(expression: Expression, kind: type[Check] | type[Test]) -> set[int]:
    """The numbers of all leaves, or of all tests, that stand in an expression."""
    found: set[int] = set()
    stack = [expression]
    while stack:
        item = stack.pop()
        if isinstance(item, kind):
            found.add(item.leaf if isinstance(item, Check) else item.index)
        elif isinstance(item, (All, Any)):
            stack += item.args
        elif isinstance(item, Negate):
            stack.append(item.arg)
    return found


def leaf_effort(leaf: Leaf) -> int:
    """How dear a leaf is to decide on rows that are still candidates, roughly."""
    if leaf.field is None:
        return 1000
    match leaf.predicate:
        case Text() | Number() | Boolean() | Null() | Exists():
            return 1
        case Regex() | TimePart():
            return 20
        case _:
            return 10
