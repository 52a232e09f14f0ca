"""`rules show`: what a rule reads, compiles to, and belongs to."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.sources import load_mappings
from engine.detect.plan import compile_plan
from engine.pipeline.authoring.checks import rule_tests
from engine.pipeline.authoring.find import find
from engine.report.conditions import branch, leaf_text
from engine.report.rule_files import RuleFiles, shown_path
from engine.report.rule_view import Read, View
from engine.schema import Mapping
from engine.sigma.fields import applies, resolve
from engine.sigma.ruleset import RuleSet
from engine.sigma.tree import Correlation, Rule, Term, fields


def show(files: RuleFiles, key: str) -> list[View]:
    """Everything called ``key``. Raises UsageError where there is nothing."""
    ruleset, found = find(files, key)
    return [_rule(each, ruleset) if isinstance(each, Rule) else _correlation(each, ruleset) for each in found]


def _rule(rule: Rule, ruleset: RuleSet) -> View:
    sources: list[str] = []
    refused: list[tuple[str, str]] = []
    reads: list[Read] = []
    anchors: dict[str, None] = {}
    always = False
    for mapping in load_mappings().values():
        if applies(rule.logsource, mapping) is None:
            continue
        plan, errors = compile_plan([rule], mapping)
        if errors:
            refused.append((mapping.source, errors[0].message))
            continue
        sources.append(mapping.source)
        reads += _reads(rule, mapping)
        always |= bool(plan.always)
        anchors |= dict.fromkeys(leaf_text(plan.leaves[leaf].leaf) for leaf in plan.anchored)
    return View(
        uid=rule.uid,
        title=rule.title,
        kind="rule",
        level=rule.level,
        place=f"{shown_path(rule.path)}:{rule.line or 1}",
        name=rule.name,
        status=rule.status,
        description=rule.description,
        logsource=str(rule.logsource),
        sources=tuple(sources),
        refused=tuple(refused),
        reads=tuple(reads),
        tree=branch(rule.condition),
        anchors=() if always else tuple(anchors),
        tags=rule.tags,
        related=tuple(f"{each.title} ({each.uid})" for each in ruleset.correlations if rule.uid in each.rules),
        tests=len(rule_tests(rule)),
    )


def _reads(rule: Rule, mapping: Mapping) -> Iterator[Read]:
    scope = applies(rule.logsource, mapping)
    assert scope is not None
    known = frozenset(mapping.fields)
    for name in sorted(fields(rule.condition)):
        found = resolve(name, scope, mapping)
        if found.column is None:
            yield Read(name, mapping.source, found.paths, known.issuperset(found.paths) or name.lower() in mapping.aliases)
        else:
            inside = f", inside it {found.subpath}" if found.subpath else ""
            yield Read(name, mapping.source, (f"column {found.column}{inside}",), not inside)


def _correlation(correlation: Correlation, ruleset: RuleSet) -> View:
    return View(
        uid=correlation.uid,
        title=correlation.title,
        kind="correlation",
        level=correlation.level,
        place=f"{shown_path(correlation.path)}:{correlation.line or 1}",
        name=correlation.name,
        status=correlation.status,
        description=correlation.description,
        logsource=None,
        sources=(),
        refused=(),
        reads=(),
        tree=None,
        anchors=(),
        tags=correlation.tags,
        related=tuple(_about(correlation, ruleset)),
        tests=0,
    )


def _about(correlation: Correlation, ruleset: RuleSet) -> Iterator[str]:
    titles = {rule.uid: rule.title for rule in ruleset.rules} | {each.uid: each.title for each in ruleset.correlations}
    bounds = " and ".join(f"{bound.operator} {bound.number}" for bound in correlation.bounds)
    counted = f" of {', '.join(correlation.fields)}" if correlation.fields else ""
    terms = " or ".join(_term(term, titles) for term in correlation.terms)
    yield f"{correlation.type}{counted} {bounds or terms}".rstrip() + f" within {correlation.timespan}"
    yield f"grouped by {', '.join(correlation.group_by)}" if correlation.group_by else "all hits in one group"
    yield from (f"of {titles.get(uid, uid)} ({uid})" for uid in correlation.rules)
    for alias, targets in correlation.aliases:
        yield f"alias {alias}: {', '.join(f'{field} of {titles.get(uid, uid)}' for uid, field in targets)}"
    yield "these rules keep alerts of their own" if correlation.generate else "these rules raise no alerts of their own"
    yield from (f"named by {each.title} ({each.uid})" for each in ruleset.correlations if correlation.uid in each.rules)


def _term(term: Term, titles: dict[str, str]) -> str:
    present = [repr(titles.get(uid, uid)) for uid in term.present]
    return " and ".join([*present, *(f"not {titles.get(uid, uid)!r}" for uid in term.absent)])
