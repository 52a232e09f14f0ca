"""One rule, two engines: whatever divides the work, in as many parts as it likes and in whatever order, the results are the same to the byte."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from engine.config import load_config
from engine.identity.edges import together
from engine.model import Level, RunReport
from engine.pipeline import ScanResult, Settings, scan
from engine.pipeline.hunts.sigma import hunt_sigma
from engine.pipeline.watch.scheduled import RunSummary, run
from engine.posture.facts import together as together_facts
from engine.runners.base import Runner
from engine.simulate.sample import simulate
from engine.store.lake_tables import TABLES
from tests.change_samples import STRONGER, WEAKER, logging
from tests.faults.test_bad_input import bad_objects
from tests.lakes import sample_lake
from tests.logs import ALERT, event, lines
from tests.running import Place, call, many, rule
from tests.scans import CORPUS, SAMPLE, Scans
from tests.sparks import FarRunner

Divided = Callable[[int | None], Runner]
ROOT = Path(__file__).resolve().parents[2]
DETECTIONS = ROOT / "detections"
NOW = datetime(2026, 3, 4, tzinfo=UTC)


def account(report: RunReport) -> RunReport:
    """A report without what time it took."""
    return replace(report, seconds=0, seconds_loading=0)


def scanned(paths: list[Path], runner: Runner | None = None, now: datetime = NOW, **more: Any) -> ScanResult:
    return scan([str(path) for path in paths], Settings(now=now), min_level=Level.INFORMATIONAL, runner=runner, **more)


def same(found: ScanResult, wanted: ScanResult) -> None:
    assert found.alerts == wanted.alerts
    assert repr(found.alerts) == repr(wanted.alerts)
    assert account(found.report) == account(wanted.report)
    assert found.highest == wanted.highest


# --- scan -----------------------------------------------------------------------------------------------------------------------------------------


def test_a_scan_of_the_sample_logs_is_the_same(divided: Divided, scans: Scans) -> None:
    assert scans.sample().alerts
    same(scans.sample(divided(5)), scans.sample())


@pytest.mark.parametrize("tasks", [1, 13, 64])
def test_any_number_of_tasks_in_any_order_gives_the_same(tasks: int) -> None:
    """With a few rules: every task looks at all."""
    folders = [DETECTIONS / "aws" / name for name in ("iam", "sts", "bedrock")]
    given: dict[str, Any] = {"rules": [*folders, *sorted((DETECTIONS / "aws/correlations").glob("*.yml"))[:4]], "builtin": False}
    wanted = scanned([SAMPLE / "logs/aws"], **given)
    assert wanted.alerts
    same(scanned([SAMPLE / "logs/aws"], FarRunner(tasks, seed=tasks), **given), wanted)


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not here")
@pytest.mark.parametrize("rules", ["bundled", "sigmahq"])
def test_a_scan_of_the_corpus_is_the_same(apart: Runner, rules: str, scans: Scans) -> None:
    assert scans.corpus(rules).alerts
    same(scans.corpus(rules, apart), scans.corpus(rules))


def test_a_scan_of_a_generated_week_is_the_same(apart: Runner, tmp_path: Path) -> None:
    simulate(tmp_path, seed=11, start=datetime(2026, 3, 2, tzinfo=UTC), days=7, scale=0.3)
    now = datetime(2026, 3, 10, tzinfo=UTC)
    wanted = scanned([tmp_path / "logs"], now=now)
    assert wanted.alerts
    same(scanned([tmp_path / "logs"], apart, now), wanted)


def test_diff_rules_of_a_scan_find_the_same(divided: Divided, tmp_path: Path) -> None:
    """The facts that one object tells decide about the events of another."""
    for number in range(4):
        (tmp_path / f"{number}.json").write_bytes(lines(logging(number, 10 * number, text=number % 2 == 0)))
    given: dict[str, Any] = {"rules": (WEAKER, STRONGER), "builtin": False}
    wanted = scanned([tmp_path], **given)
    assert {(alert.rule.title, alert.count) for alert in wanted.alerts} == {("Logging weaker", 2), ("Logging stronger", 1)}
    same(scanned([tmp_path], divided(3), **given), wanted)


def test_bad_input_gives_the_same_rejects_and_messages(divided: Divided, tmp_path: Path) -> None:
    for name, data in bad_objects():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "good.json").write_bytes(lines(event(900)))
    wanted = scanned([tmp_path, tmp_path / "missing"])
    assert wanted.report.rejects
    assert [alert.rule.title for alert in wanted.alerts] == [ALERT]
    same(scanned([tmp_path, tmp_path / "missing"], divided(5)), wanted)


def test_records_that_stand_twice_count_once_wherever_they_were_read(divided: Divided, tmp_path: Path) -> None:
    one, other = event(1), event(1, userAgent="other")  # one identity, two contents
    nameless = event(2, eventID=...)
    for number in range(6):
        (tmp_path / f"{number}.json").write_bytes(lines(event(7), one if number % 2 else other, nameless, nameless))
    wanted = scanned([tmp_path])
    assert wanted.report.duplicates
    assert wanted.report.conflicts == 3
    same(scanned([tmp_path], divided(6)), wanted)


def test_a_scan_leaves_nothing_behind(divided: Divided, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logs, temporary = tmp_path / "logs", tmp_path / "temporary"
    logs.mkdir()
    temporary.mkdir()
    (logs / "a.json").write_bytes(lines(event(1)))
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    assert scanned([logs], divided(None)).alerts
    assert list(temporary.iterdir()) == []


# --- hunt sigma -----------------------------------------------------------------------------------------------------------------------------------


def test_a_hunt_over_stored_events_is_the_same(apart: Runner, tmp_path: Path) -> None:
    lake = sample_lake(tmp_path / "lake")
    start, end = datetime(2026, 3, 2, 6, tzinfo=UTC), datetime(2026, 3, 3, 18, tzinfo=UTC)
    wanted = hunt_sigma(lake, DETECTIONS, now=NOW, start=start, end=end)
    found = hunt_sigma(lake, DETECTIONS, now=NOW, start=start, end=end, runner=apart)
    assert wanted.alerts
    assert replace(found, seconds=0) == replace(wanted, seconds=0)


# --- run ------------------------------------------------------------------------------------------------------------------------------------------


def worked(place: Place, runner: Runner | None = None) -> RunSummary:
    return run(load_config(place.config, {}), lambda: NOW, runner=runner)


def stored(place: Place) -> dict[str, pl.DataFrame]:
    """Every row of every table in a fixed order; of edges and facts, which any number of tasks may tell, what they say together."""
    root = pl.lit(str(place.root))
    found = {}
    for name, table in TABLES.items():
        rows = place.lake().scan(name).select(list(table.columns)).collect()
        if name in ("edges", "facts"):
            found[name] = (together if name == "edges" else together_facts)([rows])
            continue
        texts = [column for column in ("x.object", "object", "reason") if column in rows.columns]
        rows = rows.with_columns(pl.col(column).str.replace_all(root, "", literal=True) for column in texts)
        found[name] = rows.sort(
            [column for column in ("rule", "x.uid", "x.object", "x.position", "object", "position", "reason") if column in rows.columns]
        )
    return found


def equal(one: Place, other: Place) -> None:
    mine, theirs = stored(one), stored(other)
    for name, rows in theirs.items():
        assert mine[name].equals(rows, null_equal=True), name
    assert one.ended() == other.ended()
    at, there = str(one.root), str(other.root)
    assert [text.replace(at, "") for text in map(repr, one.alerts().values())] == [
        text.replace(there, "") for text in map(repr, other.alerts().values())
    ]
    assert one.incidents() == other.incidents()
    assert [document["uid"] for document in one.told()] == [document["uid"] for document in other.told()]


def test_a_run_over_the_sample_logs_stores_the_same(divided: Divided, tmp_path: Path) -> None:
    places = [Place(tmp_path / name) for name in ("a", "b")]
    for place in places:
        place.config.write_text(f'[source.sample]\npath = "{SAMPLE / "logs"}"\n[sink.out]\ntype = "file"\npath = "alerts.ndjson"\n')
    worked(places[0], divided(5))
    worked(places[1])
    equal(*places)
    assert stored(places[0])["events"].height > 10_000


def test_batches_that_repeat_replace_and_reject_store_the_same(divided: Divided, tmp_path: Path) -> None:
    batches: list[list[bytes]] = [
        [lines(call(1, 0), call(2, 5)), lines(call(2, 5), call(3, 10, eventID=...), call(3, 10, eventID=...)), b'{"broken\n'],
        [lines(call(1, 0), call(4, 20), call(2, 5, userAgent="another record of this event")), lines(call(3, 10, eventID=...))],
        [lines(event(5, eventTime="never"), call(1, 0, userAgent="and another")), lines(call(6, 1), call(2, 5))],
    ]
    places = [Place(tmp_path / name) for name in ("a", "b")]
    for place in places:
        place.rules(rule(1), many(1))
    for number, batch in enumerate(batches):
        summaries = []
        for place, runner in zip(places, (divided(3), None), strict=True):
            for index, data in enumerate(batch):
                (place.logs / f"{number}-{index}.json").write_bytes(data)
            summaries.append(worked(place, runner))
        (mine,), (theirs,) = (summary.batches for summary in summaries)
        one, other = (str(place.root) for place in places)
        assert repr(account(mine.report)).replace(one, "") == repr(account(theirs.report)).replace(other, "")
        assert mine.committed == theirs.committed
        equal(*places)
    assert stored(places[0])["rejects"].height


def test_rules_that_changed_are_run_over_what_is_stored(divided: Divided, tmp_path: Path) -> None:
    places = [Place(tmp_path / name) for name in ("a", "b")]
    for place, runner in zip(places, (divided(3), None), strict=True):
        for number in range(4):
            place.put(f"{number}.json", *(call(10 * number + each, 7 * number + each, "StopLogging" if each else "Other") for each in range(3)))
        worked(place, runner)
        place.rules(rule(1, "Other"), rule(2), many(2))
        worked(place, runner)
    equal(*places)
    assert len(places[0].ended()) > 0
