"""The whole command on every kind of bad input: a clear answer, the right exit code, and all that is good is still found."""

from __future__ import annotations

import gzip
import io
import json
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors import batches
from connectors.transports.base import Limits
from engine.pipeline import Progress, ScanResult, Settings, scan
from engine.report.summary import as_json, exit_code_of
from tests.logs import ALERT, adds_up, command, delivered, event, lines, open_folder, quiet, started, titles, without_rights

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def pack_of_lines() -> bytes:
    noise = random.Random(1)
    return gzip.compress(lines(*(quiet(1000 + n, requestParameters={"x": noise.randbytes(40).hex()}) for n in range(300))))


def corrupted(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes(byte ^ 0xFF for byte in data[middle : middle + 9]) + data[middle + 9 :]


def bad_objects() -> Iterator[tuple[str, bytes]]:
    packed = pack_of_lines()
    yield "truncated.json.gz", packed[: len(packed) // 2]
    yield "corrupt.json.gz", corrupted(packed)
    yield "utf8.json", delivered(quiet(1, userAgent="AGENT")).replace(b"AGENT", b"\xff\xfe")
    yield "nul.json", lines(quiet(2)) + b"\0\0\0\0\n" + lines(quiet(3))
    yield "cut.json", delivered(quiet(4), quiet(5))[:-200]
    yield "long.json", delivered(quiet(6), quiet(7, userAgent="x" * 50_000_000), quiet(8))
    deep = b"[" * 100_000 + b"]" * 100_000
    yield "deep.json", delivered(quiet(9), quiet(10, userAgent="DEEP"), quiet(11)).replace(b'"DEEP"', deep)
    yield "empty.json", b""
    yield "blank.json", b"\n \n"
    yield "none.json", b'{"Records":[]}'
    yield "picture.png", b"\x89PNG\r\n\x1a\n" + random.Random(2).randbytes(20_000)
    yield "README.md", b"# Logs\n\n[section]\n{not json}\n- see [here](x)\n" * 20
    yield "list.tsv", b"name\tsize\n" + b"a\t1\n" * 2000
    yield "error.json", b"<?xml version='1.0'?>\n<Error>AccessDenied</Error>\n"
    yield "zeros.json", b"\0" * 5000
    yield "mixed.txt", b"exported by hand\n" + lines(quiet(12)) + b"the end\n"
    yield "foreign.json", b'{"hello":"world"}\n{"hello":"moon"}\n'
    yield (
        "notime.json",
        delivered(quiet(13, eventTime="yesterday"), quiet(14, eventTime=...), quiet(15, eventTime=None), quiet(16, eventTime={"a": 1})),
    )
    yield "future.json", delivered(quiet(17, eventTime="2999-01-01T00:00:00Z"))
    yield "twice.json", lines(quiet(18))[:-2] + b',"eventName":"ListTrails"}\n'
    yield "integers.json", lines(quiet(19, requestParameters={"n": 123456789012345678901234567890, "m": -(2**63) - 1}))
    yield "again.json", lines(quiet(2), quiet(3, userAgent="another"))


@dataclass
class Run:
    """A finished run over a folder with one of each bad object and one good one."""

    folder: Path
    code: int
    errors: str
    alerts: list[str]
    report: dict[str, Any]

    def rejects(self, name: str) -> list[tuple[int | None, str]]:
        return [(item["position"], item["reason"]) for item in self.report["rejects"] if item["object"] == str(self.folder / name)]

    def skips(self, name: str) -> list[tuple[int, str]]:
        return [(item["count"], item["reason"]) for item in self.report["skips"] if item["object"] == str(self.folder / name)]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("bad") / "logs"
    folder.mkdir()
    for name, data in bad_objects():
        (folder / name).write_bytes(data)
    (folder / "good.json").write_bytes(delivered(event()))
    (folder / "dangling.json").symlink_to(folder / "nowhere.json")
    (folder / "loop").symlink_to(folder)
    summary = folder.parent / "summary.json"
    done = command("scan", folder, folder / "missing", folder / "none*.ndjson", "--fail-on", "high", "--summary", summary)
    return Run(folder, done.returncode, done.stderr.decode(), titles(done.stdout), json.loads(summary.read_text()))


def test_what_is_good_is_found_beside_all_that_is_bad(run: Run) -> None:
    assert run.alerts == [ALERT]
    assert "Traceback" not in run.errors


def test_every_record_stands_in_one_place(run: Run) -> None:
    assert adds_up(run.report)
    assert (run.report["duplicates"], run.report["conflicts"]) == (1, 1)
    whole = next(line for line in run.errors.splitlines() if line.startswith("records"))
    assert whole.startswith(f"records   {run.report['records']:,} = {run.report['events']:,} events")
    counts = (run.report["objects"], run.report["objects_skipped"], run.report["objects_failed"])
    assert counts == (len(list(run.folder.iterdir())) + 2, 7, 7)


def test_failure_outranks_what_was_found_and_both_are_stated(run: Run) -> None:
    assert run.code == 3
    assert "found alerts at or above high" in run.errors
    assert "failed    7 objects, " in run.errors


FAILED = {
    "truncated.json.gz": "the file is cut off",
    "corrupt.json.gz": "corrupt",
    "error.json": "promises a log",
    "zeros.json": "promises a log",
    "dangling.json": "link that leads nowhere",
    "missing": "does not exist",
    "none*.ndjson": "matches no file",
}


@pytest.mark.parametrize("name", FAILED)
def test_an_object_that_cannot_be_read_is_named(run: Run, name: str) -> None:
    reasons = [reason for position, reason in run.rejects(name) if position is None]
    assert len(reasons) == 1
    assert FAILED[name] in reasons[0]
    assert f"{run.folder / name}: {reasons[0]}" in run.report["failures"]


REJECTED = {
    "nul.json": [(1, "NUL bytes")],
    "cut.json": [(1, "cut off in the middle")],
    "long.json": [(1, "longer than")],
    "deep.json": [(1, "nested")],
    "mixed.txt": [(0, "not JSON"), (2, "not JSON")],
    "notime.json": [(0, "eventTime is not a time: 'yesterday'"), (1, "no event time"), (2, "no event time"), (3, "eventTime is not a time")],
}


@pytest.mark.parametrize("name", REJECTED)
def test_a_record_that_cannot_be_read_is_refused_alone(run: Run, name: str) -> None:
    found = run.rejects(name)
    assert [position for position, _ in found] == [position for position, _ in REJECTED[name]]
    assert all(part in reason for (_, reason), (_, part) in zip(found, REJECTED[name], strict=True))


SKIPPED = {
    "empty.json": (1, "empty file"),
    "blank.json": (1, "holds no records"),
    "none.json": (1, "holds no records"),
    "picture.png": (1, "not JSON: no log crosswind knows"),
    "README.md": (1, "not JSON: no log crosswind knows"),
    "list.tsv": (1, "not JSON: no log crosswind knows"),
    "foreign.json": (2, "no known source has records like this"),
    "loop": (1, "link to a folder above it"),
}


@pytest.mark.parametrize("name", SKIPPED)
def test_what_is_no_log_is_skipped_with_one_reason(run: Run, name: str) -> None:
    assert run.rejects(name) == []
    ((count, reason),) = run.skips(name)
    assert (count, reason[: len(SKIPPED[name][1])]) == SKIPPED[name]


@pytest.mark.parametrize("name", ["utf8.json", "future.json", "twice.json", "integers.json", "good.json"])
def test_what_is_only_odd_is_kept(run: Run, name: str) -> None:
    assert (run.rejects(name), run.skips(name)) == ([], [])


def test_odd_events_keep_their_values_and_are_flagged(tmp_path: Path) -> None:
    kept = ("utf8.json", "future.json", "twice.json", "integers.json")
    for name, data in bad_objects():
        if name in kept:
            (tmp_path / name).write_bytes(data)
    done = command("events", tmp_path, "--columns", "x.object,x.flags,time,api.operation,http_request.user_agent,raw_data")
    rows = {Path(row["x.object"]).name: row for row in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 0
    assert set(rows) == set(kept)
    assert rows["future.json"]["time"].startswith("2999-01-01")
    assert "�" in rows["utf8.json"]["http_request.user_agent"]
    assert all(rows[name]["x.flags"] for name in ("utf8.json", "future.json"))
    assert rows["twice.json"]["api.operation"] == "ListTrails"
    assert "123456789012345678901234567890" in rows["integers.json"]["raw_data"]


# --- in this process: limits, vanished files, Ctrl-C ---


def outcome(*paths: Path, limits: Limits | None = None, **options: Any) -> tuple[ScanResult, dict[str, Any]]:
    result = scan([str(path) for path in paths], Settings(now=NOW, jobs=1, limits=limits or Limits()), **options)
    return result, as_json(result.report)


BOUNDS = {
    "bomb": (gzip.compress(b" " * 3_000_000), Limits(ratio_free_bytes=100_000, block_bytes=50_000), "bomb"),
    "size": (lines(*map(quiet, range(100))), Limits(max_object_bytes=20_000, block_bytes=1_000), "larger than 20,000 bytes"),
}


@pytest.mark.parametrize("kind", BOUNDS)
def test_an_object_beyond_a_limit_fails_alone(tmp_path: Path, kind: str) -> None:
    data, limits, reason = BOUNDS[kind]
    (tmp_path / "a").write_bytes(data)
    (tmp_path / "b").write_bytes(delivered(event(500)))
    result, report = outcome(tmp_path, limits=limits)
    assert [alert.rule.title for alert in result.alerts] == [ALERT]
    assert adds_up(report)
    assert (report["objects_failed"], exit_code_of(result.report)) == (1, 3)
    assert reason in report["failures"][0]
    assert report["failures"][0].startswith(f"{tmp_path / 'a'}: ")


def test_counts_stay_whole_where_lists_end(tmp_path: Path) -> None:
    for number in range(1100):
        (tmp_path / f"{number}.txt").write_bytes(b"hello\n")
    (tmp_path / "a.json").write_bytes(lines(event()) + b'{"broken\n' * 1500 + b'{"a":1}\n' * 7)
    result, report = outcome(tmp_path)
    assert adds_up(report)
    assert (report["rejected"], report["skipped"], report["objects_skipped"]) == (1500, 7, 1100)
    assert sum(item["count"] for item in report["skips"]) == 1107
    assert len(report["failures"]) == 2
    assert report["failures"][0].endswith("likewise 999 more records of it")
    assert report["failures"][1] == "500 more records were rejected and are not listed"
    assert [alert.rule.title for alert in result.alerts] == [ALERT]


class Vanishing(io.BytesIO):
    """Standard input that removes a file which was listed before it."""

    def __init__(self, victim: Path) -> None:
        super().__init__(delivered(event()))
        self.victim = victim

    def read1(self, size: int | None = -1, /) -> bytes:
        self.victim.unlink(missing_ok=True)
        return super().read1(-1 if size is None else size)


def test_a_file_that_goes_away_after_it_was_listed_is_named(tmp_path: Path) -> None:
    victim = tmp_path / "victim.json"
    victim.write_bytes(delivered(quiet(1)))
    result, report = outcome(victim, Path("-"), stdin=Vanishing(victim))
    assert [alert.rule.title for alert in result.alerts] == [ALERT]
    assert report["failures"] == [f"{victim}: cannot be read: No such file or directory"]


def test_a_file_without_permission_is_named() -> None:
    with open_folder() as folder:
        (folder / "a.json").write_bytes(delivered(quiet(1)))
        (folder / "a.json").chmod(0)
        (folder / "b.json").write_bytes(delivered(event()))
        outcome(folder / "b.json")  # whatever is loaded on first use is loaded before the rights are gone
        with without_rights():
            result, report = outcome(folder)
    assert [alert.rule.title for alert in result.alerts] == [ALERT]
    assert report["failures"] == [f"{folder / 'a.json'}: cannot be read: Permission denied"]


@pytest.mark.parametrize(("jobs", "number"), [(1, signal.SIGINT), (2, signal.SIGINT), (2, signal.SIGTERM)])
def test_an_interrupt_ends_the_run_with_what_was_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int, number: signal.Signals) -> None:
    monkeypatch.setattr(batches, "STREAM_BYTES", 1)
    before = signal.getsignal(number)
    for index in range(60):
        (tmp_path / f"{index:03}.json").write_bytes(delivered(event(index, eventTime="2026-03-01T08:00:00Z")))

    def press(moment: Progress) -> None:
        if moment.objects == 1:
            signal.raise_signal(number)

    result = scan([str(tmp_path)], Settings(now=NOW, jobs=jobs), progress=press)
    report = as_json(result.report)
    assert [alert.rule.title for alert in result.alerts] == [ALERT]
    assert adds_up(report)
    assert 1 <= report["records"] < 60
    assert result.alerts[0].count == report["events"]
    assert report["interrupted"]
    assert report["failures"] == [f"interrupted: {60 - report['records']} of 60 objects were not read to the end"]
    assert exit_code_of(result.report) == 3
    assert signal.getsignal(number) is before


def wait_for(condition: Any) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


def test_an_interrupt_while_input_still_arrives_looks_at_what_came(tmp_path: Path) -> None:
    process = started("scan", "-", env={"TMPDIR": str(tmp_path)})
    assert process.stdin is not None
    process.stdin.write(lines(event(), quiet(1)))
    process.stdin.flush()
    wait_for(lambda: any(path.name.startswith("crosswind-stdin-") for path in tmp_path.iterdir()))
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=30)
    assert titles(out) == [ALERT]
    assert process.returncode == 3
    assert b"-: interrupted before its end; what came until then was read" in errors
    assert b"Traceback" not in errors
    assert list(tmp_path.iterdir()) == []
