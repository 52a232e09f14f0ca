"""What goes wrong around a run: other runs, full disks, states that cannot be used, sources that vanish. Nothing is lost, words say what to do."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest

from engine.pipeline.lasting import ingest, lake_batch
from tests.conftest import Ran
from tests.killing import child, ended
from tests.logs import open_folder, without_rights
from tests.running import Place, call

Run = Callable[..., Ran]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    found = Place(tmp_path / "place")
    found.put("a.json", call(1, 0))
    return found


@pytest.fixture
def run(cli: Callable[..., Ran], place: Place) -> Run:
    return lambda *arguments: cli("run", "--config", place.config, *arguments)


def test_two_runs_at_once(run: Run, place: Place) -> None:
    holder = child(place.config, "commit", 1, "stop")
    _wait_until_stopped(holder)
    second = run()
    assert second.code == 3
    assert f"process {holder.pid}" in second.err
    assert "wait for it to end" in second.err
    os.kill(holder.pid or 0, signal.SIGCONT)
    assert ended(holder) == 0
    assert run().code == 0
    assert len(place.alerts()) == 1


@pytest.mark.parametrize("bytes_", [3_000, 20_000])
def test_a_full_disk(run: Run, place: Place, bytes_: int) -> None:
    place.put("b.json", *(call(number, number, userAgent="x" * 50 + str(hash(str(number)))) for number in range(2, 400)))
    process = child(place.config, limit=bytes_)
    assert ended(process) == 3
    said = (place.root / "errors.txt").read_text()
    assert "make room" in said or "full" in said, said
    assert run().code == 0
    assert sum(alert.count for alert in place.alerts().values()) == 399
    assert place.events().height == 399


def test_a_state_that_is_locked(run: Run, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run().code == 0
    monkeypatch.setattr("engine.store.state.State.open.__func__.__kwdefaults__", {"create": True, "timeout": 0.2})
    (file,) = place.root.glob("*.db")
    with sqlite3.connect(file, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        ran = run()
    assert ran.code == 3
    assert "in use by another process" in ran.err


def test_a_state_that_may_not_be_written(cli: Run) -> None:
    with open_folder() as folder:
        place = Place(folder / "place")
        place.put("a.json", call(1, 0))
        assert cli("run", "--config", place.config).code == 0
        with without_rights():
            ran = cli("run", "--config", place.config)
        assert ran.code == 3
        assert "state.db" in ran.err
        assert len(place.alerts()) == 1


def test_a_state_that_is_damaged_is_left_alone(run: Run, place: Place) -> None:
    assert run().code == 0
    (file,) = place.root.glob("*.db")
    file.write_bytes(b"not a database" * 100)
    ran = run()
    assert ran.code == 3
    assert "was left as it is" in ran.err
    assert file.read_bytes() == b"not a database" * 100


def test_a_file_that_vanishes_between_plan_and_read(run: Run, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = place.put("b.json", call(2, 300))
    real = lake_batch.write_batch

    def vanish(*arguments: object, **options: object) -> object:
        gone.unlink(missing_ok=True)
        return real(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(ingest, "write_batch", vanish)
    ran = run()
    assert ran.code == 3
    assert "b.json" in ran.err
    assert len(place.alerts()) == 1
    monkeypatch.setattr(ingest, "write_batch", real)
    assert run().code == 0
    place.put("b.json", call(2, 300))
    assert run().code == 0
    assert len(place.alerts()) == 2


def test_a_lake_that_is_not_the_states(run: Run, place: Place) -> None:
    assert run().code == 0
    (place.root / "lake").rename(place.root / "elsewhere")
    ran = run()
    assert ran.code == 3
    assert "older than the state" in ran.err


def test_a_sink_that_fails_leaves_alerts_waiting(run: Run, place: Place) -> None:
    (place.root / "alerts.ndjson").mkdir()
    ran = run()
    assert ran.code == 3
    assert "sink out" in ran.err
    (place.root / "alerts.ndjson").rmdir()
    assert run().code == 0
    assert len(place.delivered()) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_asked_to_end_ends_at_a_step(run: Run, place: Place, number: signal.Signals) -> None:
    """Stopped while its plan is written, it does no work; stopped while it delivers, the rest waits. Either way the next run goes on."""
    process = _asked_to_end(place, "write_plan", number)
    assert ended(process) == 3
    with place.state() as state:
        assert state.open_plan() is not None
    assert place.lake().batch_of("events") == (0, None)
    process = _asked_to_end(place, "commit", number)
    assert ended(process) == 3
    assert len(place.alerts()) == 1
    assert place.delivered() == []
    assert run().code == 0
    assert len(place.delivered()) == 1


def _asked_to_end(place: Place, step: str, number: signal.Signals) -> ForkServerProcess:
    """A run that gets a signal while it stands before a step."""
    process = child(place.config, step, 1, "stop")
    _wait_until_stopped(process)
    os.kill(process.pid or 0, number)
    os.kill(process.pid or 0, signal.SIGCONT)
    return process


def _wait_until_stopped(process: ForkServerProcess) -> None:
    stat = Path(f"/proc/{process.pid}/stat")
    while stat.read_text().rpartition(")")[2].split()[0] != "T":
        time.sleep(0.02)
