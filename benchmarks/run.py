"""How long a first `crosswind run` takes, against a `crosswind scan` of the same input.

    python benchmarks/run.py [--events 500000] [--rules 800] [--source aws.cloudtrail] [--keep DIR] [--times 3]

Writes the delivery files and rules of `benchmarks/scan.py` from its seed, then runs `crosswind scan` and `crosswind run` on them in turn, each as a
separate process on all cores, the run into an empty lake and state. Prints one line of JSON. ``ratio``: best seconds of the run over best seconds of
the scan; ``ratio_cpu`` the same of processor time, which other work on the machine disturbs less. A first scan of one file is not measured: it lets
the rules be loaded from the cache.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import providers, scan  # found from wherever this is run

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process took: wall seconds, processor seconds and peak memory in MB."""

    seconds: float
    cpu: float
    rss: float


def measured(command: list[str], folder: Path, work: Path) -> Cost:
    """The cost of one call of crosswind in ``folder``; ``work`` is for what is kept between calls."""
    environment = scan.environment(work) | {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])}
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "engine.cli", *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=folder, env=environment
    )
    assert process.stderr is not None
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"{command[0]} failed:\n{errors.decode()}")
    return Cost(time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def run(logs: Path, rules: Path, work: Path) -> Cost:
    """A run that has everything still to do."""
    with tempfile.TemporaryDirectory(prefix="crosswind-run-") as temporary:
        folder = Path(temporary)
        text: dict[str, dict[str, object]] = {
            "lake": {"path": "lake"},
            "state": {"url": "state.db"},
            "rules": {"builtin": False, "paths": [str(rules)]},
        }
        lines = [f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items()) for name, keys in text.items()]
        (folder / "crosswind.toml").write_text("".join([*lines, f"[source.logs]\npath = [{json.dumps(str(logs))}]\n"]))
        return measured(["run"], folder, work)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--rules", type=int, default=800)
    parser.add_argument("--source", default=scan.CLOUDTRAIL, choices=(scan.CLOUDTRAIL, *providers.RECORDS))
    parser.add_argument("--keep", type=Path, help="folder for the generated input; used again when it exists")
    parser.add_argument("--times", type=int, default=3, help="how often each is measured")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="crosswind-bench-") as temporary:
        work = Path(temporary)
        base = (arguments.keep or work).absolute()
        base.mkdir(parents=True, exist_ok=True)
        kind = "" if arguments.source == scan.CLOUDTRAIL else f"-{arguments.source}"
        logs, rules = base / f"logs{kind}-{arguments.events}", base / f"rules{kind}-{arguments.rules}"
        if not logs.exists():
            scan.write_logs(logs, arguments.events, arguments.source)
        if not rules.exists():
            scan.write_rules(rules, arguments.rules, arguments.source)
        first = min(logs.rglob("*.json.gz"))
        looking = ["scan", "--no-builtin", "--rules", str(rules), "-o", str(work / "alerts.ndjson")]
        measured([*looking, str(first)], work, work)
        scans, runs = [], []
        for _ in range(arguments.times):
            scans.append(measured([*looking, str(logs)], work, work))
            runs.append(run(logs, rules, work))
        scan_seconds, run_seconds = (min(cost.seconds for cost in costs) for costs in (scans, runs))
        scan_cpu, run_cpu = (min(cost.cpu for cost in costs) for costs in (scans, runs))
        print(
            json.dumps(
                {
                    "source": arguments.source,
                    "events": arguments.events,
                    "rules": arguments.rules,
                    "cores": os.cpu_count(),
                    "scan_seconds": round(scan_seconds, 2),
                    "run_seconds": round(run_seconds, 2),
                    "ratio": round(run_seconds / scan_seconds, 2),
                    "scan_cpu_seconds": round(scan_cpu, 2),
                    "run_cpu_seconds": round(run_cpu, 2),
                    "ratio_cpu": round(run_cpu / scan_cpu, 2),
                    "scan_peak_rss_mb": round(max(cost.rss for cost in scans)),
                    "run_peak_rss_mb": round(max(cost.rss for cost in runs)),
                }
            )
        )


if __name__ == "__main__":
    main()
