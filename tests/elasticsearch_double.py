"""A double of Elasticsearch's protocol: an HTTP server with the few endpoints the sink asks, and with failures on demand.

It says nothing of how a server behaves beyond what the tests against the real node show; it is for what that node cannot do (credentials, TLS, a
proxy before it, chosen failures) and for machines without one.
"""

from __future__ import annotations

import gzip
import json
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

Answer = tuple[int, Any]
VERSION = {"name": "double", "cluster_name": "double", "version": {"number": "9.5.3"}, "tagline": "You Know, for Search"}


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Double:
    """The server's state. ``script``: answers to the next bulks, given instead of doing them; ``reject``: answers to single operations."""

    port: int = 0
    documents: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    versions: dict[tuple[str, str], int] = field(default_factory=dict)
    backing: dict[str, list[str]] = field(default_factory=dict)
    component_templates: dict[str, Any] = field(default_factory=dict)
    index_templates: dict[str, Any] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    script: deque[tuple[int, Any, dict[str, str]]] = field(default_factory=deque)
    reject: Callable[[str, str, dict[str, Any]], Answer | None] = lambda kind, index, document: None
    most: int = 100 << 20
    authorization: str | None = None
    product: str = "Elasticsearch"
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stream(self, name: str) -> dict[str, dict[str, Any]]:
        """What is in a data stream, all backing indices together. Raises AssertionError for an id that is there twice."""
        found: dict[str, dict[str, Any]] = {}
        for index in self.backing.get(name, []):
            for uid, document in self.documents[index].items():
                assert uid not in found, f"{uid} is in {name} twice"
                found[uid] = document
        return found

    def roll_over(self, name: str) -> None:
        self._add_backing(name)

    def bulks(self) -> list[Request]:
        return [request for request in self.requests if request.path.startswith("/_bulk")]

    def _add_backing(self, name: str) -> None:
        known = self.backing.setdefault(name, [])
        known.append(f".ds-{name}-2026.03.02-{len(known) + 1:06}")
        self.documents[known[-1]] = {}

    def answer(self, request: Request) -> Answer:
        with self.lock:
            path = unquote(urlsplit(request.path).path).strip("/")
            if path == "":
                return 200, VERSION
            if path == "_bulk":
                return self._bulk(request.body)
            if path == "_mget":
                return 200, {"docs": [self._got(doc) for doc in json.loads(request.body)["docs"]]}
            return self._of_index(request, path)

    def _of_index(self, request: Request, path: str) -> Answer:
        first, _, rest = path.partition("/")
        if first in ("_component_template", "_index_template"):
            return self._template(request, first, rest)
        if first == "_data_stream":
            return self._data_stream(rest)
        if rest == "_search":
            wanted = set(json.loads(request.body)["query"]["ids"]["values"])
            return 200, {"hits": {"hits": [{"_id": uid, "_source": found} for uid, found in self.stream(first).items() if uid in wanted]}}
        if rest == "_settings":
            return 200, {first: {"settings": {}}}
        if rest == "_count":
            return 200, {"count": len(self.stream(first) or self.documents.get(first, {}))}
        if rest in ("_refresh", "_mapping"):
            return 200, {"acknowledged": True}
        if request.method == "HEAD":
            return (200 if first in self.backing or first in self.documents else 404), None
        return 405, {"error": {"type": "illegal_argument_exception", "reason": f"{request.method} {path} is not in the double"}}

    def _template(self, request: Request, kind: str, name: str) -> Answer:
        known = self.component_templates if kind == "_component_template" else self.index_templates
        if request.method == "PUT":
            known[name] = json.loads(request.body)
            return 200, {"acknowledged": True}
        if name not in known:
            return 404, {"error": {"type": "resource_not_found_exception", "reason": name}}
        return 200, {f"{kind[1:]}s": [{"name": name, kind[1:]: known[name]}]}

    def _data_stream(self, name: str) -> Answer:
        if name not in self.backing:
            return 404, {"error": {"type": "index_not_found_exception", "reason": f"no such index [{name}]"}}
        indices = [{"index_name": index} for index in self.backing[name]]
        return 200, {"data_streams": [{"name": name, "generation": len(indices), "indices": indices}]}

    def _got(self, doc: dict[str, Any]) -> dict[str, Any]:
        found = self.documents.get(doc["_index"], {}).get(doc["_id"])
        return {"_id": doc["_id"], "found": found is not None} | ({"_source": found} if found is not None else {})

    def _bulk(self, body: bytes) -> Answer:
        assert body.endswith(b"\n")
        lines = [json.loads(line) for line in body.splitlines()]
        items = []
        for action, document in zip(lines[::2], lines[1::2], strict=True):
            [(kind, meta)] = action.items()
            status, error = self._operation(kind, meta, document)
            where = self.backing[meta["_index"]][-1] if meta["_index"] in self.backing else meta["_index"]
            items.append({kind: {"_index": where, "_id": meta["_id"], "status": status} | ({"error": error} if error else {})})
        return 200, {"took": 1, "errors": True, "items": items}

    def _operation(self, kind: str, meta: dict[str, Any], document: dict[str, Any]) -> Answer:
        name, uid = meta["_index"], meta["_id"]
        refused = self.reject(kind, name, document)
        if refused is not None:
            return refused
        conflict = {"type": "version_conflict_engine_exception", "reason": f"[{uid}]: version conflict"}
        if kind == "create":
            if name not in self.backing:
                self._add_backing(name)
            held = self.documents[self.backing[name][-1]]
            if uid in held:
                return 409, conflict
            held[uid] = document
            return 201, None
        if self.versions.get((name, uid), 0) >= meta["version"]:
            return 409, conflict
        self.versions[name, uid] = meta["version"]
        self.documents.setdefault(name, {})[uid] = document
        return 200, None


class Handler(BaseHTTPRequestHandler):
    """Answers for ``double``."""

    protocol_version = "HTTP/1.1"
    double: Double

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        request = Request(self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        double = self.double
        double.requests.append(request)
        if double.authorization is not None and request.headers.get("authorization") != double.authorization:
            self._reply(401, {"error": {"type": "security_exception", "reason": "missing authentication credentials"}})
        elif len(body) > double.most:
            self._reply(413, None)
        elif request.path.startswith("/_bulk") and double.script:
            self._reply(*double.script.popleft())
        else:
            self._reply(*double.answer(request))

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _handle  # noqa: N815 the names are the library's

    def _reply(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"X-Elastic-Product": self.double.product, "content-type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 the name is the library's
        """Quiet."""


@contextmanager
def elasticsearch_double(tls: ssl.SSLContext | None = None) -> Iterator[Double]:
    """A running double on a free port."""
    double = Double()
    with serve(type("Handler", (Handler,), {"double": double}), tls) as port:
        double.port = port
        yield double


@contextmanager
def serve(handler: type[BaseHTTPRequestHandler], tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server for ``handler`` on a free port of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
