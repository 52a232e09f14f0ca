"""The local runner: every batch once, errors out, no more threads than asked for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from engine.runners import local


def streams(sizes: list[int]) -> Iterator[Iterator[int]]:
    start = 0
    for size in sizes:
        yield iter(range(start, start + size))
        start += size


@pytest.mark.parametrize("jobs", [1, 2, 5])
@pytest.mark.parametrize("sizes", [[], [0], [1], [7], [3, 0, 50, 1], [1] * 40])
def test_every_batch_is_worked_on_once(jobs: int, sizes: list[int]) -> None:
    assert sorted(local.run(streams(sizes), lambda batch: batch * 2, jobs)) == [n * 2 for n in range(sum(sizes))]


def test_one_stream_feeds_all_threads() -> None:
    together = threading.Barrier(2, timeout=20)

    def work(_: int) -> int:
        return together.wait()

    assert sorted(local.run(iter([iter(range(2))]), work, 2)) == [0, 1]


@pytest.mark.parametrize("jobs", [1, 3])
def test_an_error_of_the_work_ends_the_run_and_is_raised(jobs: int) -> None:
    def work(batch: int) -> int:
        if batch == 5:
            raise ValueError("batch 5")
        return batch

    with pytest.raises(ValueError, match="batch 5"):
        list(local.run(streams([10, 10]), work, jobs))


def test_leaving_early_stops_the_supply() -> None:
    taken: list[int] = []

    def supply() -> Iterator[int]:
        for n in range(1_000):
            taken.append(n)
            yield n

    results = local.run(iter([supply()]), lambda batch: batch, 2)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert len(taken) < 20


def test_batches_read_ahead_come_first_and_none_is_lost() -> None:
    taken: list[int] = []

    def supply(numbers: range) -> Iterator[int]:
        for number in numbers:
            taken.append(number)
            yield number

    streams = local.read_ahead(iter([supply(range(5)), supply(range(5, 8))]), 3, lambda: False)
    assert taken == [0, 1, 2]
    assert [list(stream) for stream in streams] == [[0, 1, 2, 3, 4], [5, 6, 7]]


@pytest.mark.parametrize("sizes", [[], [0], [1, 2]])
def test_reading_ahead_of_less_than_asked_gives_what_there_is(sizes: list[int]) -> None:
    assert [list(stream) for stream in local.read_ahead(streams(sizes), 9, lambda: False)] == [list(stream) for stream in streams(sizes)]


def test_no_more_is_read_ahead_once_it_is_waited_for() -> None:
    taken: list[int] = []

    def begin(enough: Callable[[], bool]) -> Iterator[Iterator[int]]:
        def supply() -> Iterator[int]:
            for number in range(9):
                while number == 3 and not enough():
                    time.sleep(0.001)
                taken.append(number)
                yield number

        return local.read_ahead(iter([supply()]), 9, enough)

    with local.beside(begin, at_once=True) as opening:
        (stream,) = opening()
        assert len(taken) <= 4
        assert list(stream) == list(range(9))


@pytest.mark.parametrize("at_once", [False, True])
def test_what_is_begun_beside_runs_once_and_its_error_is_raised_where_it_is_asked_for(at_once: bool) -> None:
    begun: list[bool] = []

    def begin(enough: Callable[[], bool]) -> int:
        begun.append(enough())
        raise KeyError("reading")

    with local.beside(begin, at_once=at_once) as result, pytest.raises(KeyError, match="reading"):
        result()
    assert len(begun) == 1
    with pytest.raises(ValueError, match="rules"), local.beside(begin, at_once=at_once):
        raise ValueError("rules")
    assert len(begun) == (2 if at_once else 1)
