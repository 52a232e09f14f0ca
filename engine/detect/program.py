"""The rules of a run, compiled for every source they run on."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field, replace

from engine.detect.asked import read_fields, runnable
from engine.detect.plan import Plan, compile_plan
from engine.detect.readings import readings
from engine.errors import RuleError
from engine.schema import CHANGE, COLUMNS, PRINCIPAL, Mapping
from engine.sigma.fields import OPEN, Scope, applies, resolve
from engine.sigma.ruleset import RuleSet
from engine.sigma.tree import Correlation, LogSource, Rule, fields


@dataclass(frozen=True, slots=True)
class Program:
    """``plans`` by source; ``numbers``: per source, the index in ``ruleset.rules`` of each rule of its plan. Picklable, shared by all batches.

    Diff rules, those that read ``x.change.*``, are in no plan: what they read is known after all events were read. Their plans are those of `diff`.
    """

    ruleset: RuleSet
    plans: dict[str, Plan]
    numbers: dict[str, tuple[int, ...]]
    refused: dict[str, RuleError]
    """Rule uid → why no source could compile it, with the place of the rule."""
    partly: tuple[str, ...]
    """What rules that run do not run on, and why: a sentence each."""
    reads: dict[str, dict[str, dict[str, tuple[str, ...]]]]
    """Source → rule uid → native field the rule reads that no mapping vouches for → record paths."""
    group_paths: dict[str, dict[str, tuple[str, ...]]]
    """Per source: field its rules are grouped, counted or summed by that is no common column → record paths."""
    columns: tuple[str, ...] = ()
    """Common columns that rules and correlations group by, count or sum."""
    correlations: tuple[Correlation, ...] = ()
    """Those that run, referenced ones first."""
    readings: AnyMapping[str, str] = field(default_factory=dict)
    """Rule uid → digest of what it reads of every source it runs on, and of what its hits carry."""
    diff_plans: dict[str, Plan] = field(default_factory=dict)
    """Source → the diff rules that run on it, where there are any."""
    diff_numbers: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def diff(self) -> Program:
        """The same program with its diff rules alone, on the sources they run on."""
        return replace(self, plans=self.diff_plans, numbers=self.diff_numbers, diff_plans={}, diff_numbers={})

    def running(self) -> dict[str, tuple[Rule, ...]]:
        """Source → the rules that run on it, diff rules last."""
        return {source: (*plan.rules, *(self.diff_plans[source].rules if source in self.diff_plans else ())) for source, plan in self.plans.items()}

    def by_principal(self) -> frozenset[str]:
        """Uids of the rules that group by who stands behind an event, and of those whose hits correlations group so."""
        found = {rule.uid for rule in self.ruleset.rules if PRINCIPAL in (rule.group_by or ())}
        for each in self.correlations:
            found |= {uid for uid in each.rules for name in (*each.group_by, *each.fields) if each.field_of(name, uid) == PRINCIPAL}
        return frozenset(found)

    def feeds(self) -> dict[str, frozenset[str]]:
        """Rule uid → the sources it runs on."""
        found: dict[str, set[str]] = {}
        for source, rules in self.running().items():
            for rule in rules:
                found.setdefault(rule.uid, set()).add(source)
        return {uid: frozenset(sources) for uid, sources in found.items()}

    def never_seen(self, uid: str, seen: AnyMapping[str, set[str]]) -> list[str]:
        """The fields rule ``uid`` reads on its own word, of which ``seen`` (source → record paths that held anything) has no path in any source."""
        sources = [source for source in self.reads if uid in self.reads[source] and source in seen]
        found: dict[str, bool] = {}
        for source in sources:
            for name, paths in self.reads[source][uid].items():
                found[name] = found.get(name, False) or not seen[source].isdisjoint(paths)
        return [name for name, was in found.items() if not was]


def compile_program(ruleset: RuleSet, mappings: AnyMapping[str, Mapping]) -> Program:
    """Compile every rule for every source. A rule that one source refuses still runs on the others."""
    plans: dict[str, Plan] = {}
    numbers: dict[str, tuple[int, ...]] = {}
    diff_plans: dict[str, Plan] = {}
    diff_numbers: dict[str, tuple[int, ...]] = {}
    groups: dict[str, dict[str, tuple[str, ...]]] = {}
    refused: dict[str, RuleError] = {}
    against: list[tuple[str, str]] = []
    reads: dict[str, dict[str, dict[str, tuple[str, ...]]]] = {}
    position = {rule.uid: index for index, rule in enumerate(ruleset.rules)}
    uids = {(rule.title, rule.path): rule.uid for rule in reversed(ruleset.rules)}
    asked = read_fields(ruleset, mappings)
    diff = {rule.uid for rule in ruleset.rules if reads_changes(rule)}
    of: dict[LogSource, list[int]] = {}
    for index, rule in enumerate(ruleset.rules):
        of.setdefault(rule.logsource, []).append(index)
    for name, mapping in mappings.items():
        scopes = {logsource: applies(logsource, mapping) for logsource in of}
        runs = sorted(index for logsource, indices in of.items() if scopes[logsource] is not None for index in indices)
        usable, errors = _groupable((ruleset.rules[index] for index in runs), mapping)
        later = [rule for rule in usable if rule.uid in diff] if diff and name != OPEN.source else []
        plans[name], compile_errors = compile_plan([rule for rule in usable if rule.uid not in diff] if later else usable, mapping)
        if later:
            diff_plans[name], more_errors = compile_plan(later, mapping)
            diff_numbers[name] = tuple(position[rule.uid] for rule in diff_plans[name].rules)
            compile_errors += more_errors
        for error in (*errors, *compile_errors):
            uid = uids[error.rule or "", error.path]
            refused.setdefault(uid, error)
            against.append((uid, f"{error.path or 'given'}: rule {error.rule!r} is not run on {name}: {error.message}"))
        numbers[name] = tuple(position[rule.uid] for rule in plans[name].rules)
        runs_here = (*plans[name].rules, *(diff_plans[name].rules if later else ()))
        groups[name] = _group_paths(runs_here, mapping) | asked.paths.get(name, {})
        unvouched = _Unvouched(mapping)
        reads[name] = {rule.uid: unvouched.of(rule) if scopes[rule.logsource] is Scope.NATIVE else {} for rule in plans[name].rules}
    made = Program(ruleset, plans, numbers, refused, (), reads, groups, diff_plans=diff_plans, diff_numbers=diff_numbers)
    by_source = made.running()
    running = {rule.uid for rules in by_source.values() for rule in rules}
    partly = tuple(sentence for uid, sentence in against if uid in running)
    refused = {uid: why for uid, why in refused.items() if uid not in running}
    refused |= asked.refused
    correlations = runnable(ruleset.correlations, refused)
    own = (name for rule in ruleset.rules for name in rule.group_by or () if name in COLUMNS)
    columns = tuple(dict.fromkeys((*own, *asked.columns)))
    read = readings(ruleset.rules, by_source, asked.names, mappings)
    return replace(made, refused=refused, partly=(*partly, *asked.partly), columns=columns, correlations=correlations, readings=read)


def reads_changes(rule: Rule) -> bool:
    """Whether it is a diff rule: its condition reads ``x.change.*``."""
    return any(name.startswith(CHANGE) for name in fields(rule.condition))


class _Unvouched:
    """The native fields rules read that the mapping of a source does not know, each name looked up once."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        self._known = frozenset(mapping.fields)
        self._paths: dict[str, tuple[str, ...]] = {}

    def of(self, rule: Rule) -> dict[str, tuple[str, ...]]:
        found = {name: self._look_up(name) for name in sorted(fields(rule.condition))}
        return {name: paths for name, paths in found.items() if paths}

    def _look_up(self, name: str) -> tuple[str, ...]:
        if name not in self._paths:
            paths = resolve(name, Scope.NATIVE, self._mapping).paths
            self._paths[name] = () if self._known.issuperset(paths) else paths
        return self._paths[name]


def _groupable(rules: Iterable[Rule], mapping: Mapping) -> tuple[list[Rule], list[RuleError]]:
    """The rules whose group-by fields exist in this source, and why the others do not run on it."""
    usable: list[Rule] = []
    errors: list[RuleError] = []
    for rule in rules:
        try:
            if rule.group_by:
                _group_paths([rule], mapping)
        except RuleError as error:
            errors.append(RuleError(f"group_by: {error.message}", rule=rule.title, path=rule.path, line=rule.line))
        else:
            usable.append(rule)
    return usable, errors


def _group_paths(rules: Iterable[Rule], mapping: Mapping) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for rule in rules:
        if not rule.group_by:
            continue
        scope = applies(rule.logsource, mapping)
        for name in rule.group_by:
            if scope is not None and name not in COLUMNS and name != PRINCIPAL:
                found[name] = resolve(name, Scope(scope), mapping).paths
    return found
