"""Rule files, loaded as they would run."""

from __future__ import annotations

from engine.report.rule_files import RuleFiles
from engine.sigma.cache import load_cached
from engine.sigma.ruleset import RuleSet


def load_files(files: RuleFiles) -> RuleSet:
    """The documents of ``files``. Raises UsageError for a path that does not exist."""
    return load_cached(files.sources, placeholders=files.placeholders, pipelines=files.pipelines)
