"""The page of what works is current, and no public rule fails without standing in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.pipeline.rule_lint import not_running
from engine.report.rule_files import RuleFiles
from engine.report.sigma_support import exceptions, support_page

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT / ".." / "shared" / "rules_sigmahq"


def test_the_page_is_current() -> None:
    assert (ROOT / "docs/sigma-support.md").read_text(encoding="utf-8") == support_page(), "run `make docs`"


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the rule corpus is not there")
def test_every_public_rule_runs_or_is_listed() -> None:
    listed = sorted((row["title"], row["id"], row["reason"]) for row in exceptions())
    assert not_running(RuleFiles((CORPUS,))) == listed
