"""Rules of one source compiled once: what the kernel needs to know, and nothing that depends on events."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from engine.detect import expressions
from engine.detect.expressions import Check, Cutter, Expression, Negate, Test, arrange, effort, leaf_effort, necessary, numbers_in
from engine.detect.layout import Layout, Lists, lay_out
from engine.detect.needles import Mask, needle
from engine.detect.predicates import Matcher, TextMatcher, matcher
from engine.detect.values import number
from engine.errors import EngineError, RuleError, UnsupportedFeature
from engine.schema import Mapping, split_path
from engine.sigma.fields import Scope, applies, resolve
from engine.sigma.tree import And, Exists, Leaf, LogSource, Node, Not, Null, Number, Regex, Rule, SameAs

CLASSES = {"api_activity": 6003, "authentication": 3002}
"""OCSF class an event must have for rules with ``product: cloud`` and this category."""

_SHORTEST_LITERAL = 3
"""Shorter literals occur nearly everywhere: looking for them apart saves nothing."""

_VERBOSE = re.compile(r"\(\?[A-Za-z]*x")

_NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a field's cells come from: record ``paths``, a common ``column`` (``inside``: a path within its JSON), or neither: leaves of raw_data."""

    paths: tuple[str, ...] = ()
    column: str | None = None
    inside: tuple[str, ...] = ()

    @property
    def is_record(self) -> bool:
        """Whether keywords search here."""
        return not self.paths and self.column is None


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """What all rules ask of one field, by value: folded text, number or folded literal → leaves. ``anchors``: leaves some rule is anchored on.

    ``joint``: a pattern, maybe too large to be compiled, found wherever a regular expression of the field is, where there are several.
    """

    source: Source
    exact: AnyMapping[str, tuple[int, ...]]
    numbers: AnyMapping[int | float, tuple[int, ...]]
    numeric_texts: AnyMapping[int | float, tuple[int, ...]]
    literals: AnyMapping[str, tuple[int, ...]]
    anchors: frozenset[int]
    joint: str | None


@dataclass(frozen=True, slots=True)
class LeafPlan:
    """One distinct leaf: its exact test, what JSON text must hold where it is true, and whether the kernel finds it by look-up.

    ``certain``: what look-up finds satisfies the leaf, without another test.
    """

    leaf: Leaf
    matcher: Matcher | None
    needle: str | None
    indexed: bool
    certain: bool


@dataclass(frozen=True, slots=True)
class TestPlan:
    """One distinct part of conditions over one field. ``needed``: leaves of which one must hold, None where none is needed.

    ``needles``: texts of which a value's JSON text must hold one, None where there are no such. ``missing``: whether it holds where the field is not.
    """

    expression: Expression
    needed: tuple[int, ...] | None
    needles: tuple[str, ...] | None
    missing: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """The rules that run on one source, ready for `engine.detect.kernel.detect`. Picklable, the same object on every runner.

    ``paths``: record paths needed as ``native.<path>`` cells; ``columns``: common columns needed; ``needs_raw``: whether raw_data is.
    ``anchored``: leaf → rules that can match only where one of their anchor leaves does; ``always``: rules without anchor.
    ``unions``: leaf → tests that hold where any of some leaves does, this one among them, all found by look-up; ``is_union``: by test.
    """

    rules: tuple[Rule, ...]
    paths: tuple[str, ...]
    columns: tuple[str, ...]
    needs_raw: bool
    fields: tuple[FieldPlan, ...]
    leaves: tuple[LeafPlan, ...]
    tests: tuple[TestPlan, ...]
    conditions: tuple[Expression, ...]
    anchored: AnyMapping[int, tuple[int, ...]]
    always: tuple[int, ...]
    layout: Layout = field(compare=False)
    unions: Lists = field(compare=False)
    is_union: Mask = field(compare=False)


def compile_plan(rules: Sequence[Rule], mapping: Mapping) -> tuple[Plan, list[RuleError]]:
    """The plan of those ``rules`` that run on the source of ``mapping``, in their order, and the errors of those that should and cannot.

    Rules of other log sources are left out without a word: whoever loads rules counts them.
    """
    errors: list[RuleError] = []
    running: list[Rule] = []
    conditions: list[Expression] = []
    cutter = Cutter()
    sources: dict[Source, int] = {}
    resolved: dict[tuple[str | None, Scope], Source] = {}
    scopes: dict[LogSource, Scope | None] = {}
    for rule in rules:
        if rule.logsource not in scopes:
            scopes[rule.logsource] = applies(rule.logsource, mapping)
        scope = scopes[rule.logsource]
        if scope is None:
            continue
        try:
            condition = in_class(rule) if scope is Scope.COMMON else rule.condition
            names, regexes = _read(condition)
            for name in names:
                if (name, scope) not in resolved:
                    resolved[name, scope] = _source(name, scope, mapping)
            for leaf in regexes:
                _check_regex(leaf)
        except RuleError as error:
            errors.append(_named(error, rule))
            continue
        places = {name: sources.setdefault(resolved[name, scope], len(sources)) for name in names}
        conditions.append(cutter.cut(condition, places.__getitem__))
        running.append(rule)
    return _assemble(running, conditions, cutter, list(sources)), errors


def _assemble(rules: list[Rule], conditions: list[Expression], cutter: Cutter, sources: list[Source]) -> Plan:
    leaves = tuple(_leaf_plan(leaf) for _, leaf in cutter.leaves)
    tests = [expression for _, expression in cutter.tests]
    cost = _costs(conditions, tests, leaves).__getitem__
    of_leaf = [leaf_effort(leaf) for _, leaf in cutter.leaves].__getitem__
    efforts = [effort(expression, (), of_leaf) for expression in tests]
    needed = [necessary(expression, (), cost) for expression in tests]
    arranged = tuple(arrange(condition, needed, cost, efforts) for condition in conditions)
    anchored: dict[int, list[int]] = {}
    always: list[int] = []
    for number_, condition in enumerate(arranged):
        some = necessary(condition, needed, cost)
        if some is None:
            always.append(number_)
        for leaf in some or ():
            anchored.setdefault(leaf, []).append(number_)
    fields = tuple(_field_plan(source, at, cutter, leaves, anchored) for at, source in enumerate(sources))
    columns = dict.fromkeys(source.column for source in sources if source.column is not None)
    needs_raw = any(source.is_record for source in sources) or "raw_data" in columns
    unions, is_union = _unions(cutter, leaves)
    return Plan(
        rules=tuple(rules),
        paths=tuple(dict.fromkeys(path for source in sources for path in source.paths)),
        columns=tuple(columns),
        needs_raw=needs_raw,
        fields=fields,
        leaves=leaves,
        tests=tuple(_test_plan(expression, some, leaves) for expression, some in zip(tests, needed, strict=True)),
        conditions=arranged,
        anchored={leaf: tuple(numbers) for leaf, numbers in anchored.items()},
        always=tuple(always),
        layout=lay_out(arranged),
        unions=unions,
        is_union=is_union,
    )


def _test_plan(expression: Expression, needed: tuple[int, ...] | None, leaves: tuple[LeafPlan, ...]) -> TestPlan:
    needles = tuple(text for leaf in needed or () if (text := leaves[leaf].needle) is not None)
    return TestPlan(expression, needed, needles if needles and len(needles) == len(needed or ()) else None, _holds_missing(expression, leaves))


def _holds_missing(expression: Expression, leaves: tuple[LeafPlan, ...]) -> bool:
    match expression:
        case Check(leaf):
            predicate = leaves[leaf].leaf.predicate
            return isinstance(predicate, Null) or (isinstance(predicate, Exists) and not predicate.expected)
        case Negate(arg):
            return not _holds_missing(arg, leaves)
        case expressions.All(args):
            return all(_holds_missing(arg, leaves) for arg in args)
        case expressions.Any(args):
            return any(_holds_missing(arg, leaves) for arg in args)
        case _:
            raise EngineError(f"not a test of one field: {expression}")


def _unions(cutter: Cutter, leaves: tuple[LeafPlan, ...]) -> tuple[Lists, Mask]:
    of: list[list[int]] = [[] for _ in leaves]
    is_union: Mask = np.zeros(len(cutter.tests), dtype=bool)
    for test, (_, expression) in enumerate(cutter.tests):
        args = expression.args if isinstance(expression, expressions.Any) else (expression,)
        checks = [arg.leaf for arg in args if isinstance(arg, Check) and leaves[arg.leaf].indexed]
        if len(checks) == len(args):
            is_union[test] = True
            for leaf in checks:
                of[leaf].append(test)
    return Lists.of(of), is_union


def _costs(conditions: list[Expression], tests: list[Expression], leaves: tuple[LeafPlan, ...]) -> list[float]:
    """What anchoring on a leaf costs: how many rules share it (what many ask for is common), more where finding it is dearer, inf where it cannot.

    A short literal is found in more values than a long one.
    """
    shared: Counter[int] = Counter()
    held = [numbers_in(expression, Check) for expression in tests]
    for condition in conditions:
        shared.update(set().union(*(held[test] for test in numbers_in(condition, Test))))
    costs: list[float] = []
    for at, plan in enumerate(leaves):
        if not plan.indexed:
            costs.append(_NEVER)
        elif plan.leaf.field is None:
            costs.append(shared[at] + 10_000)
        else:
            literal = plan.matcher.literal if isinstance(plan.matcher, TextMatcher) and plan.matcher.exact is None else None
            costs.append(shared[at] + (0 if literal is None else 300 + 6_300 // len(literal) ** 2))
    return costs


def _leaf_plan(leaf: Leaf) -> LeafPlan:
    test = matcher(leaf)
    indexed = isinstance(leaf.predicate, Number) or (isinstance(test, TextMatcher) and (test.exact is not None or _literal(leaf, test) is not None))
    certain = isinstance(leaf.predicate, Number) or (
        isinstance(test, TextMatcher) and (test.is_contains or (test.exact is not None and not test.predicate.cased))
    )
    return LeafPlan(leaf, test, needle(leaf), indexed, indexed and certain)


def _literal(leaf: Leaf, test: TextMatcher) -> str | None:
    """What is looked for to find a pattern's candidates. Keywords are never tried one by one, so there any length will do."""
    return test.literal if len(test.literal) >= (1 if leaf.field is None else _SHORTEST_LITERAL) else None


def _field_plan(source: Source, at: int, cutter: Cutter, leaves: tuple[LeafPlan, ...], anchored: AnyMapping[int, object]) -> FieldPlan:
    exact: dict[str, list[int]] = {}
    numbers: dict[int | float, list[int]] = {}
    numeric_texts: dict[int | float, list[int]] = {}
    literals: dict[str, list[int]] = {}
    own = [leaf for leaf, (where, _) in enumerate(cutter.leaves) if where == at]
    for leaf in own:
        plan = leaves[leaf]
        if isinstance(plan.leaf.predicate, Number):
            numbers.setdefault(plan.leaf.predicate.value, []).append(leaf)
        if not isinstance(plan.matcher, TextMatcher):
            continue
        if plan.matcher.exact is None:
            if (literal := _literal(plan.leaf, plan.matcher)) is not None:
                literals.setdefault(literal, []).append(leaf)
            continue
        exact.setdefault(plan.matcher.exact, []).append(leaf)
        if (value := number(plan.matcher.exact)) is not None:
            numeric_texts.setdefault(value, []).append(leaf)
    return FieldPlan(
        source=source,
        exact={key: tuple(value) for key, value in exact.items()},
        numbers={key: tuple(value) for key, value in numbers.items()},
        numeric_texts={key: tuple(value) for key, value in numeric_texts.items()},
        literals={key: tuple(value) for key, value in literals.items()},
        anchors=frozenset(leaf for leaf in own if leaf in anchored),
        joint=_joint([plan.leaf.predicate.pattern for leaf in own if isinstance((plan := leaves[leaf]).leaf.predicate, Regex)]),
    )


def _joint(patterns: list[str]) -> str | None:
    """One pattern for all, None where there is none. A verbose pattern may end in a comment that would swallow what follows."""
    if len(patterns) < 2 or any(_VERBOSE.search(pattern) for pattern in patterns):
        return None
    return "|".join(f"(?:{pattern})" for pattern in patterns)


def in_class(rule: Rule) -> Node:
    """The condition of a rule on common columns, with the class of event its category asks for."""
    wanted = CLASSES.get(rule.logsource.category or "") if rule.logsource.product == "cloud" else None
    return rule.condition if wanted is None else And((Leaf("class_uid", Number(wanted)), rule.condition))


def _read(condition: Node) -> tuple[list[str | None], list[Leaf]]:
    """The fields a condition reads, by name, keywords (None) last, and its regular expressions."""
    names: set[str | None] = set()
    regexes: list[Leaf] = []
    stack: list[Node] = [condition]
    while stack:
        node = stack.pop()
        if isinstance(node, Leaf):
            names.add(node.field)
            if isinstance(node.predicate, Regex):
                regexes.append(node)
            elif isinstance(node.predicate, SameAs):
                names.add(node.predicate.field)
        elif isinstance(node, Not):
            stack.append(node.arg)
        else:
            stack += reversed(node.args)
    return sorted(names, key=lambda name: (name is None, name or "")), regexes


def _source(name: str | None, scope: Scope, mapping: Mapping) -> Source:
    if name is None:
        return Source()
    found = resolve(name, scope, mapping)
    if found.column is None:
        return Source(paths=found.paths)
    return Source(column=found.column, inside=() if found.subpath is None else split_path(found.subpath))


def _check_regex(leaf: Leaf) -> None:
    assert isinstance(leaf.predicate, Regex)
    try:
        pl.Series([""]).str.contains(leaf.predicate.pattern)
    except pl.exceptions.ComputeError as error:
        raise UnsupportedFeature(f"regular expression {leaf.predicate.pattern!r} of {leaf.field or 'keyword'} is not Rust syntax: {error}") from error


def _named(error: RuleError, rule: Rule) -> RuleError:
    return type(error)(error.message, rule=rule.title, path=error.path or rule.path, line=error.line if error.line is not None else rule.line)
