"""One document among many, by whatever a person calls it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from engine.errors import UsageError
from engine.pipeline.authoring.loading import load_files
from engine.report.rule_files import RuleFiles, near
from engine.sigma.ruleset import RuleSet
from engine.sigma.tree import Correlation, Rule

SHORTEST_ID = 6
"""So many characters of an id will do where no other id begins so."""


def find(files: RuleFiles, key: str) -> tuple[RuleSet, list[Rule | Correlation]]:
    """The rules and correlations called ``key``: an id or its beginning, a name, a title, or a file (all that stand in it).

    Raises UsageError where there is none, and the RuleError of a file whose documents do not load.
    """
    path = Path(key)
    if path.is_file():
        ruleset = load_files(replace(files, paths=(path, *files.paths)))
        inside = [each for each in _all(ruleset) if each.path == str(path)]
        for error in ruleset.errors:
            if not inside and error.path == str(path):
                raise error
        if not inside:
            raise UsageError(f"{path}: neither a rule nor a correlation stands in it")
        return ruleset, inside
    ruleset = load_files(files)
    known = _all(ruleset)
    word = key.strip().lower()
    found = [each for each in known if word in (each.uid.lower(), (each.name or "").lower(), each.title.lower())]
    if not found and len(word) >= SHORTEST_ID:
        found = [each for each in known if each.uid.lower().startswith(word)]
    if not found:
        for error in ruleset.errors:
            if error.rule is not None and error.rule.lower() == word:
                raise error
        names = [name for each in known for name in (each.title, each.name) if name]
        raise UsageError(f"no rule is called {key!r}{near(key, names, 0.5)}; `crosswind rules list` lists them")
    return ruleset, found


def _all(ruleset: RuleSet) -> list[Rule | Correlation]:
    return [*ruleset.rules, *ruleset.correlations]
