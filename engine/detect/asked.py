"""What correlations ask of the hits of the rules they name: which fields each source must add, and which correlations cannot be answered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field

from engine.errors import RuleError
from engine.schema import COLUMNS, PRINCIPAL, Mapping
from engine.sigma.correlation import ALERT_FIELDS
from engine.sigma.fields import OPEN, applies, resolve
from engine.sigma.ruleset import RuleSet
from engine.sigma.tree import Correlation, Rule


@dataclass(frozen=True, slots=True)
class Asked:
    """``paths``: per source, native field → record paths; ``columns``: common columns; ``names``: the fields asked of each rule, by uid.

    ``refused``: correlation uid → why it cannot be answered.
    """

    paths: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)
    columns: list[str] = field(default_factory=list)
    names: dict[str, list[str]] = field(default_factory=dict)
    refused: dict[str, RuleError] = field(default_factory=dict)
    partly: list[str] = field(default_factory=list)


def read_fields(ruleset: RuleSet, mappings: AnyMapping[str, Mapping]) -> Asked:
    """What the correlations of ``ruleset`` group by, count and sum, source by source.

    A correlation is refused where no source of one of its rules has such a field. Where only some have it, hits of the others take no part and
    ``partly`` says so.
    """
    asked = Asked()
    rules = {rule.uid: rule for rule in ruleset.rules}
    for correlation in ruleset.correlations:
        for rule, name in _reads(correlation, rules):
            asked.names.setdefault(rule.uid, []).append(name)
            if name == PRINCIPAL and OPEN.source not in mappings:
                continue
            if name in COLUMNS and OPEN.source not in mappings:
                asked.columns.append(name)
                continue
            missing = _add_paths(asked, rule, name, mappings)
            place = f"{correlation.path or 'given'}:{correlation.line or 1}: correlation {correlation.title!r}"
            if missing and len(missing) == len(_sources(rule, mappings)):
                message = f"reads {name!r} of rule {rule.title!r}: {next(iter(missing.values()))}"
                error = RuleError(message, rule=correlation.title, path=correlation.path, line=correlation.line)
                asked.refused.setdefault(correlation.uid, error)
            elif missing:
                asked.partly.append(f"{place} leaves out hits of {rule.title!r} on {', '.join(missing)}, which have no {name!r}")
    return asked


def _reads(correlation: Correlation, rules: AnyMapping[str, Rule]) -> Iterator[tuple[Rule, str]]:
    for uid in correlation.rules:
        for asked in (*correlation.group_by, *correlation.fields):
            name = correlation.field_of(asked, uid)
            if uid in rules and name is not None and name not in ALERT_FIELDS:
                yield rules[uid], name


def _sources(rule: Rule, mappings: AnyMapping[str, Mapping]) -> list[str]:
    return [source for source, mapping in mappings.items() if applies(rule.logsource, mapping) is not None]


def _add_paths(asked: Asked, rule: Rule, name: str, mappings: AnyMapping[str, Mapping]) -> dict[str, str]:
    """Take the record paths of ``name`` in every source of ``rule``; the sources that have none, with the reason."""
    missing: dict[str, str] = {}
    for source in _sources(rule, mappings):
        scope = applies(rule.logsource, mappings[source])
        assert scope is not None
        try:
            found = resolve(name, scope, mappings[source])
        except RuleError as error:
            missing[source] = error.message
            continue
        if found.paths:
            asked.paths.setdefault(source, {})[name] = found.paths
        else:
            missing[source] = f"{name!r} lies inside the JSON of a common column, which correlations cannot read"
    return missing


def runnable(correlations: Sequence[Correlation], refused: dict[str, RuleError]) -> tuple[Correlation, ...]:
    """The correlations all of whose rules can run; the others are added to ``refused`` with the reason. Referenced ones come first."""
    kept: list[Correlation] = []
    for correlation in correlations:
        broken = next((uid for uid in correlation.rules if uid in refused), None)
        if broken is not None and correlation.uid not in refused:
            message = f"refers to {refused[broken].rule or broken!r}, which is refused: {refused[broken].message}"
            refused[correlation.uid] = RuleError(message, rule=correlation.title, path=correlation.path, line=correlation.line)
        if correlation.uid not in refused:
            kept.append(correlation)
    return tuple(kept)
