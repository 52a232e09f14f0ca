"""What a sink is: it takes documents of alerts and incidents and says of each what became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from engine.documents.delivered import Layout
from engine.errors import SinkError, TransientSinkError
from engine.model import Level, State
from engine.sinks.retrying import never

REASON = 500
"""As many characters are kept of what a server said."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What a sink last took of an alert."""

    level: Level
    state: State


@dataclass(frozen=True, slots=True)
class Delivery:
    """One alert, or one incident, on its way out.

    ``id`` is its row in the outbox, ``document`` is redacted already, ``previous`` is None before the first delivery.
    """

    id: int
    uid: str
    revision: int
    document: Mapping[str, Any]
    level: Level
    state: State
    previous: Sent | None = None
    incident: bool = False

    @property
    def first(self) -> bool:
        """Whether the sink never took this alert."""
        return self.previous is None

    @property
    def change(self) -> str | None:
        """What is news since the last delivery: ``level rose``, ``superseded``, ``retracted``, ``live again``; None for an alert that only grew."""
        return None if self.previous is None else change(self.previous, Sent(self.level, self.state))


_ENDED = (State.SUPERSEDED, State.RETRACTED)


def change(before: Sent, after: Sent) -> str | None:
    """What somebody who knows ``before`` has to hear of ``after``, if anything."""
    if after.state in _ENDED:
        return None if before.state is after.state else after.state.value
    if before.state in _ENDED:
        return "live again"
    return "level rose" if after.level > before.level else None


@dataclass(slots=True)
class Outcome:
    """What became of deliveries, by id. ``stopped``: why the sink gave up before it tried the others, which are then in none of the lists."""

    delivered: list[int] = field(default_factory=list)
    retry: list[tuple[int, str]] = field(default_factory=list)
    dead: list[tuple[int, str]] = field(default_factory=list)
    stopped: SinkError | None = None


class Sink(Protocol):
    """Where alerts and incidents are delivered. ``send`` never raises for what a server or a disk does; it says so in the outcome."""

    @property
    def name(self) -> str: ...

    @property
    def layout(self) -> Layout:
        """The documents it wants."""
        ...

    def install(self) -> list[str]:
        """Prepare the other side; what was done, a line each. May be done again at any time. Raises SinkError."""
        ...

    def send(self, deliveries: Sequence[Delivery], now: datetime, stopped: Callable[[], bool] = never) -> Outcome:
        """Deliver them, until ``stopped``: then the outcome is stopped by `interrupted`. Sending the same again is harmless."""
        ...

    def test(self) -> list[str]:
        """Find out whether a delivery would work without making one; what was found, a line each. Raises SinkError."""
        ...

    def close(self) -> None: ...


class SinkSettings(Protocol):
    """The configuration of a sink: its name, its type and the options of that type."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def options(self) -> Mapping[str, object]: ...


def interrupted(sink: str) -> TransientSinkError:
    """Why a sink that was asked to stop left the rest."""
    return TransientSinkError(f"sink {sink}: interrupted; the rest waits in the outbox")


def told(reason: object) -> str:
    """What a server said, short enough to keep."""
    text = " ".join(str(reason).split())
    return text if len(text) <= REASON else text[: REASON - 1] + "…"
