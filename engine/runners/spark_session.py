"""A Spark session for one command: started quietly, stopped with everything it started."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from subprocess import TimeoutExpired
from typing import IO, TYPE_CHECKING, Any

from engine.documents.redaction import redact_text
from engine.errors import EngineError, UsageError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

INSTALL = "pip install 'crosswind[spark]'"
_JAVA = "Spark needs Java 17 or newer and there is none: `apt-get install openjdk-17-jre-headless`, or set JAVA_HOME"
_CONNECT = "sc://"
_QUIET = {
    "spark.app.name": "crosswind",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "1000",
    # Tasks are as many as the machine has cores already; threads of their own would only be in each other's way.
    "spark.executorEnv.POLARS_MAX_THREADS": "1",
    "spark.executorEnv.MALLOC_ARENA_MAX": "1",
}
"""Settings unless asked for otherwise."""


def need_pyspark() -> None:
    """Raise UsageError, with what to type, where Spark's Python part is missing."""
    for name in ("pyspark", "pandas", "pyarrow"):
        if importlib.util.find_spec(name) is None:
            raise UsageError(f"--engine spark needs the package {name}: {INSTALL}")


@contextmanager
def spark_session(master: str, conf: Mapping[str, str]) -> Iterator[SparkSession]:
    """A session on ``master`` (``local[2]``, ``spark://…``, ``yarn``, ``k8s://…``, ``sc://…``), stopped at the end.

    What Spark says while it works goes to a file that is deleted at the end, with ``--debug`` to standard error. Raises UsageError where Spark or
    Java is missing, EngineError where Spark does not start.
    """
    need_pyspark()
    if master.startswith(_CONNECT):
        with _connected(master, conf) as spark:
            yield spark
        return
    if not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        raise UsageError(_JAVA)
    with ExitStack() as stack:
        log = None if os.environ.get("CROSSWIND_DEBUG") else stack.enter_context(tempfile.TemporaryFile("w+b", prefix="crosswind-spark-"))
        gateway, spark = _start(_settings(master, conf), log)
        stack.callback(_stop, gateway, spark)
        yield spark


def _settings(master: str, conf: Mapping[str, str]) -> dict[str, str]:
    own = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"} if master.startswith("local") else {}
    return {**_QUIET, **own, **conf, "spark.master": master}


def _start(settings: Mapping[str, str], log: IO[bytes] | None) -> tuple[Any, SparkSession]:
    from pyspark import SparkConf, SparkContext
    from pyspark.java_gateway import launch_gateway
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    if "spark.pyspark.python" in settings:  # as spark-submit does it; the Python part of Spark reads the environment alone
        os.environ["PYSPARK_PYTHON"] = settings["spark.pyspark.python"]
    conf = SparkConf(loadDefaults=False).setAll(list(settings.items()))
    gateway: Any = None
    launch: Any = launch_gateway
    try:
        quiet = {} if log is None else {"stdout": log, "stderr": log}
        # A process group of its own: a signal to that of this process is for us, and what is done by then needs Java to be told.
        gateway = launch(conf, popen_kwargs={**quiet, "process_group": 0})
        with _own_interrupts():
            context = SparkContext(conf=conf, gateway=gateway)
        context.setLogLevel("ERROR")
        return gateway, SparkSession(context)
    except Exception as error:
        if gateway is not None:
            _shut(gateway)
        raise EngineError(f"Spark did not start on {settings['spark.master']}: {_told(error, log)}") from error


@contextmanager
def _own_interrupts() -> Iterator[None]:
    """Ctrl-C stays what it was: Spark would have it break off whatever runs, and keep it so after its end."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, before)


def _told(error: Exception, log: IO[bytes] | None) -> str:
    """What went wrong in a line: Spark's own last word on it, where there is one."""
    lines = str(error).strip().splitlines()
    if log is not None:
        log.seek(0)
        said = [line for line in log.read(1 << 20).decode("utf-8", "replace").splitlines() if "Exception" in line or "rror" in line]
        lines = [*said[:1], *lines]
    return (
        f"{redact_text(next(iter(lines), type(error).__name__)).strip()[:300]} (`crosswind --debug …` shows all of it; Spark needs Java 17 or newer)"
    )


def _stop(gateway: Any, spark: SparkSession) -> None:
    with suppress(Exception):  # the answer is there already; a worker that is gone does not change it
        spark.stop()
    _shut(gateway)


def _shut(gateway: Any) -> None:
    """End the Java process, and let another session begin in this one."""
    from pyspark import SparkContext

    with suppress(Exception):
        gateway.shutdown()
    process = gateway.proc
    if process is not None:
        with suppress(OSError):
            process.stdin.close()
        try:
            process.wait(10)
        except TimeoutExpired:
            process.kill()
            process.wait()
    shared: Any = SparkContext
    shared._gateway = shared._jvm = shared._active_spark_context = None


@contextmanager
def _connected(master: str, conf: Mapping[str, str]) -> Iterator[SparkSession]:
    for name in ("grpc", "google.protobuf", "zstandard"):
        if importlib.util.find_spec(name.partition(".")[0]) is None:
            raise UsageError(f"--master {_CONNECT}… needs the package {name}: pip install 'pyspark[connect]'")
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.remote(master)
    for name, value in conf.items():
        builder = builder.config(name, value)
    try:
        spark = builder.getOrCreate()
    except Exception as error:
        place = master.partition(";")[0]  # behind it stand parameters, of which one is a token
        raise EngineError(f"no Spark Connect server answers at {place}: {_told(error, None).replace(master, place)}") from error
    try:
        yield spark
    finally:
        with suppress(Exception):
            spark.stop()
