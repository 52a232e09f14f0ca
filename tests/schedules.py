"""Schedulers for tests: jobs, work that does as told, and real processes whose log is read."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from engine.config import JobConfig
from engine.schedule.attempts import DONE, Attempt
from engine.schedule.jobs import Runner
from engine.schedule.logs import logger
from engine.schedule.metrics import Metrics
from engine.schedule.stopping import Stop
from engine.store.state import State
from tests.alert_samples import NOON

ROOT = Path(__file__).resolve().parents[1]


def job(name: str = "detect", **changes: Any) -> JobConfig:
    values: dict[str, Any] = {"command": ("run",), "every": timedelta(minutes=5)}
    return JobConfig(name, **{**values, **changes})


class Told:
    """Work that gives one answer after another, the last for ever; a function is asked with the reason to end."""

    def __init__(self, *answers: Attempt | Exception | Callable[[Callable[[], str | None]], Attempt]) -> None:
        self.answers = list(answers) or [Attempt(DONE)]
        self.asked = 0

    def __call__(self, _: JobConfig, reason: Callable[[], str | None]) -> Attempt:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Attempt) else answer(reason)


class Bench:
    """A runner with everything it needs, its clock and its log."""

    def __init__(self, state: State, work: Told, backoff: Sequence[float] = (0.0, 0.0, 0.0)) -> None:
        self.now = NOON
        self.stop = Stop()
        self.stream = io.StringIO()
        self.metrics = Metrics(["detect"])
        self.work = work
        self.runner = Runner(state, lambda _: work, self.stop, logger(self.stream), self.metrics, clock=self.clock, backoff=backoff)

    def clock(self) -> datetime:
        return self.now

    @property
    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


class Scheduler:
    """`crosswind schedule` as a process."""

    def __init__(self, config: Path, *words: str) -> None:
        self.log_path = config.parent / f"log-{time.monotonic_ns()}"
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "CROSSWIND_CONFIG": ""}
        with self.log_path.open("wb") as log:
            command = [sys.executable, "-m", "engine.cli", "schedule", "--config", str(config), *words]
            self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log, env=environ, cwd=config.parent)

    @property
    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log_path.read_text().splitlines() if line.startswith("{") and line.endswith("}")]

    def said(self, event: str) -> list[dict[str, Any]]:
        return [each for each in self.log if each["event"] == event]

    def children(self) -> list[int]:
        return [int(child) for task in Path(f"/proc/{self.process.pid}/task").iterdir() for child in (task / "children").read_text().split()]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextmanager
def scheduler(config: Path, *words: str) -> Iterator[Scheduler]:
    found = Scheduler(config, *words)
    try:
        yield found
    finally:
        if found.process.poll() is None:
            found.process.kill()
            found.process.wait()


def until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Wait for ``condition``, and fail where it does not come true in time."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "this did not happen in time"
        time.sleep(0.02)
    return found


def alive(process: int) -> bool:
    """Whether a process of this number runs, or stands still."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
