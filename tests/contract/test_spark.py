"""The Spark runner itself: what it says when something is missing or breaks, what people see of it, and that nobody else pays for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from engine.config import load_config
from engine.errors import EngineError, StateError
from engine.pipeline import Settings, scan
from engine.pipeline.far.spread import READING
from engine.pipeline.hunts.sigma import INTERRUPTED, hunt_sigma
from engine.pipeline.watch.scheduled import run
from engine.runners.base import Stage, StageProgress, never
from engine.runners.spark import SparkRunner
from engine.store.lake import Lake
from engine.store.lake_care import vacuum
from tests.conftest import ROOT, Ran
from tests.lakes import events_in, lake_of
from tests.logs import ALERT, command, event, lines, quiet, started
from tests.running import Place, call, rule

Cli = Callable[..., Ran]
STAGE = Stage("testing", "batch 7")


@dataclass(frozen=True)
class Work:
    """Doubles numbers; refuses ``refused``, breaks on ``broken``."""

    refused: int = -1
    broken: int = -1
    why: str = "something that nobody expected"

    def __call__(self, number: int) -> int:
        if number == self.refused:
            raise StateError(f"the disk of {number} is full")
        if number == self.broken:
            raise ZeroDivisionError(self.why)
        return 2 * number


@dataclass(frozen=True)
class Held:
    """Does ``work`` on the task that comes first; all others last until they are cancelled."""

    work: Callable[[Any], Any]
    begun: Path

    def __call__(self, task: Any) -> Any:
        try:
            self.begun.touch(exist_ok=False)
        except FileExistsError:
            time.sleep(300)
            raise AssertionError("nobody cancelled this task") from None
        return self.work(task)


class Interrupted(SparkRunner):
    """Has jobs of one task. Ctrl-C is pressed when the first task that reads is done, while others are under way."""

    def __init__(self, spark: Any, tasks: int, begun: Path) -> None:
        super().__init__(spark, tasks=tasks)
        self.slots = 1
        self._begun = begun

    def each(self, stage: Stage, work: Any, tasks: Any, stopped: Callable[[], bool] = never) -> Iterator[Any]:
        if stage.doing != READING:
            yield from super().each(stage, work, tasks, stopped)
            return
        for result in super().each(stage, Held(work, self._begun), tasks, stopped):
            yield result
            signal.raise_signal(signal.SIGINT)


def refuses(number: int) -> Iterable[tuple[int, pl.DataFrame]]:
    yield from dealt(number)
    if number > 4:
        raise StateError(f"the disk of {number} is full")


def dealt(number: int) -> Iterable[tuple[int, pl.DataFrame]]:
    return [(number % 3, pl.DataFrame({"number": [number], "big": [2**63 + number]}, schema_overrides={"big": pl.UInt64()}))]


def summed(heap: int, frames: Any) -> tuple[int, int, int]:
    rows = pl.concat(frames)
    return heap, int(rows["number"].sum()), int(rows["big"].max()) - 2**63


def test_a_session_leaves_the_meaning_of_ctrl_c_alone(spark: Any) -> None:
    assert signal.getsignal(signal.SIGINT) in (signal.default_int_handler, signal.SIG_IGN)


def test_every_task_gives_its_result_once(spark: Any) -> None:
    told: list[StageProgress] = []
    runner = SparkRunner(spark, progress=told.append)
    assert sorted(runner.each(STAGE, Work(), list(range(20)))) == [2 * number for number in range(20)]
    assert list(runner.each(STAGE, Work(), [])) == []
    assert {step.doing for step in told} == {"testing"}
    assert sorted(runner.heaps(STAGE, dealt, list(range(9)), summed)) == [(0, 9, 6), (1, 12, 7), (2, 15, 8)]


def test_errors_for_people_arrive_as_they_are(spark: Any) -> None:
    with pytest.raises(StateError, match=r"^the disk of 3 is full$"):
        list(SparkRunner(spark).each(STAGE, Work(refused=3), list(range(5))))


def test_errors_of_those_who_deal_rows_arrive_as_they_are(spark: Any) -> None:
    with pytest.raises(StateError, match=r"^the disk of 5 is full$"):
        list(SparkRunner(spark).heaps(STAGE, refuses, list(range(7)), summed))


def test_errors_tell_no_secret(spark: Any) -> None:
    with pytest.raises(EngineError, match=r"postgres://app:\[redacted: credential\]@db") as caught:
        list(SparkRunner(spark).each(STAGE, Work(broken=0, why="no answer from postgres://app:pa55w0rd@db.example.com/x"), [0]))
    assert "pa55w0rd" not in str(caught.value)


def test_other_errors_are_named_in_one_line(spark: Any) -> None:
    with pytest.raises(EngineError, match="something that nobody expected") as caught:
        list(SparkRunner(spark).each(STAGE, Work(broken=1), list(range(2))))
    assert "\n" not in str(caught.value)


def test_work_ends_when_somebody_wants_to_stop(spark: Any) -> None:
    assert list(SparkRunner(spark).each(STAGE, Work(), list(range(40)), lambda: True)) == []


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Ctrl-C is heard, also where the tests run in the background and it was to be ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("size", [0, 40_000])
@pytest.mark.usefixtures("ctrl_c")
def test_a_scan_that_is_interrupted_gives_what_was_done(spark: Any, tmp_path: Path, size: int) -> None:
    """Of small objects those that were read, of a great one the ranges."""
    events = [lines(*(event(10 * number + each, userAgent="x" * size) for each in range(3))) for number in range(4)]
    for number, data in enumerate(events if not size else [b"".join(events)]):
        (tmp_path / f"{number}.json").write_bytes(data)
    runner = Interrupted(spark, 4, tmp_path.with_suffix(".begun"))
    found = scan([str(tmp_path)], Settings(now=datetime(2026, 3, 4, tzinfo=UTC)), runner=runner)
    assert found.report.interrupted
    records = found.report.records
    left, number = (1, 1) if size else (4 - records // 3, 4)
    assert found.report.failures == (f"interrupted: {left} of {number} objects were not read to the end",)
    assert 0 < records < 12
    assert size or records % 3 == 0
    assert found.report.events == records
    assert [(alert.rule.title, alert.count) for alert in found.alerts] == [(ALERT, records)]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def days_of_calls(folder: Path) -> Lake:
    """A lake with three calls on each of four days: four files."""
    (folder / "logs.json").write_bytes(lines(*(call(10 * day + each, 1440 * day + each) for day in range(4) for each in range(3))))
    return lake_of(events_in([folder / "logs.json"]), folder / "lake")


@pytest.mark.usefixtures("ctrl_c")
def test_a_hunt_that_is_interrupted_gives_what_was_done(spark: Any, tmp_path: Path) -> None:
    lake = days_of_calls(tmp_path)
    now = datetime(2026, 3, 8, tzinfo=UTC)
    found = hunt_sigma(lake, rule(1), now=now, runner=Interrupted(spark, 4, tmp_path / "begun"))
    (looked,) = found.events.values()
    assert looked in (3, 6, 9)
    assert found.failures == (INTERRUPTED,)
    assert sum(alert.count for alert in found.alerts) == found.hits == looked
    assert hunt_sigma(lake, rule(1), now=now, runner=SparkRunner(spark, tasks=4)).failures == ()


def test_a_hunt_by_command_ends_soon_after_ctrl_c_and_leaves_nothing(spark: Any, tmp_path: Path) -> None:
    """One of the stored files is a pipe that nobody writes to: the task that reads it would never end."""
    place = Place(tmp_path / "place")
    lake = days_of_calls(place.root)
    stuck = lake.files("events")[0]
    stuck.unlink()
    os.mkfifo(stuck)
    (tmp_path / "rule.yml").write_text(rule(1))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    given = ("hunt", "sigma", tmp_path / "rule.yml", "--lake", lake.path, "--engine", "spark", "--master", "local[1]")
    process = started(*given, env={"TMPDIR": str(temporary), "SPARK_LOCAL_DIRS": str(temporary)}, process_group=0)
    assert process.stderr is not None
    said = b""
    while b"reading: " not in said:
        said += (line := process.stderr.readline())
        assert line, said
    process.send_signal(signal.SIGINT)
    out, rest = process.communicate(timeout=600)
    assert (process.returncode, out) == (3, b"")
    assert f"failed: {INTERRUPTED}".encode() in rest
    assert b"Traceback" not in said + rest
    assert list(temporary.iterdir()) == []


def test_jobs_tell_batch_source_and_rules_and_no_secret(spark: Any, tmp_path: Path) -> None:
    place = Place(tmp_path / "place")
    secret = "s3cr3t-of-the-sink"
    hook = '[sink.hook]\ntype = "webhook"\nurl = "https://192.0.2.1/x"\nsecret = { env = "HOOK" }\n'
    place.config.write_text(place.config.read_text() + hook)
    config = load_config(place.config, {"HOOK": secret})
    place.put("a.json", call(1, 0))
    run(config, lambda: datetime(2026, 3, 4, tzinfo=UTC), runner=SparkRunner(spark, tasks=1), deliver=False)
    store = spark.sparkContext._jsc.sc().statusStore()
    jobs = store.jobsList(None)
    told = [jobs.apply(at).description() for at in range(jobs.size())]
    said = [text.get() for text in told if text.isDefined()]
    mine = [text for text in said if "batch 1 of trail" in text]
    assert any(text.startswith("crosswind: reading, batch 1 of trail, rules ") for text in mine)
    assert secret not in repr(said)
    assert not any(secret in value for _, value in spark.sparkContext.getConf().getAll())


def test_what_tasks_left_behind_stays_out_of_the_lake(spark: Any, tmp_path: Path) -> None:
    """A file that a lost attempt wrote is in the folder of the table and in no row of it, and vacuum takes it away."""
    place = Place(tmp_path / "place")
    place.put("a.json", call(1, 0))
    runner = SparkRunner(spark, tasks=1)
    now = datetime(2026, 3, 4, tzinfo=UTC)
    run(load_config(place.config, {}), lambda: now, runner=runner)
    (written,) = place.lake().files("events")
    orphan = written.with_name("batch-00000002-0123.parquet")
    orphan.write_bytes(written.read_bytes())
    place.put("b.json", call(2, 300))
    run(load_config(place.config, {}), lambda: now, runner=runner)
    assert place.events()["x.uid"].n_unique() == place.events().height == 2
    assert not (place.root / "lake/_scratch").exists()
    assert all(path.stat().st_mode & 0o077 == 0 for path in (place.root / "lake").rglob("*") if path != orphan)
    os.utime(orphan, (0, 0))
    vacuum(place.lake())
    assert not orphan.exists()


# --- without Spark ----------------------------------------------------------------------------------------------------------------------------------


def test_the_command_is_quiet_and_finds_what_a_scan_finds(spark: Any, tmp_path: Path) -> None:
    logs = tmp_path / "a.json"
    logs.write_bytes(lines(event(1), quiet(2)))
    here = command("scan", logs)
    there = command("scan", "--engine", "spark", "--master", "local[1]", logs, timeout=600)
    assert there.returncode == here.returncode == 0, there.stderr
    assert there.stdout == here.stdout
    assert ALERT.encode() in there.stdout
    assert b"WARN" not in there.stderr
    assert b"incubator" not in there.stderr
    assert b"reading" in there.stderr


def test_without_java_the_way_out_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(lines(event(1)))
    found = command("scan", "--engine", "spark", tmp_path / "a.json", env={"PATH": str(tmp_path), "JAVA_HOME": ""})
    assert (found.returncode, found.stderr.count(b"\n")) == (2, 1)
    assert b"needs Java 17" in found.stderr
    assert b"openjdk-17" in found.stderr


def test_without_the_packages_the_way_out_is_named(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.json").write_bytes(lines(event(1)))
    real = __import__("importlib.util").util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *rest: None if name == "pyspark" else real(name, *rest))
    found = cli("scan", "--engine", "spark", tmp_path / "a.json")
    assert (found.code, found.out) == (2, "")
    assert found.err == "crosswind: --engine spark needs the package pyspark: pip install 'crosswind[spark]'\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--master", "local[2]"), "go with --engine spark"),
        (("--spark-conf", "spark.x=1"), "go with --engine spark"),
        (("--engine", "spark", "--spark-conf", "x=1"), "write spark.NAME=VALUE"),
        (("--engine", "spark", "--spark-conf", "spark.x"), "write spark.NAME=VALUE"),
        (("--engine", "spark", "--jobs", "2", "--master", "local[2]"), "--jobs is for this machine"),
    ],
)
def test_options_that_do_not_fit_are_refused(cli: Cli, tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    (tmp_path / "a.json").write_bytes(lines(event(1)))
    found = cli("scan", *arguments, tmp_path / "a.json")
    assert found.code == 2
    assert message in found.err


def test_nothing_else_imports_spark() -> None:
    loaded = "[name for name in ('pyspark', 'pandas') if name in sys.modules]"
    text = f"import sys, engine; from engine.pipeline import scan; engine.SparkRunner; print({loaded})"
    told = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=True, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    assert told.stdout == "[]\n"
