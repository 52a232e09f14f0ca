"""Ctrl-C as a wish to end soon with what was found, not as an exception at any line."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

Item = TypeVar("Item")


@contextmanager
def heeded() -> Iterator[Callable[[], bool]]:
    """Yields a function that tells whether Ctrl-C was pressed inside the block. The second time it is a KeyboardInterrupt, as outside.

    Signals reach the main thread alone; in another thread, and where the interrupt is ignored (``nohup``), the answer is always no.
    """
    pressed = threading.Event()
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield pressed.is_set
        return

    def press(number: int, frame: FrameType | None) -> None:
        if pressed.is_set():
            raise KeyboardInterrupt
        pressed.set()

    signal.signal(signal.SIGINT, press)
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def until(stopped: Callable[[], bool], items: Iterable[Item]) -> Iterator[Item]:
    """``items`` up to the moment when ``stopped`` says so; none that was taken is lost."""
    source = iter(items)
    while not stopped():
        try:
            item = next(source)
        except StopIteration:
            return
        yield item
