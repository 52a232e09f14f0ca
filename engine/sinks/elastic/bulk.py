"""Bulks: bounded by bytes and number, tried again item by item, split where they are too large, stopped where nobody answers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.documents.common import timestamp
from engine.errors import SinkError, TransientSinkError
from engine.sinks.base import Outcome, interrupted
from engine.sinks.elastic.client import as_sink_error
from engine.sinks.elastic.operations import STATE_FIELDS, Meaning, Operation, Work, known_already, meaning, state_in
from engine.sinks.elastic.templates import stream
from engine.sinks.retrying import TRANSIENT, Backoff, Breaker, Clock, never, retry_after

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

_TOO_LARGE = 413
_BUSY = 429
_BULK = "/_bulk?filter_path=items.*.status,items.*.error,items.*._index,items.*._id"
_HEADERS = {"accept": "application/json", "content-type": "application/x-ndjson"}

Answers = list[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Failure:
    """A bulk that was not taken as a whole, with the status and the pause the server asks for."""

    error: SinkError
    status: int | None = None
    pause: float | None = None


@dataclass(slots=True)
class Bulk:
    """One way of sending: to which server, in bulks of which size, and with how much patience."""

    client: Elasticsearch
    sink: str
    namespace: str
    max_bytes: int
    max_items: int
    backoff: Backoff
    breaker: Breaker
    stopped: Callable[[], bool] = never

    def send(self, works: Sequence[Work], clock: Clock) -> Outcome:
        """Send ``works``; each ends in one list of the outcome, unless that says why sending stopped."""
        outcome = Outcome()
        waiting = deque(self._parts(works))
        while waiting and outcome.stopped is None:
            self._part(waiting.popleft(), clock, outcome, waiting)
        return outcome

    def skip_known(self, works: Sequence[Work]) -> None:
        """Take out what older backing indices hold already: a `create` looks only into the one that is written now. Raises what the client raises."""
        wanted = {operation.id: work for work in works for operation in work.left if operation.in_stream}
        if not wanted:
            return
        answer = self.client.search(
            index=stream(self.namespace),
            query={"ids": {"values": list(wanted)}},
            source_includes=list(STATE_FIELDS),
            size=len(wanted),
            track_total_hits=False,
        )
        for hit in answer.body["hits"]["hits"]:
            known_already(wanted[hit["_id"]], hit["_id"], state_in(hit), self.namespace)

    def _parts(self, works: Sequence[Work]) -> Iterator[list[Work]]:
        part: list[Work] = []
        size = 0
        for work in works:
            if part and (size + work.size > self.max_bytes or len(part) >= self.max_items):
                yield part
                part, size = [], 0
            part.append(work)
            size += work.size
        if part:
            yield part

    def _part(self, part: list[Work], clock: Clock, outcome: Outcome, waiting: deque[list[Work]]) -> None:
        """One bulk, again and again until each of its works is done, dead or out of attempts."""
        whole, failures = len(part), 0
        while part:
            if self.stopped():
                outcome.stopped = interrupted(self.sink)
                return
            if not self.breaker.allows():
                outcome.stopped = TransientSinkError(
                    f"sink {self.sink}: not asked again for now: {part[0].last or 'it failed several times in a row'}"
                )
                return
            answers, failure = self._request(part, clock)
            if failure is None:
                part = self._read(part, answers, outcome)
            elif failure.status == _TOO_LARGE:
                self._split(part, waiting, outcome, failure.error)
                return
            elif failure.status == _BUSY and len(part) > 1:
                self.backoff.wait(1, failure.pause, self.stopped)  # memory for a smaller one may be there
                self._split(part, waiting, outcome, failure.error)
                return
            elif not failure.error.transient:
                outcome.stopped = failure.error
            else:
                part = _failed(part, str(failure.error))
            if outcome.stopped is not None or not part:
                return
            if any(work.last for work in part):
                failures += 1
                if failures >= self.backoff.attempts:
                    _give_up(part, whole, outcome, self.sink)
                    return
                if self.breaker.allows():
                    self.backoff.wait(failures, failure.pause if failure else None, self.stopped)

    def _request(self, part: list[Work], clock: Clock) -> tuple[Answers, Failure | None]:
        """The answers to the operations of ``part`` in their order, or why there are none."""
        from elastic_transport import TransportError
        from elasticsearch import ApiError

        ingested = timestamp(clock.now()).encode()
        body = b"".join(operation.at(ingested) for work in part for operation in work.left)
        try:
            answer = self.client.perform_request("POST", _BULK, headers=_HEADERS, body=body)
        except ApiError as error:
            self._count(error.status_code not in TRANSIENT or (error.status_code == _BUSY and len(part) > 1))
            return [], Failure(as_sink_error(self.sink, error), error.status_code, retry_after(error.meta.headers.get("retry-after")))
        except (TransportError, OSError) as error:
            self._count(False)
            return [], Failure(as_sink_error(self.sink, error))
        answers = list(answer.body.get("items", []))
        expected = sum(len(work.left) for work in part)
        good = len(answers) == expected
        self._count(good)
        return answers, None if good else Failure(TransientSinkError(f"sink {self.sink}: {len(answers)} answers to {expected} operations"))

    def _count(self, good: bool) -> None:
        if good:
            self.breaker.success()
        else:
            self.breaker.failure()

    def _split(self, part: list[Work], waiting: deque[list[Work]], outcome: Outcome, error: SinkError) -> None:
        """Half of it at a time, in order; a delivery that is too large alone is given up."""
        if len(part) == 1:
            outcome.dead.append((part[0].delivery.id, f"{error}; this alert alone is larger than the server takes"))
        else:
            middle = len(part) // 2
            waiting.extendleft((part[middle:], part[:middle]))

    def _read(self, part: list[Work], answers: Answers, outcome: Outcome) -> list[Work]:
        """Sort ``part`` by the answers; those that need another attempt come back, with ``last`` where a failure is the cause."""
        given = iter(answers)
        clashes: list[tuple[Work, Operation, str]] = []
        for work in part:
            work.last, left = "", list[Operation]()
            for operation in work.left:
                answer = next(given)
                what, reason = meaning(answer)
                if what is Meaning.FAULT:
                    work.fault = reason
                elif what in (Meaning.RETRY, Meaning.REFUSED):
                    left.append(operation)
                    work.last = reason
                    if what is Meaning.REFUSED:
                        outcome.stopped = SinkError(f"sink {self.sink}: the index refuses to be written: {reason}")
                elif what is Meaning.EXISTS and operation.in_stream and operation.id == work.delivery.uid and work.delivery.revision > 1:
                    clashes.append((work, operation, str(next(iter(answer.values()))["_index"])))
            work.left = left
        self._tell_changes(clashes)
        outcome.dead += [(work.delivery.id, work.fault) for work in part if work.fault is not None]
        outcome.delivered += [work.delivery.id for work in part if work.fault is None and not work.left]
        return [work for work in part if work.fault is None and work.left]

    def _tell_changes(self, clashes: list[tuple[Work, Operation, str]]) -> None:
        """These alerts are in the stream from an attempt that nobody recorded: ask in which state, and tell what changed since."""
        from elastic_transport import TransportError
        from elasticsearch import ApiError

        if not clashes:
            return
        try:
            docs = [{"_index": where, "_id": operation.id, "_source": list(STATE_FIELDS)} for _, operation, where in clashes]
            found = self.client.mget(docs=docs).body["docs"]
        except (ApiError, TransportError, OSError) as error:
            for work, operation, _ in clashes:
                work.left.append(operation)
                work.last = str(as_sink_error(self.sink, error))
            return
        for (work, operation, _), answer in zip(clashes, found, strict=True):
            known_already(work, operation.id, state_in(answer), self.namespace)


def _failed(part: list[Work], reason: str) -> list[Work]:
    for work in part:
        work.last = reason
    return part


def _give_up(part: list[Work], whole: int, outcome: Outcome, sink: str) -> None:
    """Out of attempts: another run tries again. Where not one of a bulk was taken, there is no sense in trying the next."""
    outcome.retry += [(work.delivery.id, work.last) for work in part]
    if len(part) == whole:
        outcome.stopped = TransientSinkError(f"sink {sink}: nothing is taken at the moment: {part[0].last}")
