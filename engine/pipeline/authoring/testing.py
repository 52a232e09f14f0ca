"""`rules test`: the tests that stand in rules, counted."""

from __future__ import annotations

from connectors.sources import load_mappings
from engine.detect.program import compile_program
from engine.pipeline.authoring.checks import check_rule_tests, malformed, rule_tests
from engine.pipeline.authoring.correlation_checks import check_correlation_tests, correlation_tests
from engine.pipeline.authoring.loading import load_files
from engine.report.rule_files import RuleFiles, read_files, shown_path
from engine.report.rule_tests import Case, Tested
from engine.sigma.tree import Correlation, Rule


def run_tests(files: RuleFiles) -> Tested:
    """Run every test of every rule and correlation in ``files``. Raises UsageError for a path that does not exist or holds no document."""
    read_files(files)
    ruleset = load_files(files)
    program = compile_program(ruleset, load_mappings())
    cases = [_case(rule, "tests", problem) for rule in ruleset.rules for problem in malformed(dict(rule.extra).get("tests"))]
    broken = {(case.path, case.line) for case in cases}
    sound = [rule for rule in ruleset.rules if (shown_path(rule.path), rule.line or 1) not in broken]
    cases += [_case(test.rule, test.name, test.problem) for test in check_rule_tests(sound)]
    cases += [_case(test.rule, test.name, test.problem) for test in check_correlation_tests(ruleset)]
    refused = (*map(str, ruleset.errors), *(str(error) for uid, error in program.refused.items() if not _has_cases(uid, sound)))
    untested = tuple(rule.title for rule in sound if not rule_tests(rule))
    untested += tuple(each.title for each in ruleset.correlations if not correlation_tests(each))
    return Tested(len(ruleset.rules) + len(ruleset.correlations), tuple(cases), refused, untested)


def _case(rule: Rule | Correlation, name: str, problem: str | None) -> Case:
    return Case(rule.title, name, shown_path(rule.path), rule.line or 1, problem)


def _has_cases(uid: str, rules: list[Rule]) -> bool:
    """Whether tests already say that rule ``uid`` does not compile."""
    return any(rule.uid == uid and rule_tests(rule) for rule in rules)
