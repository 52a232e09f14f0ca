"""Metrics, health, and the log of the scheduler."""

from __future__ import annotations

import io
import json
import re
from http.client import HTTPConnection
from pathlib import Path

import pytest

from engine.errors import StateError, UsageError
from engine.schedule.attempts import DONE, Attempt
from engine.schedule.health import STALE, Health, address_of, served
from engine.schedule.logs import logger
from engine.schedule.metrics import Metrics
from engine.store.state import State
from tests.alert_samples import NOON, alert
from tests.states import commit, later


def get(port: int, path: str, host: str | None = None) -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={"Host": host} if host else {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("text", "address"), [("9464", ("127.0.0.1", 9464)), ("127.0.0.2:1", ("127.0.0.2", 1)), ("[::1]:80", ("::1", 80)), ("0", ("127.0.0.1", 0))]
)
def test_addresses_of_this_machine(text: str, address: tuple[str, int]) -> None:
    assert address_of(text) == address


@pytest.mark.parametrize("text", ["0.0.0.0:9464", "[::]:9464", "10.0.0.1:1", "example.com:80", "localhost.example.com:80", "x", "70000", "", "²"])
def test_other_addresses_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--metrics-port"):
        address_of(text)


def test_metrics_and_health_are_served() -> None:
    problems: list[str] = []
    with served(("127.0.0.1", 0), lambda: "crosswind_x 1\n", lambda: problems) as port:
        assert get(port, "/metrics") == (200, "crosswind_x 1\n")
        assert get(port, "/healthz") == (200, '{"status": "ok", "problems": []}\n')
        problems.append("the state is locked")
        assert get(port, "/healthz")[0] == 503
        assert get(port, "/../etc/passwd")[0] == 404
        assert get(port, "/metrics", "evil.example.com")[0] == 403
        assert get(port, "/metrics", f"evil.example.com:{port}")[0] == 403
        assert get(port, "/metrics", f"localhost:{port}")[0] == 200
        with pytest.raises(UsageError, match="cannot be used"), served(("127.0.0.1", port), lambda: "", list):
            pass
    with pytest.raises(ConnectionRefusedError):
        get(port, "/metrics")


def test_a_loop_that_hangs_and_a_state_that_is_away_are_problems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passed = [0.0]
    with State.open(tmp_path / "state.db") as state:
        health = Health(state, lambda: passed[0])
        assert health.problems() == []
        passed[0] = STALE + 1
        assert len(health.problems()) == 1
        health.alive()
        assert health.problems() == []

        def away() -> int:
            raise StateError("away")

        monkeypatch.setattr(state, "last_batch", away)
        assert health.problems() == ["away"]


def test_metrics_are_what_prometheus_reads(tmp_path: Path) -> None:
    metrics = Metrics(["detect", 'a"b\\c\nd'])
    metrics.ran("detect", Attempt(DONE), 1.5, NOON)
    metrics.ran("detect", Attempt("stopped"), 0.5, NOON)
    metrics.missed("detect")
    with State.open(tmp_path / "state.db") as state:
        commit(state, 1, alerts=[alert()], latest={"aws.cloudtrail": NOON}, seen={"trail": ()})
        text = metrics.text(state, later(10))
    sample = re.compile(r'crosswind_[a-z_]+(\{[a-z]+="(\\.|[^"\\])*"(,[a-z]+="(\\.|[^"\\])*")*\})? -?[0-9][0-9.e+]*')
    names: list[str] = []
    for line in text.splitlines():
        if line.startswith("# TYPE"):
            names.append(line.split()[2])
        assert line.startswith("# ") or sample.fullmatch(line), line
    assert len(names) == len(set(names))
    assert {
        'crosswind_job_runs_total{job="detect",outcome="done"} 1',
        'crosswind_job_runs_total{job="detect",outcome="stopped"} 1',
        'crosswind_job_runs_total{job="a\\"b\\\\c\\nd",outcome="failed"} 0',
        'crosswind_job_seconds_total{job="detect"} 2.0',
        'crosswind_job_last_seconds{job="detect"} 0.5',
        'crosswind_job_missed_total{job="detect"} 1',
        'crosswind_outbox_alerts{sink="siem"} 1',
        'crosswind_outbox_oldest_seconds{sink="siem"} 540.0',
        'crosswind_source_lag_seconds{source="aws.cloudtrail"} 600.0',
        "crosswind_state_up 1",
    } <= set(text.splitlines())


def test_a_state_that_cannot_be_read_is_a_metric(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with State.open(tmp_path / "state.db") as state:

        def away() -> list[object]:
            raise StateError("away")

        monkeypatch.setattr(state, "depths", away)
        assert "crosswind_state_up 0" in Metrics([]).text(state, NOON)


class Gone(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_a_log_that_nobody_reads_any_more_ends_nothing() -> None:
    logger(Gone()).info("job begins")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_logs_are_json_for_machines_and_lines_for_people() -> None:
    stream = io.StringIO()
    logger(stream).bind(job="a", run="7").warning("batch\ndone", errors=["one\x1b[2J"], batch=3)
    document = json.loads(stream.getvalue())
    assert document.pop("timestamp").endswith("Z")
    assert document == {"event": "batch\\ndone", "level": "warning", "job": "a", "run": "7", "errors": ["one\\x1b[2J"], "batch": 3}
    terminal = Terminal()
    logger(terminal).bind(job="a").info("job begins", run="7")
    (line,) = terminal.getvalue().splitlines()
    assert "job begins" in line
    assert "job=a" in line
