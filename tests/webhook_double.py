"""A receiver of webhooks, with failures on demand."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.elasticsearch_double import Request, serve


@dataclass
class Receiver:
    """What it got, in order, refused requests included. ``script``: statuses and headers of the next answers; then it is always 200."""

    port: int = 0
    requests: list[Request] = field(default_factory=list)
    taken: list[Request] = field(default_factory=list)
    script: deque[tuple[int, dict[str, str]]] = field(default_factory=deque)
    always: int = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A running receiver on a free port."""
    made = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            request = Request("POST", self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            made.requests.append(request)
            status, headers = made.script.popleft() if made.script else (made.always, {})
            if status == 200:
                made.taken.append(request)
            self.answer(status, headers)

        def do_HEAD(self) -> None:
            self.answer(405, {})

        def answer(self, status: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "content-length": "0"}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 the name is the library's
            """Quiet."""

    with serve(Handler) as port:
        made.port = port
        yield made
