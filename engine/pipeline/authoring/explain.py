"""`rules explain`: a rule taken apart, each part run by the detect kernel as a rule of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, BinaryIO

import polars as pl

from connectors.batches import list_input
from connectors.exact import look_up
from connectors.normalize import NATIVE, Want, columns_of, understand
from connectors.sources import load_mappings
from connectors.transports.base import Limits
from engine import jsontext, schema
from engine.detect.kernel import detect
from engine.detect.plan import Plan, compile_plan, in_class
from engine.detect.program import reads_changes
from engine.documents.redaction import redact_evidence, redact_json, redact_text
from engine.errors import UsageError
from engine.pipeline.authoring.find import find
from engine.report.conditions import branch, preorder
from engine.report.explanation import Explained, Explanation
from engine.report.rule_files import RuleFiles
from engine.sigma.fields import Resolution, Scope, applies, resolve
from engine.sigma.tree import Leaf, Node, Rule, SameAs

_LONGEST = 120
"""Characters of a value that are shown."""


@dataclass(frozen=True, slots=True)
class _Parts:
    """A rule on one source: ``condition``, the plan of its parts (rule uids are their numbers in `preorder`), or why it does not run there."""

    condition: Node
    scope: Scope | None
    plan: Plan | None
    reason: str | None = None

    @property
    def want(self) -> Want:
        return Want(self.plan.columns, self.plan.paths) if self.plan else Want(())


def explain(
    files: RuleFiles,
    key: str,
    paths: Sequence[str],
    *,
    source: str | None = None,
    limit: int = 10,
    show_content: bool = False,
    stdin: BinaryIO | None = None,
) -> Explanation:
    """Why the rule called ``key`` matches or does not match the records below ``paths`` (``-`` is ``stdin``), at most ``limit`` of them.

    ``source`` takes every record for one of that source, recognised or not. Raises UsageError for an unknown rule or source.
    """
    mappings = load_mappings()
    if source is not None and source not in mappings:
        raise UsageError(f"no source {source!r}; `crosswind sources` lists them: {', '.join(mappings)}")
    rule = _one(files, key)
    parts = {name: _parts(rule, mapping) for name, mapping in mappings.items()}
    given = list_input(paths, Limits(), stdin)
    problems = [f"{reject.object}: {reject.reason}" for reject in given.rejects] + [f"{skip.object}: {skip.reason}" for skip in given.skips]
    records: list[Explained] = []
    total = 0
    for stream in given.streams(Limits()):
        for batch in stream:
            problems += [f"{reject.object}: {reject.reason}" for reject in (*batch.failed, *batch.rejects)]
            problems += [f"{skip.object}: {skip.reason}" for skip in batch.skips]
            total += batch.records.height
            frame = batch.records.head(limit - len(records))
            if frame.height:
                records += _explained(rule, frame, parts, mappings, source, show_content)
    return Explanation(rule.title, rule.uid, tuple(records), tuple(problems), total - len(records))


def _one(files: RuleFiles, key: str) -> Rule:
    _, found = find(files, key)
    rules = [each for each in found if isinstance(each, Rule)]
    if not rules:
        raise UsageError(f"{key!r} is a correlation; explain one of the rules it names (`crosswind rules show` lists them)")
    if len(rules) > 1:
        raise UsageError(f"{key!r} means {len(rules)} rules; say an id: {', '.join(rule.uid for rule in rules[:5])}")
    return rules[0]


def _parts(rule: Rule, mapping: schema.Mapping) -> _Parts:
    scope = applies(rule.logsource, mapping)
    if scope is None:
        return _Parts(rule.condition, None, None, f"the rule is for {rule.logsource}, which has no {mapping.source} records")
    if reads_changes(rule):
        reason = "it reads x.change.*, which takes the events before this one: `crosswind scan` runs it, `rules test` with `before:` tries it"
        return _Parts(rule.condition, None, None, reason)
    condition = in_class(rule) if scope is Scope.COMMON else rule.condition
    # The class of event is a part of its own here: it must not be asked of every part again.
    logsource = replace(rule.logsource, category=None) if rule.logsource.product == "cloud" else rule.logsource
    alone = [replace(rule, uid=str(number), condition=node, logsource=logsource, group_by=None) for number, node in enumerate(preorder(condition))]
    plan, errors = compile_plan(alone, mapping)
    if errors:
        return _Parts(condition, scope, None, errors[0].message)
    return _Parts(condition, scope, plan)


def _explained(
    rule: Rule, records: pl.DataFrame, parts: Mapping[str, _Parts], mappings: Mapping[str, schema.Mapping], source: str | None, show_content: bool
) -> list[Explained]:
    places = dict(enumerate(f"{uri}, record {at}" for uri, at in records.select("object", "position").iter_rows()))
    rows = {place: row for row, place in enumerate(records.select("object", "position").iter_rows())}
    found: dict[int, Explained] = {}
    if source is not None:
        frame = columns_of(records["raw_data"], mappings[source], parts[source].want)
        found.update(zip(range(records.height), _on(frame, mappings[source], parts[source], list(places.values()), show_content), strict=True))
        return [found[row] for row in sorted(found)]
    understood = understand(records, mappings, {name: part.want for name, part in parts.items()}, now=datetime.now(UTC))
    for skip in understood.unknown:
        row = rows[skip.object, skip.position or 0]
        found[row] = Explained(places[row], None, None, f"{redact_text(skip.reason)}; name its source with --source")
    for mapping, normalized in understood.parts:
        for reject in normalized.rejects:
            row = rows[reject.object, reject.position or 0]
            found[row] = Explained(places[row], mapping.source, None, redact_text(reject.reason))
        mine = [rows[place] for place in normalized.events.select("x.object", "x.position").iter_rows()]
        explained = _on(normalized.events, mapping, parts[mapping.source], [places[row] for row in mine], show_content)
        found.update(zip(mine, explained, strict=True))
    return [found[row] for row in sorted(found)]


def _on(events: pl.DataFrame, mapping: schema.Mapping, parts: _Parts, places: Sequence[str], show_content: bool) -> Iterator[Explained]:
    """What became of each row of ``events``, all of one source."""
    if parts.plan is None or parts.scope is None:
        yield from (Explained(place, mapping.source, None, parts.reason) for place in places)
        return
    held: list[set[int]] = [set() for _ in places]
    for row, number in detect(events, parts.plan).iter_rows():
        held[row].add(int(parts.plan.rules[number].uid))
    size = len(parts.plan.rules)
    for row, place in enumerate(places):
        values = _Values(events.row(row, named=True), mapping, parts.scope, show_content)
        tree = branch(parts.condition, [number in held[row] for number in range(size)], values.seen)
        yield Explained(place, mapping.source, 0 in held[row], None, tree)


class _Values:
    """What the leaves of a rule see of one event, redacted unless asked otherwise."""

    def __init__(self, event: Mapping[str, Any], mapping: schema.Mapping, scope: Scope, show_content: bool) -> None:
        self._event = event
        self._mapping = mapping
        self._scope = scope
        self._show = show_content
        raw = event["raw_data"]
        self._record = jsontext.loads(raw if show_content else redact_json(raw, content=mapping.ai))

    def seen(self, leaf: Leaf) -> str | None:
        if leaf.field is None:
            return None
        value = self._of(leaf.field)
        return f"{value}, {leaf.predicate.field}: {self._of(leaf.predicate.field)}" if isinstance(leaf.predicate, SameAs) else value

    def _of(self, field: str) -> str:
        where = resolve(field, self._scope, self._mapping)
        if where.column is not None:
            return self._column(where)
        present = [path for path in where.paths if self._event[NATIVE + path] is not None]
        if not present:
            return "missing"
        found = look_up(self._record, tuple(present), self._mapping.embedded) if isinstance(self._record, dict) else {}
        return ", ".join(_short(jsontext.encode(found[path])) if path in found else "(redacted)" for path in present)

    def _column(self, where: Resolution) -> str:
        assert where.column is not None
        value = redact_evidence({where.column: self._event.get(where.column)}, show_content=self._show)[where.column]
        if value is None:
            return "missing"
        if where.subpath is not None:
            inside = jsontext.loads(value)
            found = look_up(inside if isinstance(inside, dict) else {"": inside}, (where.subpath,))
            return _short(jsontext.encode(found[where.subpath])) if where.subpath in found else "missing"
        return _short(jsontext.encode(value))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text):,} characters)"
