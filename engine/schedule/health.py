"""Whether the scheduler is well, and a small web server on this machine alone that says so and gives the metrics."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from socket import AF_INET6

from engine.errors import StateError, UsageError
from engine.store.state import State

STALE = 60.0
"""A scheduler that did not look at its jobs for so many seconds hangs."""
_TEXT = "text/plain; version=0.0.4; charset=utf-8"
_NAMES = ("localhost", "127.0.0.1", "[::1]", "::1")


class Health:
    """Signs of life of the loop."""

    def __init__(self, state: State, passed: Callable[[], float] = time.monotonic) -> None:
        self._state = state
        self._passed = passed
        self._seen = passed()

    def alive(self) -> None:
        """The loop came by."""
        self._seen = self._passed()

    def problems(self) -> list[str]:
        """What is wrong; nothing where all is well."""
        found = []
        if (silent := self._passed() - self._seen) > STALE:
            found.append(f"the scheduler has not looked at its jobs for {silent:.0f} s")
        try:
            self._state.last_batch()
        except StateError as error:
            found.append(str(error))
        return found


def address_of(text: str) -> tuple[str, int]:
    """``PORT`` or ``ADDRESS:PORT``. Raises UsageError for what is no port and for an address that others can reach."""
    host, _, port = text.rpartition(":")
    address = host.strip("[]") or "127.0.0.1"
    if not (port.isascii() and port.isdigit() and 0 <= int(port) < 65536):
        raise UsageError(f"--metrics-port: {text!r} is no port; write 9464, or 127.0.0.1:9464")
    try:
        inside = ip_address(address).is_loopback
    except ValueError:
        inside = False
    if not inside:
        raise UsageError(
            f"--metrics-port: {address} can be reached from elsewhere, and this server asks nobody who they are: "
            "use 127.0.0.1 or [::1], and let a proxy that knows its callers stand in front"
        )
    return address, int(port)


@contextmanager
def served(address: tuple[str, int], metrics: Callable[[], str], problems: Callable[[], list[str]]) -> Iterator[int]:
    """`/metrics` and `/healthz` at ``address`` while the block runs; yields the port. Raises UsageError where it is taken."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 10
        server_version = "crosswind"
        sys_version = ""

        def do_GET(self) -> None:
            host = self.headers.get("Host", "").lower()
            name = host if host.endswith("]") else host.rpartition(":")[0] or host
            if name not in _NAMES and name != address[0]:
                self._say(403, "text/plain", "not for other hosts\n")  # a web page that had its name lead here
            elif self.path == "/metrics":
                self._say(200, _TEXT, metrics())
            elif self.path == "/healthz":
                found = problems()
                self._say(503 if found else 200, "application/json", json.dumps({"status": "failing" if found else "ok", "problems": found}) + "\n")
            else:
                self._say(404, "text/plain", "/metrics and /healthz are here\n")

        def _say(self, code: int, kind: str, text: str) -> None:
            body = text.encode("utf-8", "replace")
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  as http.server has it
            """Visits are not logged."""

    class Server(ThreadingHTTPServer):
        address_family = AF_INET6 if ":" in address[0] else ThreadingHTTPServer.address_family
        daemon_threads = True

    try:
        server = Server(address, Handler)
    except OSError as error:
        raise UsageError(f"--metrics-port: {address[0]}:{address[1]} cannot be used: {error.strerror or error}") from error
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="metrics", daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
