"""Outputs that break, and values of logs that would break what shows them."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import polars as pl
import pytest

from engine.cli.app import run as main
from engine.documents.destination import open_output
from tests.logs import delivered, event, quiet, started


@pytest.mark.parametrize("words", [("scan", "--format", "ndjson"), ("events",)])
def test_a_reader_that_goes_away_is_no_defect(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "a.json").write_bytes(delivered(event(), *(quiet(n) for n in range(1, 2000))))
    readable, writable = os.pipe()
    os.close(readable)
    process = started(*words, tmp_path, stdout=writable)
    os.close(writable)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 3
    assert b"went away before all of it was written" in errors
    assert b"Traceback" not in errors
    assert b"Exception ignored" not in errors


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("to_file", [True, False])
def test_a_full_disk_is_a_failure_and_the_account_is_still_given(to_file: bool, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(delivered(event()))
    options = ["-o", "/dev/full"] if to_file else []
    with Path("/dev/full").open("wb") as full:
        process = started("scan", tmp_path / "a.json", "--summary", tmp_path / "s.json", *options, **({} if to_file else {"stdout": full}))
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 3
    assert b"No space left on device" in errors
    assert b"Traceback" not in errors
    report = json.loads((tmp_path / "s.json").read_text())
    assert report["alerts"] == 1
    assert any("No space left" in line for line in report["failures"])


HOSTILE = "=HYPERLINK(1)\x1b[31mred\x07\u202egnp.exe\x00<script>alert(1)</script>"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    identity = {"type": "IAMUser", "userName": HOSTILE, "accountId": "111122223333"}
    (folder / "a\x1b[2Jb.json").write_bytes(delivered(event(userIdentity=identity, userAgent=HOSTILE)))
    (folder / "c\x1b[2J.json").write_bytes(b'{"Records":[{"\x1b]0;x": 1')
    return folder


@pytest.mark.parametrize("words", [f"scan {layout}" for layout in ("table", "csv", "ndjson", "ecs", "ocsf")] + ["events table", "events csv"])
def test_values_of_logs_command_no_terminal_and_no_spreadsheet(
    words: str, hostile: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name, layout = words.split()
    columns = ["--columns", "actor.user.name,http_request.user_agent"] if name == "events" else []
    monkeypatch.setattr("sys.argv", ["crosswind", name, str(hostile), "--format", layout, *columns])
    assert main() == 3
    out, errors = capsys.readouterr()
    assert "red" in out
    for text in (out, errors):
        assert not [hex(ord(mark)) for mark in text if (ord(mark) < 32 and mark != "\n") or 127 <= ord(mark) < 160 or mark == "\u202e"]
    if layout == "csv":
        rows = list(csv.reader(io.StringIO(out)))
        assert len(rows) == 2
        assert not [cell for cell in rows[1] if cell.lstrip()[:1] in ("=", "+", "-", "@")]
        assert any(cell.startswith("'=HYPERLINK") for cell in rows[1])
    elif layout != "table":
        assert all(json.loads(line) for line in out.splitlines())


def test_parquet_is_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.json").write_bytes(delivered(event(), quiet(1)))
    monkeypatch.setattr("sys.argv", ["crosswind", "events", str(tmp_path), "--format", "parquet", "-o", str(tmp_path / "out")])
    assert main() == 0
    assert pl.read_parquet(tmp_path / "out")["api.operation"].to_list() == ["StopLogging", "DescribeTrails"]


def test_an_output_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    old = tmp_path / "alerts"
    old.write_text("old")

    def broken() -> None:
        with open_output(old) as stream:
            stream.write("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken()
    assert (old.read_text(), list(tmp_path.iterdir())) == ("old", [old])
