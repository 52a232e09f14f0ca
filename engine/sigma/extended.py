"""Extended conditions of correlations: ``a and not (b or c)`` over the rules a correlation lists → alternatives (`Term`).

The text becomes a `Formula` over names as written; once the names are resolved, its disjunctive normal form.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from textwrap import shorten

from engine.errors import RuleError, UnsupportedFeature
from engine.sigma.tree import Term

MAX_CHARACTERS = 20_000
MAX_DEPTH = 50
"""Parentheses and negations inside each other."""
MAX_NAMES = 100
MAX_TERMS = 64
"""Alternatives once ``or`` is multiplied out."""

_OPERATORS = ("and", "or", "not")


@dataclass(frozen=True, slots=True)
class Formula:
    """``operator`` is ``and``, ``or``, ``not``, or ``name`` with the name of a rule as written in ``name``."""

    operator: str
    args: tuple[Formula, ...] = ()
    name: str = ""

    def names(self) -> Iterable[str]:
        """Every name, in the order of the text."""
        if self.operator == "name":
            yield self.name
        for arg in self.args:
            yield from arg.names()


def read(text: str, listed: Sequence[str]) -> Formula:
    """The formula ``text`` means. ``listed`` names may hold blanks. Raises RuleError."""
    if len(text) > MAX_CHARACTERS:
        raise RuleError(f"condition of {len(text):,} characters; at most {MAX_CHARACTERS:,} are read")
    if len(listed) > MAX_NAMES:
        raise RuleError(f"a condition over names takes at most {MAX_NAMES} rules, not {len(listed):,}")
    return _Reader(text, listed).formula()


class _Reader:
    def __init__(self, text: str, listed: Sequence[str]) -> None:
        names = "|".join(re.escape(name) for name in sorted(listed, key=len, reverse=True) if name.lower() not in _OPERATORS)
        known = rf"(?P<name>(?:{names})(?![^\s()]))|" if names else ""
        self._text = text
        self._tokens = list(re.finditer(rf"{known}[()]|[^\s()]+", text))
        self._next = 0
        self._depth = 0

    def formula(self) -> Formula:
        result = self._or()
        if self._peek() is not None:
            raise self._unexpected("'and', 'or' or the end")
        return result

    def _peek(self) -> str | None:
        return self._tokens[self._next][0] if self._next < len(self._tokens) else None

    def _take(self, word: str) -> bool:
        found = self._peek() == word
        self._next += found
        return found

    def _unexpected(self, wanted: str) -> RuleError:
        word = self._peek()
        if word is None:
            return RuleError(f"condition {shorten(self._text, 80)!r} ends where {wanted} should stand")
        column = self._tokens[self._next].start() + 1
        if word == "of":
            return UnsupportedFeature("condition: '1 of' and 'all of' belong to detections; name the rules here")
        hint = f"; operators are written in lower case: {word.lower()!r}" if word.lower() in _OPERATORS and word not in _OPERATORS else ""
        return RuleError(f"condition: {wanted} expected at column {column}, found {shorten(word, 40)!r}{hint}")

    def _or(self) -> Formula:
        return self._chain("or", lambda: self._chain("and", self._not))

    def _chain(self, operator: str, operand: Callable[[], Formula]) -> Formula:
        args = [operand()]
        while self._take(operator):
            args.append(operand())
        return args[0] if len(args) == 1 else Formula(operator, tuple(args))

    def _not(self) -> Formula:
        word = self._peek()
        if word is None or word in ("and", "or", ")"):
            raise self._unexpected("the name of a rule")
        if word not in ("not", "("):
            self._next += 1
            return Formula("name", name=word)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise RuleError(f"condition: parentheses and 'not' inside each other more than {MAX_DEPTH} times")
        self._next += 1
        if word == "not":
            result = Formula("not", (self._not(),))
        else:
            result = self._or()
            if not self._take(")"):
                raise self._unexpected("')'")
        self._depth -= 1
        return result


_Literals = frozenset[tuple[str, bool]]
"""Of one alternative: (uid, whether it must occur)."""


def terms(formula: Formula, uids: Callable[[str], str], order: Sequence[str]) -> tuple[Term, ...]:
    """The alternatives of ``formula``, ``uids`` giving the uid of a name; their rules stand as in ``order``. Raises RuleError."""
    place = {uid: index for index, uid in enumerate(order)}
    alternatives = [each for each in _alternatives(formula, True, uids) if not any((uid, not occurs) in each for uid, occurs in each)]
    if not alternatives:
        raise RuleError("the condition contradicts itself: it can never hold")
    found = []
    for each in alternatives:
        present, absent = (tuple(sorted((uid for uid, occurs in each if occurs is wanted), key=place.__getitem__)) for wanted in (True, False))
        if not present:
            raise UnsupportedFeature("an alternative of the condition consists of 'not' alone; name a rule that must occur, in each alternative")
        found.append(Term(present, absent))
    return tuple(sorted(found, key=lambda term: ([place[uid] for uid in term.present], [place[uid] for uid in term.absent])))


def _alternatives(formula: Formula, wanted: bool, uids: Callable[[str], str]) -> set[_Literals]:
    """The alternatives in which ``formula`` is ``wanted``, contradictions included."""
    if formula.operator == "name":
        return {frozenset({(uids(formula.name), wanted)})}
    if formula.operator == "not":
        return _alternatives(formula.args[0], not wanted, uids)
    parts = [_alternatives(arg, wanted, uids) for arg in formula.args]
    found = parts[0]
    for part in parts[1:]:
        found = found | part if (formula.operator == "or") is wanted else {left | right for left in found for right in part}
        if len(found) > MAX_TERMS:
            raise RuleError(f"the condition has more than {MAX_TERMS} alternatives once it is written out; divide it into several correlations")
    return found
