"""The options of a sink with their types. Their names, kinds and defaults stand in `engine.config.keys`, where they are checked."""

from __future__ import annotations

from typing import TypeVar

from engine.errors import ConfigError
from engine.sinks.base import SinkSettings

T = TypeVar("T")


class Options:
    """Reads the options of one sink."""

    def __init__(self, settings: SinkSettings) -> None:
        self.sink = settings.name
        self._values = settings.options

    def get(self, name: str, kind: type[T]) -> T | None:
        """The option, None where it is not set. Raises ConfigError where a secret cannot be had."""
        value = self._values.get(name)
        if value is not None and not isinstance(value, kind):
            raise ConfigError(f"[sink.{self.sink}] {name} is no {kind.__name__}")
        return value

    def need(self, name: str, kind: type[T]) -> T:
        """The option, which is there because it has to be, or has a default."""
        value = self.get(name, kind)
        if value is None:
            raise ConfigError(f"[sink.{self.sink}] needs {name}")
        return value
