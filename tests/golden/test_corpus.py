"""Logs of other projects, real and recorded: every record accounted for, known attacks found."""

from __future__ import annotations

import pytest

from engine.pipeline import ScanResult
from engine.runners.base import Runner
from tests.scans import CORPUS, SIGMAHQ, Scans

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not here")


@pytest.fixture(scope="module")
def result(anywhere: Runner, scans: Scans) -> ScanResult:
    return scans.corpus("bundled", anywhere)


def test_every_record_stands_in_one_place(result: ScanResult) -> None:
    report = result.report
    assert report.records == report.events + report.duplicates + report.conflicts + report.skipped + report.out_of_range + report.rejected
    assert report.records >= 4_700
    assert report.rejected == len([reject for reject in report.rejects if reject.position is not None]) <= 25
    assert report.objects_failed == 0
    assert sum(skip.count for skip in report.skips) == report.skipped + report.objects_skipped


def test_sources_are_recognised(result: ScanResult) -> None:
    counts = {source.source: source.events for source in result.report.sources}
    assert counts == {
        "aws.bedrock_invocation": 20, "ai.litellm": 8, "ai.otel": 411, "ai.gateway": 2, "aws.cloudtrail": 3710, "entra.signin": 1,
        "entra.audit": 18, "azure.activity": 21, "gcp.audit": 89,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("file", "title"),
    [
        ("stratus_detonation_logs", "CloudTrail trail stopped or deleted"),
        ("stratus_detonation_logs", "Administrator policy attached"),
        ("stratus_detonation_logs", "Access key created for other user"),
        ("stratus_detonation_logs", "Snapshot shared outside account"),
        ("stratus_detonation_logs", "VPC flow logs deleted"),
        ("invictus_aws_dataset", "CloudTrail trail stopped or deleted"),
        ("invictus_aws_dataset", "IAM user created"),
        ("splunk_security_content_examples", "SAML provider metadata replaced"),
    ],
)
def test_known_attacks_are_found(result: ScanResult, file: str, title: str) -> None:
    assert [alert.uid for alert in result.alerts if alert.rule.title == title and any(file in event.object for event in alert.events)] != []


@pytest.mark.skipif(not SIGMAHQ.is_dir(), reason="the rules are not here")
def test_other_peoples_rules_load_or_are_named(anywhere: Runner, scans: Scans) -> None:
    report = scans.corpus("sigmahq", anywhere).report
    documents = sum(path.suffix in (".yml", ".yaml") for path in SIGMAHQ.rglob("*"))
    failed = [status for status in report.rules if status.outcome == "failed"]
    assert len(report.rules) >= documents
    assert len(failed) == 8
    assert all("placeholder" in (status.reason or "").lower() for status in failed)
    assert all(status.reason for status in report.rules if status.outcome != "ran")
    assert report.hits > 100
