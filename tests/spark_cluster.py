"""A Spark cluster of real processes: a standalone master and two workers, on ports the system chooses."""

from __future__ import annotations

import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyspark
import pytest

from tests.sparks import missing

HOME = Path(pyspark.__file__).parent
LONGEST = 400.0
"""Seconds that anything may take on a busy machine."""
SETTINGS = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.executor.memory": "512m",
    "spark.network.timeout": "60s",
    "spark.executor.heartbeatInterval": "5s",
}


def wait_for(what: str, told: Callable[[], Any]) -> Any:
    """What ``told`` gives as soon as that is something."""
    end = time.monotonic() + LONGEST
    while not (found := told()):
        if time.monotonic() > end:
            pytest.fail(f"{what}: not within {LONGEST:.0f} seconds")
        time.sleep(0.05)
    return found


@dataclass
class Cluster:
    """``master`` is its URL, ``web`` where it tells its state, ``workers`` the processes, each with its executors in its group."""

    root: Path
    master: str = ""
    web: str = ""
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _all: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> None:
        log = self.root / "master.txt"
        self._spawn(log, "master.Master", "--host", "127.0.0.1", "--port", "0", "--webui-port", "0")
        self.master = wait_for("the port of the master", lambda: _said(log, r"Starting Spark master at (spark://\S+)"))
        self.web = wait_for("the pages of the master", lambda: _said(log, r"Bound MasterWebUI to \S+, and started at (http://\S+)"))
        self.web = re.sub(r"//[^:/]+", "//127.0.0.1", self.web)
        self.work()

    def work(self) -> None:
        """Have two workers."""
        self.workers = [one for one in self.workers if one.poll() is None]
        while len(self.workers) < 2:
            number = len(self._all)
            where = ("-d", str(self.root / f"worker{number}"))
            self.workers.append(
                self._spawn(self.root / f"worker{number}.txt", "worker.Worker", "--host", "127.0.0.1", "-c", "1", "-m", "1g", *where, self.master)
            )
        wait_for("two workers", lambda: sum(one["state"] == "ALIVE" for one in self.state()["workers"]) == 2)

    def state(self) -> dict[str, Any]:
        """What the master knows."""
        with urllib.request.urlopen(f"{self.web.rstrip('/')}/json/", timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def kill_worker(self) -> None:
        """SIGKILL to a worker and its executors, as when a machine is gone."""
        worker = self.workers.pop()
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()

    def stop(self) -> None:
        for process in self._all:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _spawn(self, log: Path, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        own = {"SPARK_HOME": str(HOME), "SPARK_DAEMON_MEMORY": "256m", "SPARK_LOCAL_IP": "127.0.0.1"}
        own["SPARK_MASTER_OPTS"] = "-Dspark.master.rest.enabled=false"  # it has a port of its own
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "SPARK", "CROSSWIND"))}
        command = [str(HOME / "bin/spark-class"), f"org.apache.spark.deploy.{name}", *arguments]
        with log.open("wb") as out:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=clean | own,
                cwd=self.root,
                start_new_session=True,
                preexec_fn=_no_orphan,
            )
        self._all.append(process)
        return process


def _no_orphan() -> None:
    """Die with the tests, even where these are killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _said(log: Path, pattern: str) -> str | None:
    found = re.search(pattern, log.read_text(errors="replace"))
    return found[1] if found else None


@pytest.fixture(scope="session")
def running_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if (why := missing()) is not None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{why}, and CI=true says that nothing may be left out")
        pytest.skip(why)
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def cluster(running_cluster: Cluster) -> Cluster:
    """A cluster with two workers that live."""
    running_cluster.work()
    return running_cluster
