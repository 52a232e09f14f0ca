"""Correlation documents → drafts: everything a correlation says, its rules still named as written (`engine.sigma.references` resolves them)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from difflib import get_close_matches
from itertools import pairwise
from typing import Any

from engine.errors import RuleError, UnsupportedFeature
from engine.sigma import extended, timespan
from engine.sigma.digest import digest
from engine.sigma.document import Source
from engine.sigma.metadata import described, id_of
from engine.sigma.tree import Bound, BoundOperator, Correlation, CorrelationType
from engine.sigma.yamltext import Map

MAX_RULES = 5_000
MAX_FIELDS = 100
"""Fields of group-by, counted fields, and aliases, each."""
MAX_NUMBER = 2**53
"""Beyond it numbers are no longer exact everywhere."""

ALERT_FIELDS = ("x.alert.rule", "x.alert.level", "x.alert.tactic", "x.alert.source", "x.alert.cloud")
"""What every hit says of its rule, whatever its log source."""
_ALERT_PREFIX = "x.alert."

_KEYS = ("type", "rules", "group-by", "timespan", "condition", "aliases", "generate")
_TYPES = tuple(CorrelationType)
_TEMPORAL = (CorrelationType.TEMPORAL, CorrelationType.TEMPORAL_ORDERED)
_COUNTS = (CorrelationType.EVENT_COUNT, CorrelationType.VALUE_COUNT, *_TEMPORAL)
_OPERATORS = tuple(BoundOperator)
_NUMBER = re.compile(r"[-+]?[0-9]{1,300}(?:\.[0-9]{1,300})?")

_OWN_KEYS = ("correlation",)
_NOT_HERE = {
    **dict.fromkeys(("rules", "group-by", "timespan", "condition", "aliases", "generate"), "stands inside 'correlation'"),
    "group_by": "belongs to rules; a correlation has 'group-by' inside 'correlation'",
    "suppress": "belongs to rules; alerts of a correlation are joined by its 'timespan'",
    "detection": "belongs to rules; write two documents, divided by ---",
    "filter": "belongs to filters; write two documents, divided by ---",
}


@dataclass(frozen=True, slots=True)
class Draft:
    """A correlation whose rules, aliases and ``formula`` (an extended condition) name rules as the document does."""

    correlation: Correlation
    formula: extended.Formula | None
    section: Map

    def refused(self, message: str, key: str = "rules", kind: type[RuleError] = RuleError) -> RuleError:
        """The error that refuses this correlation because of what stands under ``key``."""
        own = self.correlation
        return kind(message, rule=own.title, path=own.path, line=self.section.line_of(key))


def load_correlation(source: Source, title: str) -> Draft:
    """What a correlation document says. Raises RuleError."""
    content = source.content
    for key, reason in _NOT_HERE.items():
        if key in content:
            raise RuleError(f"{key!r} {reason}", line=content.line_of(key))
    section = content["correlation"]
    if not isinstance(section, Map):
        raise RuleError("'correlation' is a map of type, rules, timespan and condition", line=content.line_of("correlation"))
    _known(section, _KEYS, "'correlation'")
    kind = _type(section)
    rules = _rules(section)
    bounds, formula, fields, percentile = _condition(section, kind, rules)
    if formula is not None and not rules:
        rules = tuple(dict.fromkeys(formula.names()))
    correlation = Correlation(
        uid=id_of(content) or "",
        title=title,
        type=kind,
        rules=rules,
        timespan=_timespan(section),
        content_hash="",
        group_by=_field_names(section, "group-by"),
        bounds=bounds,
        fields=fields,
        percentile=percentile,
        aliases=_aliases(section),
        generate=_generate(section),
        **described(source, _OWN_KEYS),
    )
    uid = correlation.uid or digest([title, *meaning(correlation), formula])
    return Draft(replace(correlation, uid=uid, content_hash=digest([*meaning(correlation), formula])), formula, section)


def meaning(correlation: Correlation) -> list[Any]:
    """What of ``correlation`` decides what it finds, for hashes."""
    own = correlation
    return [own.type, own.rules, own.timespan, own.group_by, own.bounds, own.terms, own.fields, own.percentile, own.aliases, own.generate, own.level]


def _known(found: Map, keys: Sequence[str], place: str) -> None:
    for key in found:
        if key not in keys:
            near = get_close_matches(str(key)[:100].lower().replace("_", "-"), keys, n=1)
            raise RuleError(
                f"{place} has no key {str(key)[:100]!r}" + (f"; did you mean {near[0]!r}?" if near else f"; there are: {', '.join(keys)}"),
                line=found.line_of(key),
            )


def _type(section: Map) -> CorrelationType:
    word = section.get("type")
    if not isinstance(word, str) or word.lower() not in _TYPES:
        raise RuleError(f"the type of a correlation is one of {', '.join(_TYPES)}, not {str(word)[:100]!r}", line=section.line_of("type"))
    return CorrelationType(word.lower())


def _rules(section: Map) -> tuple[str, ...]:
    line = section.line_of("rules")
    value = section.get("rules")
    if value is None and isinstance(section.get("condition"), str):
        return ()
    names = value if isinstance(value, list) else [value]
    if not names or any(name is None or isinstance(name, (dict, list, bool)) or not str(name).strip() for name in names):
        raise RuleError("'rules' lists the ids or names of the rules to correlate", line=line)
    if len(names) > MAX_RULES:
        raise RuleError(f"'rules' lists {len(names):,} rules; at most {MAX_RULES:,} are correlated", line=line)
    return tuple(str(name).strip() for name in names)


def _timespan(section: Map) -> timedelta:
    if section.get("timespan") is None:
        raise RuleError("a correlation needs a 'timespan', such as 30m, 6h or 1d", line=section.line_of("timespan"))
    try:
        return timespan.parse(str(section["timespan"])[:100])
    except ValueError as error:
        raise RuleError(f"'timespan': {error}", line=section.line_of("timespan")) from None


def _field_names(section: Map, key: str) -> tuple[str, ...]:
    value = section.get(key)
    if value is None:
        return ()
    names = value if isinstance(value, list) else [value]
    line = section.line_of(key)
    if not all(isinstance(name, str) and name.strip() for name in names):
        raise RuleError(f"{key!r} is the name of a field or a list of them", line=line)
    if len(names) > MAX_FIELDS:
        raise RuleError(f"{key!r} names {len(names):,} fields; at most {MAX_FIELDS} are read", line=line)
    for name in names:
        _readable(name, line)
    return tuple(dict.fromkeys(names))


def _readable(name: str, line: int) -> None:
    if name.startswith(_ALERT_PREFIX) and name not in ALERT_FIELDS:
        raise RuleError(f"field {name[:100]!r} does not exist; of alerts there are {', '.join(ALERT_FIELDS)}", line=line)


def _aliases(section: Map) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    aliases = section.get("aliases")
    if aliases is None:
        return ()
    if not isinstance(aliases, Map):
        raise RuleError("'aliases' is a map: alias → rule → field of that rule", line=section.line_of("aliases"))
    if len(aliases) > MAX_FIELDS:
        raise RuleError(f"'aliases' has {len(aliases):,} names; at most {MAX_FIELDS} are read", line=section.line_of("aliases"))
    found = []
    for alias, targets in aliases.items():
        line = aliases.line_of(alias)
        if not isinstance(targets, Map) or not targets or not all(isinstance(field, str) and field.strip() for field in targets.values()):
            raise RuleError(f"alias {str(alias)[:100]!r} is a map: name of a rule → its field", line=line)
        if str(alias).startswith(_ALERT_PREFIX):
            raise RuleError(f"alias {str(alias)[:100]!r} would hide a field of alerts; choose another name", line=line)
        for rule, field in targets.items():
            _readable(field, targets.line_of(rule))
        found.append((str(alias), tuple((str(rule), field) for rule, field in targets.items())))
    return tuple(found)


def _generate(section: Map) -> bool:
    value = section.get("generate", False)
    if not isinstance(value, bool):
        raise RuleError("'generate' is true or false", line=section.line_of("generate"))
    return value


# Conditions.

_Condition = tuple[tuple[Bound, ...], extended.Formula | None, tuple[str, ...], float]


def _condition(section: Map, kind: CorrelationType, rules: Sequence[str]) -> _Condition:
    condition, line = section.get("condition"), section.line_of("condition")
    if condition is None and kind in _TEMPORAL:
        return (Bound(BoundOperator.GTE, len(rules)),), None, (), 50.0
    if isinstance(condition, str):
        if kind not in _TEMPORAL:
            raise RuleError(f"a condition over names of rules belongs to temporal and temporal_ordered; {kind} compares: {{gte: 10}}", line=line)
        try:
            return (), extended.read(condition, rules), (), 50.0
        except RuleError as error:
            error.line = error.line or line
            raise
    if not isinstance(condition, Map):
        raise RuleError("a correlation needs a 'condition', a map such as {gte: 10}", line=line)
    _known(condition, (*_OPERATORS, "field", "percentile"), "the condition of a correlation")
    bounds = tuple(Bound(operator, _number(condition, operator)) for operator in _OPERATORS if operator in condition)
    if not bounds:
        raise RuleError(f"the condition compares nothing; use {', '.join(_OPERATORS)}", line=line)
    _possible(bounds, kind, len(rules), line)
    return bounds, None, _fields(condition, kind), _percentile(condition, kind)


def _fields(condition: Map, kind: CorrelationType) -> tuple[str, ...]:
    names, line = _field_names(condition, "field"), condition.line_of("field")
    if kind.startswith("value_"):
        if not names:
            raise RuleError(f"the condition of {kind} needs a 'field'", line=line)
        if len(names) > 1 and kind is not CorrelationType.VALUE_COUNT:
            raise UnsupportedFeature(f"{kind} takes one 'field'; only value_count combines several", line=line)
    elif "field" in condition:
        raise RuleError(f"{kind} counts {'events' if kind is CorrelationType.EVENT_COUNT else 'rules'}, no 'field'; value_count does", line=line)
    return names


def _percentile(condition: Map, kind: CorrelationType) -> float:
    if "percentile" not in condition:
        return 50.0
    line = condition.line_of("percentile")
    if kind is not CorrelationType.VALUE_PERCENTILE:
        raise RuleError(f"'percentile' belongs to value_percentile, not to {kind}", line=line)
    number = float(_number(condition, "percentile"))
    if not 0 <= number <= 100:
        raise RuleError(f"'percentile' is a number from 0 to 100, not {number:g}", line=line)
    return number


def _number(condition: Map, key: str) -> int | float:
    value = condition[key]
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value) if "." in value else int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise RuleError(f"{key!r} needs a number, not {str(value)[:100]!r}", line=condition.line_of(key))
    if abs(value) > MAX_NUMBER:
        raise RuleError(f"{key!r}: the number is beyond {MAX_NUMBER:,}, where numbers are no longer exact", line=condition.line_of(key))
    return value if isinstance(value, int) else float(value)


def _possible(bounds: Sequence[Bound], kind: CorrelationType, rules: int, line: int) -> None:
    """Refuse what no window can measure: a window holds an event, and not more rules than there are."""
    least = 0 if kind is CorrelationType.VALUE_COUNT else 1 if kind in _COUNTS else -math.inf
    most = rules if kind in _TEMPORAL else math.inf
    if not any(least <= value <= most and all(_holds(bound, value) for bound in bounds) for value in _samples(bounds, kind in _COUNTS)):
        said = ", ".join(f"{bound.operator}: {bound.number}" for bound in bounds)
        what = {CorrelationType.EVENT_COUNT: "a window holds one event at least", CorrelationType.VALUE_COUNT: "values are counted from 0"}.get(
            kind, f"of {rules} rules 1 to {rules} occur" if kind in _TEMPORAL else "no number is that"
        )
        raise RuleError(f"the condition {{{said}}} can never hold: {what}", line=line)


def _samples(bounds: Sequence[Bound], whole: bool) -> Iterable[int | float]:
    """Values among which is one that satisfies ``bounds`` if any does."""
    numbers = sorted({0, 1, *(bound.number for bound in bounds)})
    around = {whole_number + step for number in numbers for whole_number in (math.floor(number),) for step in (-1, 0, 1, 2)}
    return around if whole else {*around, *numbers, *((low + high) / 2 for low, high in pairwise(numbers))}


def _holds(bound: Bound, value: int | float) -> bool:
    match bound.operator:
        case BoundOperator.LT:
            return value < bound.number
        case BoundOperator.LTE:
            return value <= bound.number
        case BoundOperator.GT:
            return value > bound.number
        case BoundOperator.GTE:
            return value >= bound.number
        case BoundOperator.EQ:
            return value == bound.number
        case BoundOperator.NEQ:
            return value != bound.number


def silenced(correlations: Iterable[Correlation]) -> frozenset[str]:
    """The uids that raise no alerts of their own: some correlation refers to them, and none of those says ``generate: true``."""
    quiet: set[str] = set()
    loud: set[str] = set()
    for correlation in correlations:
        (loud if correlation.generate else quiet).update(correlation.rules)
    return frozenset(quiet - loud)
