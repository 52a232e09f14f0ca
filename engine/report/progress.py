"""How far a run is: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol


class Moment(Protocol):
    """What the pipeline says of a run under way."""

    @property
    def objects(self) -> int: ...

    @property
    def objects_total(self) -> int: ...

    @property
    def bytes(self) -> int: ...

    @property
    def bytes_total(self) -> int: ...

    @property
    def records(self) -> int: ...


class Step(Protocol):
    """What a runner says of a stage of tasks under way."""

    @property
    def doing(self) -> str: ...

    @property
    def done(self) -> int: ...

    @property
    def total(self) -> int: ...


PLAIN_SECONDS = 10.0
"""Without a terminal, at most one line in this time."""


@contextmanager
def watch(unit: str = "objects") -> Iterator[Callable[[Moment], None]]:
    """Yields the function a run reports to; ``unit`` is what it counts. Nothing is written for runs that are over at once."""
    if not sys.stderr.isatty():
        yield _plain(unit)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.fields[objects]} " + unit),
        BarColumn(),
        TextColumn("{task.fields[records]:,} records"),
        TextColumn("{task.fields[rate]:,.0f}/s"),
        TimeRemainingColumn(),
    )
    started = time.perf_counter()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("scan", total=None, objects="", records=0, rate=0.0)

        def report(moment: Moment) -> None:
            rate = moment.records / max(time.perf_counter() - started, 1e-9)
            objects = f"{moment.objects}/{moment.objects_total}"
            bar.update(task, total=max(moment.bytes_total, 1), completed=moment.bytes, objects=objects, records=moment.records, rate=rate)

        yield report


@contextmanager
def watch_stages() -> Iterator[Callable[[Step], None]]:
    """Yields the function that a runner reports its stages to: one line that changes on a terminal, one line a stage elsewhere."""
    if not sys.stderr.isatty():
        yield _plain_stages()
        return
    from rich.console import Console

    with Console(stderr=True).status("starting Spark …") as status:
        yield lambda step: status.update(_told(step))


def _told(step: Step) -> str:
    return f"{step.doing}: {step.done}/{step.total} tasks" if step.total else f"{step.doing} …"


def _plain_stages() -> Callable[[Step], None]:
    last, since = "", time.perf_counter()

    def report(step: Step) -> None:
        nonlocal last, since
        now = time.perf_counter()
        if step.total and (step.doing != last or now - since >= PLAIN_SECONDS):
            last, since = step.doing, now
            sys.stderr.write(_told(step) + "\n")

    return report


def _plain(unit: str) -> Callable[[Moment], None]:
    started = last = time.perf_counter()

    def report(moment: Moment) -> None:
        nonlocal last
        now = time.perf_counter()
        if now - last >= PLAIN_SECONDS:
            last = now
            rate = moment.records / (now - started)
            sys.stderr.write(f"{moment.objects}/{moment.objects_total} {unit}, {moment.records:,} records, {rate:,.0f} records/s\n")

    return report
