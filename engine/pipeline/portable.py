"""Rules that tell the same wherever crosswind is installed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from engine import bundled
from engine.sigma.ruleset import RuleSet


def portable(ruleset: RuleSet) -> RuleSet:
    """The same rules, crosswind's own with a path that does not tell where it is installed."""
    folder = bundled.detections()
    start = str(folder)

    def path(given: str | None) -> str | None:
        own = given is not None and given.startswith(start) and Path(given).is_relative_to(folder)
        return f"detections/{Path(given).relative_to(folder).as_posix()}" if own and given else given

    rules = tuple(rule if (told := path(rule.path)) == rule.path else replace(rule, path=told) for rule in ruleset.rules)
    correlations = tuple(replace(each, path=path(each.path)) for each in ruleset.correlations)
    return replace(ruleset, rules=rules, correlations=correlations)
