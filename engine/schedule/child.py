"""A job as a process of its own: it can be bounded, stopped and killed, and what it breaks is not ours."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

from engine.config import JobConfig
from engine.documents.escaping import safe_text
from engine.schedule.attempts import DONE, FAILED, STOPPED, Attempt
from engine.schedule.stopping import STEP, Stop

TRY_AGAIN = 75
"""The exit code of a job's process that failed for a reason which may be gone soon."""
_GRACE = 60.0
_FOUND = (0, 1)
_TAIL = 16 * 1024
_LINES = 20
_PR_SET_PDEATHSIG = 1


class ChildWork:
    """Runs the commands of jobs. ``begin``: the words in front of a job's own; ``stop`` wanted at once leaves a process no time to end well."""

    def __init__(self, begin: Sequence[str], environ: Mapping[str, str], stop: Stop, grace: float = _GRACE) -> None:
        self._begin = tuple(begin)
        self._environ = dict(environ)
        self._stop = stop
        self._grace = grace

    def __call__(self, job: JobConfig, reason: Callable[[], str | None]) -> Attempt:
        with TemporaryDirectory(prefix="crosswind-job-") as folder:
            summary = Path(folder) / "summary.json"
            words = [*self._begin, *job.command]
            if job.command[0] == "run" and "--summary" not in job.command:
                words += ["--summary", str(summary)]
            with (Path(folder) / "said").open("w+b") as said:
                try:
                    process = subprocess.Popen(  # noqa: S603  the words are those of the configuration, given to crosswind itself
                        words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said, env=self._environ, start_new_session=True
                    )
                except OSError as error:
                    return Attempt(FAILED, (f"the job could not be started: {error.strerror or error}",), transient=True)
                why = self._wait(process, reason)
                return _attempt(process.returncode, why, _read(summary), _tail(said))

    def _wait(self, process: subprocess.Popen[bytes], reason: Callable[[], str | None]) -> str | None:
        """Wait for the end; why it was asked for, or None where it came by itself."""
        try:
            while process.poll() is None:
                if (why := reason()) is not None:
                    self._end(process, reason)
                    return why
                time.sleep(STEP / 4)
        except BaseException:
            process.kill()
            process.wait()
            raise
        return None

    def _end(self, process: subprocess.Popen[bytes], reason: Callable[[], str | None]) -> None:
        """Ctrl-C, which `run` heeds at the next step of the batch protocol; when that takes too long, the end, which the protocol stands too."""
        process.send_signal(signal.SIGINT)
        end = time.monotonic() + self._grace
        while process.poll() is None and time.monotonic() < end and not self._stop.at_once:
            reason()  # the lease goes on
            time.sleep(STEP / 4)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _attempt(code: int, why: str | None, summary: Mapping[str, Any] | None, said: tuple[str, ...]) -> Attempt:
    batches = tuple(summary["batches"]) if summary else ()
    ended_well = code in _FOUND or (summary is not None and not summary["interrupted"])
    if ended_well:
        return Attempt(DONE, tuple(summary["failures"]) if summary else (), code=code, batches=batches)
    if why is not None:
        return Attempt(STOPPED, (why,), code=code, batches=batches)
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
        return Attempt(FAILED, (f"ended by {name}", *said), transient=True, code=code)
    if summary is not None:
        return Attempt(FAILED, tuple(summary["failures"]), transient=True, code=code, batches=batches)
    return Attempt(FAILED, said or (f"ended with exit code {code}",), transient=code == TRY_AGAIN, code=code)


def _read(path: Path) -> dict[str, Any] | None:
    """The account that `run` wrote; None where it did not come so far."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _tail(said: BinaryIO) -> tuple[str, ...]:
    """The last lines a process wrote to standard error."""
    length = said.seek(0, os.SEEK_END)
    said.seek(max(0, length - _TAIL))
    lines = said.read().decode("utf-8", "replace").splitlines()
    return tuple(safe_text(line) for line in lines if line.strip())[-_LINES:]


def tie(parent: int) -> None:
    """In a job's process: be stopped as by Ctrl-C when the scheduler ``parent`` is killed, where the system can do that."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
    if os.getppid() != parent:  # it went away before
        raise KeyboardInterrupt
