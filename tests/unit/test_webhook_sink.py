"""The sink `webhook`: signatures, texts for people, and what the statuses of a receiver mean."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator

import pytest

from engine.documents.delivered import Layout
from engine.model import Level, State
from engine.sinks import make_sink
from engine.sinks.base import Delivery, Sent
from engine.sinks.retrying import Backoff
from engine.sinks.webhook import SIGNATURE, WebhookSink, incident_text, sign
from tests.outbox import LIVE, NOW, configured, deliveries, delivery, incident_delivery, kept
from tests.webhook_double import Receiver, receiver


@pytest.fixture
def got() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


def sink(got: Receiver, **options: object) -> WebhookSink:
    made = make_sink(configured("hook", "webhook", url=got.url, **options))
    assert isinstance(made, WebhookSink)
    made.backoff = Backoff(sleep=lambda seconds, stopped: None, attempts=4)
    return made


def some(*numbers: int) -> list[Delivery]:
    return deliveries(numbers, Layout.NDJSON)


def test_every_attempt_is_signed_over_its_time_and_body(got: Receiver) -> None:
    got.script.append((503, {}))
    assert sink(got, secret="k1").send(some(0), NOW).delivered == [1]
    for request in got.requests:
        signed = dict(part.split("=") for part in request.headers[SIGNATURE.lower()].split(","))
        assert abs(int(signed["t"]) - NOW.timestamp()) < 60
        assert signed["v1"] == hmac.new(b"k1", f"{signed['t']}.".encode() + request.body, hashlib.sha256).hexdigest()
        assert request.headers["idempotency-key"] == f"{0:032x}-1"
    assert sign(b"k1", b"body", 7) != sign(b"k2", b"body", 7)


def test_without_a_secret_nothing_is_signed(got: Receiver) -> None:
    sink(got).send(some(0), NOW)
    assert SIGNATURE.lower() not in got.requests[0].headers
    assert json.loads(got.requests[0].body)["uid"] == f"{0:032x}"


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_what_may_pass_is_tried_again_and_stays(got: Receiver, status: int) -> None:
    got.always = status
    hook = sink(got)
    outcome = hook.send(some(0, 1, 2), NOW)
    assert (outcome.delivered, outcome.dead) == ([], [])
    assert [number for number, _ in outcome.retry] == [1, 2][: len(outcome.retry)]
    assert outcome.stopped is not None
    assert len(got.requests) <= 8


def test_a_receiver_is_waited_for_as_long_as_it_asks(got: Receiver) -> None:
    got.script.append((429, {"retry-after": "2"}))
    pauses: list[float] = []
    hook = sink(got)
    hook.backoff = Backoff(sleep=lambda seconds, stopped: pauses.append(seconds))
    assert hook.send(some(0), NOW).delivered == [1]
    assert pauses == [2.0]


def test_a_sink_that_is_to_stop_waits_for_no_busy_receiver_and_leaves_the_rest(got: Receiver) -> None:
    got.script.append((503, {"retry-after": "30"}))
    hook = sink(got)
    hook.backoff = Backoff()
    outcome = hook.send(some(0, 1), NOW, lambda: bool(got.requests))
    assert (len(got.requests), outcome.delivered, outcome.retry, outcome.dead) == (1, [], [], [])
    assert "interrupted" in str(outcome.stopped)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_is_refused_is_dead_and_the_others_go_on(got: Receiver, status: int) -> None:
    got.script.append((status, {}))
    outcome = sink(got).send(some(0, 1), NOW)
    assert outcome.delivered == [2]
    assert [number for number, _ in outcome.dead] == [1]


@pytest.mark.parametrize("status", [301, 307, 401, 403, 404])
def test_a_wrong_address_or_secret_makes_nothing_dead(got: Receiver, status: int) -> None:
    got.script.append((status, {"location": "http://127.0.0.1:1/"}))
    outcome = sink(got).send(some(0, 1), NOW)
    assert (outcome.delivered, outcome.dead, outcome.retry) == ([], [], [])
    assert str(status) in str(outcome.stopped)
    assert got.url not in str(outcome.stopped)
    assert len(got.requests) == 1


def test_people_read_what_is_new_rose_or_ended_and_not_every_event(got: Receiver) -> None:
    hook = sink(got, style="slack")
    sent = [
        delivery(kept(0), Layout.NDJSON),
        delivery(kept(1, revision=2), Layout.NDJSON, previous=LIVE),
        delivery(kept(2, revision=2, level=Level.CRITICAL), Layout.NDJSON, previous=Sent(Level.LOW, State.LIVE)),
        delivery(kept(3, revision=2, state=State.RETRACTED, why="late data"), Layout.NDJSON, previous=LIVE),
    ]
    assert hook.send(sent, NOW).delivered == [1, 2, 3, 4]
    texts = [json.loads(request.body)["text"] for request in got.taken]
    assert [text.splitlines()[0] for text in texts] == [
        "*[HIGH] Trail deleted*",
        "*[CRITICAL] Trail deleted* (level rose)",
        "*[HIGH] Trail deleted* (retracted)",
    ]
    assert "called DeleteTrail" in texts[0]
    assert "late data" in texts[2]


def test_texts_of_logs_make_no_link_and_call_nobody(got: Receiver) -> None:
    hook = sink(got, style="slack")
    hook.send([delivery(kept(reason="<!channel> <https://evil.example|click> @here `x` *b* & " + "long " * 2000), Layout.NDJSON)], NOW)
    [request] = got.taken
    text = json.loads(request.body)["text"]
    assert "<" not in text
    assert "@here" not in text
    assert "&lt;!channel&gt;" in text
    assert len(text) < 3100


def test_people_read_an_incident_without_its_markup() -> None:
    found = incident_delivery(7, 1, Layout.NDJSON, title="a <@U1> `b`")
    text = incident_text(dict(found.document), found.change)
    assert text.startswith("*[MEDIUM ")
    assert "] a &lt;" in text
    assert "<@U1>" not in text
    assert "discovery" in text
    assert text.endswith("incident " + f"{7:032x}")
