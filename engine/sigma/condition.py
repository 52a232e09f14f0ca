"""Condition text → condition tree.

pySigma parses and resolves the condition. Before that the text is checked and brought into the one form that all its versions read alike: detection
names become ``d0``, ``d1``, …, and selectors (``1 of x*``, ``all of them``) are written out. Afterwards its tree becomes ours (`engine.sigma.tree`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from textwrap import shorten

import polars as pl
from sigma.conditions import ConditionAND, ConditionFieldEqualsValueExpression, ConditionNOT, ConditionOR, ConditionValueExpression
from sigma.exceptions import SigmaError
from sigma.rule import SigmaDetection, SigmaDetections
from sigma.types import (
    CompareOperators,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaTimestampPart,
    SigmaType,
    SpecialChars,
)

from engine.errors import RuleError, UnsupportedFeature
from engine.sigma.modifiers import CasedFieldReference
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
    TimeUnit,
    Wildcard,
)

MAX_CHARACTERS = 20_000
MAX_DEPTH = 50
"""Parentheses, or negations, inside each other."""
MAX_LEAVES = 20_000

_TOKEN = re.compile(r"(?P<quantifier>1|any|all)\s+of\s+(?P<pattern>[^\s()]+)|[()]|[^\s()]+")
_OPERATORS = ("and", "or", "not")
_QUANTIFIERS = {"1": " or ", "any": " or ", "all": " and "}


Change = Callable[[SigmaDetections], SigmaDetections]
"""What a processing pipeline makes of detections and conditions."""


def parse(conditions: Sequence[object], detections: Mapping[str, SigmaDetection], change: Change | None = None) -> Node:
    """The tree of the rule whose conditions (any may hold) speak about ``detections``, after ``change``. Raises RuleError."""
    if not conditions:
        raise RuleError("the condition is missing")
    names = {name: f"d{index}" for index, name in enumerate(detections)}
    texts = [_rewrite(condition, names) for condition in conditions]
    resolved = SigmaDetections({names[name]: detection for name, detection in detections.items()}, texts)
    if change is not None:
        resolved = change(resolved)
    nodes = []
    for condition in resolved.parsed_condition:
        try:
            tree = condition.parse()
        except SigmaError as error:
            raise RuleError(f"condition: {error}") from None
        nodes.append(_node(tree))
    node = any_of(nodes)
    leaves = _leaves(node)
    if leaves > MAX_LEAVES:
        raise RuleError(f"the condition compares {leaves:,} values once it is written out; at most {MAX_LEAVES:,}")
    return node


# Text to the form every version of pySigma reads alike.


def _rewrite(condition: object, names: Mapping[str, str]) -> str:
    if not isinstance(condition, str) or not condition.strip():
        raise RuleError(f"a condition is text such as 'selection and not filter', not {condition!r}")
    if len(condition) > MAX_CHARACTERS:
        raise RuleError(f"condition of {len(condition):,} characters; at most {MAX_CHARACTERS:,} are read")
    if "|" in condition:
        raise UnsupportedFeature("aggregation in the condition ('| count() …') was removed from Sigma; write a correlation document instead")
    out: list[str] = []
    depth = negations = 0
    operand_next = True
    for token in _TOKEN.finditer(condition):
        word = token[0]
        if operand_next != (word not in ("and", "or", ")")):
            raise _unexpected(token, operand_next)
        depth += (word == "(") - (word == ")")
        negations = negations + 1 if word == "not" else 0
        if depth < 0:
            raise RuleError(f"condition: ')' without '(' at column {token.start() + 1}")
        if max(depth, negations) > MAX_DEPTH:
            raise RuleError(f"condition: parentheses or 'not' inside each other more than {MAX_DEPTH} times")
        operand_next = word in ("(", *_OPERATORS)
        if operand_next or word == ")":
            out.append(word)
        elif token["pattern"]:
            out.append(_selector(token["quantifier"], token["pattern"], names))
        else:
            out.append(_name(token, names))
    if operand_next:
        raise RuleError(f"condition {shorten(condition, 80)!r} ends too early")
    if depth:
        raise RuleError(f"condition {shorten(condition, 80)!r} lacks {depth} closing parenthesis")
    return " ".join(out)


def _unexpected(token: re.Match[str], operand_next: bool) -> RuleError:
    wanted = "a detection name" if operand_next else "'and', 'or' or ')'"
    word = token[0]
    hint = f"; operators are written in lower case: {word.lower()!r}" if word.lower() in _OPERATORS and word not in _OPERATORS else ""
    return RuleError(f"condition: {wanted} expected at column {token.start() + 1}, found {shorten(word, 40)!r}{hint}")


def _name(token: re.Match[str], names: Mapping[str, str]) -> str:
    word = token[0]
    if word in names:
        return names[word]
    if token.string[token.end() :].split(maxsplit=1)[:1] == ["of"]:
        if word in _QUANTIFIERS:
            raise RuleError(f"condition: '{word} of' must be followed by 'them' or a name pattern such as selection_*")
        raise UnsupportedFeature(f"condition: '{word} of' is not Sigma; 1 of, any of and all of are")
    raise RuleError(f"condition: no detection is named {word!r} (column {token.start() + 1}); there are: {', '.join(names)}")


def _selector(quantifier: str, pattern: str, names: Mapping[str, str]) -> str:
    visible = {name: token for name, token in names.items() if pattern.startswith("_") or not name.startswith("_")}
    found = [token for name, token in visible.items() if pattern == "them" or _matches(name, pattern)]
    if not found:
        raise RuleError(f"condition: '{quantifier} of {pattern}' matches no detection; there are: {', '.join(names)}")
    return f"( {_QUANTIFIERS[quantifier].join(found)} )" if len(found) > 1 else found[0]


def _matches(name: str, pattern: str) -> bool:
    """Whether ``name`` is ``pattern``, in which ``*`` stands for anything: leftmost parts first, so no pattern takes long."""
    first, *middle = pattern.split("*")
    if not middle:
        return name == pattern
    last = middle.pop()
    if not name.startswith(first) or not name.endswith(last) or len(name) < len(first) + len(last):
        return False
    position, end = len(first), len(name) - len(last)
    for part in middle:
        position = name.find(part, position, end)
        if position < 0:
            return False
        position += len(part)
    return True


# pySigma's tree to ours.


def any_of(nodes: Sequence[Node]) -> Node:
    """The disjunction of ``nodes``, flattened."""
    flat = [arg for node in nodes for arg in (node.args if isinstance(node, Or) else (node,))]
    return flat[0] if len(flat) == 1 else Or(tuple(flat))


def all_of(nodes: Sequence[Node]) -> Node:
    """The conjunction of ``nodes``, flattened."""
    flat = [arg for node in nodes for arg in (node.args if isinstance(node, And) else (node,))]
    return flat[0] if len(flat) == 1 else And(tuple(flat))


def _leaves(node: Node) -> int:
    if isinstance(node, Leaf):
        return 1
    return _leaves(node.arg) if isinstance(node, Not) else sum(map(_leaves, node.args))


def _node(tree: object) -> Node:
    if isinstance(tree, ConditionAND):
        return all_of([_node(arg) for arg in tree.args])
    if isinstance(tree, ConditionOR):
        return any_of([_node(arg) for arg in tree.args])
    if isinstance(tree, ConditionNOT):
        return Not(_node(tree.args[0]))
    if isinstance(tree, ConditionFieldEqualsValueExpression):
        return _field(tree.field, tree.value)
    if isinstance(tree, ConditionValueExpression):
        return _keyword(tree.value)
    raise RuleError(f"condition: nothing is left of it ({type(tree).__name__})")


def _field(field: str, value: SigmaType) -> Node:
    if isinstance(value, SigmaExpansion):
        return any_of([_field(field, each) for each in value.values])
    if isinstance(value, SigmaCompareExpression) and value.op == CompareOperators.NEQ:
        return Not(Leaf(field, _compare(value.number, Comparison.EQ)))
    return Leaf(field, _predicate(value))


def _keyword(value: SigmaType) -> Node:
    if isinstance(value, SigmaExpansion):
        return any_of([_keyword(each) for each in value.values])
    if isinstance(value, SigmaRegularExpression):
        return Leaf(None, _regex(value))
    if isinstance(value, SigmaString):
        parts = _parts(value)
    elif isinstance(value, SigmaNumber) and not isinstance(value, SigmaTimestampPart):
        parts = (str(value.number),)
    elif isinstance(value, SigmaBool):
        parts = (str(value.boolean).lower(),)
    else:
        kind = type(value).__name__.removeprefix("Sigma")
        raise RuleError(f"a keyword is text, a number or a regular expression; {kind} needs a field in front of it")
    if all(part is Wildcard.ANY for part in parts):
        raise RuleError("a keyword without any text matches every record; name a field")
    return Leaf(None, Text(_joined((Wildcard.ANY, *parts, Wildcard.ANY)), isinstance(value, SigmaCasedString)))


def _predicate(value: SigmaType) -> Predicate:
    if isinstance(value, SigmaString):
        return Text(_parts(value), isinstance(value, SigmaCasedString))
    if isinstance(value, SigmaTimestampPart):
        return _compare(value, Comparison.EQ)
    if isinstance(value, SigmaNumber):
        return Number(value.number)
    if isinstance(value, SigmaBool):
        return Boolean(value.boolean)
    if isinstance(value, SigmaNull):
        return Null()
    if isinstance(value, SigmaExists):
        return Exists(value.exists)
    if isinstance(value, SigmaRegularExpression):
        return _regex(value)
    if isinstance(value, SigmaCIDRExpression):
        return Cidr(value.network)
    if isinstance(value, SigmaCompareExpression):
        return _compare(value.number, Comparison[value.op.name])
    if isinstance(value, SigmaFieldReference):
        return SameAs(value.field, value.starts_with, value.ends_with, isinstance(value, CasedFieldReference))
    raise UnsupportedFeature(f"values of the kind {type(value).__name__} cannot be compared")


def _compare(number: SigmaNumber, operator: Comparison) -> Compare | TimePart:
    if isinstance(number, SigmaTimestampPart):
        return TimePart(TimeUnit[number.timestamp_part.name], operator, number.number)
    return Compare(operator, number.number)


def _parts(value: SigmaString) -> tuple[str | Wildcard, ...]:
    parts: list[str | Wildcard] = []
    for part in value.s:
        if isinstance(part, str):
            parts.append(part)
        elif isinstance(part, SpecialChars):
            parts.append(Wildcard.ANY if part is SpecialChars.WILDCARD_MULTI else Wildcard.ONE)
        else:
            raise RuleError(f"placeholder %{part.name}% has no value")
    return _joined(parts)


def _joined(parts: Sequence[str | Wildcard]) -> tuple[str | Wildcard, ...]:
    """``parts`` with neighbouring texts united, empty ones dropped and runs of `Wildcard.ANY` shortened to one."""
    out: list[str | Wildcard] = []
    for part in parts:
        if isinstance(part, Wildcard):
            if not (part is Wildcard.ANY and out and out[-1] is Wildcard.ANY):
                out.append(part)
        elif out and not isinstance(out[-1], Wildcard):
            out[-1] += part
        elif part:
            out.append(part)
    return tuple(out)


def _regex(value: SigmaRegularExpression) -> Regex:
    flags = "".join(sorted(SigmaRegularExpression.sigma_to_re_flag[flag] for flag in value.flags))
    pattern = f"(?{flags}){value.regexp}" if flags else str(value.regexp)
    problem = _regex_problem(pattern)
    if problem is None:
        return Regex(pattern)
    if "look-around" in problem or "backreference" in problem:
        raise UnsupportedFeature(f"regular expression {pattern!r}: look-around and back-references are not supported; rewrite it without")
    raise RuleError(f"regular expression {pattern!r} is not valid: {problem}")


@lru_cache(maxsize=4096)
def _regex_problem(pattern: str) -> str | None:
    """What the engine that will run ``pattern`` has against it, None if nothing."""
    try:
        pl.Series(["x"]).str.contains(pattern)
    except pl.exceptions.PolarsError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return next((line.removeprefix("error: ") for line in lines if line.startswith("error:")), lines[0] if lines else "unknown error")
    return None
