"""Sigma documents → a `RuleSet`: rules as trees with filters applied, what was refused and why, and the other documents for those who read them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from sigma.exceptions import SigmaError

from engine import bundled
from engine.errors import RuleError
from engine.sigma.condition import Change, parse
from engine.sigma.correlation import Draft, load_correlation
from engine.sigma.detection import Placeholders, build
from engine.sigma.digest import digest
from engine.sigma.document import Source, read
from engine.sigma.filters import Filter, filtered, load_filter
from engine.sigma.metadata import described, group_by_of, id_of, logsource_of, optional_text, suppress_of, title_of
from engine.sigma.references import Refused, resolve_references
from engine.sigma.ruleset import Document, RuleSet
from engine.sigma.tree import Correlation, LogSource, Node, Rule
from engine.sigma.yamltext import Map, plain

if TYPE_CHECKING:
    from engine.sigma.pipeline_fields import CorrelationFields
    from engine.sigma.pipelines import Pipelines

_OWN_KEYS = ("logsource", "detection", "group_by", "suppress")
_T = TypeVar("_T")


def load(
    sources: Sequence[str | Path],
    *,
    placeholders: Mapping[str, Sequence[str]] | None = None,
    pipelines: Sequence[str | Path] = (),
    now: datetime | None = None,
) -> RuleSet:
    """The Sigma documents below ``sources``: YAML text (a str with a newline), files, or directories (recursively).

    ``placeholders`` are the values of ``|expand`` by name. ``pipelines`` are processing pipelines of pySigma, files or installed ones, that rules,
    filters and the fields of correlations go through, crosswind's own left out. With ``now`` filters that have expired by then are noted. A broken
    document becomes a RuleError with path and line and stops no other. An id that stands twice is refused the second time, unless the content is the
    same: then it counts once. Raises UsageError for a path or pipeline that does not exist.
    """
    found = _Found()
    steps = _pipelines(pipelines) if pipelines else None
    own = f"{bundled.detections()}{os.sep}"
    values = {**(steps.placeholders if steps else {}), **(placeholders or {})}
    for source in read(sources):
        if isinstance(source, RuleError):
            found.errors.append(source)
            continue
        try:
            found.add(_load(source, values, None if source.path.startswith(own) else steps))
        except RuleError as error:
            found.refuse(source, error)
        except (SigmaError, ValueError, TypeError, AttributeError, RecursionError) as error:
            found.refuse(source, RuleError(f"cannot be read as Sigma: {error}"))
    rules = found.rule_set(None if steps is None else _correlation_fields(steps, own))
    return rules if now is None else rules.as_of(now)


def _pipelines(given: Sequence[str | Path]) -> Pipelines:
    from engine.sigma.pipelines import Pipelines  # few need them, and they import much

    return Pipelines(given)


def _correlation_fields(steps: Pipelines, own: str) -> CorrelationFields:
    from engine.sigma.pipeline_fields import CorrelationFields  # see above

    return CorrelationFields(steps, own)


@dataclass(slots=True)
class _Found:
    """What the documents read so far are."""

    rules: list[Rule] = field(default_factory=list)
    filters: list[Filter] = field(default_factory=list)
    correlations: list[Draft] = field(default_factory=list)
    others: list[Document] = field(default_factory=list)
    errors: list[RuleError] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)

    def add(self, loaded: Rule | Filter | Draft | Document) -> None:
        if isinstance(loaded, Rule):
            self.rules.append(loaded)
        elif isinstance(loaded, Filter):
            self.filters.append(loaded)
        elif isinstance(loaded, Draft):
            self.correlations.append(loaded)
        else:
            self.others.append(loaded)

    def refuse(self, source: Source, error: RuleError) -> None:
        self.errors.append(_placed(error, source))
        if "filter" not in source.content:
            names = (source.content.get(key) for key in ("id", "name", "title"))
            self.refused.append(Refused(tuple(str(name)[:1000] for name in names if isinstance(name, (str, int))), error))

    def rule_set(self, fields: CorrelationFields | None = None) -> RuleSet:
        seen: dict[str, tuple[str, str]] = {}
        rules = _unique(
            [_finished(draft, self.filters) for draft in self.rules], lambda rule: _Identity(rule.uid, rule.content_hash, rule), seen, self.errors
        )
        drafts = _unique(
            self.correlations, lambda draft: _Identity(draft.correlation.uid, draft.correlation.content_hash, draft.correlation), seen, self.errors
        )
        others = _unique(self.others, lambda other: _Identity(other.uid, digest(dict(other.content)), other), seen, self.errors)
        if fields is not None:
            fields.know(rules)
        correlations, errors, notes = resolve_references(drafts, rules, self.refused, fields)
        notes = [*_notes(self.filters, rules), *notes]
        expiring = tuple(each.ends for each in self.filters if each.ends is not None)
        return RuleSet(tuple(rules), (*self.errors, *errors), tuple(others), tuple(notes), correlations, expiring)


def _placed(error: RuleError, source: Source) -> RuleError:
    content = source.content
    name = content.get("title") or content.get("id")
    error.rule = error.rule or (str(name) if name is not None else None)
    error.path = source.path
    error.line = error.line or source.line
    return error


def _load(source: Source, placeholders: Placeholders, steps: Pipelines | None) -> Rule | Filter | Draft | Document:
    content = source.content
    title = title_of(content)
    if "correlation" in content:
        return load_correlation(source, title)
    if "analytic" in content:
        whole = plain(content)
        return Document("analytic", id_of(content) or digest(whole), title, whole, source.path, source.line, optional_text(content, "name"))
    logsource = logsource_of(content)
    application = None if steps is None else steps.on(content, title, logsource)
    if "filter" in content:
        return load_filter(source, title, logsource, placeholders, application)
    rule = _draft(source, title, logsource, _condition(content, placeholders, application))
    return rule if application is None else replace(rule, logsource=application.logsource, group_by=application.group_by)


def _condition(content: Map, placeholders: Placeholders, change: Change | None) -> Node:
    section = content.get("detection")
    if not isinstance(section, Map):
        raise RuleError("no 'detection' section; it is a map of named detections and a condition", line=content.line_of("detection"))
    if "condition" not in section:
        raise RuleError("the detection section has no 'condition'", line=content.line_of("detection"))
    condition = section["condition"]
    detections = build(section, placeholders, reserved=frozenset({"condition"}))
    try:
        return parse(condition if isinstance(condition, list) else [condition], detections, change)
    except RuleError as error:
        error.line = error.line or section.line_of("condition")
        raise


def _draft(source: Source, title: str, logsource: LogSource, condition: Node) -> Rule:
    """The rule before filters, still without a content hash (and without a uid where it states no id)."""
    content = source.content
    return Rule(
        uid=id_of(content) or "",
        title=title,
        logsource=logsource,
        condition=condition,
        content_hash="",
        group_by=group_by_of(content),
        suppress=suppress_of(content),
        **described(source, _OWN_KEYS),
    )


def _finished(draft: Rule, filters: Sequence[Filter]) -> Rule:
    """The rule with its filters, content hash and uid."""
    names = _names(draft)
    condition = filtered(draft.condition, [each for each in filters if each.applies(draft.logsource, names)])
    meaning = [draft.logsource, condition, draft.group_by, draft.suppress, draft.level]
    return replace(draft, condition=condition, uid=draft.uid or digest([draft.title, *meaning]), content_hash=digest(meaning))


def _names(rule: Rule) -> set[str]:
    """What a filter may call the rule, in lower case."""
    return {name.lower() for name in (rule.uid, rule.name, rule.title) if name}


class _Identity(NamedTuple):
    """What an item is known by, what it means, and whose title and place messages name."""

    uid: str
    content: str
    shown: Rule | Correlation | Document


def _unique(items: Sequence[_T], identify: Callable[[_T], _Identity], seen: dict[str, tuple[str, str]], errors: list[RuleError]) -> list[_T]:
    kept = []
    for item in items:
        uid, content, shown = identify(item)
        key = uid.lower()
        if key not in seen:
            seen[key] = (content, f"{shown.path}:{shown.line}")
            kept.append(item)
        elif seen[key][0] != content:
            message = f"id {uid} already belongs to the document at {seen[key][1]}; give this one its own"
            errors.append(RuleError(message, rule=shown.title, path=shown.path, line=shown.line))
    return kept


def _notes(filters: Sequence[Filter], rules: Sequence[Rule]) -> list[str]:
    known: set[str] = set().union(*map(_names, rules))
    notes = []
    for each in filters:
        missing = [name for name in each.rules or () if name not in known]
        if missing:
            notes.append(f"{each.path}:{each.line}: filter {each.title!r} names rules that are not loaded: {', '.join(missing)}")
        elif not any(each.applies(rule.logsource, _names(rule)) for rule in rules):
            notes.append(f"{each.path}:{each.line}: filter {each.title!r} applies to no loaded rule")
    return notes
