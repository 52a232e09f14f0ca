"""The sink `elasticsearch` against the protocol double: what is sent, and what becomes of every kind of failure.

Credentials, TLS, proxies and lifecycle are tested here only: the node of the other tests has none of them.
"""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.config import SinkConfig
from engine.errors import ConfigError, SinkError, TransientSinkError
from engine.model import Level, State
from engine.sinks import make_sink
from engine.sinks.base import Sent
from engine.sinks.drain import drain
from engine.sinks.elastic.mappings import mappings
from engine.sinks.elasticsearch import ElasticsearchSink
from engine.sinks.retrying import Backoff, Breaker
from tests.alert_samples import AI_EVIDENCE
from tests.elasticsearch_double import Double, Handler, elasticsearch_double, serve
from tests.outbox import LIVE, NOW, Human, MemoryOutbox, configured, deliveries, delivery, grown, kept

STREAM, INDEX = "logs-crosswind.alert-default", "crosswind-alerts-default"


@pytest.fixture
def double() -> Iterator[Double]:
    with elasticsearch_double() as made:
        yield made


class Sleeper:
    """Takes the place of sleeping, and remembers for how long."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    def __call__(self, seconds: float, stopped: Callable[[], bool]) -> None:
        self.pauses.append(seconds)


def sink(double: Double, **options: object) -> ElasticsearchSink:
    made = make_sink(configured("siem", "elasticsearch", **{"hosts": double.url, **options}))
    assert isinstance(made, ElasticsearchSink)
    made.backoff = Backoff(sleep=Sleeper())
    return made


def error(kind: str, reason: str = "because") -> dict[str, str]:
    return {"type": kind, "reason": reason}


def test_an_alert_goes_once_to_the_stream_and_its_latest_state_to_the_index(double: Double) -> None:
    es = sink(double)
    first = kept()
    assert es.send([delivery(first)], NOW).delivered == [1]
    more = grown(first, count=7)
    assert es.send([delivery(more, previous=LIVE)], NOW).delivered == [1]
    [(uid, document)] = double.stream(STREAM).items()
    assert uid == first.alert.uid
    assert document["event"]["kind"] == "alert"
    assert document["event"]["ingested"].startswith("2026-03-02T08:00:00")
    assert document["crosswind"]["alert"]["count"] == 2
    assert document["data_stream"] == {"type": "logs", "dataset": "crosswind.alert", "namespace": "default"}
    latest = double.documents[INDEX][uid]
    assert latest["crosswind"]["alert"]["count"] == 7
    assert latest["crosswind"]["alert"]["revision"] == 2
    assert "data_stream" not in latest


def test_sending_the_same_again_is_success_and_an_older_state_replaces_nothing(double: Double) -> None:
    es = sink(double)
    first = kept()
    assert es.send([delivery(grown(first, count=7), previous=LIVE)], NOW).delivered == [1]
    assert es.send([delivery(first)], NOW).delivered == [1]
    assert es.send([delivery(first)], NOW).delivered == [1]
    assert len(double.stream(STREAM)) == 1
    assert double.documents[INDEX][first.alert.uid]["crosswind"]["alert"]["count"] == 7


@pytest.mark.parametrize(
    ("before", "changes", "change", "kind"),
    [
        (Sent(Level.LOW, State.LIVE), {}, "level rose", "event"),
        (Sent(Level.INFORMATIONAL, State.LIVE), {}, "level rose", "alert"),
        (LIVE, {"state": State.RETRACTED, "why": "late data"}, "retracted", "event"),
        (LIVE, {"state": State.SUPERSEDED, "superseded_by": ("f" * 32,)}, "superseded", "event"),
        (Sent(Level.HIGH, State.RETRACTED), {}, "live again", "alert"),
    ],
)
def test_news_of_a_known_alert_are_told_under_uid_and_revision(double: Double, before: Sent, changes: dict[str, Any], change: str, kind: str) -> None:
    stored = kept(revision=4, **changes)
    es = sink(double)
    for _ in range(2):
        assert es.send([delivery(stored, previous=before)], NOW).delivered == [1]
    [(identity, document)] = double.stream(STREAM).items()
    assert identity == document["event"]["id"] == f"{stored.alert.uid}-4"
    assert document["event"]["kind"] == kind
    own = document["crosswind"]["alert"]
    assert (own["uid"], own["change"]) == (stored.alert.uid, change)
    assert own.get("why") == changes.get("why")
    assert own.get("superseded_by") == (list(changes["superseded_by"]) if "superseded_by" in changes else None)


@pytest.mark.parametrize("before", [LIVE, Sent(Level.CRITICAL, State.LIVE), Sent(Level.HIGH, State.OPEN)])
def test_an_alert_that_only_grew_or_fell_is_no_news(double: Double, before: Sent) -> None:
    assert sink(double).send([delivery(kept(revision=2), previous=before)], NOW).delivered == [1]
    assert double.stream(STREAM) == {}
    assert len(double.documents[INDEX]) == 1


def test_an_attempt_that_nobody_recorded_is_found_and_what_changed_since_is_told(double: Double) -> None:
    es = sink(double)
    low = kept(level=Level.LOW)
    es.send([delivery(low)], NOW)
    assert es.send([delivery(grown(low, level=Level.HIGH))], NOW).delivered == [1]
    uid = low.alert.uid
    assert set(double.stream(STREAM)) == {uid, f"{uid}-2"}
    assert double.stream(STREAM)[f"{uid}-2"]["crosswind"]["alert"]["change"] == "level rose"


@pytest.mark.parametrize("rises", [False, True])
def test_an_alert_in_an_older_backing_index_is_not_made_again(double: Double, rises: bool) -> None:
    es = sink(double)
    first = kept(level=Level.LOW)
    es.send([delivery(first)], NOW)
    double.roll_over(STREAM)
    again = grown(first, level=Level.HIGH) if rises else first
    assert es.send([delivery(again), delivery(kept(1))], NOW).delivered == [1, 2]
    uid = first.alert.uid
    assert set(double.stream(STREAM)) == {uid, f"{1:032x}"} | ({f"{uid}-2"} if rises else set())


def test_items_are_tried_again_alone_with_growing_pauses(double: Double) -> None:
    es = sink(double)
    left = [2]

    def busy(kind: str, index: str, document: dict[str, Any]) -> tuple[int, Any] | None:
        if document["crosswind"]["alert"]["uid"] == f"{1:032x}" and left[0]:
            left[0] -= 1
            return 429, error("es_rejected_execution_exception")
        return None

    double.reject = busy
    outcome = es.send(deliveries(range(3)), NOW)
    assert sorted(outcome.delivered) == [1, 2, 3]
    assert [len(request.body.splitlines()) for request in double.bulks()] == [12, 4]
    assert len(es.backoff.sleep.pauses) == 1  # type: ignore[attr-defined]


def test_every_attempt_has_its_own_time(double: Double) -> None:
    double.script.append((503, error("unavailable"), {}))
    es = sink(double)
    es.backoff = Backoff(first=0.01)
    assert es.send(deliveries([0]), NOW).delivered == [1]
    times = [json.loads(request.body.splitlines()[1])["event"]["ingested"] for request in double.bulks()]
    assert times[0] < times[1]


def test_a_sink_that_is_to_stop_waits_for_no_busy_server_and_leaves_the_rest(double: Double) -> None:
    double.script += [(503, error("unavailable"), {"retry-after": "30"})] * 9
    es = sink(double)
    es.backoff = Backoff()
    outcome = es.send(deliveries(range(3)), NOW, lambda: bool(double.bulks()))
    assert (len(double.bulks()), outcome.delivered, outcome.retry, outcome.dead) == (1, [], [], [])
    assert "interrupted" in str(outcome.stopped)


def test_out_of_attempts_the_item_waits_and_the_others_are_delivered(double: Double) -> None:
    double.reject = lambda kind, index, document: (503, error("unavailable")) if document["event"]["id"] == f"{1:032x}" else None
    es = sink(double, bulk_documents=2)
    outcome = es.send(deliveries(range(4)), NOW)
    assert outcome.delivered == [1, 3, 4]
    assert [number for number, _ in outcome.retry] == [2]
    assert outcome.stopped is None
    pauses = es.backoff.sleep.pauses  # type: ignore[attr-defined]
    assert len(pauses) == 5
    assert pauses == sorted(pauses) or max(pauses) <= 30


def test_where_nothing_is_taken_the_next_bulk_is_not_tried(double: Double) -> None:
    double.reject = lambda kind, index, document: (503, error("unavailable"))
    outcome = sink(double, bulk_documents=2).send(deliveries(range(6)), NOW)
    assert [number for number, _ in outcome.retry] == [1, 2]
    assert isinstance(outcome.stopped, TransientSinkError)
    assert len(double.bulks()) == 6


def test_what_the_server_refuses_is_dead_with_its_reason(double: Double) -> None:
    cause = {**error("document_parsing_exception", "[1:2] failed"), "caused_by": error("illegal_argument_exception", "too deep")}
    double.reject = lambda kind, index, document: (400, cause) if document["event"]["id"] == f"{1:032x}" else None
    outbox = MemoryOutbox(map(kept, range(3)))
    [report] = drain(outbox, [sink(double)], NOW)
    assert (report.delivered, report.dead, report.retry) == (2, 1, 0)
    assert outbox.dead == {2: "400 document_parsing_exception: [1:2] failed; illegal_argument_exception: too deep"}
    double.reject = lambda kind, index, document: None
    outbox.replay()
    assert drain(outbox, [sink(double)], NOW)[0].delivered == 1
    assert len(double.stream(STREAM)) == len(double.documents[INDEX]) == 3


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_block_or_missing_rights_make_nothing_dead(double: Double, status: int) -> None:
    double.reject = lambda kind, index, document: (status, error("cluster_block_exception", "index blocked by: [FORBIDDEN/8/index write (api)]"))
    outbox = MemoryOutbox(map(kept, range(3)))
    [report] = drain(outbox, [sink(double)], NOW)
    assert (report.delivered, report.dead, report.retry) == (0, 0, 0)
    assert report.failed
    assert report.stopped is not None
    assert "index blocked by" in report.stopped
    assert len(outbox.rows) == 3


def test_bulks_are_bounded_by_number_and_bytes(double: Double) -> None:
    assert len(sink(double, bulk_documents=2).send(deliveries(range(5)), NOW).delivered) == 5
    assert [len(request.body.splitlines()) // 4 for request in double.bulks()] == [2, 2, 1]
    double.requests.clear()
    most = 40_000
    sink(double, bulk_bytes=most).send(deliveries(range(10, 40)), NOW)
    assert len(double.bulks()) > 1
    assert all(len(request.body) <= most for request in double.bulks())


def test_a_bulk_that_is_too_large_is_split_until_it_fits_and_what_never_fits_is_dead(double: Double) -> None:
    big = delivery(kept(9, reason="x" * 30_000))
    double.most = 30_000
    outcome = sink(double).send([*deliveries(range(8)), big], NOW)
    assert sorted(outcome.delivered) == list(range(1, 9))
    [(number, reason)] = outcome.dead
    assert number == 10
    assert "413" in reason
    assert len(double.stream(STREAM)) == 8


def test_a_server_short_of_memory_gets_smaller_bulks(double: Double) -> None:
    double.script.extend([(429, {"error": error("es_rejected_execution_exception")}, {"retry-after": "3"})] * 2)
    es = sink(double)
    assert len(es.send(deliveries(range(8)), NOW).delivered) == 8
    assert [len(request.body.splitlines()) // 4 for request in double.bulks()] == [8, 4, 2, 2, 4]
    assert es.backoff.sleep.pauses == [3.0, 3.0]  # type: ignore[attr-defined]


def test_the_circuit_opens_after_failures_in_a_row_and_lets_one_through_later(double: Double) -> None:
    ticks = [0.0]
    es = sink(double)
    es.breaker = Breaker(limit=2, pause=60, clock=lambda: ticks[0])
    double.script.extend([(503, {"error": "down"}, {})] * 2)
    outbox = MemoryOutbox(map(kept, range(3)))
    [report] = drain(outbox, [es], NOW)
    assert "not asked again for now" in (report.stopped or "")
    asked = len(double.requests)
    assert drain(outbox, [es], NOW)[0].stopped is not None
    assert len(double.requests) == asked
    ticks[0] = 61
    assert drain(outbox, [es], NOW)[0].delivered == 3


def test_a_server_that_is_away_leaves_all_in_the_outbox(double: Double) -> None:
    es = sink(double)
    es.connection = replace(es.connection, hosts=("http://127.0.0.1:9",))
    outbox = MemoryOutbox(map(kept, range(3)))
    [report] = drain(outbox, [es], NOW)
    assert "cannot be reached" in (report.stopped or "")
    assert len(outbox.rows) == 3


def test_what_is_no_elasticsearch_is_told(double: Double) -> None:
    double.product = "OpenSearch"
    outcome = sink(double).send(deliveries([0]), NOW)
    assert "no Elasticsearch 9" in str(outcome.stopped)
    assert (outcome.delivered, outcome.dead) == ([], [])


def test_of_several_hosts_one_may_be_away(double: Double) -> None:
    es = sink(double, hosts=["http://127.0.0.1:9", double.url])
    assert drain(MemoryOutbox(map(kept, range(3))), [es], NOW)[0].delivered == 3


def test_what_is_no_json_stops_no_other(double: Double) -> None:
    odd = delivery(kept(1))
    odd = replace(odd, document={**odd.document, "message": "\ud800"})
    outcome = sink(double).send([delivery(kept()), odd], NOW)
    assert outcome.delivered == [1]
    assert [number for number, _ in outcome.dead] == [2]


@pytest.mark.parametrize(
    ("options", "authorization"),
    [
        ({"api_key": "a2V5"}, "ApiKey a2V5"),
        ({"username": "eve", "password": "pass"}, "Basic " + base64.b64encode(b"eve:pass").decode()),
    ],
)
def test_credentials_are_sent_and_their_lack_is_explained(double: Double, options: dict[str, object], authorization: str) -> None:
    double.authorization = authorization
    assert sink(double, **options).send(deliveries([0]), NOW).delivered == [1]
    outcome = sink(double).send(deliveries([1]), NOW)
    assert (outcome.delivered, outcome.dead) == ([], [])
    assert "check the credentials" in str(outcome.stopped)
    assert not getattr(outcome.stopped, "transient", True)


def test_requests_are_compressed(double: Double) -> None:
    sink(double).send(deliveries([0]), NOW)
    assert double.bulks()[0].headers["content-encoding"] == "gzip"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext, str]:
    """A certificate for 127.0.0.1, a server's context with it, and its fingerprint."""
    folder = tmp_path_factory.mktemp("tls")
    pem, key = folder / "cert.pem", folder / "key.pem"
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=double",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", pem],
        capture_output=True, check=False,
    )  # fmt: skip
    if made.returncode:
        pytest.skip("openssl is needed to make a certificate")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    shown = subprocess.run(["openssl", "x509", "-in", pem, "-noout", "-fingerprint", "-sha256"], capture_output=True, text=True, check=True).stdout
    return pem, context, shown.strip().partition("=")[2]


def test_tls_with_an_authority_or_a_fingerprint(certificate: tuple[Path, ssl.SSLContext, str]) -> None:
    pem, context, fingerprint = certificate
    with elasticsearch_double(context) as double:
        hosts = f"https://127.0.0.1:{double.port}"
        for good in ({"ca_certs": str(pem)}, {"ca_fingerprint": fingerprint}):
            assert sink(double, hosts=hosts, **good).send(deliveries([0]), NOW).delivered == [1]
        for bad in ({}, {"ca_fingerprint": "00" * 32}):
            outcome = sink(double, hosts=hosts, **bad).send(deliveries([0]), NOW)
            assert outcome.delivered == []
            assert "ca_certs or ca_fingerprint" in str(outcome.stopped)


def test_requests_go_through_a_proxy(double: Double) -> None:
    with serve(type("Proxy", (Handler,), {"double": double})) as port:
        es = sink(double, hosts="http://elastic.example:9200", proxy=f"http://ana:secret@127.0.0.1:{port}")
        assert es.send(deliveries([0]), NOW).delivered == [1]
    asked = double.requests[-1]
    assert asked.path.startswith("http://elastic.example:9200/_bulk")
    assert asked.headers["proxy-authorization"] == "Basic " + base64.b64encode(b"ana:secret").decode()


def test_install_puts_templates_and_never_replaces_newer_ones(double: Double) -> None:
    es = sink(double, namespace="prod", retention="90d")
    with pytest.raises(SinkError, match="sinks install siem"):
        es.test()
    es.install()
    es.install()
    assert set(double.component_templates) == {"crosswind-alert@mappings", "crosswind-alert@settings", "crosswind-incident@mappings"}
    stream = double.index_templates["logs-crosswind.alert"]
    assert stream["data_stream"] == {}
    assert stream["template"]["lifecycle"] == {"enabled": True, "data_retention": "90d"}
    assert stream["index_patterns"] == ["logs-crosswind.alert-*"]
    assert stream["priority"] > 200
    assert any("Elasticsearch 9" in line for line in es.test())
    stream["version"] = 99
    with pytest.raises(SinkError, match="version 99"):
        es.install()


def paths(mapping: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, field in mapping["properties"].items():
        if "properties" in field:
            yield from paths(field, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field


def leaves(value: Any, prefix: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, f"{prefix}.{name}" if prefix else name)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for inner in value:
            yield from leaves(inner, prefix)
    else:
        yield prefix


def test_every_field_that_is_sent_is_mapped(double: Double) -> None:
    known = dict(paths(mappings()))
    whole = {name for name, field in known.items() if field["type"] in ("flattened", "object")}
    es = sink(double)
    sent = [
        delivery(kept(0, human=Human())),
        delivery(kept(1, evidence=AI_EVIDENCE, state=State.SUPERSEDED, why="late data", superseded_by=("f" * 32,))),
        delivery(kept(2, revision=2, state=State.RETRACTED, why="rule changed"), previous=LIVE),
    ]
    es.send(sent, NOW)
    for document in [*double.stream(STREAM).values(), *double.documents[INDEX].values()]:
        for leaf in leaves(document):
            assert leaf in known or any(leaf.startswith(f"{name}.") for name in whole), leaf


def test_prompts_are_in_no_searchable_field() -> None:
    fields = dict(paths(mappings()))
    assert fields["crosswind.alert.content"] == {"type": "object", "enabled": False}
    assert fields["event.original"]["index"] is False
    document = delivery(kept(evidence=AI_EVIDENCE)).document
    assert set(document["crosswind"]["alert"]["content"]) == {"prompt_text", "tool_calls"}
    assert "message_context.prompt_text" not in document["crosswind"]["alert"]["evidence"]


def test_a_namespace_that_no_index_may_have_is_refused() -> None:
    with pytest.raises(ConfigError, match="namespace 'a-b'"):
        make_sink(configured("siem", "elasticsearch", hosts="http://h", namespace="a-b"))


def test_an_unknown_type_is_named() -> None:
    with pytest.raises(ConfigError, match="elasticsearch, file, webhook"):
        make_sink(SinkConfig("siem", "elasticsaerch", {}))


def test_no_secret_is_shown() -> None:
    made = make_sink(configured("siem", "elasticsearch", hosts="http://h", api_key="topsecret", kibana="http://k"))
    assert "topsecret" not in repr(vars(made))
