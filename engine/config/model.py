"""What crosswind.toml says, as frozen values; their ``repr`` shows no secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from engine.errors import ConfigError


class Secret(str):
    """A text that nothing shows by accident: its ``repr`` is stars."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A secret that is not where the configuration says, and why."""

    reason: str


class Options(Mapping[str, object]):
    """The settings of a sink with their defaults. A secret that could not be had raises ConfigError where it is asked for, not before.

    So `crosswind hunt` needs none of the passwords that `crosswind run` needs.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = dict(values)

    def __getitem__(self, key: str) -> object:
        value = self._values[key]
        if isinstance(value, Unresolved):
            raise ConfigError(value.reason)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Options({self._values!r})"

    def unresolved(self) -> list[str]:
        """Why secrets cannot be had, for all that cannot."""
        return [value.reason for value in self._values.values() if isinstance(value, Unresolved)]


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """One place logs come from. ``source`` is what its records are where that is known, ``lateness`` how late they may arrive."""

    name: str
    path: tuple[str, ...]
    transport: str = "files"
    source: str | None = None
    lateness: timedelta | None = None


@dataclass(frozen=True, slots=True)
class SinkConfig:
    """One place alerts go to. ``type`` is elasticsearch, file or webhook; times in ``options`` are seconds, sizes bytes, paths `Path`."""

    name: str
    type: str
    options: Mapping[str, object] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class JobConfig:
    """One command that runs ``every`` so often or when ``cron`` (five fields, in ``timezone``) says; exactly one of the two is set."""

    name: str
    command: tuple[str, ...]
    every: timedelta | None = None
    cron: str | None = None
    timezone: str = "UTC"
    jitter: timedelta = timedelta(0)
    coalesce: bool = True
    misfire_grace: timedelta = timedelta(minutes=5)
    max_runtime: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration. ``path`` is the file it was read from, ``state`` the path of an SQLite file or an SQLAlchemy URL.

    ``rules`` run beside crosswind's own (``builtin``) and go through ``pipelines``; ``variables`` are the values of their placeholders.
    """

    path: Path | None
    lake: Path
    state: str = field(repr=False)
    sources: tuple[SourceConfig, ...] = ()
    rules: tuple[Path, ...] = ()
    builtin: bool = True
    pipelines: tuple[str, ...] = ()
    variables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    min_level: str = "low"
    horizon: timedelta = timedelta(days=7)
    hit_retention: timedelta = timedelta(days=30)
    sinks: tuple[SinkConfig, ...] = ()
    jobs: tuple[JobConfig, ...] = ()
    show_content: bool = False
    jobs_threads: int | None = None
