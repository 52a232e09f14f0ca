"""The Spark runner: the same work as tasks of a Spark session.

Spark plans, retries, shuffles and scales. A task's files have names of their own and count only when the attempt that wrote them has given them back,
so attempts that were lost or doubled leave nothing but files nobody names.
"""

from __future__ import annotations

import pickle
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa

from engine.documents.redaction import redact_text
from engine.errors import CrosswindError, EngineError
from engine.runners import spark_tasks
from engine.runners.base import Divide, Reduce, Result, Stage, StageProgress, Task, never
from engine.runners.spark_session import need_pyspark
from engine.runners.spark_tasks import Failed, Parcel

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Value = TypeVar("Value")

_POLL = 0.2
_JOBS = 16
"""Most jobs of one stage that are under way together. Results come job by job: what is done when somebody stops are the jobs that had ended."""
_SLOTS_UNKNOWN = 8
"""Slots of a session that does not tell: one behind Spark Connect."""


class SparkRunner:
    """Work as tasks of a session that is there already: one of this program, or that of a notebook.

    ``tasks``: into how many tasks work is divided (None: as its size asks for). ``progress`` is told how far each stage is, ``notes`` a
    sentence where work cannot be divided well. The workers need this
    program, and must see the files it reads and the directory it writes to under the same paths.
    """

    shares_memory = False

    def __init__(
        self,
        spark: SparkSession,
        *,
        tasks: int | None = None,
        progress: Callable[[StageProgress], None] | None = None,
        notes: Callable[[str], None] | None = None,
    ) -> None:
        need_pyspark()
        self._spark = spark
        self._progress = progress
        self._notes = notes
        self._remote = ".connect." in type(spark).__module__
        self._heard: dict[str | None, tuple[int, int]] = {}
        self.tasks = tasks
        self.slots: int = _SLOTS_UNKNOWN if self._remote else spark.sparkContext.defaultParallelism

    def note(self, text: str) -> None:
        """See `Runner.note`."""
        if self._notes is not None:
            self._notes(text)

    def each(self, stage: Stage, work: Callable[[Task], Result], tasks: Sequence[Task], stopped: Callable[[], bool] = never) -> Iterator[Result]:
        """See `Runner.each`."""
        if not tasks:
            return
        parcel, release = self._parcel(work)
        try:
            size = max(self.slots, -(-len(tasks) // _JOBS))  # so that every job but the last has work for all
            jobs = [self._described(tasks[start : start + size]) for start in range(0, len(tasks), size)]
            yield from self._results(stage, [job.mapInArrow(spark_tasks.each(parcel), spark_tasks.RESULT_DDL) for job in jobs], stopped)
        finally:
            release()

    def heaps(
        self, stage: Stage, divide: Divide[Task], tasks: Sequence[Task], reduce: Reduce[Result], stopped: Callable[[], bool] = never
    ) -> Iterator[Result]:
        """See `Runner.heaps`."""
        if not tasks:
            return
        parcel, release = self._parcel((divide, reduce))
        try:
            divided = self._described(tasks).mapInArrow(spark_tasks.divide(parcel), spark_tasks.TASK_DDL)
            frame = divided.groupBy("number").applyInArrow(spark_tasks.reduce(parcel), spark_tasks.RESULT_DDL)
            yield from self._results(stage, [frame], stopped)
        finally:
            release()

    def _parcel(self, work: Any) -> tuple[Parcel, Callable[[], None]]:
        """``work`` as it travels, and what to call when it is not needed any more."""
        content = pickle.dumps(work, pickle.HIGHEST_PROTOCOL)
        digest = sha256(content).hexdigest()
        if self._remote:
            return Parcel(digest, content), lambda: None
        broadcast = self._spark.sparkContext.broadcast(content)
        return Parcel(digest, broadcast), lambda: broadcast.unpersist()

    def _described(self, tasks: Sequence[Any]) -> DataFrame:
        """One partition a task: what Spark runs, and runs again, is one of ours."""
        rows = pa.Table.from_arrays(
            [
                pa.array(range(len(tasks)), pa.int32()),
                pa.array([pickle.dumps(task, pickle.HIGHEST_PROTOCOL) for task in tasks], pa.binary()),
            ],
            schema=spark_tasks.TASK,
        )
        return self._spark.createDataFrame(rows).repartitionById(len(tasks), "number")

    def _results(self, stage: Stage, frames: Sequence[DataFrame], stopped: Callable[[], bool]) -> Iterator[Any]:
        tag = f"crosswind-{uuid.uuid4().hex}"

        def collect(frame: DataFrame) -> list[Any]:
            self._label(tag, stage)
            return frame.collect()

        # Jobs are labelled by thread, and this one has to see whether somebody wants to stop.
        with self._listening(), ThreadPoolExecutor(len(frames), thread_name_prefix="crosswind-spark") as pool:
            running = [pool.submit(collect, frame) for frame in frames]
            try:
                for row in self._awaited(running, tag, stage, stopped):
                    result = pickle.loads(row[0])  # noqa: S301  made by our own tasks
                    if isinstance(result, Failed):
                        raise result.error
                    yield result
            finally:
                self._end(running, tag)

    def _awaited(self, running: Sequence[Future[list[Any]]], tag: str, stage: Stage, stopped: Callable[[], bool]) -> Iterator[Any]:
        """The rows of every job as it ends; where somebody wants to stop, of those that had ended."""
        waiting = set(running)
        while waiting and not stopped():
            done, waiting = wait(waiting, timeout=_POLL, return_when=FIRST_COMPLETED)
            self._tell(tag, stage)
            for one in done:
                try:
                    rows = one.result()
                except Exception as error:
                    raise _explained(error) from error
                yield from rows
        self._end(running, tag)
        for one in waiting:
            if not one.cancelled() and one.exception() is None:
                yield from one.result()

    def _end(self, running: Iterable[Future[list[Any]]], tag: str) -> None:
        """See that no job is under way any more."""
        waiting = {one for one in running if not one.cancel() and not one.done()}
        while waiting:
            self._cancel(tag)  # again and again: what begins just now was not there to be cancelled the first time
            waiting = wait(waiting, timeout=_POLL).not_done

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Spark Connect has no tracker to be asked: it tells of its own accord how far it is."""
        self._heard = {}
        if not self._remote or self._progress is None:
            yield
            return

        told: Any = self._spark

        def hear(stages: Iterable[Any] | None, inflight_tasks: int, operation_id: str | None, done: bool) -> None:
            found = list(stages or ())
            if found:
                self._heard[operation_id] = (sum(each.num_completed_tasks for each in found), sum(each.num_tasks for each in found))

        told.registerProgressHandler(hear)
        try:
            yield
        finally:
            told.removeProgressHandler(hear)

    def _label(self, tag: str, stage: Stage) -> None:
        told = f"crosswind: {stage.doing}" + (f", {stage.about}" if stage.about else "")
        if self._remote:
            self._spark.addTag(tag)
            self._spark.addTag(told.replace(",", ";"))  # a tag must not have a comma
        else:
            self._spark.sparkContext.setJobGroup(tag, told, interruptOnCancel=True)

    def _cancel(self, tag: str) -> None:
        if self._remote:
            self._spark.interruptTag(tag)
        else:
            self._spark.sparkContext.cancelJobGroup(tag)

    def _tell(self, tag: str, stage: Stage) -> None:
        if self._progress is None:
            return
        done, total = (sum(numbers) for numbers in zip((0, 0), *list(self._heard.values()), strict=True))
        if not self._remote:
            tracker = self._spark.sparkContext.statusTracker()
            for job in tracker.getJobIdsForGroup(tag):
                about = tracker.getJobInfo(job)
                for number in about.stageIds if about is not None else ():
                    info = tracker.getStageInfo(number)
                    if info is not None and info.numTasks:
                        done, total = done + info.numCompletedTasks, total + info.numTasks
        self._progress(StageProgress(stage.doing, done, total))


def _explained(error: Exception) -> CrosswindError:
    """What Spark says went wrong, in one line with the way out where there is a known one."""
    text = str(error)
    if (lacking := re.search(r"ModuleNotFoundError: No module named '([\w.]+)'", text)) is not None:
        return EngineError(
            f"the workers of this cluster do not have crosswind, or not this version (no module {lacking[1]}): install it on them, or send it along "
            "with --ship-code"
        )
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    last = next((line for line in reversed(lines) if "Error" in line or "Exception" in line), lines[-1] if lines else type(error).__name__)
    return EngineError(f"Spark gave up: {redact_text(last)[:300]} (`crosswind --debug …` shows all of it)")
