"""The local runner: a pool of threads that takes batches from streams and hands results to one consumer, in a fixed order.

Polars, DuckDB and the decompressors release the interpreter lock, so threads are enough. A stream (a group of small objects, or one large object) is
read by one thread at a time; the batches it yields are worked on by all, so one huge file keeps every core busy as well.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Generic, TypeVar

import polars as pl

from engine.runners.base import Divide, Reduce, Stage, Task, never
from engine.runners.interrupts import until

Batch = TypeVar("Batch")
Result = TypeVar("Result")


def default_jobs() -> int:
    """As many threads as this process may use cores."""
    if hasattr(os, "sched_getaffinity"):
        return max(len(os.sched_getaffinity(0)), 1)
    return os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class LocalRunner:
    """All work in this process, by ``jobs`` threads (None: one a core)."""

    jobs: int | None = None
    tasks: int | None = None
    shares_memory: bool = True

    @property
    def slots(self) -> int:
        """How many threads work."""
        return self.jobs or default_jobs()

    def note(self, text: str) -> None:
        """See `Runner.note`: here nobody waits for one thread alone."""

    def each(self, stage: Stage, work: Callable[[Task], Result], tasks: Sequence[Task], stopped: Callable[[], bool] = never) -> Iterator[Result]:
        """See `Runner.each`."""
        return run([until(stopped, tasks)], work, self.slots)

    def heaps(
        self, stage: Stage, divide: Divide[Task], tasks: Sequence[Task], reduce: Reduce[Result], stopped: Callable[[], bool] = never
    ) -> Iterator[Result]:
        """See `Runner.heaps`."""
        found: dict[int, list[pl.DataFrame]] = {}
        for parts in run([until(stopped, tasks)], lambda task: list(divide(task)), self.slots):
            for number, frame in parts:
                found.setdefault(number, []).append(frame)
        return run([until(stopped, sorted(found.items()))], lambda heap: reduce(*heap), self.slots)


def run(streams: Iterable[Iterator[Batch]], work: Callable[[Batch], Result], jobs: int) -> Iterator[Result]:
    """``work`` applied to every batch of every stream by ``jobs`` threads, as results come.

    At most ``jobs`` batches are held at a time. An exception of a stream or of ``work`` ends the run and is raised here; what the streams should
    survive they turn into batches themselves. Closing the iterator stops the run after the batches under way.
    """
    feed = _Feed(streams)

    def step() -> tuple[bool, Result | None]:
        batch = feed.next()
        return (False, None) if batch is None else (True, work(batch[0]))

    if jobs <= 1:
        while (batch := feed.next()) is not None:
            yield work(batch[0])
        return
    with ThreadPoolExecutor(jobs, thread_name_prefix="crosswind") as pool:
        pending: set[Future[tuple[bool, Result | None]]] = {pool.submit(step) for _ in range(jobs)}
        try:
            while pending:
                done, pending = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
                for future in done:
                    more, result = future.result()
                    if more:
                        pending.add(pool.submit(step))
                        yield result  # type: ignore[misc]
        finally:
            feed.close()


@contextmanager
def beside(begin: Callable[[Callable[[], bool]], Result], *, at_once: bool) -> Iterator[Callable[[], Result]]:
    """Have ``begin`` called in a thread of its own while the block runs. It is given a function that tells whether its result is waited for by now.

    Yields the function that waits for the result, or raises what was raised. Not ``at_once``: ``begin`` is called by it, and not before.
    """
    wanted = threading.Event()
    if not at_once:
        wanted.set()
        yield lambda: begin(wanted.is_set)
        return
    with ThreadPoolExecutor(1, thread_name_prefix="crosswind-beside") as pool:
        begun = pool.submit(begin, wanted.is_set)

        def result() -> Result:
            wanted.set()
            return begun.result()

        try:
            yield result
        finally:
            wanted.set()


def read_ahead(streams: Iterable[Iterator[Batch]], count: int, enough: Callable[[], bool]) -> Iterator[Iterator[Batch]]:
    """``streams`` in their order, with up to ``count`` batches of the first of them read now, until ``enough`` says so."""
    rest = iter(streams)
    first = next(rest, None)
    if first is None:
        return rest
    read: deque[Batch] = deque()
    for batch in until(enough, first):
        read.append(batch)
        if len(read) >= count:
            break
    return chain((chain(_emptied(read), first),), rest)


def _emptied(items: deque[Batch]) -> Iterator[Batch]:
    while items:
        yield items.popleft()


class _Stream(Generic[Batch]):
    """One stream and the lock of its reader."""

    def __init__(self, batches: Iterator[Batch]) -> None:
        self.batches = batches
        self.reader = threading.Lock()


class _Feed(Generic[Batch]):
    """Streams as one thread-safe supply of batches: an open stream that nobody reads, else a new one, else the next batch of one being read."""

    def __init__(self, streams: Iterable[Iterator[Batch]]) -> None:
        self._new = iter(streams)
        self._open: list[_Stream[Batch]] = []
        self._lock = threading.Lock()
        self._closed = False

    def next(self) -> tuple[Batch] | None:
        """The next batch in a tuple, None when all streams have ended."""
        while (stream := self._pick()) is not None:
            try:
                batch = next(stream.batches)
            except StopIteration:
                with self._lock:
                    self._open.remove(stream)
                continue
            finally:
                stream.reader.release()
            return (batch,)
        return None

    def close(self) -> None:
        """Give out nothing more."""
        with self._lock:
            self._closed = True

    def _pick(self) -> _Stream[Batch] | None:
        """A stream whose reader lock is now ours."""
        while True:
            with self._lock:
                if self._closed:
                    return None
                for stream in self._open:
                    if stream.reader.acquire(blocking=False):
                        return stream
                batches = next(self._new, None)
                if batches is not None:
                    stream = _Stream(batches)
                    stream.reader.acquire()
                    self._open.append(stream)
                    return stream
                if not self._open:
                    return None
                stream = self._open[0]
            stream.reader.acquire()
            with self._lock:
                if stream in self._open and not self._closed:
                    return stream
            stream.reader.release()
