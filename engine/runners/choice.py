"""Which runner a command works with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from engine.errors import UsageError
from engine.runners.base import Runner, StageProgress
from engine.runners.local import LocalRunner

LOCAL, SPARK = "local", "spark"


@contextmanager
def chosen_runner(
    engine: str,
    *,
    jobs: int | None = None,
    master: str | None = None,
    conf: Sequence[str] = (),
    progress: Callable[[StageProgress], None] | None = None,
) -> Iterator[Runner]:
    """The runner called ``engine``: this process, or a Spark session on ``master`` (None: this machine) that ends with the block.

    ``conf`` are Spark's own settings as ``name=value``. Raises UsageError for settings that do not fit, and where Spark or Java is missing.
    """
    if engine == LOCAL:
        if master is not None or conf:
            raise UsageError("--master and --spark-conf go with --engine spark")
        yield LocalRunner(jobs)
        return
    from engine.runners.spark import SparkRunner
    from engine.runners.spark_session import spark_session

    if master is not None and jobs is not None:
        raise UsageError("--jobs is for this machine: say `--master local[N]`, or leave it to the cluster")
    with spark_session(master or f"local[{jobs or '*'}]", _settings(conf)) as spark:
        yield SparkRunner(spark, progress=progress)


def _settings(conf: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in conf:
        name, equals, value = each.partition("=")
        if not equals or not name.startswith("spark."):
            raise UsageError(f"--spark-conf {name!r}: write spark.NAME=VALUE")
        found[name] = value
    return found
