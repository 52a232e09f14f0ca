"""The drain of the outbox: pages, limits, what is recorded, and that one failure keeps nothing else back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest

from engine.documents.delivered import Layout
from engine.errors import SinkError
from engine.model import Level, State
from engine.sinks import drain as draining
from engine.sinks.base import Delivery, Outcome, Sent, change
from engine.sinks.drain import drain
from engine.sinks.retrying import Backoff, Breaker, never, retry_after
from tests.outbox import NOW, Human, MemoryOutbox, grown, kept


@dataclass
class Recorder:
    """A sink that keeps what it gets; ``fate`` says what becomes of a uid."""

    name: str = "memory"
    layout: Layout = Layout.NDJSON
    sends: list[list[Delivery]] = field(default_factory=list)
    fate: dict[int, str] = field(default_factory=dict)

    def install(self) -> list[str]:
        return []

    def test(self) -> list[str]:
        return []

    def close(self) -> None: ...

    def send(self, deliveries: Sequence[Delivery], now: datetime, stopped: Callable[[], bool] = never) -> Outcome:
        self.sends.append(list(deliveries))
        outcome = Outcome()
        for each in deliveries:
            word = self.fate.get(each.id, "delivered")
            if word == "stop":
                outcome.stopped = SinkError("enough")
                break
            if word == "delivered":
                outcome.delivered.append(each.id)
            else:
                getattr(outcome, word).append((each.id, "why"))
        return outcome


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draining, "PAGE", 4)


def test_pages_are_read_to_the_end_and_recorded_one_by_one() -> None:
    sink, outbox = Recorder(), MemoryOutbox(map(kept, range(10)))
    [report] = drain(outbox, [sink], NOW)
    assert [len(send) for send in sink.sends] == [4, 4, 2]
    assert (report.delivered, report.failed, outbox.rows) == (10, False, {})


@pytest.mark.parametrize(("limit", "sizes"), [(0, []), (3, [3]), (6, [4, 2])])
def test_a_limit_is_kept(limit: int, sizes: list[int]) -> None:
    sink = Recorder()
    drain(MemoryOutbox(map(kept, range(10))), [sink], NOW, limit)
    assert [len(send) for send in sink.sends] == sizes


def test_what_failed_is_not_asked_for_again_in_the_same_drain() -> None:
    sink, outbox = Recorder(fate={2: "retry", 5: "dead"}), MemoryOutbox(map(kept, range(8)))
    [report] = drain(outbox, [sink], NOW)
    assert (report.delivered, report.retry, report.dead, report.reason) == (6, 1, 1, "why")
    assert [each.id for send in sink.sends for each in send] == list(range(1, 9))
    assert set(outbox.rows) == {2, 5}
    assert outbox.dead == {5: "why"}


def test_a_sink_that_stops_keeps_no_other_from_its_own() -> None:
    stopping, outbox = Recorder("one", fate={6: "stop"}), MemoryOutbox(map(kept, range(10)))
    first, second = drain(outbox, [stopping, Recorder("two")], NOW)
    assert (first.delivered, first.stopped) == (5, "enough")
    assert second.delivered == 5
    assert first.failed
    assert not second.failed


def test_an_alert_of_which_no_document_can_be_made_is_dead_and_stops_no_other() -> None:
    odd: Any = kept(1, group=(("only a name",),))
    outbox = MemoryOutbox([kept(0), odd, kept(2)])
    [report] = drain(outbox, [Recorder()], NOW)
    assert (report.delivered, report.dead) == (2, 1)
    assert outbox.dead[2].startswith("no document could be made: ValueError")


def test_deliveries_know_what_the_sink_was_told_before() -> None:
    sink, outbox = Recorder(), MemoryOutbox([kept(level=Level.LOW)])
    drain(outbox, [sink], NOW)
    outbox.put(grown(kept(), level=Level.HIGH))
    drain(outbox, [sink], NOW)
    first, second = (send[0] for send in sink.sends)
    assert (first.first, first.change) == (True, None)
    assert (second.first, second.change, second.revision) == (False, "level rose", 2)


def test_documents_say_what_became_of_the_alert() -> None:
    sink = Recorder()
    stored = kept(0, 3, state=State.SUPERSEDED, why="late data", superseded_by=("f" * 32,), human=Human())
    drain(MemoryOutbox([stored]), [sink], NOW)
    document = sink.sends[0][0].document
    assert (document["revision"], document["state"], document["why"], document["superseded_by"]) == (3, "superseded", "late data", ["f" * 32])
    assert document["human"] == {"status": "closed", "verdict": "benign", "reason": "a planned change", "assignee": "ana"}
    assert (document["created"], document["updated"]) == ("2026-03-02T07:00:00.000000Z", "2026-03-02T08:00:00.000000Z")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (("low", "live"), ("high", "live"), "level rose"),
        (("high", "live"), ("low", "live"), None),
        (("high", "open"), ("high", "live"), None),
        (("high", "live"), ("high", "retracted"), "retracted"),
        (("high", "retracted"), ("high", "retracted"), None),
        (("high", "retracted"), ("high", "superseded"), "superseded"),
        (("high", "superseded"), ("high", "live"), "live again"),
    ],
)
def test_what_is_news(before: tuple[str, str], after: tuple[str, str], said: str | None) -> None:
    one, other = (Sent(Level.of(level), State(state)) for level, state in (before, after))
    assert change(one, other) == said


def test_pauses_double_and_what_a_server_asks_for_is_bounded() -> None:
    pauses: list[float] = []
    backoff = Backoff(first=1, longest=6, sleep=lambda seconds, stopped: pauses.append(seconds))
    for attempt in range(1, 6):
        backoff.wait(attempt)
    assert all(0.5 * want <= pause <= want for pause, want in zip(pauses, [1, 2, 4, 6, 6], strict=True))
    backoff.wait(1, 3)
    backoff.wait(1, 3_600)
    assert pauses[5:] == [3, 6]
    assert [retry_after(text) for text in (None, "7", "Wed, 21 Oct 2026 07:28:00 GMT")] == [None, 7.0, None]


def test_the_breaker_opens_pauses_and_decides_by_one_request() -> None:
    ticks = [0.0]
    breaker = Breaker(limit=2, pause=10, clock=lambda: ticks[0])
    breaker.failure()
    breaker.success()
    breaker.failure()
    assert breaker.allows()
    breaker.failure()
    assert not breaker.allows()
    ticks[0] = 10
    assert breaker.allows()
    breaker.failure()
    assert not breaker.allows()
    ticks[0] = 20
    breaker.success()
    assert breaker.allows()
