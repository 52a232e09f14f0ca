"""A cluster whose machines and drivers die, and one that lacks what it needs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tarfile
import venv
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from tests.conftest import ROOT, Ran
from tests.running import Place, call, many, rule
from tests.spark_cluster import LONGEST, SETTINGS, Cluster, wait_for
from tests.spark_cluster import cluster as cluster
from tests.spark_cluster import running_cluster as running_cluster

Cli = Callable[..., Ran]
_OBJECTS, _EVENTS = 12, 1_000


def place_in(root: Path) -> Place:
    """Some 12 MB of logs: more tasks than the cluster has cores."""
    place = Place(root)
    place.rules(rule(1), many(1))
    for number in range(_OBJECTS):
        numbers = range(number * _EVENTS, (number + 1) * _EVENTS)
        events = (call(one, one % 1_400, "StopLogging" if one % 97 == 0 else "DescribeTrails", userAgent="x" * 300) for one in numbers)
        place.put(f"{number:02}.json", *events)
    return place


def arguments(place: Place, cluster: Cluster, **settings: str) -> list[str]:
    conf = SETTINGS | {"spark.executorEnv.PYTHONPATH": str(ROOT)} | settings
    given = [part for name, value in conf.items() if value for part in ("--spark-conf", f"{name}={value}")]
    return ["run", "-c", str(place.config), "--engine", "spark", "--master", cluster.master, *given]


def started(place: Place, given: list[str]) -> subprocess.Popen[bytes]:
    """The command in a process of its own: a session of this one would be in its way."""
    own = {"PYTHONPATH": str(ROOT), "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    with (place.root / "errors.txt").open("ab") as errors:
        command = [sys.executable, "-m", "engine.cli", *given]
        return subprocess.Popen(command, env=os.environ | own, stdout=errors, stderr=errors)


def in_the_middle(place: Place, process: subprocess.Popen[bytes]) -> None:
    """Wait until some task has written events and nothing of the batch is committed."""

    def told() -> bool:
        assert process.poll() is None, (place.root / "errors.txt").read_text()
        return any((place.root / "lake/events").rglob("*.parquet"))

    wait_for("a file of a task", told)
    assert committed(place) == 0


def committed(place: Place) -> int:
    """Rows of events that readers of the lake see."""
    return place.lake().scan("events").select(pl.len()).collect().item()  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The same input, worked on in one process."""
    place = place_in(tmp_path_factory.mktemp("undisturbed") / "place")
    subprocess.run([sys.executable, "-m", "engine.cli", "run", "-c", str(place.config)], env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True)
    return place


def same(place: Place, other: Place) -> None:
    own, others = ({uid: repr(alert).replace(str(one.root), "") for uid, alert in one.alerts().items()} for one in (place, other))
    assert own
    assert own == others
    without = pl.col("x.object").str.split("/").list.last()
    assert place.events().with_columns(without).equals(other.events().with_columns(without))
    assert place.hits().equals(other.hits())
    assert [document["uid"] for document in place.delivered()] == [document["uid"] for document in other.delivered()]


def test_a_batch_survives_the_death_of_a_worker(cluster: Cluster, undisturbed: Place, tmp_path: Path) -> None:
    place = place_in(tmp_path / "place")
    process = started(place, arguments(place, cluster))
    try:
        in_the_middle(place, process)
        cluster.kill_worker()
        assert process.poll() is None
        assert process.wait(LONGEST) == 0, (place.root / "errors.txt").read_text()
    finally:
        process.kill()
        process.wait()
    same(place, undisturbed)


def test_a_run_after_the_death_of_the_driver_ends_as_if_it_had_lived(cluster: Cluster, undisturbed: Place, tmp_path: Path) -> None:
    place = place_in(tmp_path / "place")
    process = started(place, arguments(place, cluster))
    try:
        in_the_middle(place, process)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert committed(place) == 0
    again = started(place, arguments(place, cluster))
    assert again.wait(LONGEST) == 0, (place.root / "errors.txt").read_text()
    same(place, undisturbed)


def test_workers_without_crosswind_are_named_and_get_it_sent(cluster: Cluster, tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", symlinks=True)
    place = Place(tmp_path / "place")
    place.rules(rule(1))
    place.put("a.json", call(1, 1))
    without = arguments(place, cluster, **{"spark.executorEnv.PYTHONPATH": "", "spark.pyspark.python": str(tmp_path / "bare/bin/python")})
    assert started(place, without).wait(LONGEST) == 3
    told = (place.root / "errors.txt").read_text()
    line = told.strip().splitlines()[-1]
    assert "the workers of this cluster do not have crosswind" in line
    assert "--ship-code" in line
    assert "Traceback" not in told
    assert started(place, [*without, "--ship-code"]).wait(LONGEST) == 0, (place.root / "errors.txt").read_text()
    assert len(place.alerts()) == 1


def test_the_archive_holds_what_workers_need_and_no_more(tmp_path: Path, cli: Cli) -> None:
    out = tmp_path / "env.tar.gz"
    told = cli("spark", "package", "-o", out)
    assert told.code == 0
    assert f"--spark-conf spark.archives={out}#crosswind_packages" in told.err
    with tarfile.open(out) as archive:
        names = archive.getnames()
    assert {"engine/runners/spark_tasks.py", "connectors/sources/aws_cloudtrail.yml", "polars/__init__.py", "pyarrow/__init__.py"} <= set(names)
    assert not [name for name in names if name.startswith(("/", "pyspark/", "tests/")) or ".." in name or name.endswith(".pyc")]
    assert names == sorted(names)
    assert list(tmp_path.iterdir()) == [out]
    assert cli("spark", "package", "-o", tmp_path / "env.zip").code == 2


@pytest.mark.parametrize(
    "given", [[], ["--engine", "spark"], ["--engine", "spark", "--master", "local[2]"], ["--engine", "spark", "--master", "sc://x"]]
)
def test_code_is_sent_to_clusters_alone(given: list[str], tmp_path: Path, cli: Cli) -> None:
    told = cli("scan", tmp_path, *given, "--ship-code")
    assert told.code == 2
    assert "--ship-code" in told.err
