"""The bundled sample logs are what the generator makes, are small, and hold the story they promise."""

from __future__ import annotations

import gzip
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import orjson
import polars as pl
import pytest

from connectors.normalize import Want, understand
from connectors.sources import load_mappings
from engine.model import Level
from engine.pipeline import ScanResult
from engine.simulate.sample import Truth, simulate, truth

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "sample_logs"
SEED = 7
START = datetime(2026, 3, 2, tzinfo=UTC)
LIMIT = 3_000_000


def content(root: Path) -> dict[str, bytes]:
    """Relative path → bytes, unpacked: compressed bytes may differ between versions of zlib."""
    return {
        path.relative_to(root).as_posix(): gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for path in sorted((root / "logs").rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def expected() -> Truth:
    return truth.load(SAMPLE / truth.NAME)


def test_sample_logs_are_what_the_generator_makes(expected: Truth, tmp_path: Path) -> None:
    made = simulate(tmp_path, seed=SEED, start=START, days=2)
    mine, theirs = content(tmp_path), content(SAMPLE)
    assert sorted(mine) == sorted(theirs)
    assert [name for name in mine if mine[name] != theirs[name]] == []
    assert made.events == expected.events
    assert [(s.title, s.why, s.tags) for s in made.steps] == [(s.title, s.why, s.tags) for s in expected.steps]


def test_sample_logs_stay_small(expected: Truth) -> None:
    sizes = {path: path.stat().st_size for path in SAMPLE.rglob("*") if path.is_file()}
    assert sum(sizes.values()) <= LIMIT
    assert 15_000 <= sum(expected.records.values()) <= 25_000


def test_normalised_sample_holds_every_event_of_the_story(expected: Truth) -> None:
    """Every uid of the truth is the x.uid of one event of the promised source, no record is unknown and none is rejected."""
    rows: list[tuple[str, str, int, bool]] = []
    for name, data in content(SAMPLE).items():
        if "/data/" in name or "CloudTrail-Digest" in name:
            continue
        for line in data.splitlines():
            document = orjson.loads(line)
            found = document.get("Records", [document])
            if "resourceSpans" in document:
                group = document["resourceSpans"][0]
                scope = group["scopeSpans"][0]
                found = [{"resource": group["resource"], "scope": scope["scope"], "span": span} for span in scope["spans"]]
            rows += [(orjson.dumps(record).decode(), name, position, False) for position, record in enumerate(found)]
    frame = pl.DataFrame(rows, schema=["raw_data", "object", "position", "repaired"], orient="row")
    mappings = load_mappings()
    understood = understand(frame, mappings, dict.fromkeys(mappings, Want(columns=())), now=datetime(2026, 3, 4, tzinfo=UTC))
    assert understood.unknown == []
    assert [reject for _, part in understood.parts for reject in part.rejects] == []
    assert Counter({mapping.source: part.events.height for mapping, part in understood.parts}) == Counter(expected.records)
    source_of = {uid: mapping.source for mapping, part in understood.parts for uid in part.events["x.uid"]}
    for uid, step in expected.events.items():
        assert source_of.get(uid) == expected.steps[step - 1].source, uid


# --- what a scan of them finds --------------------------------------------------------------------------------------------------------------


def test_every_step_is_caught_by_the_rules_named_for_it(sample_scan: ScanResult) -> None:
    document = orjson.loads((SAMPLE / truth.NAME).read_bytes())
    steps = {uid: str(step["step"]) for step in document["story"] for uid in step["event_uids"]}
    found: dict[str, set[str]] = {str(step["step"]): set() for step in document["story"]}
    for alert in sample_scan.alerts:
        for uid in alert.event_uids:
            if uid in steps:
                found[steps[uid]].add(alert.rule.title)
    assert {step: sorted(titles) for step, titles in found.items()} == document["rules"]


def test_every_step_is_caught(expected: Truth) -> None:
    rules = orjson.loads((SAMPLE / truth.NAME).read_bytes())["rules"]
    assert all(rules.values())
    assert len(rules) == len(expected.steps)


def test_ordinary_life_raises_nothing_above_low(sample_scan: ScanResult, expected: Truth) -> None:
    others = [alert for alert in sample_scan.alerts if not expected.events.keys() & set(alert.event_uids)]
    assert [(alert.level.word, alert.rule.title) for alert in others if alert.level > Level.LOW] == []
    mixed = [
        alert for alert in sample_scan.alerts if expected.events.keys() & set(alert.event_uids) and set(alert.event_uids) - expected.events.keys()
    ]
    assert [(alert.rule.title, alert.count) for alert in mixed if alert.level > Level.LOW] == []


def test_the_account_of_the_sample_adds_up(sample_scan: ScanResult, expected: Truth) -> None:
    report = sample_scan.report
    assert report.records == report.events + report.duplicates == sum(expected.records.values())
    assert (report.conflicts, report.skipped, report.rejected, report.failures) == (0, 0, 0, ())
    assert report.duplicates > 0
    events = {source.source: source.events for source in report.sources}
    assert {name: count for name, count in expected.records.items() if name != "aws.cloudtrail"}.items() <= events.items()
    assert events["aws.cloudtrail"] == expected.records["aws.cloudtrail"] - report.duplicates


def test_documented_skips_of_the_sample_are_named(sample_scan: ScanResult) -> None:
    assert Counter(skip.reason for skip in sample_scan.report.skips) == {
        "CloudTrail digest file, holds no events": 2,
        "body of a Bedrock call that its log record points to": 1,
    }
