"""The wish to stop: SIGTERM and Ctrl-C, heard once and again."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STEP = 0.2
"""How often whoever waits looks whether to go on, in seconds."""


class Stop:
    """Whether to stop, and whether at once. Plain flags: a signal handler may not wait for a lock that its own thread holds."""

    def __init__(self) -> None:
        self.wanted = False
        self.at_once = False

    def press(self) -> None:
        """Ask to stop; the second time, at once."""
        self.at_once = self.wanted
        self.wanted = True

    def wait(self, seconds: float, sleep: Callable[[float], None] = time.sleep) -> bool:
        """Wait so long, or until a stop is wanted; whether it is."""
        end = time.monotonic() + seconds
        while not self.wanted and (left := end - time.monotonic()) > 0:
            sleep(min(STEP, left))
        return self.wanted


@contextmanager
def heard(stop: Stop) -> Iterator[None]:
    """SIGTERM and SIGINT ask ``stop`` while the block runs.

    SIGINT gets a handler even where it is ignored, as for commands that a shell put into the background: children then begin with its default, and
    heed it.
    """

    def press(number: int, frame: FrameType | None) -> None:
        stop.press()

    before = {number: signal.signal(number, press) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
