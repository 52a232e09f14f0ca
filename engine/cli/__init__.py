"""The command `crosswind`: one file per command, arguments in, exit code out."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import threading
from typing import NoReturn


def main() -> None:
    """Entry point. Exit codes: 0 done, 1 found something at or above ``--fail-on``, 2 wrong usage, 3 done but some input, rule or sink failed."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from engine.version import VERSION

        print(f"crosswind {VERSION}")  # noqa: T201
        return
    gc.set_threshold(100_000, 50, 100)  # loading rules makes many objects that all stay: looking through them again and again frees nothing
    sys.setswitchinterval(0.0005)  # a thread that comes back from a library waits this long for another to give way, not 5 ms
    try:
        from engine.cli.app import run

        code = run()
    except KeyboardInterrupt:
        sys.stderr.write("crosswind: interrupted before there was a result\n")
        code = 3
    _leave(code)


def _leave(code: int) -> NoReturn:
    """End the process. What is registered for the end is done and what was written is flushed; memory is left to the system to take back, as taking
    the rules and the libraries apart object by object takes a fifth of a second.
    """
    if any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):
        sys.exit(code)  # which waits for them
    atexit._run_exitfuncs()
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except (OSError, ValueError):
        sys.exit(code)  # which says what it is
    os._exit(code)
