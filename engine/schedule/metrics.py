"""What is counted while the scheduler runs, as text that Prometheus reads."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from engine.errors import StateError
from engine.schedule.attempts import DONE, FAILED, Attempt
from engine.store.state import State


class Metrics:
    """Counts since the scheduler began. Threads may share it."""

    def __init__(self, jobs: Iterable[str]) -> None:
        self._lock = threading.Lock()
        self._jobs = tuple(jobs)
        self._runs: Counter[tuple[str, str]] = Counter({(job, outcome): 0 for job in self._jobs for outcome in (DONE, FAILED)})
        self._retries: Counter[str] = Counter(dict.fromkeys(self._jobs, 0))
        self._missed: Counter[str] = Counter(dict.fromkeys(self._jobs, 0))
        self._seconds: dict[str, float] = {}
        self._records: Counter[str] = Counter({"read": 0, "events": 0, "rejected": 0})
        self._alerts: Counter[str] = Counter()
        self._last: dict[str, float] = {}
        self._succeeded: dict[str, datetime] = {}

    def ran(self, job: str, attempt: Attempt, seconds: float, now: datetime) -> None:
        """A run of ``job`` came to its end."""
        with self._lock:
            self._runs[job, attempt.outcome] += 1
            self._seconds[job] = self._seconds.get(job, 0.0) + seconds
            self._last[job] = seconds
            if attempt.outcome == DONE:
                self._succeeded[job] = now
            for batch in attempt.batches:
                report = batch["report"]
                self._records.update({"read": report["records"], "events": report["events"], "rejected": report["rejected"]})
                self._alerts.update(dict(report["alerts_by_level"]))

    def retried(self, job: str) -> None:
        """Another try of ``job`` follows."""
        with self._lock:
            self._retries[job] += 1

    def missed(self, job: str, times: int = 1) -> None:
        """``job`` was due and did not begin."""
        with self._lock:
            self._missed[job] += times

    def text(self, state: State, now: datetime) -> str:
        """Everything counted, and how ``state`` stands now."""
        page = _Page()
        with self._lock:
            for (job, outcome), number in sorted(self._runs.items()):
                page.add("job_runs_total", "counter", "Runs of jobs that ended, by outcome.", number, job=job, outcome=outcome)
            for job, number in sorted(self._retries.items()):
                page.add("job_retries_total", "counter", "Further tries of runs that failed for a reason that may pass.", number, job=job)
            for job, number in sorted(self._missed.items()):
                page.add("job_missed_total", "counter", "Times a job was due and did not begin.", number, job=job)
            for job, spent in sorted(self._seconds.items()):
                page.add("job_seconds_total", "counter", "Time that runs of a job took.", spent, job=job)
            for job, spent in sorted(self._last.items()):
                page.add("job_last_seconds", "gauge", "Time that the last run of a job took.", spent, job=job)
            for job, moment in sorted(self._succeeded.items()):
                page.add("job_last_success_timestamp_seconds", "gauge", "When a job last ended well.", moment.timestamp(), job=job)
            for kind, number in sorted(self._records.items()):
                page.add("records_total", "counter", "Records that runs read, took as events and rejected.", number, kind=kind)
            for level, number in sorted(self._alerts.items()):
                page.add("alerts_total", "counter", "New alerts of runs, by level.", number, level=level)
        _state(page, state, now)
        return page.text()


def _state(page: _Page, state: State, now: datetime) -> None:
    """The state as it stands; that it cannot be read is a metric too."""
    try:
        depths, latest, looked = state.depths(), state.latest(), state.sources()
    except StateError:
        page.add("state_up", "gauge", "Whether the state can be read.", 0)
        return
    page.add("state_up", "gauge", "Whether the state can be read.", 1)
    for depth in depths:
        page.add("outbox_alerts", "gauge", "Alerts that wait for a sink.", depth.waiting, sink=depth.sink)
        page.add("dead_letters", "gauge", "Alerts that a sink refused for good.", depth.dead, sink=depth.sink)
        age = (now - depth.oldest).total_seconds() if depth.oldest else 0.0
        page.add("outbox_oldest_seconds", "gauge", "How long the oldest alert has waited for a sink.", max(age, 0.0), sink=depth.sink)
    for source, moment in latest.items():
        page.add("source_lag_seconds", "gauge", "Time since the latest event of a source of logs.", (now - moment).total_seconds(), source=source)
    for source, moment in looked.items():
        page.add(
            "source_looked_seconds", "gauge", "Time since a configured source was looked through.", (now - moment).total_seconds(), source=source
        )


class _Page:
    """Samples by metric, in Prometheus' text format."""

    def __init__(self) -> None:
        self._samples: dict[str, list[str]] = {}

    def add(self, name: str, kind: str, meaning: str, value: float, /, **labels: str) -> None:
        head = [f"# HELP crosswind_{name} {meaning}", f"# TYPE crosswind_{name} {kind}"]
        self._samples.setdefault(name, head).append(f"crosswind_{name}{_shown(labels)} {_number(value)}")

    def text(self) -> str:
        return "".join(f"{line}\n" for lines in self._samples.values() for line in lines)


def _shown(labels: Mapping[str, str]) -> str:
    escaped = (f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{','.join(escaped)}}}" if labels else ""


def _escaped(value: str) -> str:
    clean = value.encode("utf-8", "replace").decode()
    return clean.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else repr(round(value, 6))
