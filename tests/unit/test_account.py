"""The account of a run: counts, what became of each rule, exit codes."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.sources import load_mappings
from engine.correlate.alerts import Raised
from engine.detect.program import compile_program
from engine.model import Level, Reject, RunReport, Skip
from engine.pipeline import ScanResult, Settings, scan
from engine.report.account import Totals, build_report
from engine.report.summary import as_json, exit_code, exit_code_of, print_summary
from engine.sigma.load import load

RULE = "title: {title}\nid: 0a1b2c3d-0000-4000-8000-{n:012d}\nlogsource: {{{source}}}\ndetection:\n  s:\n    {field}: x\n  condition: s\n"
TRAIL = "product: aws, service: cloudtrail"


def report_of(*rules: str, events: dict[str, int] | None = None) -> RunReport:
    mappings = load_mappings()
    totals = Totals(objects=1)
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    for source, count in (events or {}).items():
        totals.events[source] = count
        totals.spans[source] = (moment, moment)
        totals.records += count
    return build_report(totals, [], [], compile_program(load(list(rules)), mappings), mappings, Counter(), Raised(), [], None)


@pytest.mark.parametrize(
    ("source", "field", "outcome", "reason"),
    [
        (TRAIL, "eventName", "ran", None),
        ("product: gcp, service: gcp.audit", "protoPayload.methodName", "cannot_fire", "no gcp.audit events in this input"),
        ("product: windows", "Image", "cannot_fire", "no source has logs of"),
        (TRAIL, "eventNam", "failed", "eventName"),
    ],
)
def test_every_rule_ran_or_is_named_with_why_not(source: str, field: str, outcome: str, reason: str | None) -> None:
    report = report_of(RULE.format(title="T", n=1, source=source, field=field), events={"aws.cloudtrail": 3})
    (status,) = report.rules
    assert status.outcome == outcome
    assert (status.reason is None) if reason is None else (reason in (status.reason or ""))
    assert exit_code_of(report) == (3 if outcome == "failed" else 0)


def test_a_rule_that_does_not_load_is_a_failure() -> None:
    report = report_of("title: Broken\nlogsource: {product: aws}\ndetection: {s: {a|b: 1}, condition: s}\n")
    assert [(status.outcome, status.title) for status in report.rules] == [("failed", "Broken")]
    assert len(report.failures) == 1
    assert exit_code_of(report) == 3


def test_failures_outrank_findings_and_findings_outrank_nothing(sample_scan: ScanResult) -> None:
    assert exit_code(sample_scan, None) == 0
    assert exit_code(sample_scan, Level.HIGH) == 1
    assert exit_code(replace(sample_scan, highest=Level.HIGH), Level.CRITICAL) == 0
    broken = ScanResult(sample_scan.alerts, RunReport(failures=("a: b",)))
    assert exit_code(broken, Level.HIGH) == 3


@pytest.mark.parametrize("report", [RunReport(rejected=1), RunReport(objects_failed=1), RunReport(failures=("x",))])
def test_rejects_and_failures_alone_make_a_run_fail(report: RunReport) -> None:
    assert exit_code_of(report) == 3
    assert exit_code_of(RunReport(skipped=4, duplicates=1, conflicts=1, out_of_range=2, objects_skipped=1)) == 0


def test_counts_of_a_folder_with_everything_in_it_add_up(tmp_path: Path) -> None:
    good = '{"eventVersion":"1","eventSource":"s","eventName":"n","awsRegion":"r","eventTime":"2026-03-01T12:00:00Z","eventID":"%s"}'
    lines = [
        good % "a",
        good % "a",
        good % "b",
        good.replace("2026-03-01", "2020-03-01") % "c",
        good.replace("eventTime", "when") % "d",
        '{"x": 1}',
        "{broken",
    ]
    (tmp_path / "a.ndjson").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "readme.txt").write_text("hello", encoding="utf-8")
    report = scan([str(tmp_path)], Settings(now=datetime(2026, 3, 2, tzinfo=UTC), start=datetime(2026, 1, 1, tzinfo=UTC)), builtin=False).report
    assert (report.records, report.events, report.duplicates, report.skipped, report.out_of_range, report.rejected) == (7, 2, 1, 1, 1, 2)
    assert report.objects == 2
    assert exit_code_of(report) == 3


def test_the_panel_neutralises_hostile_names() -> None:
    report = RunReport(skips=(Skip("a\x1b[2J", "odd\x1b[31m"),), rejects=(Reject("b", "c"),), failures=("x\x1b]0;y\x07",))
    stream = io.StringIO()
    print_summary(report, stream=stream)
    assert "\x1b" not in stream.getvalue()
    assert as_json(report)["alerts_by_level"] == {}


def test_a_rule_that_one_of_its_sources_refuses_is_named_and_runs_on_the_others() -> None:
    report = report_of(
        RULE.format(title="Wide", n=7, source="product: azure", field="httpRequest.method"), events={"azure.activity": 1, "entra.audit": 1}
    )
    (status,) = report.rules
    assert status.outcome == "ran"
    assert any("'Wide' is not run on entra." in note for note in report.notes)
