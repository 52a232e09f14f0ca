"""Fields that correlations name (group-by, counted ones, what aliases stand for), sent through processing pipelines the way pySigma defines it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from sigma.correlations import (
    SigmaCorrelationCondition,
    SigmaCorrelationConditionOperator,
    SigmaCorrelationFieldAlias,
    SigmaCorrelationFieldAliases,
    SigmaCorrelationRule,
    SigmaCorrelationType,
    SigmaRuleReference,
)
from sigma.rule import SigmaLevel, SigmaLogSource, SigmaRule

from engine.errors import RuleError
from engine.sigma.correlation import ALERT_FIELDS, meaning
from engine.sigma.digest import digest
from engine.sigma.pipelines import BROKEN, Pipelines, describe
from engine.sigma.tree import Correlation, LogSource, Rule


@dataclass(slots=True)
class CorrelationFields:
    """One set of correlations on its way through ``pipelines``: called with each, those referred to first. Files below ``own`` stay as they are."""

    pipelines: Pipelines
    own: str
    sources: dict[str, frozenset[LogSource]] = field(default_factory=dict)
    """The log sources behind each rule and correlation, by uid: what a pipeline's conditions may ask about."""

    def know(self, rules: Iterable[Rule]) -> None:
        """Take ``rules`` for those that correlations refer to."""
        self.sources.update((rule.uid, frozenset((rule.logsource,))) for rule in rules)

    def __call__(self, correlation: Correlation) -> Correlation:
        """``correlation`` with the fields the pipelines give it. Raises RuleError where they refuse it."""
        behind = frozenset[LogSource]().union(*(self.sources[uid] for uid in correlation.rules))
        self.sources[correlation.uid] = behind
        if (correlation.path or "").startswith(self.own):
            return correlation
        given = _as_pysigma(correlation, sorted(behind, key=str))
        try:
            self.pipelines.pipeline.apply(given)
        except BROKEN as error:
            raise RuleError(f"the processing pipeline refuses this correlation: {error}") from None
        changed = _with_fields(correlation, given)
        return correlation if changed == correlation else replace(changed, content_hash=digest(meaning(changed)))


def _as_pysigma(correlation: Correlation, sources: Iterable[LogSource]) -> SigmaCorrelationRule:
    """What of ``correlation`` pipelines may look at and change."""
    fixed = _fixed(correlation)
    references = {uid: SigmaRuleReference(uid) for uid in correlation.rules}
    aliases = {
        name: SigmaCorrelationFieldAlias(name, {references[uid]: target for uid, target in targets if target not in ALERT_FIELDS})
        for name, targets in (*correlation.aliases, *((name, ()) for name in ALERT_FIELDS))
    }
    counted = [name for name in correlation.fields if name not in fixed]
    rule = SigmaCorrelationRule(
        title=correlation.title,
        name=correlation.name,
        description=correlation.description,
        author=correlation.author,
        level=SigmaLevel[correlation.level.upper()],
        custom_attributes=dict(correlation.extra),
        type=SigmaCorrelationType[correlation.type.name],
        rules=list(references.values()),
        group_by=list(correlation.group_by),
        aliases=SigmaCorrelationFieldAliases(aliases),
        condition=SigmaCorrelationCondition(SigmaCorrelationConditionOperator.GTE, 1, counted),
    )
    describe(rule, correlation.uid, correlation.status, correlation.tags)
    for source in sources:
        behind = SigmaRuleReference(str(source))
        behind.rule = SigmaRule(title=str(source), logsource=SigmaLogSource(source.category, source.product, source.service))
        rule.referenced_rules.append(behind)
    return rule


def _fixed(correlation: Correlation) -> frozenset[str]:
    """Names in a correlation that are no fields of events."""
    return frozenset((*ALERT_FIELDS, *(alias for alias, _ in correlation.aliases)))


def _with_fields(correlation: Correlation, changed: SigmaCorrelationRule) -> Correlation:
    fixed = _fixed(correlation)
    assert isinstance(changed.condition, SigmaCorrelationCondition)
    counted = iter(changed.condition.fieldref or ())
    targets: Mapping[str, dict[str, str]] = {
        name: {reference.reference: target for reference, target in alias.mapping.items()} for name, alias in changed.aliases.aliases.items()
    }
    return replace(
        correlation,
        group_by=tuple(dict.fromkeys(changed.group_by or ())),
        fields=tuple(dict.fromkeys(name if name in fixed else next(counted) for name in correlation.fields)),
        aliases=tuple((name, tuple((uid, targets[name].get(uid, was)) for uid, was in named)) for name, named in correlation.aliases),
    )
