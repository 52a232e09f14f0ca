"""Detection trees in words, with or without what became of each part."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from engine.sigma.tree import (
    And,
    Boolean,
    Cidr,
    Compare,
    Comparison,
    Exists,
    Leaf,
    Node,
    Not,
    Null,
    Number,
    Or,
    Predicate,
    Regex,
    SameAs,
    Text,
    TimePart,
    Wildcard,
)

MOST = 25
"""Parts of one group that are listed; of more, those that hold come first."""

_OPERATORS = {Comparison.LT: "<", Comparison.LTE: "<=", Comparison.GT: ">", Comparison.GTE: ">=", Comparison.EQ: "="}


@dataclass(frozen=True, slots=True)
class Branch:
    """A part of a condition. ``holds``: whether it was true, None where nothing was asked; ``value``: what a leaf saw."""

    text: str
    holds: bool | None = None
    value: str | None = None
    args: tuple[Branch, ...] = ()


def preorder(node: Node) -> Iterator[Node]:
    """``node`` and everything below, each before its parts."""
    yield node
    for arg in _args(node):
        yield from preorder(arg)


def branch(node: Node, holds: Sequence[bool] | None = None, seen: Callable[[Leaf], str | None] | None = None) -> Branch:
    """``node`` in words. ``holds``: for each of `preorder` whether it was true; ``seen``: the value a leaf looked at."""
    truths = None if holds is None else iter(holds)

    def made(part: Node) -> Branch:
        true = None if truths is None else next(truths)
        if isinstance(part, Leaf):
            return Branch(leaf_text(part), true, seen(part) if seen is not None else None)
        word = "not" if isinstance(part, Not) else "all of" if isinstance(part, And) else "any of"
        return Branch(word, true, None, tuple(made(arg) for arg in _args(part)))

    return made(node)


def lines(tree: Branch, indent: str = "") -> Iterator[str]:
    """A line for each part, indented; true parts are marked ✓, false ones ✗."""
    mark = "" if tree.holds is None else "✓ " if tree.holds else "✗ "
    value = "" if tree.value is None else f"   ← {tree.value}"
    yield f"{indent}{mark}{tree.text}{value}"
    shown = tree.args if len(tree.args) <= MOST else sorted(tree.args, key=lambda arg: arg.holds is not True)[:MOST]
    for arg in shown:
        yield from lines(arg, f"{indent}  ")
    if len(tree.args) > MOST:
        rest = len(tree.args) - MOST
        untrue = tree.holds is not None and sum(arg.holds is True for arg in tree.args) <= MOST
        yield f"{indent}  … and {rest:,} more" + (", all false" if untrue else "")


def leaf_text(leaf: Leaf) -> str:
    """A leaf as a person would say it."""
    return f"{'any value' if leaf.field is None else leaf.field} {_predicate(leaf.predicate)}"


def _args(node: Node) -> tuple[Node, ...]:
    match node:
        case And(args) | Or(args):
            return args
        case Not(arg):
            return (arg,)
        case _:
            return ()


def _predicate(predicate: Predicate) -> str:
    match predicate:
        case Text(parts, cased):
            said = _text(parts) + (" (case counts)" if cased else "")
        case Number(value):
            said = f"= {value}"
        case Boolean(value):
            said = f"= {str(value).lower()}"
        case Null():
            said = "is null or missing"
        case Exists(expected):
            said = "exists" if expected else "does not exist"
        case Regex(pattern):
            said = f"matches /{pattern}/"
        case Cidr(network):
            said = f"is in {network}"
        case Compare(operator, number):
            said = f"{_OPERATORS[operator]} {number}"
        case TimePart(unit, operator, number):
            said = f"({unit} in UTC) {_OPERATORS[operator]} {number}"
        case SameAs(field, starts, ends, cased):
            verb = "contains" if starts and ends else "starts with" if starts else "ends with" if ends else "="
            said = f"{verb} the value of {field}" + (" (case counts)" if cased else "")
    return said


def _text(parts: tuple[str | Wildcard, ...]) -> str:
    match parts:
        case ():
            return "= ''"
        case (Wildcard.ANY,):
            return "has any text"
        case (str(word),) if not isinstance(word, Wildcard):
            return f"= {word!r}"
        case (Wildcard.ANY, str(word), Wildcard.ANY) if not isinstance(word, Wildcard):
            return f"contains {word!r}"
        case (str(word), Wildcard.ANY) if not isinstance(word, Wildcard):
            return f"starts with {word!r}"
        case (Wildcard.ANY, str(word)) if not isinstance(word, Wildcard):
            return f"ends with {word!r}"
        case _:
            escaped = (part.value if isinstance(part, Wildcard) else part.replace("*", r"\*").replace("?", r"\?") for part in parts)
            return f"is like {''.join(escaped)!r}"
