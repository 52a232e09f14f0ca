"""What the scheduler says while it runs: JSON on standard error, or lines for people on a terminal."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any, TextIO

import structlog

from engine.documents.escaping import safe_text

Log = Any
"""A structlog logger, bound to names and values."""


def logger(stream: TextIO | None = None) -> Log:
    """A logger to ``stream`` (standard error). No value is ever an event's content or a secret; control characters are neutralised."""
    chosen = sys.stderr if stream is None else stream
    shown: list[Any] = [structlog.dev.ConsoleRenderer(colors=False)] if chosen.isatty() else [structlog.processors.JSONRenderer(ensure_ascii=False)]
    _quiet()
    return structlog.wrap_logger(
        structlog.WriteLogger(_Patient(chosen)),  # type: ignore[arg-type]  # it writes and flushes, no more
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _neutral,
            *shown,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=False,
    )


class _Patient:
    """A stream whose reader may go away: that ends no job."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


def _quiet() -> None:
    """APScheduler's own messages repeat ours; those that say that something is wrong with itself are kept."""
    logging.getLogger("apscheduler").setLevel(logging.ERROR)


def _neutral(_: Any, __: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
    return {name: _safe(value) for name, value in event.items()}


def _safe(value: Any) -> Any:
    if isinstance(value, str):
        return safe_text(value)
    return [_safe(each) for each in value] if isinstance(value, (list, tuple)) else value
