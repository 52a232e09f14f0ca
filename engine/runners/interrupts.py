"""Ctrl-C and SIGTERM as a wish to end soon with what was found, not as an exception or a death at any line."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

Item = TypeVar("Item")


_UNHEEDED: dict[signal.Signals, Any] = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
"""What stands behind a signal where nobody else listens to it or has it ignored (``nohup``)."""


@contextmanager
def heeded() -> Iterator[Callable[[], bool]]:
    """Yields a function that tells whether Ctrl-C was pressed or SIGTERM came inside the block. The second time it is a KeyboardInterrupt.

    Signals reach the main thread alone; in another thread, and where a signal is ignored or somebody else listens, it is left as it is.
    """
    pressed = threading.Event()
    ours = [number for number, before in _UNHEEDED.items() if signal.getsignal(number) is before]
    if threading.current_thread() is not threading.main_thread():
        ours = []

    def press(number: int, frame: FrameType | None) -> None:
        if pressed.is_set():
            raise KeyboardInterrupt
        pressed.set()

    for number in ours:
        signal.signal(number, press)
    try:
        yield pressed.is_set
    finally:
        for number in ours:
            signal.signal(number, _UNHEEDED[number])


def until(stopped: Callable[[], bool], items: Iterable[Item]) -> Iterator[Item]:
    """``items`` up to the moment when ``stopped`` says so; none that was taken is lost."""
    source = iter(items)
    while not stopped():
        try:
            item = next(source)
        except StopIteration:
            return
        yield item
