"""A Spark session that all tests of a run share, and what runs tests of both engines."""

from __future__ import annotations

import importlib.util
import os
import pickle
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine.runners.base import Divide, Reduce, Result, Runner, Stage, Task, never
from engine.runners.local import LocalRunner
from engine.runners.spark import SparkRunner
from engine.runners.spark_session import spark_session
from tests.groups import only_here

ROOT = Path(__file__).resolve().parents[1]


def missing() -> str | None:
    """What Spark lacks here."""
    lacking = [name for name in ("pyspark", "pandas") if importlib.util.find_spec(name) is None]
    if not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        lacking.append("Java 17 or newer")
    return f"Spark needs {' and '.join(lacking)}" if lacking else None


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A session on two cores. Where continuous integration lacks it, that is a failure and no skip."""
    if (why := missing()) is not None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{why}, and CI=true says that nothing may be left out")
        pytest.skip(why)
    settings = {"spark.driver.memory": "1g", "spark.sql.shuffle.partitions": "4", "spark.executorEnv.PYTHONPATH": str(ROOT)}
    with only_here("spark", tmp_path_factory), spark_session("local[2]", settings) as session:
        yield session


@dataclass(frozen=True)
class FarRunner:
    """Work that shares nothing, in this process: everything is pickled on its way, and tasks come in a shuffled order."""

    tasks: int | None = None
    seed: int = 0
    slots: int = 2
    shares_memory: bool = False

    def note(self, text: str) -> None:
        pass

    def each(self, stage: Stage, work: Callable[[Task], Result], tasks: Sequence[Task], stopped: Callable[[], bool] = never) -> Iterator[Result]:
        return (_travelled(found) for found in LocalRunner(2).each(stage, _travelled(work), self._shuffled(tasks), stopped))

    def heaps(
        self, stage: Stage, divide: Divide[Task], tasks: Sequence[Task], reduce: Reduce[Result], stopped: Callable[[], bool] = never
    ) -> Iterator[Result]:
        found = LocalRunner(2).heaps(stage, _travelled(divide), self._shuffled(tasks), _travelled(reduce), stopped)
        return (_travelled(each) for each in found)

    def _shuffled(self, tasks: Sequence[Task]) -> list[Task]:
        mixed: list[Task] = _travelled(list(tasks))
        random.Random(self.seed).shuffle(mixed)
        return mixed


class ShuffledSpark(SparkRunner):
    """The Spark runner, with its tasks in another order."""

    def _described(self, tasks: Sequence[Any]) -> Any:
        mixed = list(tasks)
        random.Random(len(mixed)).shuffle(mixed)
        return super()._described(mixed)


def _travelled(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


@pytest.fixture(params=["far", "spark"])
def divided(request: pytest.FixtureRequest) -> Callable[[int | None], Runner]:
    """Makes a runner that divides work into so many tasks (None: as its size asks for) and shares no memory with this process."""
    if request.param == "far":
        return lambda tasks: FarRunner(tasks, seed=tasks or 0)
    session = request.getfixturevalue("spark")
    return lambda tasks: ShuffledSpark(session, tasks=tasks)


@pytest.fixture
def apart(request: pytest.FixtureRequest) -> Runner:
    """What shares least with this process: Spark, or where there is none and need not be, its stand-in."""
    if missing() is not None and os.environ.get("CI") != "true":
        return FarRunner(5)
    return ShuffledSpark(request.getfixturevalue("spark"), tasks=5)


@pytest.fixture(scope="session", params=["local", "spark"])
def anywhere(request: pytest.FixtureRequest) -> Runner:
    """Each of the runners."""
    return LocalRunner(2) if request.param == "local" else ShuffledSpark(request.getfixturevalue("spark"), tasks=5)
