"""The connection to Elasticsearch: hosts, credentials, TLS, proxy; and what its answers mean to us."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import ConfigError, SinkError, TransientSinkError
from engine.sinks.base import told
from engine.sinks.options import Options
from engine.sinks.retrying import TRANSIENT

if TYPE_CHECKING:
    from elastic_transport import NodeConfig, Urllib3HttpNode
    from elasticsearch import Elasticsearch


@dataclass(frozen=True, slots=True, repr=False)
class Connection:
    """How to reach a cluster. Not shown as text: it holds secrets."""

    hosts: tuple[str, ...]
    api_key: str | None
    user: tuple[str, str] | None
    ca_certs: str | None
    ca_fingerprint: str | None
    verify_certs: bool
    proxy: str | None
    timeout: float

    @classmethod
    def of(cls, options: Options) -> Connection:
        """From the options of a sink. Raises ConfigError."""
        username, password = options.get("username", str), options.get("password", str)
        authority = options.get("ca_certs", Path)
        return cls(
            hosts=options.need("hosts", tuple),
            api_key=options.get("api_key", str),
            user=(username, password) if username is not None and password is not None else None,
            ca_certs=str(authority) if authority else None,
            ca_fingerprint=options.get("ca_fingerprint", str),
            verify_certs=options.need("verify_certs", bool),
            proxy=options.get("proxy", str),
            timeout=options.need("timeout", float),
        )


def connect(to: Connection) -> Elasticsearch:
    """A client that tries every host once for a request and repeats nothing else: what is tried again is ours to decide."""
    from elastic_transport import Urllib3HttpNode
    from elasticsearch import Elasticsearch

    logging.getLogger("elastic_transport").addHandler(logging.NullHandler())  # what fails is told by us, not line by line on standard error
    secure: dict[str, Any] = {}
    if any(host.startswith("https://") for host in to.hosts):
        secure = {"verify_certs": to.verify_certs, "ssl_show_warn": False} if not to.ca_fingerprint else {"ssl_assert_fingerprint": to.ca_fingerprint}
        if to.ca_certs:
            secure["ca_certs"] = to.ca_certs
    try:
        return Elasticsearch(
            [_with_port(host) for host in to.hosts],
            api_key=to.api_key,
            basic_auth=to.user,
            http_compress=True,
            request_timeout=to.timeout,
            max_retries=len(to.hosts) - 1,
            retry_on_status=(),
            retry_on_timeout=False,
            node_class=_proxied(to.proxy) if to.proxy else Urllib3HttpNode,
            **secure,
        )
    except (ValueError, OSError) as error:
        raise ConfigError(f"cannot connect to {', '.join(to.hosts)}: {error}") from error


def _with_port(host: str) -> str:
    scheme, _, rest = host.partition("://")
    place, slash, path = rest.partition("/")
    if ":" not in place.rpartition("]")[2]:
        place += ":443" if scheme == "https" else ":80"
    return f"{scheme}://{place}{slash}{path}"


def _proxied(proxy: str) -> type[Urllib3HttpNode]:
    """A node of the client that asks a proxy: the client itself knows none."""
    import urllib3
    from elastic_transport import Urllib3HttpNode

    class Through:
        """What a node needs of its pool, over a proxy."""

        def __init__(self, config: NodeConfig, pool: Any) -> None:
            self.base = f"{config.scheme}://{config.host}:{config.port}"
            kept = ("cert_reqs", "ca_certs", "cert_file", "key_file", "assert_fingerprint", "assert_hostname") if config.scheme == "https" else ()
            url = urllib3.util.parse_url(proxy)
            headers = urllib3.util.make_headers(proxy_basic_auth=url.auth) if url.auth else None
            self.manager = urllib3.ProxyManager(
                url._replace(auth=None).url,
                proxy_headers=headers,
                timeout=pool.timeout,
                **{name: getattr(pool, name) for name in kept},
                **{name: value for name, value in pool.conn_kw.items() if name == "ssl_context"},
            )

        def urlopen(self, method: str, target: str, **options: Any) -> Any:
            return self.manager.urlopen(method, self.base + target, redirect=False, **options)

        def close(self) -> None:
            self.manager.clear()

    class ProxiedNode(Urllib3HttpNode):
        def __init__(self, config: NodeConfig) -> None:
            super().__init__(config)
            self.pool = Through(config, self.pool)  # type: ignore[assignment]

    return ProxiedNode


def as_sink_error(sink: str, error: Exception) -> SinkError:
    """What an exception of the client means: away or busy (transient), or something a person has to change."""
    from elastic_transport import ConnectionError as Away
    from elastic_transport import ConnectionTimeout, TlsError
    from elasticsearch import ApiError, UnsupportedProductError

    if isinstance(error, UnsupportedProductError):
        return SinkError(f"sink {sink}: what answers there is no Elasticsearch 9: {told(error)}")
    if isinstance(error, ApiError):
        kind = TransientSinkError if error.status_code in TRANSIENT else SinkError
        return kind(
            f"sink {sink}: Elasticsearch answered {error.status_code}: {reason_of(error.body) or told(error)}{_HINTS.get(error.status_code, '')}"
        )
    if isinstance(error, TlsError):
        return SinkError(f"sink {sink}: TLS failed: {told(error)}; check ca_certs or ca_fingerprint")
    if isinstance(error, (Away, ConnectionTimeout, OSError)):
        return TransientSinkError(f"sink {sink}: Elasticsearch cannot be reached: {told(error)}")
    return SinkError(f"sink {sink}: {type(error).__name__}: {told(error)}")


_HINTS = {401: "; check the credentials of the sink", 403: "; check the privileges of the sink, or the block that is set"}


def reason_of(body: object) -> str | None:
    """The server's own words in the body of an error, with their causes."""
    error = body.get("error", body) if isinstance(body, dict) else body
    if isinstance(error, str):
        return told(error) or None
    said: list[str] = []
    while isinstance(error, dict) and len(said) < 4:
        said.append(": ".join(str(error[name]) for name in ("type", "reason") if error.get(name)))
        error = error.get("caused_by")
    return told("; ".join(part for part in said if part)) or None
