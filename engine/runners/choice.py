"""Which runner a command works with."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

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
    ship: bool = False,
    progress: Callable[[StageProgress], None] | None = None,
    notes: Callable[[str], None] | None = None,
) -> Iterator[Runner]:
    """The runner called ``engine``: this process, or a Spark session on ``master`` (None: this machine) that ends with the block.

    ``conf`` are Spark's own settings as ``name=value``. ``ship``: the machines of the cluster get crosswind sent. Raises UsageError for settings that
    do not fit, and where Spark or Java is missing.
    """
    if engine == LOCAL:
        if master is not None or conf or ship:
            raise UsageError("--master, --spark-conf and --ship-code go with --engine spark")
        yield LocalRunner(jobs)
        return
    from engine.runners import spark_package
    from engine.runners.spark import SparkRunner
    from engine.runners.spark_session import spark_session

    if master is not None and jobs is not None:
        raise UsageError("--jobs is for this machine: say `--master local[N]`, or leave it to the cluster")
    if ship and (master is None or master.startswith(("local", "sc://"))):
        raise UsageError("--ship-code is for a cluster: --master spark://…, yarn or k8s://… (behind Spark Connect, install crosswind on the server)")
    with ExitStack() as stack:
        settings = _settings(conf)
        if ship:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="crosswind-"))
            settings = spark_package.settings(spark_package.package(Path(folder) / "crosswind.tar.gz").path, settings)
        yield SparkRunner(stack.enter_context(spark_session(master or f"local[{jobs or '*'}]", settings)), progress=progress, notes=notes)


def _settings(conf: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in conf:
        name, equals, value = each.partition("=")
        if not equals or not name.startswith("spark."):
            raise UsageError(f"--spark-conf {name!r}: write spark.NAME=VALUE")
        found[name] = value
    return found
