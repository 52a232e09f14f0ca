"""Kibana's saved objects for our alerts and incidents, and the requests that import them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from engine.errors import ConfigError, SinkError, TransientSinkError
from engine.sinks.base import told
from engine.sinks.options import Options
from engine.sinks.retrying import TRANSIENT

if TYPE_CHECKING:
    import urllib3

    from engine.sinks.elastic.client import Connection

OBJECTS = "objects.v1.ndjson"
"""Data view, searches, charts and dashboard; all ids start with ``crosswind-``, so importing them again replaces them."""
INCIDENTS = "incidents.v1.ndjson"
"""The same for incidents, as they stand."""
RULE = "rule.v1.ndjson"
"""The detection rule that makes Kibana alerts of ours."""
_IMPORTS = (
    (OBJECTS, "/api/saved_objects/_import?overwrite=true"),
    (INCIDENTS, "/api/saved_objects/_import?overwrite=true"),
    (RULE, "/api/detection_engine/rules/_import?overwrite=true"),
)


@dataclass(frozen=True, slots=True, repr=False)
class Kibana:
    """Where Kibana is; without own credentials those of Elasticsearch are used."""

    sink: str
    url: str | None
    space: str | None
    headers: dict[str, str]
    connection: Connection

    @classmethod
    def of(cls, options: Options, connection: Connection) -> Kibana:
        """From the options of a sink. Raises ConfigError."""
        import base64

        key = options.get("kibana_api_key", str) or connection.api_key
        headers = {"kbn-xsrf": "crosswind"}
        if key:
            headers["authorization"] = f"ApiKey {key}"
        elif connection.user:
            headers["authorization"] = "Basic " + base64.b64encode(":".join(connection.user).encode()).decode()
        return cls(options.sink, options.get("kibana", str), options.get("kibana_space", str), headers, connection)

    def install(self, namespace: str) -> list[str]:
        """Import every saved object for ``namespace``; what was imported, a line each. Raises SinkError."""
        if self.url is None:
            raise ConfigError(f"[sink.{self.sink}] has no kibana: give its address, such as https://localhost:5601")
        base = self.url.rstrip("/") + (f"/s/{quote(self.space, safe='')}" if self.space else "")
        return [self._import(base + path, name, saved_objects(name, namespace)) for name, path in _IMPORTS]

    def _import(self, address: str, name: str, content: bytes) -> str:
        import urllib3

        pool = self._pool()
        try:
            answer = pool.request(
                "POST", address, headers=self.headers, fields={"file": (name, content, "application/ndjson")}, retries=False, redirect=False
            )
        except urllib3.exceptions.HTTPError as error:
            raise TransientSinkError(f"sink {self.sink}: Kibana cannot be reached: {told(error)}") from error
        finally:
            pool.clear()
        if answer.status != 200:
            kind = TransientSinkError if answer.status in TRANSIENT else SinkError
            raise kind(f"sink {self.sink}: Kibana answered {answer.status} to {name}: {told(answer.data.decode('utf-8', 'replace'))}")
        said = json.loads(answer.data)
        if not said.get("success"):
            raise SinkError(f"sink {self.sink}: Kibana did not import all of {name}: {told(json.dumps(said.get('errors', said)))}")
        return f"{name}: {said.get('successCount', said.get('success_count', 0))} objects imported into Kibana"

    def _pool(self) -> urllib3.PoolManager:
        import urllib3

        to = self.connection
        options: dict[str, Any] = {"cert_reqs": "CERT_REQUIRED" if to.verify_certs else "CERT_NONE", "ca_certs": to.ca_certs, "timeout": to.timeout}
        if to.proxy:
            return urllib3.ProxyManager(to.proxy, **options)
        return urllib3.PoolManager(**options)


def saved_objects(name: str, namespace: str) -> bytes:
    """One of the files, for ``namespace`` instead of the default one."""
    text = files("engine.sinks").joinpath("kibana", name).read_text(encoding="utf-8")
    return text.replace("-default", f"-{namespace}").encode()
