"""A real Elasticsearch node for tests, started once a session; it can be killed and started again.

It comes from the published jars (see elasticsearch_node.sh) and is kept in $CROSSWIND_TEST_CACHE, or the user's cache folder. Without Maven, Java
or a network the tests that need it are skipped with the reason; where CI=true they fail instead. CROSSWIND_TEST_ELASTICSEARCH=0 leaves them out.
The node has no credentials, TLS, lifecycle or Kibana: what concerns those is tested on the double.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.groups import only_here

_SCRIPT = Path(__file__).with_name("elasticsearch_node.sh")
SETTINGS = {"http.max_content_length": "8mb", "indexing_pressure.memory.limit": "5mb"}
"""The greatest request the node takes, and its memory for writes: small enough that tests reach both."""


@dataclass
class Node:
    """The node; ``client`` is ours to look at what it holds."""

    install: Path
    folder: Path
    port: int
    pid: int = 0
    client: Any = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it with what it held before. Raises RuntimeError."""
        from elasticsearch import Elasticsearch

        settings = "\n".join(f"{name}: {value}" for name, value in SETTINGS.items())
        environment = os.environ | {"ES_YML": settings, "ES_HEAP": "512m", "ES_WAIT": "240"}
        made = subprocess.run(
            ["bash", _SCRIPT, self.install, str(self.port), self.folder], env=environment, capture_output=True, text=True, check=False, timeout=600
        )
        if made.returncode:
            raise RuntimeError(made.stderr.strip()[-2000:] or f"elasticsearch_node.sh ended with {made.returncode}")
        self.pid = int(made.stdout.split()[-1])
        self.client = Elasticsearch(self.url, request_timeout=60)

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End it and wait until it is gone."""
        if self.client is not None:
            self.client.close()
        if self.pid:
            os.kill(self.pid, how)
            while Path(f"/proc/{self.pid}").exists() and "\nState:\tZ" not in Path(f"/proc/{self.pid}/status").read_text():
                time.sleep(0.02)
            self.pid = 0

    def ids(self, name: str) -> list[str]:
        """The ids of all documents of an index or a data stream, as often as they are there."""
        self.client.indices.refresh(index=name)
        found: list[str] = []
        after: dict[str, Any] = {}
        while True:
            page = self.client.search(index=name, size=10_000, sort=["event.id", "_doc"], source=False, track_total_hits=False, **after)["hits"][
                "hits"
            ]
            if not page:
                return found
            found += [hit["_id"] for hit in page]
            after = {"search_after": page[-1]["sort"]}


def _free_port() -> int:
    """A port that is free, and whose neighbour a hundred higher is."""
    while True:
        with socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", 0))
            port: int = one.getsockname()[1]
            try:
                other.bind(("127.0.0.1", port + 100))
            except (OSError, OverflowError):
                continue
            return port


def _missing() -> str | None:
    if os.environ.get("CROSSWIND_TEST_ELASTICSEARCH") == "0":
        return "CROSSWIND_TEST_ELASTICSEARCH=0"
    lacking = [tool for tool in ("bash", "curl", "flock", "mvn") if shutil.which(tool) is None]
    return f"no {', '.join(lacking)} to start Elasticsearch with" if lacking else None


@pytest.fixture(scope="session")
def elasticsearch_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """The node of this session."""
    with only_here("elasticsearch", tmp_path_factory):
        cache = Path(os.environ.get("CROSSWIND_TEST_CACHE") or Path.home() / ".cache/crosswind")
        node = Node(cache / "elasticsearch", tmp_path_factory.mktemp("elasticsearch"), _free_port())
        reason = _missing()
        try:
            if reason is None:
                node.start()
        except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
            reason = f"Elasticsearch did not start: {error}"
        if reason is not None:
            if os.environ.get("CI") == "true":
                pytest.fail(reason)
            pytest.skip(f"{reason}; the protocol double is tested instead")
        yield node
        node.kill()
        shutil.rmtree(node.folder, ignore_errors=True)
