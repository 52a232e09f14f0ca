"""A real browser for tests: Chromium without a window, which hands back the page as it stands after its scripts ran."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_LIMIT = 60.0


def page_after(path: Path, *, dark: bool = False) -> str:
    """The document of the page at ``path`` after two seconds of its own time. Skips without a browser, fails without one where CI must have it."""
    program = _program()
    if program is None:
        told = "no Chromium on this machine; on Debian and Ubuntu: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(told)
        pytest.skip(told)
    with tempfile.TemporaryDirectory() as profile:
        done = subprocess.run(
            [
                program,
                "--headless",
                "--no-sandbox",  # the tests may run as root, and the page is ours
                "--disable-gpu",
                "--virtual-time-budget=2000",
                f"--user-data-dir={profile}",
                *(["--force-dark-mode"] if dark else []),
                "--dump-dom",
                path.resolve().as_uri(),
            ],
            capture_output=True,
            timeout=_LIMIT,
            check=True,
        )
    return done.stdout.decode()


@cache
def _program() -> str | None:
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None and os.environ.get("CI") and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update", "-qq"], capture_output=True, timeout=300)
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"], capture_output=True, timeout=600)
        found = shutil.which("chromium")
    return found
