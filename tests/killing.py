"""`run` in a process of its own that ends itself, or is ended, at a chosen step. Such processes are forked from one that has everything loaded."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib import import_module
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import deltalake.transaction  # noqa: F401
import duckdb  # noqa: F401

from connectors.sources import functions, load_mappings, usual_functions
from engine.config import load_config
from engine.errors import CrosswindError
from engine.pipeline.watch.scheduled import run
from engine.report.batches import exit_code
from engine.sinks.file import FileSink
from engine.store.lake_writer import LakeWriter
from engine.store.state import State

with suppress(ImportError):
    import_module("pandas")  # Arrow loads it where it is installed
for _source in load_mappings():  # what takes long is loaded once, for all children; nothing that starts threads, which no child would have
    functions(_source)
    usual_functions(_source)

STEPS: dict[str, type] = {"write_plan": State, "commit": State, "delivered": State, "send": FileSink, "lake": LakeWriter}
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.killing"])


def child(
    config: Path, step: str | None = None, number: int = 1, when: str = "before", late: timedelta = timedelta(0), limit: int | None = None
) -> ForkServerProcess:
    """A started `run` that kills itself before or after the given call of a step, or stops there until it is sent SIGCONT.

    ``late`` is how far its clock is off, ``limit`` the size that no file may exceed.
    """
    process = _CONTEXT.Process(target=_work, args=(config, step, number, when, late, limit))
    process.start()
    return process


def ended(process: ForkServerProcess) -> int | None:
    """Its exit code, negative where a signal ended it."""
    process.join(60)
    return process.exitcode


def _work(config: Path, step: str | None, number: int, when: str, late: timedelta, limit: int | None) -> None:
    sys.stderr = config.with_name("errors.txt").open("w")  # what to look at when a test fails
    if step is not None:
        _deadly(STEPS[step], "commit" if step == "lake" else step, number, when)
    if limit is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        os._exit(exit_code(run(load_config(config, {}), lambda: datetime.now(UTC) + late)))
    except CrosswindError as error:
        config.with_name("errors.txt").write_text(f"{error}\n")
        os._exit(3)


def _deadly(owner: type, name: str, number: int, when: str) -> None:
    real: Callable[..., Any] = getattr(owner, name)
    calls = 0

    def deadly(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        if calls == number and when == "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        result = real(*arguments, **options)
        if calls == number and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, deadly)
