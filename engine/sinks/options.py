"""The options of a sink, read with their types; what is left over is a mistake and named."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from engine.errors import ConfigError
from engine.sinks.base import SinkSettings

T = TypeVar("T")


class Options:
    """Takes the options of one sink. Every `take_…` raises ConfigError for a value of the wrong type; `done` for names nobody asked for."""

    def __init__(self, settings: SinkSettings) -> None:
        self.sink = settings.name
        self._left = dict(settings.options)
        self._known: list[str] = []

    def text(self, name: str, default: str | None = None, *, required: bool = False) -> str | None:
        """A non-empty text."""
        value = self._take(name, str, default, required)
        if value == "":
            raise self._wrong(name, "is empty")
        return value

    def needed(self, name: str) -> str:
        """A text that has to be there."""
        value = self.text(name, required=True)
        assert value is not None
        return value

    def number(self, name: str, default: int, least: int = 1) -> int:
        """A whole number of at least ``least``."""
        value = self._take(name, int, default, False)
        if value is None or isinstance(value, bool) or value < least:
            raise self._wrong(name, f"must be a whole number of at least {least}")
        return value

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        """One of a few words."""
        value = self.text(name, default)
        if value not in choices:
            raise self._wrong(name, f"must be one of {', '.join(choices)}")
        return value

    def flag(self, name: str, default: bool) -> bool:
        """One of true and false."""
        value = self._take(name, bool, default, False)
        return default if value is None else value

    def texts(self, name: str) -> tuple[str, ...]:
        """One text or a list of them."""
        value: Any = self._left.get(name)
        if isinstance(value, (list, tuple)):
            self._left.pop(name)
            self._known.append(name)
            if not value or not all(isinstance(item, str) and item for item in value):
                raise self._wrong(name, "must be a text or a list of texts")
            return tuple(value)
        single = self.text(name)
        return () if single is None else (single,)

    def done(self) -> None:
        """Raises ConfigError for options that no sink of this type has."""
        for name in self._left:
            near = get_close_matches(name, self._known, 1)
            hint = f"; did you mean {near[0]}?" if near else f"; it has {', '.join(sorted(self._known))}"
            raise ConfigError(f"sink {self.sink}: there is no option {name}{hint}")

    def _take(self, name: str, kind: type[T], default: T | None, required: bool) -> T | None:
        self._known.append(name)
        value = self._left.pop(name, None)
        if value is None:
            if required:
                raise self._wrong(name, "is missing")
            return default
        if kind is str and isinstance(value, Path):
            value = str(value)
        if not isinstance(value, kind):
            raise self._wrong(name, f"must be a {'text' if kind is str else 'number' if kind is int else 'true or false'}")
        return value

    def _wrong(self, name: str, what: str) -> ConfigError:
        return ConfigError(f"sink {self.sink}: {name} {what}")
