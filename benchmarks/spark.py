"""How long the Spark runner takes for a scan, against the local runner, on the same cores.

    python benchmarks/spark.py [--events 2000000] [--rules 800] [--rounds 3] [--keep DIR]

Uses the input of benchmarks/scan.py, with a correlation over all rules added. Both runners scan it in one process, by turns, on as many cores; the
best of each counts. Starting the session (the Java machine) and one scan of a single file, which starts Python workers, are measured apart. Prints
one line of JSON.

``ratio``: seconds of the Spark runner over those of the local one. ``half_ratio``: its seconds on half of the files over those on all, 0.5 where time
follows the input. ``ratio_cpu`` and ``half_ratio_cpu``: the same of processor time, of this process and of all that it started, which other work on
the machine disturbs less.

``shuffled``: bytes that went from task to task for correlating, from Spark's event log, in one more scan whose hits are dealt out
however few they are; ``shuffled_per_hit``: the same over the hits, for all files and for half of them.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.scan import CLOUDTRAIL, write_logs, write_rules  # found from wherever this is run
from engine.pipeline import ScanResult, Settings, scan
from engine.pipeline.far.alerts import CORRELATING
from engine.runners.base import Runner
from engine.runners.spark import SparkRunner
from engine.runners.spark_session import spark_session

NOW = datetime(2026, 4, 1, tzinfo=UTC)


def correlation(rules: Path) -> str:
    """A correlation that rests on all rules, so that every hit is shuffled for it and for its own rule."""
    names = [json.loads(path.read_text())["id"] for path in sorted(rules.glob("*.yml"))]
    asked: dict[str, Any] = {"type": "event_count", "rules": names, "group-by": ["userIdentity.arn"], "timespan": "1h", "condition": {"gte": 2}}
    return json.dumps({"title": "Several in an hour", "id": "00000000-0000-4000-8000-0000000000aa", "level": "high", "correlation": asked}) + "\n"


@dataclass(frozen=True)
class Timed:
    """What one scan cost, in seconds, and what it found."""

    wall: float
    cpu: float
    found: ScanResult


def timed(logs: Path, rules: Path, runner: Runner | None) -> Timed:
    started, used = time.perf_counter(), cpu_seconds()
    found = scan([str(logs)], Settings(now=NOW), rules=[rules, correlation(rules)], builtin=False, runner=runner)
    return Timed(time.perf_counter() - started, cpu_seconds() - used, found)


def cpu_seconds() -> float:
    """Processor time of this process and of all below it: Java and its Python workers, those that have ended too."""
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended just now, and its parent has its time
            fields = path.read_text().rpartition(")")[2].split()
            process = int(path.parent.name)
            parents[process], ticks[process] = int(fields[1]), sum(map(int, fields[11:15]))
    ours = {os.getpid()}
    while below := {process for process, parent in parents.items() if parent in ours and process not in ours}:
        ours |= below
    return sum(ticks[process] for process in ours) / os.sysconf("SC_CLK_TCK")


def half_of(logs: Path, folder: Path) -> Path:
    """Every second file of ``logs``."""
    folder.mkdir()
    for number, path in enumerate(sorted(logs.rglob("*.json.gz"))):
        if number % 2 == 0:
            os.link(path, folder / path.name) if path.stat().st_dev == folder.stat().st_dev else (folder / path.name).write_bytes(path.read_bytes())
    return folder


def shuffled(log: Path) -> Iterator[tuple[str, int]]:
    """What each task wrote for others to read, with the description of its job."""
    told: dict[int, str] = {}
    for line in log.read_text().splitlines():
        event: Mapping[str, Any] = json.loads(line)
        if event["Event"] == "SparkListenerJobStart":
            told |= dict.fromkeys(event["Stage IDs"], event["Properties"].get("spark.job.description", ""))
        elif event["Event"] == "SparkListenerTaskEnd" and "Task Metrics" in event:
            yield told[event["Stage ID"]], event["Task Metrics"]["Shuffle Write Metrics"]["Shuffle Bytes Written"]


def correlated(log: Path) -> int:
    return sum(size for about, size in shuffled(log) if CORRELATING in about)


def measure(logs: Path, rules: Path, rounds: int, work: Path) -> dict[str, Any]:
    cores = os.cpu_count() or 1
    half, first = half_of(logs, work / "half"), next(iter(sorted(logs.rglob("*.json.gz"))))
    events = work / "events"
    events.mkdir()
    conf = {"spark.eventLog.enabled": "true", "spark.eventLog.dir": events.as_uri(), "spark.eventLog.compress": "false"}
    conf |= {"spark.eventLog.rolling.enabled": "false", "spark.driver.memory": "1g"}
    started = time.perf_counter()
    with spark_session(f"local[{cores}]", conf) as session:
        up = time.perf_counter() - started
        runner = SparkRunner(session)
        log = next(events.iterdir())
        warm = timed(first, rules, runner)
        local, spark, halves = [], [], []
        for _ in range(rounds):
            local.append(timed(logs, rules, None))
            spark.append(timed(logs, rules, runner))
            halves.append(timed(half, rules, runner))
        sizes = [correlated(log)]
        for each in (logs, half):
            timed(each, rules, SparkRunner(session, tasks=4 * cores))
            sizes.append(correlated(log))
    wall = [min(run.wall for run in runs) for runs in (local, spark, halves)]
    cpu = [min(run.cpu for run in runs) for runs in (local, spark, halves)]
    found, wanted, some = (runs[0].found for runs in (spark, local, halves))
    assert found.alerts == wanted.alerts
    hits, few = found.report.hits, some.report.hits
    return {
        "events": found.report.events,
        "hits": hits,
        "alerts": len(found.alerts),
        "cores": cores,
        "session_seconds": round(up, 2),
        "first_seconds": round(warm.wall, 2),
        "local_seconds": round(wall[0], 2),
        "spark_seconds": round(wall[1], 2),
        "ratio": round(wall[1] / wall[0], 2),
        "half_ratio": round(wall[2] / wall[1], 2),
        "local_cpu_seconds": round(cpu[0], 2),
        "spark_cpu_seconds": round(cpu[1], 2),
        "ratio_cpu": round(cpu[1] / cpu[0], 2),
        "half_ratio_cpu": round(cpu[2] / cpu[1], 2),
        "shuffled": sizes[1] - sizes[0],
        "shuffled_per_hit": [round((sizes[1] - sizes[0]) / max(hits, 1)), round((sizes[2] - sizes[1]) / max(few, 1))],
        "shuffled_per_event": round((sizes[1] - sizes[0]) / max(found.report.events, 1), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--rules", type=int, default=800)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="folder for the generated input; used again when it exists")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="crosswind-bench-") as temporary:
        work = Path(temporary)
        base = arguments.keep or work
        logs, rules = base / f"logs-{arguments.events}", base / f"rules-{arguments.rules}"
        if not logs.exists():
            write_logs(logs, arguments.events, CLOUDTRAIL)
        if not rules.exists():
            base.mkdir(parents=True, exist_ok=True)
            write_rules(rules, arguments.rules, CLOUDTRAIL)
        print(json.dumps(measure(logs, rules, arguments.rounds, work)))


if __name__ == "__main__":
    main()
