"""Due times of jobs to threads that run them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from apscheduler.executors.base import BaseExecutor

Fire = Callable[[str, datetime, bool], None]
"""Runs the job of that name that was due at that time; the last says that it was begun before."""


class Threads(BaseExecutor):  # type: ignore[misc]  # APScheduler has no types
    """A thread for every job under way. Unlike APScheduler's own it tells a job when it was due: what it is known by among schedulers."""

    def __init__(self, fire: Fire, workers: int) -> None:
        super().__init__()
        self._fire = fire
        self._pool = ThreadPoolExecutor(max(workers, 1), thread_name_prefix="job")

    def take_over(self, job: str, due: datetime) -> None:
        """Run once more what another scheduler began."""
        self._pool.submit(self._fire, job, due, True)

    def shutdown(self, wait: bool = True) -> None:
        """Wait for the threads; what did not begin yet does not."""
        self._pool.shutdown(wait, cancel_futures=True)

    def _do_submit_job(self, job: Any, run_times: Sequence[datetime]) -> None:
        def run() -> None:
            for due in run_times:
                self._fire(job.id, due, False)

        self._pool.submit(run).add_done_callback(lambda _: self._run_job_success(job.id, []))
