"""The local runner: every batch once, errors out, no more threads than asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterator

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
