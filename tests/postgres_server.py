"""A PostgreSQL server of the tests' own, started once and stopped at the end."""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path

import pytest

_ACCOUNT = "postgres"
_START = 30.0


@dataclass
class Server:
    """A running server, reached through a socket in ``folder``."""

    folder: Path
    process: subprocess.Popen[bytes]
    numbers: count[int] = field(default_factory=count)

    def database(self) -> str:
        """The URL of a new, empty database."""
        import psycopg

        name = f"test_{next(self.numbers)}"
        with psycopg.connect(host=str(self.folder), dbname="postgres", user="tests", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql://tests@/{name}?host={self.folder}"

    def stop(self) -> None:
        """Stop it and leave nothing behind."""
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def server() -> Server:
    """The server; skips the test where this machine has none, fails where it must have one (CI)."""
    started = _started()
    if isinstance(started, Server):
        return started
    if os.environ.get("CI"):
        pytest.fail(started)
    pytest.skip(started)


@cache
def _started() -> Server | str:
    programs = _programs()
    if programs is None:
        return "no PostgreSQL server on this machine (initdb was not found)"
    account = None
    if os.geteuid() == 0:  # the server refuses to run as root
        try:
            account = pwd.getpwnam(_ACCOUNT)
        except KeyError:
            return f"PostgreSQL does not run as root, and there is no account {_ACCOUNT!r}"
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # the path of a socket must be short
    if account is not None:
        os.chown(folder, account.pw_uid, account.pw_gid)
    who = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account is not None else {}
    data = folder / "data"
    made = subprocess.run(
        [programs / "initdb", "-D", data, "-A", "trust", "-U", "tests", "-E", "UTF8", "--locale=C", "--no-sync"],
        capture_output=True,
        cwd="/",
        **who,  # type: ignore[call-overload]
    )
    if made.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        return f"initdb failed: {made.stderr.decode(errors='replace')[-500:]}"
    settings = {"listen_addresses": "", "unix_socket_directories": str(folder), "fsync": "off", "shared_buffers": "16MB", "max_connections": "40"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [programs / "postgres", "-D", data, *(part for name, value in settings.items() for part in ("-c", f"{name}={value}"))],
            stdout=log,
            stderr=log,
            cwd="/",
            **who,  # type: ignore[call-overload]
        )
    started = Server(folder, process)
    atexit.register(started.stop)
    return started if _answers(started) else f"PostgreSQL did not start: {(folder / 'log').read_text(errors='replace')[-500:]}"


def _programs() -> Path | None:
    found = shutil.which("initdb")
    places = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "initdb").exists() and (place / "postgres").exists()), None)


def _answers(started: Server) -> bool:
    import psycopg

    until = time.monotonic() + _START
    while time.monotonic() < until and started.process.poll() is None:
        try:
            psycopg.connect(host=str(started.folder), dbname="postgres", user="tests").close()
        except psycopg.OperationalError:
            time.sleep(0.02)
        else:
            return True
    return False
