"""Where alerts are delivered. A sink is one file here and one line in `SINKS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from engine.errors import ConfigError
from engine.sinks.base import Sink, SinkSettings
from engine.sinks.elasticsearch import ElasticsearchSink
from engine.sinks.file import FileSink
from engine.sinks.webhook import WebhookSink

SINKS: Mapping[str, Callable[[SinkSettings], Sink]] = {
    "elasticsearch": ElasticsearchSink,
    "file": FileSink,
    "webhook": WebhookSink,
}


def make_sink(settings: SinkSettings) -> Sink:
    """The sink that ``settings`` describe; nothing is opened yet. Raises ConfigError."""
    made = SINKS.get(settings.type)
    if made is None:
        raise ConfigError(f"[sink.{settings.name}] there is no type {settings.type}; there are {', '.join(SINKS)}")
    return made(settings)
