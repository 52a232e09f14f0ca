"""`rules coverage`: what rules are about, and with logs at hand what of it they could see."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import BinaryIO

from engine.pipeline.authoring.loading import load_files
from engine.pipeline.batch import Settings
from engine.pipeline.run import scan
from engine.report.coverage import Coverage, Tagged, coverage
from engine.report.rule_files import RuleFiles, read_files


def cover(files: RuleFiles, inputs: Sequence[str] = (), stdin: BinaryIO | None = None) -> tuple[Coverage, tuple[str, ...]]:
    """The coverage of the rules in ``files``, and what did not load. With ``inputs`` (logs) the rules that cannot fire on them are told apart."""
    read_files(files)
    ruleset = load_files(files)
    idle: dict[str, str] = {}
    if inputs:
        report = scan(
            inputs,
            Settings(now=datetime.now(UTC)),
            rules=files.sources,
            builtin=False,
            placeholders=files.placeholders,
            pipelines=files.pipelines,
            stdin=stdin,
        ).report
        idle = {status.uid: status.reason or status.outcome for status in report.rules if status.outcome != "ran" and status.uid}
    tagged = [Tagged(rule.uid, rule.title, rule.tags, idle.get(rule.uid)) for rule in ruleset.rules]
    tagged += [Tagged(each.uid, each.title, each.tags, idle.get(each.uid)) for each in ruleset.correlations]
    return coverage(tagged), tuple(map(str, ruleset.errors))
