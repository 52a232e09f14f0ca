"""From the state to the sinks: what `run` does at its end, and what the commands of `crosswind sinks` do."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from engine.errors import ConfigError, CrosswindError, SinkError, UsageError
from engine.model import Level
from engine.report.rule_files import near
from engine.runners.base import never
from engine.sinks import make_sink
from engine.sinks.base import Sink
from engine.sinks.drain import Drained, drain
from engine.sinks.elasticsearch import ElasticsearchSink
from engine.store.leases import WRITER, this_process

if TYPE_CHECKING:
    from engine.config import Config, SinkConfig
    from engine.store.records import DeadLetter, Depth
    from engine.store.state import State

_TTL = timedelta(hours=1)
_SHOWN = 20
"""So many dead letters of a sink are shown."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What one sink said when it was installed or tested; ``error`` is None where all is well."""

    sink: str
    lines: tuple[str, ...]
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a sink stands: ``type`` is None for one that has rows in the outbox and is no longer configured."""

    sink: str
    type: str | None
    depth: Depth | None
    dead: tuple[DeadLetter, ...]


def deliver(
    config: Config,
    state: State,
    now: datetime,
    names: Sequence[str] = (),
    limit: int | None = None,
    *,
    stopped: Callable[[], bool] = never,
) -> tuple[Drained, ...]:
    """Drain the outbox into the sinks (none named: all), each for itself: one that cannot even be made keeps nothing from the others.

    A sink that is new hears of all alerts that stand.
    """
    reports: list[Drained] = []
    for settings in _chosen(config, names):
        state.introduce(settings.name, now, Level.of(config.min_level))
        try:
            with _made(settings) as sink:
                reports += drain(state, [sink], now, limit, show_content=config.show_content, stopped=stopped)
        except (ConfigError, SinkError) as error:
            reports.append(Drained(settings.name, stopped=str(error)))
    return tuple(reports)


def replay(config: Config, state: State, now: datetime, names: Sequence[str], ids: Collection[int] | None) -> tuple[int, tuple[Drained, ...]]:
    """Let dead letters (None: all) be tried again, and deliver what waits. Gives their number and what became of everything.

    Raises LeaseError while a run is under way, which delivers at its end.
    """
    chosen = _chosen(config, names)
    with state.lease(WRITER, this_process(), _TTL, now):
        again = sum(state.replay(settings.name, ids) for settings in chosen)
        return again, deliver(config, state, now, [settings.name for settings in chosen])


def install(config: Config, names: Sequence[str], *, kibana: bool) -> list[Tried]:
    """Prepare the other side of each sink; with ``kibana``, import the saved objects too."""
    chosen = [settings for settings in _chosen(config, names) if not kibana or settings.type == "elasticsearch"]
    if not chosen:
        raise UsageError("--kibana is for sinks of type elasticsearch, and none is configured or named")

    def prepare(sink: Sink) -> list[str]:
        done = sink.install()
        if kibana and isinstance(sink, ElasticsearchSink):
            done += sink.kibana.install(sink.namespace)
        return done

    return [_tried(settings, prepare) for settings in chosen]


def test(config: Config, names: Sequence[str]) -> list[Tried]:
    """Find out of each sink whether a delivery would work."""
    return [_tried(settings, lambda sink: sink.test()) for settings in _chosen(config, names)]


def standing(config: Config, state: State) -> list[Standing]:
    """Every sink that is configured or still has rows, by name, with its oldest dead letters."""
    depths = {depth.sink: depth for depth in state.depths()}
    types = {settings.name: settings.type for settings in config.sinks}
    return [
        Standing(name, types.get(name), depths.get(name), tuple(state.dead_letters(name, _SHOWN) if name in depths else ()))
        for name in sorted({*types, *depths})
    ]


def _chosen(config: Config, names: Sequence[str]) -> list[SinkConfig]:
    known = {settings.name: settings for settings in config.sinks}
    for name in names:
        if name not in known:
            raise UsageError(f"there is no sink {name}{near(name, list(known))}")
    return [known[name] for name in names] if names else list(known.values())


@contextmanager
def _made(settings: SinkConfig) -> Iterator[Sink]:
    with closing(make_sink(settings)) as sink:
        yield sink


def _tried(settings: SinkConfig, what: Callable[[Sink], list[str]]) -> Tried:
    try:
        with _made(settings) as sink:
            return Tried(settings.name, tuple(what(sink)))
    except CrosswindError as error:
        return Tried(settings.name, (), str(error))
