"""Schedulers as processes: two on one state, one that is stopped, one that is killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from engine.cli.schedule import schedule
from engine.config import load_config
from engine.errors import UsageError
from engine.pipeline.watch.scheduled import run
from engine.store.jobs import job_records
from engine.store.leases import WRITER, this_process
from engine.store.records import Run
from engine.store.state import State
from tests.schedules import ROOT, Scheduler, alive, scheduler, until

linux = pytest.mark.skipif(sys.platform != "linux", reason="the processes of jobs are found in /proc")
HEAD = '[lake]\npath = "lake"\n'
DETECT = '[source.trail]\npath = "logs"\n[rules]\nbuiltin = false\npaths = ["rule.yml"]\n[job.detect]\ncommand = "run"\nevery = "1d"\n'
RULE = """title: Anything
id: 11111111-2222-4333-8444-555555555555
logsource: {product: aws, service: cloudtrail}
detection: {any: {eventName|exists: true}, condition: any}
level: low
"""


def configured(folder: Path, text: str, *, logs: bool = False) -> Path:
    folder.mkdir(exist_ok=True)
    if logs:
        (folder / "logs").mkdir()
        (folder / "rule.yml").write_text(RULE)
        for path in [path for path in (ROOT / "sample_logs" / "logs").rglob("*") if "cloudtrail" in path.as_posix().lower() and path.is_file()]:
            shutil.copy(path, folder / "logs" / path.name)
    path = folder / "crosswind.toml"
    path.write_text(HEAD + text)
    with State.open(folder / "state.db"):
        return path


def standing(folder: Path) -> set[tuple[str, str, int]]:
    with State.open(folder / "state.db") as state:
        return {(stored.alert.uid, stored.alert.state.value, stored.alert.count) for stored in state.alerts()}


def job_runs(state: State) -> list[Run]:
    """What schedulers recorded, beside what `run` did itself."""
    return [each for each in state.runs(1000) if "job" in each.counts]


def begin_yesterday(folder: Path) -> None:
    """Let the daily job be due at once, as one that was begun by a scheduler that is no more."""
    from engine.store.jobs import claim

    now = datetime.now(UTC)
    with State.open(folder / "state.db") as state:
        assert claim(state, "detect", now - timedelta(minutes=1), now)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, str, int]]:
    folder = tmp_path_factory.mktemp("undisturbed") / "x"
    run(load_config(configured(folder, DETECT, logs=True), {}), lambda: datetime.now(UTC))
    found = standing(folder)
    assert found
    return found


def test_two_schedulers_begin_no_run_twice(tmp_path: Path) -> None:
    path = configured(tmp_path / "x", '[job.detect]\ncommand = "sources"\nevery = "1s"\n')
    with scheduler(path) as one, scheduler(path) as other, State.open(path.parent / "state.db") as state:
        until(lambda: len(job_runs(state)) >= 4 and one.said("job begins") and other.said("job is scheduled"))
        assert (one.stop(), other.stop()) == (0, 0)
        runs = [each for each in job_runs(state) if each.outcome == "done"]
        dues = Counter(each.counts["due"] for each in runs)
        assert len(runs) >= 3
        assert max(dues.values()) == 1
        ordered = sorted(runs, key=lambda each: each.started)
        assert all(before.finished <= after.started for before, after in pairwise(ordered))
        begun = [each["run"] for each in (*one.said("job begins"), *other.said("job begins"))]
        assert {each.counts["run"] for each in runs} <= set(begun)


@linux
def test_a_scheduler_that_is_stopped_during_a_run_gives_it_up_and_the_next_one_ends_it(
    tmp_path: Path, undisturbed: set[tuple[str, str, int]]
) -> None:
    path = configured(tmp_path / "x", DETECT, logs=True)
    begin_yesterday(path.parent)
    with State.open(path.parent / "state.db") as state:
        with scheduler(path) as first:
            child = caught(first, state)
            first.process.send_signal(signal.SIGTERM)
            until(lambda: first.said("scheduler stops"))
            os.kill(child, signal.SIGCONT)
            assert first.process.wait(60) == 0
            (ended,) = first.said("job ends")
            assert ended["outcome"] == "stopped"
            assert first.log[-1]["event"] == "scheduler has stopped"
        assert [each.outcome for each in job_runs(state)] == ["stopped"]
        with scheduler(path) as second:
            (over,) = until(lambda: second.said("job is taken over"))
            until(lambda: second.said("job ends"))
            assert second.stop() == 0
        assert over["job"] == "detect"
        assert job_records(state)["detect"].outcome == "done"
    assert standing(path.parent) == undisturbed


@linux
def test_a_scheduler_that_is_killed_is_taken_over(tmp_path: Path, undisturbed: set[tuple[str, str, int]]) -> None:
    path = configured(tmp_path / "x", DETECT, logs=True)
    begin_yesterday(path.parent)
    with State.open(path.parent / "state.db") as state, scheduler(path) as first:
        child = caught(first, state)
        with scheduler(path) as second:
            until(lambda: second.said("job is scheduled"))
            assert not second.said("job is taken over")
            first.process.kill()
            first.process.wait()
            os.kill(child, signal.SIGCONT)
            until(lambda: second.said("job ends"))
            assert second.stop() == 0
            assert second.said("job ends")[0]["outcome"] == "done"
        until(lambda: not alive(child))
        assert (job_records(state)["detect"].outcome, job_records(state)["detect"].attempts) == ("done", 3)
    assert standing(path.parent) == undisturbed


def caught(found: Scheduler, state: State) -> int:
    """The process of a job that stands still in the middle of a batch."""
    until(state.open_plan)
    (child,) = found.children()
    os.kill(child, signal.SIGSTOP)
    assert state.open_plan() is not None
    return child


def test_a_run_that_finds_another_at_work_is_tried_again(tmp_path: Path) -> None:
    path = configured(tmp_path / "x", '[rules]\nbuiltin = false\n[source.trail]\npath = "logs"\n[job.detect]\ncommand = "run"\nevery = "1d"\n')
    begin_yesterday(path.parent)
    with State.open(path.parent / "state.db") as state, scheduler(path) as found:
        with state.lease(WRITER, this_process(), timedelta(hours=1), datetime.now(UTC)):
            (again,) = until(lambda: found.said("job is tried again"))
        assert "another process is at work" in again["errors"][0]
        assert found.stop() == 0
        assert [each.outcome for each in job_runs(state)] == ["stopped"]


def test_metrics_and_health_of_a_scheduler(tmp_path: Path) -> None:
    path = configured(tmp_path / "x", '[job.health]\ncommand = "check"\nevery = "1s"\n')
    with scheduler(path, "--metrics-port", "0") as found:
        (said,) = until(lambda: found.said("metrics and health are served"))
        until(lambda: found.said("job ends"))
        assert 'crosswind_job_runs_total{job="health",outcome="done"}' in get(said["port"], "/metrics")
        assert json.loads(get(said["port"], "/healthz")) == {"status": "ok", "problems": []}
        assert found.stop() == 0


def get(port: int, path: str) -> str:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def command(path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    line = [sys.executable, "-m", "engine.cli", "schedule", "--config", str(path), *words]
    return subprocess.run(line, capture_output=True, text=True, env=environ, cwd=path.parent, check=False)


def test_every_job_once_and_the_list_of_them(tmp_path: Path) -> None:
    jobs = '[job.a]\ncommand = "sources"\nevery = "1d"\n[job.b]\ncommand = "sources --wrong"\ncron = "0 3 * * 0"\n'
    path = configured(tmp_path / "x", jobs)
    ended = command(path, "--once")
    assert ended.returncode == 3
    outcomes = {each["job"]: each for each in map(json.loads, ended.stderr.splitlines()) if each["event"] == "job ends"}
    assert (outcomes["a"]["outcome"], outcomes["b"]["outcome"]) == ("done", "failed")
    assert any("--wrong" in line for line in outcomes["b"]["errors"])
    listed: list[dict[str, Any]] = [json.loads(line) for line in command(path, "--list").stdout.splitlines()]
    assert [(each["job"], each["command"], each["outcome"]) for each in listed] == [
        ("a", ["sources"], "done"),
        ("b", ["sources", "--wrong"], "failed"),
    ]
    assert datetime.fromisoformat(listed[1]["next"]).strftime("%a %H:%M") == "Sun 03:00"


@pytest.mark.parametrize(
    ("jobs", "asked", "message"),
    [
        ("", {}, "nothing to schedule"),
        ('[job.a]\ncommand = "schedule"\nevery = "1m"\n', {}, "begins no schedulers"),
        ('[job.a]\ncommand = "check trail"\nevery = "1m"\n', {}, "no words behind it"),
        ('[job.a]\ncommand = "run"\ncron = "0 0 31 2 *"\n', {}, "never due"),
        ('[job.a]\ncommand = "run"\ncron = "0 0 * * 8"\n', {}, r"\[job\.a\]"),
        ('[job.a]\ncommand = "run"\nevery = "1m"\n', {"metrics_port": "0.0.0.0:9464"}, "can be reached from elsewhere"),
        ('[job.a]\ncommand = "run"\nevery = "1m"\n', {"words": ["run"]}, "takes no words"),
        ('[job.a]\ncommand = "run"\nevery = "1m"\n', {"once": True, "show": True}, "exclude each other"),
        ('[job.a]\ncommand = "run"\nevery = "1m"\n', {"once": True, "metrics_port": "1"}, "exclude each other"),
    ],
)
def test_what_cannot_be_scheduled_is_refused(tmp_path: Path, jobs: str, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        schedule(**{"config": configured(tmp_path / "x", jobs), "once": False, "show": False, **asked})
