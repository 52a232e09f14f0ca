"""The sink `elasticsearch` against a real node: in the end every alert is in the data stream exactly once, its last state in the index.

CROSSWIND_TEST_ALERTS=50000 sends so many in the test of volume instead of a few thousand.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from engine.model import Level, State
from engine.sinks import make_sink
from engine.sinks.base import Sink
from engine.sinks.drain import PAGE, Drained, drain
from engine.sinks.elastic.bulk import Bulk
from engine.sinks.elasticsearch import ElasticsearchSink
from engine.sinks.retrying import Backoff, Breaker
from tests.elasticsearch_node import Node
from tests.outbox import NOW, Kept, MemoryOutbox, configured, delivery, grown, kept

VOLUME = int(os.environ.get("CROSSWIND_TEST_ALERTS", "2000"))
_NUMBERS = count(1)


class Place:
    """A namespace of its own on the node."""

    def __init__(self, node: Node, **options: object) -> None:
        self.node = node
        self.namespace = f"t{next(_NUMBERS)}"
        self.stream, self.index = f"logs-crosswind.alert-{self.namespace}", f"crosswind-alerts-{self.namespace}"
        self.sink = self.make(**options)
        self.sink.install()

    def make(self, **options: object) -> ElasticsearchSink:
        made = make_sink(configured("siem", "elasticsearch", hosts=self.node.url, namespace=self.namespace, **options))
        assert isinstance(made, ElasticsearchSink)
        made.backoff = Backoff(first=0.05, longest=1.0, attempts=4)
        made.breaker = Breaker(limit=3, pause=0.2)
        return made

    def drain(self, outbox: MemoryOutbox, sink: Sink | None = None) -> Drained:
        [report] = drain(outbox, [sink or self.sink], NOW)
        return report

    def holds(self, alerts: Iterable[Kept], news: Iterable[str] = ()) -> None:
        """Every one of ``alerts`` and of ``news`` is in the stream once and nothing else is; the index has these revisions."""
        wanted = {each.alert.uid: each.revision for each in alerts}
        assert sorted(self.node.ids(self.stream)) == sorted([*wanted, *news])
        assert sorted(self.node.ids(self.index)) == sorted(wanted)
        found: dict[str, int] = {}
        after: dict[str, Any] = {}
        while page := self.node.client.search(
            index=self.index, size=10_000, sort=["event.id"], source_includes=["crosswind.alert.revision"], **after
        )["hits"]["hits"]:
            found |= {hit["_id"]: hit["_source"]["crosswind"]["alert"]["revision"] for hit in page}
            after = {"search_after": page[-1]["sort"]}
        assert found == wanted


@pytest.fixture
def place(elasticsearch_node: Node) -> Callable[..., Place]:
    return lambda **options: Place(elasticsearch_node, **options)


def test_many_alerts_arrive_once_and_their_growth_changes_only_the_index(place: Callable[..., Place]) -> None:
    here = place()
    alerts = [kept(number) for number in range(VOLUME)]
    assert here.drain(MemoryOutbox(alerts)) == Drained("siem", delivered=VOLUME)
    assert here.drain(MemoryOutbox(alerts[::10])) == Drained("siem", delivered=len(alerts[::10]))
    outbox = MemoryOutbox(alerts[:200])
    outbox.told = {each.alert.uid: each for each in alerts}
    risen = [grown(each, level=Level.CRITICAL) for each in alerts[:20]]
    ended = [replace(grown(each, state=State.RETRACTED), why="late data") for each in alerts[20:30]]
    larger = [grown(each, count=99) for each in alerts[30:200]]
    for each in [*risen, *ended, *larger]:
        outbox.put(each)
    assert here.drain(outbox).delivered == 200
    here.holds([*risen, *ended, *larger, *alerts[200:]], [f"{each.alert.uid}-2" for each in [*risen, *ended]])
    assert any("documents" in line for line in here.sink.test())


def test_mappings_hold_no_more_fields_than_we_name(place: Callable[..., Place]) -> None:
    """10,000 names of providers, prompts and hostile lengths make no field and refuse no alert."""
    here = place()
    evidence = {f"native.key{number}.inner": f"value {number}" for number in range(10_000)}
    long = {"x.source": "y" * 40_000, "z" * 200: "w" * 1000, "message_context.prompt_text": "tell me " * 10_000, "raw_data": '{"a":1}'}
    mapped = here.sink.client.indices.get_index_template(name="logs-crosswind.alert")
    assert mapped["index_templates"][0]["index_template"]["data_stream"] is not None
    alerts = [kept(0, evidence=evidence), kept(1, evidence=long), kept(2, reason="r" * 50_000)]
    assert here.drain(MemoryOutbox(alerts)) == Drained("siem", delivered=3)
    before = fields(here)
    assert before < 250
    here.drain(MemoryOutbox([kept(3, evidence={f"other{number}": [1, "a", True] for number in range(10_000)})]))
    assert fields(here) == before
    client = here.node.client
    client.indices.refresh(index=here.stream)
    found = client.search(index=here.stream, query={"term": {"crosswind.alert.evidence.native.key7.inner": "value 7"}})["hits"]["hits"]
    assert [hit["_id"] for hit in found] == [alerts[0].alert.uid]
    assert client.search(index=here.stream, query={"multi_match": {"query": "tell"}})["hits"]["hits"] == []


def fields(here: Place) -> int:
    def leaves(mapping: dict[str, Any]) -> int:
        return sum(1 + leaves(inner) + len(inner.get("fields", {})) for inner in mapping.get("properties", {}).values())

    return max(leaves(found["mappings"]) for found in here.node.client.indices.get_mapping(index=here.stream).body.values())


def test_refused_documents_are_dead_with_the_servers_reason_and_the_others_arrive(place: Callable[..., Place]) -> None:
    here = place()
    sent = [delivery(kept(number)) for number in range(20)]
    for number in (3, 11):
        sent[number] = replace(sent[number], document={**sent[number].document, "@timestamp": "yesterday"})
    outcome = here.sink.send(sent, NOW)
    assert [number for number, _ in outcome.dead] == [4, 12]
    assert all("400 document_parsing_exception" in reason for _, reason in outcome.dead)
    assert len(outcome.delivered) == 18
    assert here.sink.send([delivery(kept(3)), delivery(kept(11))], NOW).delivered == [4, 12]
    here.holds([kept(number) for number in range(20)])


def test_an_index_with_a_limit_of_fields_makes_dead_letters_that_can_be_replayed(place: Callable[..., Place]) -> None:
    """An index that somebody made before the templates maps whatever comes, up to its limit."""
    here = place()
    client = here.node.client
    client.indices.put_index_template(name=f"odd-{here.namespace}", index_patterns=[here.index], priority=900, template={
        "settings": {"index.mapping.total_fields.limit": 20}})  # fmt: skip
    outbox = MemoryOutbox([kept(0), kept(1)])
    report = here.drain(outbox)
    assert report.dead == 2
    assert "Limit of total fields [20] has been exceeded" in (report.reason or "")
    client.indices.delete_index_template(name=f"odd-{here.namespace}")
    client.indices.put_settings(index=here.index, settings={"index.mapping.total_fields.limit": 1000})
    outbox.replay()
    assert here.drain(outbox).delivered == 2
    client.indices.refresh(index=here.stream)
    assert client.count(index=here.stream)["count"] == 2


def test_a_write_block_leaves_all_in_the_outbox(place: Callable[..., Place]) -> None:
    here = place()
    first = [kept(number) for number in range(5)]
    here.drain(MemoryOutbox(first))
    here.node.client.indices.put_settings(index=here.index, settings={"index.blocks.write": True})
    outbox = MemoryOutbox([kept(number) for number in range(5, 10)])
    report = here.drain(outbox)
    assert "index write" in (report.stopped or "")
    assert (report.delivered, report.dead, len(outbox.rows)) == (0, 0, 5)
    with pytest.raises(Exception, match=r"index\.blocks\.write"):
        here.sink.test()
    here.node.client.indices.put_settings(index=here.index, settings={"index.blocks.write": False})
    assert here.drain(outbox).delivered == 5
    here.holds([kept(number) for number in range(10)])


def test_ids_that_are_sent_again_after_rollovers_are_not_doubled(place: Callable[..., Place]) -> None:
    here = place()
    alerts = [kept(number, level=Level.LOW) for number in range(300)]
    for part in (alerts[:100], alerts[100:200]):
        here.drain(MemoryOutbox(part))
        here.node.client.indices.rollover(alias=here.stream)
    risen = grown(alerts[0], level=Level.HIGH)
    again = [risen, *alerts[1:]]
    for sink in (here.sink, here.make()):
        assert here.drain(MemoryOutbox(again), sink).delivered == 300
    here.holds(again, [f"{risen.alert.uid}-2"])


def test_bulks_larger_than_the_node_takes_or_has_memory_for_are_split(place: Callable[..., Place], monkeypatch: pytest.MonkeyPatch) -> None:
    """413 above its greatest request, 429 above its memory for writes, which is less."""
    here = place(bulk_bytes=64 << 20, bulk_documents=1000)
    statuses: Counter[int | None] = Counter()
    request = Bulk._request

    def counting(self: Bulk, *arguments: Any) -> Any:
        answers, failure = request(self, *arguments)
        statuses[failure.status if failure else 200] += 1
        return answers, failure

    monkeypatch.setattr(Bulk, "_request", counting)
    alerts = [kept(number, reason="r" * 12_000) for number in range(500)]
    assert here.drain(MemoryOutbox(alerts)).delivered == 500
    assert set(statuses) == {200, 413, 429}
    here.holds(alerts)


def test_a_node_that_is_killed_in_the_middle_of_bulks_loses_and_doubles_nothing(place: Callable[..., Place]) -> None:
    here = place()
    node = here.node
    alerts = [kept(number) for number in range(3 * PAGE)]
    outbox = MemoryOutbox(alerts)
    done = threading.Event()

    def keep_draining() -> None:
        sink = here.make(bulk_documents=50)
        while outbox.rows and not done.is_set():
            here.drain(outbox, sink)
            time.sleep(0.05)

    sender = threading.Thread(target=keep_draining)
    sender.start()
    try:
        deadline = time.monotonic() + 120
        while len(outbox.rows) > 2 * PAGE:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        node.kill()
        assert outbox.rows  # the rest was under way
        node.start()
        sender.join(120)
        assert not sender.is_alive()
    finally:
        done.set()
        sender.join()
    assert outbox.dead == {}
    here.holds(alerts)
