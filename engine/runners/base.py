"""What every runner can do: the same work on one machine or on many.

Work is a value that can be pickled: it takes a task and gives back something small. Whatever is large it writes where all can read it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import polars as pl

Task = TypeVar("Task")
Result = TypeVar("Result")

Divide = Callable[[Task], Iterable[tuple[int, pl.DataFrame]]]
"""A task's rows, each frame with the number of the heap it belongs to."""

Reduce = Callable[[int, Sequence[pl.DataFrame]], Result]
"""What the frames of one heap amount to, in whatever order they come."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a run as people see it: ``doing`` in a word or two, ``about``: which batch, source and version of the rules."""

    doing: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class StageProgress:
    """How many tasks of a stage are done, of how many."""

    doing: str
    done: int
    total: int


def never() -> bool:
    """Not to be stopped."""
    return False


class Runner(Protocol):
    """Where work is done. Results come in any order; nothing may depend on it."""

    @property
    def shares_memory(self) -> bool:
        """Whether work is done in this process, so that what it gives may be large."""
        ...

    @property
    def slots(self) -> int:
        """How many tasks are worked on at a time."""
        ...

    @property
    def tasks(self) -> int | None:
        """Into how many tasks work is to be divided; None: as its size asks for."""
        ...

    def note(self, text: str) -> None:
        """Tell the person who waits a sentence on how the work is divided. It never speaks of results."""
        ...

    def each(self, stage: Stage, work: Callable[[Task], Result], tasks: Sequence[Task], stopped: Callable[[], bool] = never) -> Iterator[Result]:
        """``work`` on every task. It ends early, without all results, where ``stopped`` says so."""
        ...

    def heaps(
        self, stage: Stage, divide: Divide[Task], tasks: Sequence[Task], reduce: Reduce[Result], stopped: Callable[[], bool] = never
    ) -> Iterator[Result]:
        """``divide`` on every task, then ``reduce`` on every heap that got a frame. It ends early as `each` does."""
        ...
