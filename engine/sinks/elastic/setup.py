"""What `sinks install` puts into a cluster, and what `sinks test` finds out about one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.errors import SinkError
from engine.sinks.elastic.client import as_sink_error
from engine.sinks.elastic.incident_mappings import incident_mappings
from engine.sinks.elastic.mappings import VERSION, mappings
from engine.sinks.elastic.templates import (
    INCIDENT_TEMPLATE,
    INDEX_TEMPLATE,
    STREAM_TEMPLATE,
    component_templates,
    incident_index,
    index,
    index_templates,
    stream,
)

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch


def install(client: Elasticsearch, sink: str, namespace: str, retention: str) -> list[str]:
    """Put every template, and the mapping into what exists already. Raises SinkError; never replaces templates of a newer crosswind."""
    try:
        installed = _installed(client)
        if installed is not None and installed > VERSION:
            raise SinkError(
                f"sink {sink}: the templates in the cluster are of version {installed}, those of this crosswind of {VERSION}; "
                "install with the newest crosswind that writes there"
            )
        for name, component in component_templates().items():
            client.cluster.put_component_template(name=name, **_arguments(component))
        for name, template in index_templates(retention).items():
            client.indices.put_index_template(name=name, **_arguments(template))
        done = [f"templates {STREAM_TEMPLATE}, {INDEX_TEMPLATE} and {INCIDENT_TEMPLATE}, version {VERSION}"]
        places = (
            ("data stream", stream(namespace), mappings()),
            ("index", index(namespace), mappings()),
            ("index", incident_index(namespace), incident_mappings()),
        )
        for kind, name, mapping in places:
            if client.indices.exists(index=name):
                properties: dict[str, Any] = mapping["properties"]
                client.indices.put_mapping(index=name, properties=properties)
                done.append(f"{kind} {name}: mapping brought up to version {VERSION}")
            else:
                done.append(f"{kind} {name}: made by the first delivery")
        return done
    except Exception as error:
        raise error if isinstance(error, SinkError) else as_sink_error(sink, error) from error


def test(client: Elasticsearch, sink: str, namespace: str) -> list[str]:
    """Whether the cluster answers, whether its templates are ours, and whether what we write to may be written. Raises SinkError."""
    try:
        info = client.info().body
        done = [f"cluster {info['cluster_name']}, Elasticsearch {info['version']['number']}"]
        installed = _installed(client)
        if installed is None:
            raise SinkError(f"sink {sink}: the templates are not installed; run `crosswind sinks install {sink}` first")
        if installed != VERSION:
            raise SinkError(
                f"sink {sink}: the templates in the cluster are of version {installed}, needed is {VERSION}; run `crosswind sinks install {sink}`"
            )
        done.append(f"templates of version {installed}")
        for name in (stream(namespace), index(namespace), incident_index(namespace)):
            done.append(_writable(client, sink, name))
        return done
    except Exception as error:
        raise error if isinstance(error, SinkError) else as_sink_error(sink, error) from error


def _installed(client: Elasticsearch) -> int | None:
    from elasticsearch import NotFoundError

    try:
        found = client.indices.get_index_template(name=STREAM_TEMPLATE).body["index_templates"]
    except NotFoundError:
        return None
    return int(found[0]["index_template"].get("version", 0)) if found else None


def _writable(client: Elasticsearch, sink: str, name: str) -> str:
    if not client.indices.exists(index=name):
        return f"{name}: made by the first delivery"
    for inner, settings in client.indices.get_settings(index=name, flat_settings=True).body.items():
        blocks = [key for key, value in settings["settings"].items() if key.startswith("index.blocks.") and value == "true" and "metadata" not in key]
        if blocks:
            raise SinkError(f"sink {sink}: {inner} refuses to be written: {', '.join(blocks)} is set; remove the block, what waits is delivered then")
    return f"{name}: {client.count(index=name).body['count']} documents"


def _arguments(body: dict[str, Any]) -> dict[str, Any]:
    """A body as the client's arguments, which have no leading underscore."""
    return {("meta" if name == "_meta" else name): value for name, value in body.items()}
