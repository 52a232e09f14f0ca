"""What a scan says belongs together: the story of the sample as one incident, and the same for any order of the logs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.documents.incident import incident_document
from engine.documents.incident_ocsf import incident_to_ocsf
from engine.documents.incident_packet import packet_markdown
from engine.model import Incident, Level, Strength
from engine.pipeline import ScanResult, Settings, scan
from engine.report.story import read_story
from tests.conftest import Ran
from tests.ocsf_checker import problems

SAMPLE = Path(__file__).resolve().parents[2] / "sample_logs"
NOW = datetime(2026, 3, 4, tzinfo=UTC)
SECRET = "n0tAr3alS3cret/B2P5TTJTMWF4KMOEXAMPLEKEY"
Cli = Callable[..., Ran]


@pytest.fixture(scope="module")
def story(sample_scan: ScanResult) -> Incident:
    return sample_scan.incidents[0]


def test_every_alert_is_in_exactly_one_incident(sample_scan: ScanResult) -> None:
    placed = [uid for incident in sample_scan.incidents for uid in incident.alert_uids]
    assert sorted(placed) == sorted(alert.uid for alert in sample_scan.raised)


def test_the_stolen_key_is_one_incident_over_three_clouds_from_paste_to_resale(sample_scan: ScanResult, story: Incident) -> None:
    assert {cloud.provider for cloud in story.clouds} == {"AWS", "Azure", "GCP"}
    assert (story.level, story.score) == (Level.CRITICAL, 100.0)
    assert story.principals[0].entity == "aws.user:arn:aws:iam::111122223333:user/ben.okafor"
    events = {uid for alert in sample_scan.raised if alert.uid in story.alert_uids for uid in alert.event_uids}
    told = [step["title"] for step in read_story(SAMPLE) if events.isdisjoint(step["event_uids"])]
    assert told == [
        "A fetched page carries instructions for the agent",
        "The provider's log shows the same conversation",
        "The agent runs a downloaded script in a shell",
        "The agent's role looks around in the account",
    ]


def test_the_agent_is_another_incident_with_the_workload_behind_it(sample_scan: ScanResult) -> None:
    agent = sample_scan.incidents[1]
    assert agent.principals[0].entity.startswith("oidc.subject:oidc.eks.us-east-1.amazonaws.com/id/")
    assert agent.principals[0].entity.endswith("|system:serviceaccount:agents:support-agent")
    assert agent.confidence is Strength.STRONG


def test_the_pasted_key_is_joined_with_its_use(story: Incident, sample_scan: ScanResult) -> None:
    pasted = {alert.uid for alert in sample_scan.raised if alert.rule.title == "Credential in prompt"}
    used = [join for join in story.joins if join.a in pasted and join.b not in pasted]
    assert used
    assert {(join.reason, join.strength, join.key) for join in used} == {("eventSequence", Strength.STRONG, "aws.key:AKIABTX3GSDSQNOTREAL")}


def test_prompts_of_the_resale_are_joined_as_they_say_nearly_the_same(story: Incident) -> None:
    assert {(join.reason, join.strength) for join in story.joins if join.key.startswith("prompt:")} == {("similarArtifacts", Strength.WEAK)}


def test_names_order_and_repetition_of_files_change_nothing(sample_scan: ScanResult, tmp_path: Path) -> None:
    files = sorted(path for path in (SAMPLE / "logs").rglob("*") if path.is_file() and "/data/" not in str(path))
    for number, path in enumerate(files):
        shutil.copy(path, tmp_path / f"{(number * 7919) % 10007:05d}{''.join(path.suffixes[-2:])}")
        if number % 3 == 0:
            shutil.copy(path, tmp_path / f"again-{number:05d}{''.join(path.suffixes[-2:])}")
    moved = scan([str(tmp_path)], Settings(now=NOW, jobs=1), min_level=Level.CRITICAL)
    assert moved.incidents == sample_scan.incidents


def test_a_scan_writes_incidents_and_packets_and_ends_with_the_worst(sample_scan: ScanResult, tmp_path: Path, cli: Cli) -> None:
    written, packets = tmp_path / "incidents.ndjson", tmp_path / "packets"
    ran = cli("scan", SAMPLE / "logs", "-o", tmp_path / "alerts.ndjson", "--incidents", written, "--packets", packets, "--min-level", "critical")
    lines = [json.loads(line) for line in written.read_text(encoding="utf-8").splitlines()]
    assert lines == [json.loads(json.dumps(incident_document(each))) for each in sample_scan.incidents]
    assert {path.name for path in packets.iterdir()} == {f"{each.uid}.{kind}" for each in sample_scan.incidents for kind in ("md", "json")}
    assert "incidents 2 of" in ran.err
    assert sample_scan.incidents[0].uid in ran.err
    assert SECRET not in ran.err + written.read_text(encoding="utf-8") + "".join(path.read_text(encoding="utf-8") for path in packets.iterdir())


def test_all_findings_are_valid_ocsf(sample_scan: ScanResult) -> None:
    by_uid = {alert.uid: alert for alert in sample_scan.raised}
    for incident in sample_scan.incidents:
        assert problems(json.loads(json.dumps(incident_to_ocsf(incident, by_uid)))) == []
        assert SECRET not in packet_markdown(replace(incident, title=f"{incident.title} {SECRET}"), by_uid)


def test_an_output_that_cannot_be_written_is_wrong_usage_before_any_work(cli: Cli, tmp_path: Path) -> None:
    ran = cli("scan", SAMPLE / "logs", "--incidents", tmp_path / "nowhere" / "x.ndjson")
    assert (ran.code, "--incidents" in ran.err, ran.out) == (2, True, "")
