"""What every sink promises, tried on all of them: files, a webhook, Elasticsearch's protocol double, and a real Elasticsearch node."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from engine.config.keys import SINKS as KEYS
from engine.model import Level
from engine.sinks import SINKS, make_sink
from engine.sinks.base import Sink
from engine.sinks.drain import drain
from engine.sinks.retrying import Backoff
from tests.alert_samples import AI_EVIDENCE, SECRET
from tests.elasticsearch_double import elasticsearch_double
from tests.elasticsearch_node import Node
from tests.outbox import LIVE, NOW, MemoryOutbox, configured, deliveries, delivery, grown, incident_delivery, kept
from tests.webhook_double import receiver

ROOT = Path(__file__).resolve().parents[2]
_NUMBERS = count(1)


@dataclass
class Case:
    """A kind of sink: how to make one, what its receiver holds as (uid, revision), all it holds as text, and how to take it away and back."""

    make: Callable[[], Sink]
    states: Callable[[], Counter[tuple[str, int]]]
    text: Callable[[], str]
    break_: Callable[[], None]
    mend: Callable[[], None]


def quick(options: dict[str, object], kind: str) -> Callable[[], Sink]:
    def make() -> Sink:
        sink = make_sink(configured("out", kind, **options))
        if hasattr(sink, "backoff"):
            sink.backoff = Backoff(sleep=lambda seconds, stopped: None, attempts=2)
        return sink

    return make


def of_documents(documents: list[dict[str, Any]]) -> Counter[tuple[str, int]]:
    whole = [document.get("crosswind", {}) or {"alert": document} for document in documents]
    own = [each.get("alert") or each["incident"] for each in whole]
    return Counter((each["uid"], each["revision"]) for each in own)


def file_case(folder: Path, layout: str) -> Case:
    path = folder / "out" / "alerts.ndjson"

    def lines() -> list[str]:
        return path.read_text().splitlines() if path.exists() else []

    def away() -> None:
        path.parent.rename(folder / "gone")

    def back() -> None:
        (folder / "gone").rename(path.parent)

    make = quick({"path": str(path), "format": layout}, "file")
    return Case(make, lambda: of_documents([json.loads(line) for line in lines()]), lambda: "\n".join(lines()), away, back)


@pytest.fixture(params=["file ndjson", "file ecs", "webhook", "elasticsearch double", "elasticsearch node"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Case]:
    kind, _, variant = request.param.partition(" ")
    if kind == "file":
        yield file_case(tmp_path, variant)
    elif kind == "webhook":
        with receiver() as got:

            def states() -> Counter[tuple[str, int]]:
                keys = {each.headers["idempotency-key"]: json.loads(each.body) for each in got.taken}
                return of_documents(list(keys.values()))

            yield Case(
                quick({"url": got.url, "secret": "s3"}, "webhook"), states, lambda: "".join(each.body.decode() for each in got.taken),
                lambda: setattr(got, "always", 503), lambda: setattr(got, "always", 200),
            )  # fmt: skip
    elif variant == "double":
        with elasticsearch_double() as double:

            def held() -> list[dict[str, Any]]:
                return [each for name in ("alerts", "incidents") for each in double.documents.get(f"crosswind-{name}-default", {}).values()]

            def away() -> None:
                double.reject = lambda kind, index, document: (503, {"type": "unavailable_shards_exception", "reason": "away"})

            def back() -> None:
                double.reject = lambda kind, index, document: None

            make = quick({"hosts": double.url}, "elasticsearch")
            yield Case(make, lambda: of_documents(held()), lambda: json.dumps([held(), double.documents]), away, back)
    else:
        yield node_case(request.getfixturevalue("elasticsearch_node"))


def node_case(node: Node) -> Case:
    namespace = f"c{next(_NUMBERS)}"
    index, stream, incidents = f"crosswind-alerts-{namespace}", f"logs-crosswind.alert-{namespace}", f"crosswind-incidents-{namespace}"

    def held(name: str) -> list[dict[str, Any]]:
        if not node.client.indices.exists(index=name):
            return []
        node.client.indices.refresh(index=name)
        return [hit["_source"] for hit in node.client.search(index=name, size=10_000)["hits"]["hits"]]

    def block(value: bool) -> None:
        if not node.client.indices.exists(index=index):
            node.client.indices.create(index=index)
        node.client.indices.put_settings(index=index, settings={"index.blocks.write": value})

    make = quick({"hosts": node.url, "namespace": namespace}, "elasticsearch")
    return Case(
        make, lambda: of_documents(held(index) + held(incidents)), lambda: json.dumps(held(index) + held(stream) + held(incidents)),
        lambda: block(True), lambda: block(False),
    )  # fmt: skip


def wanted(numbers: range, revision: int = 1) -> Counter[tuple[str, int]]:
    return Counter((f"{number:032x}", revision) for number in numbers)


@pytest.fixture
def sink(case: Case) -> Iterator[Sink]:
    made = case.make()
    made.install()
    yield made
    made.close()


def test_what_is_sent_arrives(case: Case, sink: Sink) -> None:
    assert sorted(sink.send(deliveries(range(50), sink.layout), NOW).delivered) == list(range(1, 51))
    assert case.states() == wanted(range(50))


def test_incidents_arrive_beside_alerts_and_keep_their_latest_state(case: Case, sink: Sink) -> None:
    """Sending again is harmless, and an older state takes no place of a newer one."""
    first, second = (incident_delivery(number, 1, sink.layout) for number in (70, 71))
    assert sorted(sink.send([first, *deliveries(range(2), sink.layout), second], NOW).delivered) == [1, 2, 71, 72]
    grown = incident_delivery(70, 2, sink.layout, previous=LIVE)
    assert sink.send([grown], NOW).delivered == [71]
    assert sink.send([grown], NOW).delivered == [71]
    states = case.states()
    assert states[f"{70:032x}", 2] == 1
    assert {uid for uid, _ in states} == {f"{number:032x}" for number in (0, 1, 70, 71)}
    assert SECRET not in case.text()


def test_nothing_is_sent_where_there_is_nothing(case: Case, sink: Sink) -> None:
    outcome = sink.send([], NOW)
    assert (outcome.delivered, outcome.retry, outcome.dead, outcome.stopped) == ([], [], [], None)
    assert case.states() == Counter()


def test_sending_the_same_again_doubles_nothing(case: Case, sink: Sink) -> None:
    for sender in (sink, sink, case.make()):
        assert len(sender.send(deliveries(range(20), sink.layout), NOW).delivered) == 20
        sender.close()
    assert case.states() == wanted(range(20))


def test_the_latest_state_arrives(case: Case, sink: Sink) -> None:
    outbox = MemoryOutbox(map(kept, range(10)))
    drain(outbox, [sink], NOW)
    for number in range(10):
        outbox.put(grown(kept(number), level=Level.CRITICAL, count=number + 3))
    [report] = drain(outbox, [sink], NOW)
    assert (report.delivered, report.failed) == (10, False)
    assert wanted(range(10), 2) <= case.states()


def test_away_and_back_again_loses_nothing(case: Case, sink: Sink) -> None:
    outbox = MemoryOutbox(map(kept, range(30)))
    case.break_()
    [report] = drain(outbox, [sink], NOW)
    assert report.failed
    assert (report.delivered, report.dead, len(outbox.rows)) == (0, 0, 30)
    case.mend()
    [report] = drain(outbox, [case.make()], NOW)
    assert (report.delivered, report.failed) == (30, False)
    assert case.states() == wanted(range(30))


def test_a_document_that_is_no_json_stops_no_other(case: Case, sink: Sink) -> None:
    odd = delivery(kept(1), sink.layout)
    odd = replace(odd, document={**odd.document, "odd": object()})
    outcome = sink.send([delivery(kept(0), sink.layout), odd, delivery(kept(2), sink.layout)], NOW)
    assert sorted(outcome.delivered) == [1, 3]
    assert [number for number, _ in outcome.dead] == [2]
    assert set(case.states()) == {(f"{number:032x}", 1) for number in (0, 2)}


@pytest.mark.parametrize("show", [False, True])
def test_prompts_and_credentials_leave_only_when_they_are_meant_to(case: Case, sink: Sink, show: bool) -> None:
    leaky = kept(evidence=AI_EVIDENCE, reason=f"used {SECRET}", why=f"password={SECRET}")
    [report] = drain(MemoryOutbox([leaky]), [sink], NOW, show_content=show)
    assert report.delivered == 1
    assert ("My plan" in case.text()) == (SECRET in case.text()) == show


def test_it_can_be_prepared_asked_and_closed_at_any_time(case: Case, sink: Sink) -> None:
    for _ in range(2):
        assert sink.install()
        assert sink.test()
        sink.close()
    assert sink.send(deliveries([0], sink.layout), NOW).delivered == [1]
    assert all("\n" not in line for line in sink.test())
    assert case.states() == wanted(range(1))


def test_sinks_are_registered_under_their_file_names() -> None:
    helpers = {"__init__", "base", "drain", "options", "retrying"}
    assert list(SINKS) == list(KEYS)
    assert {path.stem for path in (ROOT / "engine/sinks").glob("*.py")} - helpers == set(SINKS)


def test_clients_are_loaded_only_where_something_is_sent() -> None:
    loads = "import sys, engine.sinks, engine.sinks.drain, engine.pipeline.lasting.delivering; print({'elasticsearch', 'urllib3'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", loads], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip() == "set()"
