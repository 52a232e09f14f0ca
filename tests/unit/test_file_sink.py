"""The sink `file`: permissions, rotation, and what a killed process leaves."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
from pathlib import Path

import pytest

from engine.documents.delivered import Layout
from engine.sinks import file as file_module
from engine.sinks import make_sink
from engine.sinks.base import Delivery
from engine.sinks.file import FileSink
from tests.outbox import NOW, configured, deliveries


def sink(path: Path, **options: object) -> FileSink:
    made = make_sink(configured("out", "file", path=str(path), **options))
    assert isinstance(made, FileSink)
    return made


def some(*numbers: int) -> list[Delivery]:
    return deliveries(numbers, Layout.NDJSON)


def uids(path: Path) -> list[int]:
    return [int(json.loads(line)["uid"], 16) for line in path.read_text().splitlines()]


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "alerts.ndjson"
    out = sink(path)
    out.install()
    out.send(some(0), NOW)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_it_rotates_by_size_and_keeps_so_many(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    size = len(path.read_bytes()) if sink(path).send(some(0), NOW).delivered and path.exists() else 0
    out = sink(path, max_bytes=size * 2 + 100, keep=2)
    for number in range(1, 9):
        out.send(some(number), NOW)
    assert uids(path) == [8]
    assert uids(tmp_path / "a.ndjson.1") == [6, 7]
    assert uids(tmp_path / "a.ndjson.2") == [4, 5]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.ndjson", "a.ndjson.1", "a.ndjson.2"]
    assert {stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()} == {0o600}


def test_half_a_line_of_a_killed_process_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    sink(path).send(some(0, 1), NOW)
    whole = path.read_bytes()
    for cut in (1, len(whole) // 3, len(whole) - 1):
        path.write_bytes(whole[:-cut])
        assert sink(path).send(some(0, 1), NOW).delivered == [1, 2]
        assert path.read_bytes() == whole


def test_a_long_half_line_is_cut_off_and_a_file_of_nothing_else_is_emptied(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(b'{"uid":"x","revision":1}\n' + b"y" * 200_000)
    sink(path).test()
    assert path.read_bytes() == b'{"uid":"x","revision":1}\n'
    path.write_bytes(b"y" * 200_000)
    sink(path).test()
    assert path.read_bytes() == b""


def test_states_written_before_a_rotation_are_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    sink(path).send(some(0, 1, 2), NOW)
    path.rename(tmp_path / "a.ndjson.1")
    assert sink(path).send(some(2, 3), NOW).delivered == [3, 4]
    assert uids(path) == [3]


def test_a_full_disk_leaves_whole_lines_and_all_in_the_outbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.ndjson"
    out = sink(path)
    out.send(some(0), NOW)
    before = path.read_bytes()
    write = os.write

    def full(handle: int, data: memoryview) -> int:
        if len(data) > 100:
            return write(handle, data[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(file_module, "_write", lambda handle, data: [full(handle, memoryview(data)), full(handle, memoryview(data)[:10])])
    outcome = out.send(some(1, 2), NOW)
    assert outcome.delivered == []
    assert "No space left" in str(outcome.stopped)
    assert path.read_bytes() == before
    monkeypatch.undo()
    assert out.send(some(1, 2), NOW).delivered == [2, 3]
    assert uids(path) == [0, 1, 2]


def test_two_processes_do_not_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    out = sink(path)
    out.send(some(0), NOW)
    with path.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        outcome = out.send(some(1), NOW)
    assert "another process" in str(outcome.stopped)
    assert out.send(some(1), NOW).delivered == [2]


def test_it_does_not_follow_a_link(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").symlink_to(tmp_path / "elsewhere")
    assert "cannot write" in str(sink(tmp_path / "a.ndjson").send(some(0), NOW).stopped)
    assert not (tmp_path / "elsewhere").exists()
