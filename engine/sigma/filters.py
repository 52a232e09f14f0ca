"""Sigma filters: the part of a filter document that is joined to the rules it names.

As pySigma reads the specification: the filtered rule is ``(rule) and (filter condition)``, so an allow-list is written ``condition: not selection``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from engine.errors import RuleError, UnsupportedFeature
from engine.sigma.condition import all_of, parse
from engine.sigma.detection import Placeholders, build
from engine.sigma.document import Source
from engine.sigma.tree import LogSource, Node
from engine.sigma.yamltext import Map

_RESERVED = frozenset({"rules", "condition"})


@dataclass(frozen=True, slots=True)
class Filter:
    """A loaded filter. ``rules`` are ids, names or titles in lower case, None for any rule."""

    title: str
    logsource: LogSource
    rules: tuple[str, ...] | None
    condition: Node
    path: str
    line: int

    def applies(self, logsource: LogSource, names: Collection[str]) -> bool:
        """Whether a rule with this log source, known by ``names`` (lower case), is filtered: the filter's log source contains the rule's."""
        wanted = (self.logsource.category, self.logsource.product, self.logsource.service)
        given = (logsource.category, logsource.product, logsource.service)
        if any(want is not None and want != have for want, have in zip(wanted, given, strict=True)):
            return False
        return self.rules is None or any(name in names for name in self.rules)


def load_filter(source: Source, title: str, logsource: LogSource, placeholders: Placeholders) -> Filter:
    """The filter a document describes. Raises RuleError."""
    section = source.content["filter"]
    if not isinstance(section, Map):
        raise RuleError("'filter' is a map of rules, detections and a condition", line=source.content.line_of("filter"))
    for place in (source.content, section):
        if "expires" in place:
            raise UnsupportedFeature(
                "filters with 'expires' are not supported; remove the filter when its time has come", line=place.line_of("expires")
            )
    condition = section.get("condition")
    if not isinstance(condition, str):
        raise RuleError("a filter has exactly one condition, as text", line=section.line_of("condition"))
    detections = build(section, placeholders, reserved=_RESERVED)
    try:
        tree = parse([condition], detections)
    except RuleError as error:
        error.line = error.line or section.line_of("condition")
        raise
    return Filter(title, logsource, _references(section), tree, source.path, source.line)


def _references(section: Map) -> tuple[str, ...] | None:
    if "rules" not in section:
        raise RuleError("a filter names its 'rules': a list of ids or names, or any", line=section.line)
    rules = section["rules"]
    if rules == [] or (isinstance(rules, str) and rules.lower() == "any"):
        return None
    listed = rules if isinstance(rules, list) else [rules]
    if any(rule is None or isinstance(rule, (dict, list, bool)) for rule in listed):
        raise RuleError("'rules' of a filter is a list of rule ids or names, or any", line=section.line_of("rules"))
    return tuple(str(rule).lower() for rule in listed)


def filtered(condition: Node, filters: Sequence[Filter]) -> Node:
    """``condition`` with every one of ``filters`` joined."""
    return all_of([condition, *(each.condition for each in filters)]) if filters else condition
