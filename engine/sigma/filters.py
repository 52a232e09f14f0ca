"""Sigma filters: the part of a filter document that is joined to the rules it names.

As pySigma reads the specification: the filtered rule is ``(rule) and (filter condition)``, so an allow-list is written ``condition: not selection``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from engine.errors import RuleError
from engine.sigma.condition import Change, all_of, any_of, parse
from engine.sigma.detection import Placeholders, build
from engine.sigma.document import Source
from engine.sigma.metadata import optional_text
from engine.sigma.ruleset import Expiring
from engine.sigma.tree import EVENT_TIME, Before, Leaf, LogSource, Node, Not
from engine.sigma.yamltext import Map

_RESERVED = frozenset({"rules", "condition"})
_BESIDE = ("expires", "owner")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2})?(?:Z|[+-][0-9]{2}:[0-9]{2})?)?")


@dataclass(frozen=True, slots=True)
class Filter:
    """A loaded filter. ``rules`` are ids, names or titles in lower case, None for any rule. With ``expires`` it holds for events before that only."""

    title: str
    logsource: LogSource
    rules: tuple[str, ...] | None
    condition: Node
    path: str
    line: int
    expires: datetime | None = None
    owner: str | None = None

    @property
    def ends(self) -> Expiring | None:
        """When and whose, if it expires."""
        return None if self.expires is None else Expiring(self.title, f"{self.path}:{self.line}", self.expires, self.owner)

    def applies(self, logsource: LogSource, names: Collection[str]) -> bool:
        """Whether a rule with this log source, known by ``names`` (lower case), is filtered: the filter's log source contains the rule's."""
        wanted = (self.logsource.category, self.logsource.product, self.logsource.service)
        given = (logsource.category, logsource.product, logsource.service)
        if any(want is not None and want != have for want, have in zip(wanted, given, strict=True)):
            return False
        return self.rules is None or any(name in names for name in self.rules)


def load_filter(source: Source, title: str, logsource: LogSource, placeholders: Placeholders, change: Change | None = None) -> Filter:
    """The filter a document describes, ``change`` being what pipelines do to its detections. Raises RuleError."""
    section = source.content["filter"]
    if not isinstance(section, Map):
        raise RuleError("'filter' is a map of rules, detections and a condition", line=source.content.line_of("filter"))
    for key in _BESIDE:
        if key in section and not isinstance(section[key], (dict, list)):
            raise RuleError(f"{key!r} stands beside 'filter', not inside it", line=section.line_of(key))
    condition = section.get("condition")
    if not isinstance(condition, str):
        raise RuleError("a filter has exactly one condition, as text", line=section.line_of("condition"))
    detections = build(section, placeholders, reserved=_RESERVED)
    try:
        tree = parse([condition], detections, change)
    except RuleError as error:
        error.line = error.line or section.line_of("condition")
        raise
    expires = _expires(source.content)
    if expires is not None:
        tree = any_of([tree, Not(Leaf(EVENT_TIME, Before(expires)))])
    owner = optional_text(source.content, "owner")
    return Filter(title, logsource, _references(section), tree, source.path, source.line, expires, owner)


def _expires(content: Map) -> datetime | None:
    value = content.get("expires")
    if value is None:
        return None
    try:
        if not isinstance(value, str) or not _TIME.fullmatch(value.strip()):
            raise ValueError("no ISO date")
        instant = datetime.fromisoformat(value.strip())
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        message = f"'expires' is a date such as 2027-01-31, or with a time 2027-01-31T12:00:00Z, not {str(value)[:100]!r}"
        raise RuleError(message, line=content.line_of("expires")) from None


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
