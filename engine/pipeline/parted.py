"""Alerts worked out by many hands: stored hits are read by tasks and sent to the parts that they matter to, and every part gives its alerts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import polars as pl

from engine.correlate import partitions
from engine.correlate.keying import Work
from engine.correlate.layout import Layout, lay_out, weights
from engine.correlate.partitions import Gathered, gathered, scattered, settle, stages
from engine.runners.base import Runner, Stage, never

WEIGHING, WAITING, CORRELATING = "weighing hits", "what is undecided", "correlating"


class Read(Protocol):
    """Reads the hits of a task: frames as `correlate` and `alerts` want them. It can be pickled."""

    def __call__(self, task: str, /) -> Iterator[pl.DataFrame]: ...


@dataclass(frozen=True, slots=True)
class _Weigh:
    read: Read
    work: Work

    def __call__(self, task: str) -> pl.DataFrame:
        return _added([weights(hits, self.work) for hits in self.read(task)])


@dataclass(frozen=True, slots=True)
class _Scatter:
    read: Read
    work: Work
    layout: Layout

    def __call__(self, task: str) -> Iterator[tuple[int, pl.DataFrame]]:
        for hits in self.read(task):
            for (part,), frame in scattered(hits, self.work, self.layout).group_by("part"):
                yield int(str(part)), frame.drop("part")


@dataclass(frozen=True, slots=True)
class _Undecided:
    work: Work
    layout: Layout
    settled: dict[str, int]

    def __call__(self, part: int, frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
        return partitions.undecided(pl.concat(frames), part, self.work, self.layout, self.settled)


@dataclass(frozen=True, slots=True)
class _Found:
    work: Work
    layout: Layout
    settled: dict[str, int]

    def __call__(self, part: int, frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
        return partitions.found(pl.concat(frames), part, self.work, self.layout, self.settled)


def parted(runner: Runner, about: str, tasks: Sequence[str], read: Read, work: Work, stopped: Callable[[], bool] = never) -> Gathered | None:
    """What ``work`` asks of the hits that ``read`` gives for ``tasks``; None where ``stopped``. ``about`` is shown with the stages."""
    weighed = _added(list(runner.each(Stage(WEIGHING, about), _Weigh(read, work), tasks, stopped)))
    layout = lay_out(weighed, work, runner.tasks or 2 * runner.slots)
    scatter = _Scatter(read, work, layout)
    settled: dict[str, int] = {}
    for stage in stages(work):
        told = list(runner.heaps(Stage(WAITING, about), scatter, tasks, _Undecided(work, layout, settled), stopped))
        settled = settle(told, work, stage, settled)
    made = list(runner.heaps(Stage(CORRELATING, about), scatter, tasks, _Found(work, layout, settled), stopped))
    return None if stopped() else gathered(made)


def _added(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    kinds = {"kind": pl.Int64(), "bin": pl.UInt32(), "day": pl.Int64(), "hits": pl.Int64()}
    return pl.concat([pl.DataFrame(schema=kinds), *frames]).group_by("kind", "bin", "day").agg(pl.col("hits").sum())
