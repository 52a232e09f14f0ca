"""`crosswind scan`: the same input gives the same alerts, in every format, and the account says where everything went."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from engine import bundled
from engine.documents.output import write
from engine.model import Alert, Level
from engine.pipeline import ScanResult, Settings, scan
from engine.report.summary import as_json
from engine.report.table import print_alerts
from tests.ocsf_checker import problems

ROOT = Path(__file__).resolve().parents[2]
LOGS = ROOT / "sample_logs" / "logs"
CORPUS = ROOT / ".." / "shared" / "corpus"
NOW = datetime(2026, 3, 4, tzinfo=UTC)
DOCUMENTED = {
    "uid", "state", "kind", "rule", "level", "first_time", "last_time", "count", "sources", "cloud", "entities", "events", "event_uids", "reason",
    "group", "evidence",
}  # fmt: skip
Cli = Callable[..., Any]


def text_of(alerts: list[Alert], layout: str) -> str:
    stream = io.StringIO()
    write(alerts, layout, stream)
    return stream.getvalue()


def sums(report: Any) -> bool:
    return bool(
        report.records == report.events + report.duplicates + report.conflicts + report.skipped + report.out_of_range + report.rejected
        and report.events == sum(source.events for source in report.sources)
        and report.hits == sum(status.hits for status in report.rules)
        and report.alerts == sum(count for _, count in report.alerts_by_level)
    )


def without_places(alert: Alert) -> Alert:
    """The alert without its events' objects and positions, and without the duplicate's choice of first evidence."""
    evidence = {name: value for name, value in alert.evidence.items() if name not in ("x.object", "x.position")}
    return replace(alert, events=tuple(replace(event, object="", position=0) for event in alert.events), evidence=evidence)


def unpacked(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def records(path: Path) -> list[Any]:
    found: list[Any] = []
    for line in unpacked(path).splitlines():
        document = json.loads(line)
        found += document["Records"] if isinstance(document, dict) and set(document) == {"Records"} else [document]
    return found


def trail(name: str, n: int, **more: Any) -> dict[str, Any]:
    return {
        "eventVersion": "1.09",
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/eve", "accountId": "111122223333", "userName": "eve"},
        "eventTime": f"2026-03-01T12:00:{n:02d}Z",
        "eventSource": "cloudtrail.amazonaws.com",
        "eventName": name,
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "203.0.113.7",
        "requestParameters": {"name": "arn:aws:cloudtrail:eu-west-1:111122223333:trail/main"},
        "eventID": f"00000000-0000-4000-8000-{n:012d}",
        "eventType": "AwsApiCall",
        "recipientAccountId": "111122223333",
        **more,
    }


# --- the same input, the same output ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 2, 4])
def test_threads_and_repetition_change_no_byte(jobs: int, sample_scan: ScanResult) -> None:
    again = scan([str(LOGS)], Settings(now=NOW, jobs=jobs), min_level=Level.INFORMATIONAL)
    assert text_of(again.alerts, "ndjson") == text_of(sample_scan.alerts, "ndjson")
    mine, theirs = (replace(result.report, seconds=0.0, seconds_loading=0.0) for result in (again, sample_scan))
    assert as_json(mine) == as_json(theirs)


def test_other_names_and_order_of_files_change_only_the_object(sample_scan: ScanResult, tmp_path: Path) -> None:
    files = sorted(path for path in LOGS.rglob("*") if path.is_file() and "/data/" not in str(path))
    for number, path in enumerate(files):
        shutil.copy(path, tmp_path / f"{(number * 7919) % 10007:05d}{''.join(path.suffixes[-2:])}")
    moved = scan([str(tmp_path)], Settings(now=NOW), min_level=Level.INFORMATIONAL)
    assert [without_places(alert) for alert in moved.alerts] == [without_places(alert) for alert in sample_scan.alerts]
    assert sums(moved.report)


def test_one_stream_of_all_records_gives_the_same_alerts(sample_scan: ScanResult, cli: Cli) -> None:
    files = sorted((path for path in LOGS.rglob("*") if path.is_file() and "/data/" not in str(path)), reverse=True)
    stream = b"\n".join(json.dumps(record).encode() for path in files for record in records(path) if "CloudTrail-Digest" not in str(path))
    ran = cli("scan", "-", stdin=stream)
    assert ran.code == 0, ran.err
    assert [json.loads(line)["uid"] for line in ran.out.splitlines()] == [alert.uid for alert in sample_scan.alerts]


def test_splitting_a_delivery_file_changes_no_alert(tmp_path: Path) -> None:
    events = [trail(name, n) for n, name in enumerate(("StopLogging", "ListUsers", "DeleteTrail", "StopLogging", "DescribeTrails", "StopLogging"))]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    (whole / "a.json").write_text(json.dumps({"Records": events}), encoding="utf-8")
    (parts / "b.json.gz").write_bytes(gzip.compress(json.dumps({"Records": events[4:]}).encode()))
    (parts / "c.json").write_text(json.dumps({"Records": events[:4]}), encoding="utf-8")
    one, two = (scan([str(folder)], Settings(now=NOW)) for folder in (whole, parts))
    assert [without_places(alert) for alert in one.alerts] == [without_places(alert) for alert in two.alerts]
    assert [alert.rule.title for alert in one.alerts] == ["CloudTrail trail stopped or deleted"]
    assert one.alerts[0].count == 4


def test_a_record_delivered_twice_counts_once_and_a_conflict_is_decided_by_content(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"Records": [trail("StopLogging", 1), trail("StopLogging", 2)]}), encoding="utf-8")
    (tmp_path / "b.json").write_text(json.dumps({"Records": [trail("StopLogging", 1), trail("ListUsers", 2)]}), encoding="utf-8")
    one = scan([str(tmp_path)], Settings(now=NOW))
    (tmp_path / "a.json").rename(tmp_path / "c.json")
    two = scan([str(tmp_path)], Settings(now=NOW))
    assert (one.report.events, one.report.duplicates, one.report.conflicts) == (2, 1, 1)
    assert [without_places(alert) for alert in one.alerts] == [without_places(alert) for alert in two.alerts]
    assert sums(one.report)


# --- formats ----------------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def all_alerts(sample_scan: ScanResult) -> list[Alert]:
    found = list(sample_scan.alerts)
    if CORPUS.is_dir():
        found += scan([str(CORPUS)], Settings(now=datetime(2026, 12, 1, tzinfo=UTC)), min_level=Level.INFORMATIONAL).alerts
    return found


def test_every_alert_is_valid_ocsf(all_alerts: list[Alert]) -> None:
    wrong = Counter(problem for line in text_of(all_alerts, "ocsf").splitlines() for problem in problems(json.loads(line)))
    assert wrong == {}


def test_every_alert_has_the_fields_ecs_asks_for(all_alerts: list[Alert]) -> None:
    for line in text_of(all_alerts, "ecs").splitlines():
        document = json.loads(line)
        assert document["@timestamp"]
        assert document["ecs"]["version"]
        assert document["event"]["kind"] == "alert"
        assert {"id", "kind", "category", "type", "dataset", "module", "severity", "start", "end", "reason"} <= document["event"].keys()
        assert {"uuid", "name"} <= document["rule"].keys()
        assert document["data_stream"] == {"type": "logs", "dataset": "crosswind.alert", "namespace": "default"}
        assert document["message"]


def test_ndjson_has_the_documented_members_and_order(all_alerts: list[Alert], sample_scan: ScanResult) -> None:
    for line in text_of(all_alerts, "ndjson").splitlines():
        document = json.loads(line)
        assert document.keys() >= DOCUMENTED
        assert document["rule"].keys() >= {"uid", "title", "level", "tags", "path"}
        assert 1 <= len(document["events"]) <= 20
        assert len(document["event_uids"]) == min(document["count"], 1000)
        assert document["events"][0]["uid"] == document["event_uids"][0] == document["evidence"]["x.uid"]
        assert None not in document["evidence"].values()
    keys = [(alert.first_time, alert.uid) for alert in sample_scan.alerts]
    assert keys == sorted(keys)
    assert len({uid for _, uid in keys}) == len(keys)


def test_csv_has_one_line_an_alert(all_alerts: list[Alert]) -> None:
    rows = list(csv.DictReader(io.StringIO(text_of(all_alerts, "csv"))))
    assert [row["uid"] for row in rows] == [alert.uid for alert in all_alerts]
    assert all(row["rule_title"] and row["first_time"] for row in rows)


def test_the_table_names_every_alert(all_alerts: list[Alert]) -> None:
    stream = io.StringIO()
    print_alerts(all_alerts, stream, width=200)
    shown = stream.getvalue()
    assert {alert.rule.title for alert in all_alerts if alert.rule.title not in shown} == set()
    assert "\x1b" not in shown


def test_no_secret_of_the_sample_is_shown(sample_scan: ScanResult) -> None:
    secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    for layout in ("ndjson", "ecs", "ocsf", "csv"):
        assert secret not in text_of(sample_scan.alerts, layout)


# --- the command ------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    logs = tmp_path / "logs"
    logs.mkdir()
    events = [
        trail("StopLogging", 1),
        trail("ListUsers", 2),
        trail("CreateUser", 3, eventSource="iam.amazonaws.com", requestParameters={"userName": "mallory"}),
    ]
    (logs / "a.json").write_text(json.dumps({"Records": events}), encoding="utf-8")
    return logs


def titles(ran: Any) -> list[str]:
    return [json.loads(line)["rule"]["title"] for line in ran.out.splitlines()]


def test_min_level_hides_and_says_so(folder: Path, cli: Cli) -> None:
    assert titles(cli("scan", folder)) == ["CloudTrail trail stopped or deleted", "IAM user created"]
    ran = cli("scan", folder, "--min-level", "high")
    assert titles(ran) == ["CloudTrail trail stopped or deleted"]
    assert "1 alert below" in ran.err


def test_fail_on_sets_the_exit_code(folder: Path, cli: Cli) -> None:
    assert cli("scan", folder, "--fail-on", "critical").code == 0
    assert cli("scan", folder, "--fail-on", "high").code == 1
    (folder / "broken.json").write_text('{"Records": [{"eventVersion": ', encoding="utf-8")
    ran = cli("scan", folder, "--fail-on", "high")
    assert ran.code == 3
    assert "broken.json" in ran.err
    assert "at or above high" in ran.err


def test_fail_on_sees_alerts_that_min_level_hides(folder: Path, cli: Cli) -> None:
    ran = cli("scan", folder, "--min-level", "critical", "--fail-on", "high")
    assert ran.out == ""
    assert ran.code == 1


def test_from_is_included_and_to_is_not(folder: Path, cli: Cli) -> None:
    ran = cli("scan", folder, "--from", "2026-03-01T12:00:01Z", "--to", "2026-03-01T12:00:03Z", "--summary", folder.parent / "s.json")
    assert titles(ran) == ["CloudTrail trail stopped or deleted"]
    summary = json.loads((folder.parent / "s.json").read_text(encoding="utf-8"))
    assert (summary["events"], summary["out_of_range"], summary["records"]) == (2, 1, 3)


def test_source_leaves_the_others_out_by_name(folder: Path, cli: Cli) -> None:
    ran = cli("scan", folder, "--source", "gcp.audit")
    assert ran.out == ""
    assert ran.code == 0
    assert "aws.cloudtrail records, left out by --source gcp.audit" in ran.err
    assert cli("scan", folder, "--source", "gcp.adit").code == 2


def test_own_rules_alone_and_beside(folder: Path, cli: Cli, tmp_path: Path) -> None:
    rule = tmp_path / "mine.yml"
    rule.write_text(
        "title: Users listed\nid: 0a1b2c3d-0000-4000-8000-000000000009\nlogsource: {product: aws, service: cloudtrail}\n"
        "detection:\n  s:\n    eventName: ListUsers\n  condition: s\nlevel: medium\n",
        encoding="utf-8",
    )
    assert titles(cli("scan", folder, "--rules", rule, "--no-builtin")) == ["Users listed"]
    assert len(titles(cli("scan", folder, "--rules", rule))) == 3
    assert cli("scan", folder, "--rules", tmp_path / "none.yml").code == 2


def test_a_broken_rule_is_named_and_the_others_run(folder: Path, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "broken.yml").write_text("title: Broken\nlogsource: {product: aws}\ndetection: {s: {a|b: 1}, condition: s}\n", encoding="utf-8")
    ran = cli("scan", folder, "--rules", tmp_path / "broken.yml")
    assert ran.code == 3
    assert len(titles(ran)) == 2
    assert "broken.yml" in ran.err


def test_summary_adds_up_and_says_what_was_not_covered(folder: Path, cli: Cli) -> None:
    ran = cli("scan", folder, "--summary", folder.parent / "s.json")
    summary = json.loads((folder.parent / "s.json").read_text(encoding="utf-8"))
    assert summary["records"] == sum(summary[kind] for kind in ("events", "duplicates", "conflicts", "skipped", "out_of_range", "rejected"))
    assert summary["alerts"] == sum(summary["alerts_by_level"].values()) == 2
    outcomes = Counter(status["outcome"] for status in summary["rules"])
    files = sum(path.suffix == ".yml" and path.parent.name != "hunts" for path in bundled.detections().rglob("*"))
    assert sum(outcomes.values()) == files
    assert outcomes["ran"] > 0 < outcomes["cannot_fire"]
    assert all(status["reason"] for status in summary["rules"] if status["outcome"] != "ran")
    assert "no gcp.audit events in this input" in ran.err
    assert [source["source"] for source in summary["sources"]] == ["aws.cloudtrail"]


def test_an_empty_folder_is_no_success_story(tmp_path: Path, cli: Cli) -> None:
    ran = cli("scan", tmp_path)
    assert (ran.code, ran.out) == (0, "")
    assert "nothing to look at" in ran.err


def test_a_missing_path_fails_and_a_bad_time_is_wrong_usage(tmp_path: Path, cli: Cli) -> None:
    missing = cli("scan", tmp_path / "nothing")
    assert missing.code == 3
    assert "nothing: does not exist" in missing.err
    assert cli("scan", tmp_path, "--from", "yesterday").code == 2
    assert cli("scan", tmp_path, "--from", "2026-03-02", "--to", "2026-03-01").code == 2
    assert cli("scan", tmp_path, "--format", "xml").code == 2


def test_output_file_is_complete_or_absent(folder: Path, cli: Cli, tmp_path: Path) -> None:
    out = tmp_path / "alerts.ndjson"
    ran = cli("scan", folder, "-o", out)
    assert ran.out == ""
    assert len(out.read_text(encoding="utf-8").splitlines()) == 2
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    assert cli("scan", folder, "-o", tmp_path / "no" / "alerts.ndjson").code == 2


def test_paths_of_built_in_rules_do_not_tell_where_they_are_installed(sample_scan: ScanResult) -> None:
    paths = {alert.rule.path or "" for alert in sample_scan.alerts}
    assert paths
    assert all(path.startswith("detections/") for path in paths)


def test_pandas_is_not_imported_where_it_is_installed(folder: Path, tmp_path: Path) -> None:
    made = tmp_path / "installed" / "pandas"
    made.mkdir(parents=True)
    (made / "__init__.py").write_text("raise SystemExit('pandas was imported')", encoding="utf-8")
    paths = os.pathsep.join((str(made.parent), str(ROOT)))
    command = [sys.executable, "-m", "engine.cli", "scan", str(folder), "--jobs", "1"]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert '"uid"' in done.stdout
