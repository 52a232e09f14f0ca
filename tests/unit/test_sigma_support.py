"""The page of what works is current, and no public rule fails without standing in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.sources import load_mappings
from engine.errors import RuleError
from engine.pipeline.authoring.lint import unresolved
from engine.pipeline.authoring.loading import load_files
from engine.report.rule_files import RuleFiles, read_files
from engine.report.sigma_support import exceptions, support_page
from engine.sigma.fields import applies

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT / ".." / "shared" / "rules_sigmahq"


def test_the_page_is_current() -> None:
    assert (ROOT / "docs/sigma-support.md").read_text(encoding="utf-8") == support_page(), "run `make docs`"


def not_running(files: RuleFiles) -> list[tuple[str, str, str]]:
    """(title, id, reason) of every rule of ``files`` that does not load, whose log source nobody has, or a field of which can hold nothing."""
    documents, _ = read_files(files)
    uids = {(source.path, source.content.get("title")): str(source.content.get("id", "")) for source in documents}
    ruleset = load_files(files)
    found = [(error.rule or "", uids.get((error.path or "", error.rule), ""), _reason(error)) for error in ruleset.errors]
    mappings = load_mappings()
    for rule in ruleset.rules:
        fed = [mapping for mapping in mappings.values() if applies(rule.logsource, mapping) is not None]
        if not fed:
            found.append((rule.title, rule.uid, f"No source has logs of {rule.logsource}"))
        found += ((rule.title, rule.uid, reason) for _, reason in unresolved(rule, fed).values())
    return sorted(found)


def _reason(error: RuleError) -> str:
    """The same words for every rule that only wants values for its placeholders."""
    return "Wants values for its placeholders (`--var NAME=VALUE`)" if "has no value" in error.message else error.message


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the rule corpus is not there")
def test_every_public_rule_runs_or_is_listed() -> None:
    listed = sorted((row["title"], row["id"], row["reason"]) for row in exceptions())
    assert not_running(RuleFiles((CORPUS,))) == listed
