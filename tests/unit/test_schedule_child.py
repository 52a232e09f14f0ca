"""Jobs as processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from engine.schedule.attempts import DONE, FAILED, STOPPED
from engine.schedule.child import TRY_AGAIN, ChildWork
from engine.schedule.stopping import Stop
from tests.schedules import alive, job, until

SUMMARY = 'import json,sys\njson.dump({"batches": [], "failures": %s, "interrupted": %s}, open(sys.argv[-1], "w"))\n'


def work(code: str, **settings: float) -> ChildWork:
    return ChildWork([sys.executable, "-c", code], os.environ, Stop(), **settings)


def goes_on() -> None:
    return None


@pytest.mark.parametrize(
    ("code", "outcome", "transient", "errors"),
    [
        ("", DONE, False, ()),
        ("raise SystemExit(1)", DONE, False, ()),
        ("import sys\nsys.stderr.write('one\\n\\x1b[2Jtwo\\n')\nsys.exit(3)", FAILED, False, ("one", "\\x1b[2Jtwo")),
        ("raise SystemExit(2)", FAILED, False, ("ended with exit code 2",)),
        (f"raise SystemExit({TRY_AGAIN})", FAILED, True, (f"ended with exit code {TRY_AGAIN}",)),
        ("import os\nos.kill(os.getpid(), 9)", FAILED, True, ("ended by SIGKILL",)),
        (SUMMARY % ("['x']", "False") + "sys.exit(3)", DONE, False, ("x",)),
        (SUMMARY % ("['interrupted']", "True") + "sys.exit(3)", FAILED, True, ("interrupted",)),
    ],
)
def test_what_a_process_ends_with(code: str, outcome: str, transient: bool, errors: tuple[str, ...]) -> None:
    attempt = work(code)(job(), goes_on)
    assert (attempt.outcome, attempt.transient, attempt.errors) == (outcome, transient, errors)


def test_only_the_last_lines_are_kept() -> None:
    attempt = work("import sys\nfor n in range(9999): print(n, file=sys.stderr)\nsys.exit(3)")(job(), goes_on)
    assert attempt.errors == tuple(str(number) for number in range(9979, 9999))


HEEDS = "import signal,time,sys,pathlib\nsignal.signal(2, lambda *a: sys.exit(3))\npathlib.Path({!r}).touch()\ntime.sleep(60)"
DEAF = "import signal,time,pathlib\nsignal.signal(2, signal.SIG_IGN)\npathlib.Path({!r}).touch()\ntime.sleep(60)"


def test_a_process_is_asked_to_end(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    attempt = work(HEEDS.format(str(begun)))(job(), lambda: "enough" if begun.exists() else None)
    assert (attempt.outcome, attempt.errors, attempt.code) == (STOPPED, ("enough",), 3)


@pytest.mark.parametrize("at_once", [False, True])
def test_a_process_that_does_not_heed_is_ended(tmp_path: Path, at_once: bool) -> None:
    begun = tmp_path / "begun"
    child = work(DEAF.format(str(begun)), grace=3600 if at_once else 0.05)
    child._stop.wanted = child._stop.at_once = at_once
    attempt = child(job(max_runtime=timedelta(seconds=1)), lambda: "enough" if begun.exists() else None)
    assert (attempt.outcome, attempt.code) == (STOPPED, -signal.SIGKILL)


def test_a_process_that_cannot_begin_is_tried_again() -> None:
    attempt = ChildWork(["/nonexistent/python"], {}, Stop())(job(), goes_on)
    assert (attempt.outcome, attempt.transient) == (FAILED, True)


PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", '''
import os, sys, time, pathlib
from engine.schedule.child import tie
tie({parent})
pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
time.sleep(60)
'''.format(parent=__import__("os").getpid()), sys.argv[1]])
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent is gone")
def test_a_job_ends_with_the_scheduler_that_is_killed(tmp_path: Path) -> None:
    said = tmp_path / "pid"
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(said)], stderr=subprocess.DEVNULL)
    try:
        child = int(until(lambda: said.exists() and said.read_text()))
    finally:
        parent.kill()
        parent.wait()
    until(lambda: not alive(child))


def test_a_scheduler_that_is_gone_already_is_noticed() -> None:
    code = f"from engine.schedule.child import tie\ntie({os.getpid() + 1})"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "KeyboardInterrupt" in ended.stderr
