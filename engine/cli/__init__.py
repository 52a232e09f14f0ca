"""The command `crosswind`: one file per command, arguments in, exit code out."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Entry point. Exit codes: 0 done, 1 found something at or above ``--fail-on``, 2 wrong usage, 3 done but some input, rule or sink failed."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from engine.version import VERSION

        print(f"crosswind {VERSION}")  # noqa: T201
        return
    gc.set_threshold(100_000, 50, 100)  # loading rules makes many objects that all stay: looking through them again and again frees nothing
    try:
        from engine.cli.app import run

        code = run()
    except KeyboardInterrupt:
        sys.stderr.write("crosswind: interrupted before there was a result\n")
        code = 3
    sys.exit(code)
