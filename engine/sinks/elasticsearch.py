"""The sink `elasticsearch`: every alert once in a data stream, its latest state in an index beside it; incidents in an index of theirs."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from engine.documents.delivered import Layout
from engine.errors import ConfigError, TransientSinkError
from engine.sinks.base import Delivery, Outcome, SinkSettings, told
from engine.sinks.elastic import setup
from engine.sinks.elastic.bulk import Bulk
from engine.sinks.elastic.client import Connection, as_sink_error, connect
from engine.sinks.elastic.kibana import Kibana
from engine.sinks.elastic.operations import Work, work_of
from engine.sinks.elastic.templates import stream
from engine.sinks.options import Options
from engine.sinks.retrying import Backoff, Breaker, Clock, never

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

_NAMESPACE = re.compile(r"[a-z0-9_.]{1,100}")


class ElasticsearchSink:
    """Sends ECS documents. A first delivery is a bulk `create` under the alert's uid, later states go to the index with the revision as version."""

    layout = Layout.ECS

    def __init__(self, settings: SinkSettings) -> None:
        options = Options(settings)
        self.name = settings.name
        self.connection = Connection.of(options)
        self.namespace = options.need("namespace", str)
        self.retention = f"{max(1, round(options.need('retention', timedelta) / timedelta(days=1)))}d"
        self.max_bytes = options.need("bulk_bytes", int)
        self.max_items = options.need("bulk_documents", int)
        self.kibana = Kibana.of(options, self.connection)
        if not _NAMESPACE.fullmatch(self.namespace):
            raise ConfigError(f"[sink.{self.name}] namespace {self.namespace!r} may hold small letters, digits, dots and underscores alone")
        self.backoff = Backoff()
        self.breaker = Breaker()
        self._generation = 0

    @cached_property
    def client(self) -> Elasticsearch:
        return connect(self.connection)

    def install(self) -> list[str]:
        """Put the templates; bring a stream and an index that are there already up to them."""
        return setup.install(self.client, self.name, self.namespace, self.retention)

    def test(self) -> list[str]:
        return setup.test(self.client, self.name, self.namespace)

    def send(self, deliveries: Sequence[Delivery], now: datetime, stopped: Callable[[], bool] = never) -> Outcome:
        from elastic_transport import TransportError
        from elasticsearch import ApiError

        if not self.breaker.allows():
            return Outcome(stopped=TransientSinkError(f"sink {self.name}: not asked again for now: it failed several times in a row"))
        works, unwritable = self._works(deliveries)
        bulk = Bulk(self.client, self.name, self.namespace, self.max_bytes, self.max_items, self.backoff, self.breaker, stopped)
        try:
            if self._rolled_over():
                for start in range(0, len(works), self.max_items):
                    bulk.skip_known(works[start : start + self.max_items])
        except (ApiError, TransportError, OSError) as error:
            self.breaker.failure()
            return Outcome(dead=unwritable, stopped=as_sink_error(self.name, error))
        outcome = bulk.send(works, Clock(now))
        outcome.dead += unwritable
        return outcome

    def _works(self, deliveries: Sequence[Delivery]) -> tuple[list[Work], list[tuple[int, str]]]:
        """What is to be done for each delivery, and those whose document is no JSON."""
        works: list[Work] = []
        unwritable: list[tuple[int, str]] = []
        for delivery in deliveries:
            try:
                works.append(work_of(delivery, self.namespace))
            except (TypeError, ValueError) as error:
                unwritable.append((delivery.id, told(f"the document is no JSON: {error}")))
        return works, unwritable

    def close(self) -> None:
        if "client" in self.__dict__:
            self.client.close()
            del self.client

    def _rolled_over(self) -> bool:
        """Whether there are older backing indices. After each rollover they are refreshed once, so that a search finds all that is in them."""
        from elasticsearch import NotFoundError

        try:
            [found] = self.client.indices.get_data_stream(name=stream(self.namespace)).body["data_streams"]
        except (NotFoundError, ValueError):
            return False
        if len(found["indices"]) < 2:
            return False
        if found["generation"] != self._generation:
            self.client.indices.refresh(index=stream(self.namespace))
            self._generation = found["generation"]
        return True
