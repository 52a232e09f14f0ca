"""Which operations a delivery means, and what the answer to each of them says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import orjson

from engine.documents.ecs import DATASET
from engine.model import Level, State
from engine.sinks.base import Delivery, Sent, change, told
from engine.sinks.elastic.client import reason_of
from engine.sinks.elastic.templates import incident_index, index, stream
from engine.sinks.retrying import REFUSED, TRANSIENT

STATE_FIELDS = ("crosswind.alert.revision", "crosswind.alert.level", "crosswind.alert.state")
"""What is asked of an alert that is in the data stream already, to know what to say of it next."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One line pair of a bulk. ``lines`` is all of it but the time of the attempt, which stands last in the document."""

    lines: bytes
    id: str
    in_stream: bool

    def at(self, ingested: bytes) -> bytes:
        """Both lines for an attempt at the time ``ingested``."""
        return self.lines + ingested + b'"}}\n'


@dataclass(slots=True)
class Work:
    """A delivery and the operations that are still to be done for it. It is done when none is left, and dead when it has a ``fault``."""

    delivery: Delivery
    left: list[Operation]
    fault: str | None = None
    last: str = ""
    size: int = 0


class Meaning(Enum):
    """What the answer to one operation means."""

    DONE = "done"
    EXISTS = "exists"
    RETRY = "retry"
    REFUSED = "refused"
    FAULT = "fault"


def work_of(delivery: Delivery, namespace: str) -> Work:
    """Every state goes to the index of its kind; of an alert the first one to the data stream too, under its uid, and news under uid and revision."""
    body = _body(delivery.document)
    where = incident_index(namespace) if delivery.incident else index(namespace)
    action = {"index": {"_index": where, "_id": delivery.uid, "version": delivery.revision, "version_type": "external"}}
    left = [Operation(orjson.dumps(action) + b"\n" + body, delivery.uid, False)]
    if delivery.incident:
        pass  # what it is made of is in the data stream
    elif delivery.previous is None:
        left.insert(0, _create(body, delivery.uid, namespace))
    elif news := _news(delivery, delivery.previous, namespace):
        left.insert(0, news)
    return Work(delivery, left, size=sum(len(operation.lines) + 32 for operation in left))


def known_already(work: Work, identity: str, found: Mapping[str, Any], namespace: str) -> None:
    """The data stream holds ``identity``; ``found`` is the alert as it stands there. What that does not say yet is told as news."""
    work.left = [operation for operation in work.left if operation.id != identity or not operation.in_stream]
    before = sent_of(found) if identity == work.delivery.uid else None
    if before is not None and found.get("revision", 0) < work.delivery.revision and (news := _news(work.delivery, before, namespace)):
        work.left.insert(0, news)


def state_in(hit: Mapping[str, Any]) -> Mapping[str, Any]:
    """Our own part of a document that a server gave back."""
    own: Mapping[str, Any] = hit.get("_source", {}).get("crosswind", {}).get("alert", {})
    return own


def sent_of(found: Mapping[str, Any]) -> Sent | None:
    """The level and state of a document that we sent once."""
    try:
        return Sent(Level.of(found["level"]), State(found["state"]))
    except (KeyError, ValueError, AttributeError):
        return None


def _news(delivery: Delivery, before: Sent, namespace: str) -> Operation | None:
    """Said once under uid and revision. It is an alert of its own only where there was none that asked for attention before."""
    said = change(before, Sent(delivery.level, delivery.state))
    if said is None:
        return None
    document = delivery.document
    asked = before.level > Level.INFORMATIONAL and before.state in (State.LIVE, State.OPEN)
    identity = f"{delivery.uid}-{delivery.revision}"
    event = {**document["event"], "id": identity, **({"kind": "event"} if asked else {})}
    own = {**document["crosswind"]["alert"], "change": said}
    return _create(_body({**document, "event": event, "crosswind": {**document["crosswind"], "alert": own}}), identity, namespace)


def _body(document: Mapping[str, Any]) -> bytes:
    """``document`` as JSON up to the value of ``event.ingested``."""
    rest = {name: value for name, value in document.items() if name not in ("event", "data_stream")}
    return orjson.dumps({**rest, "event": {**document["event"], "ingested": ""}})[: -len(b'"}}')]


def _create(body: bytes, identity: str, namespace: str) -> Operation:
    """Into the data stream, with the fields that name it."""
    action = {"create": {"_index": stream(namespace), "_id": identity}}
    named = orjson.dumps({"data_stream": {"type": "logs", "dataset": DATASET, "namespace": namespace}})
    return Operation(orjson.dumps(action) + b"\n" + named[:-1] + b"," + body[1:], identity, True)


def meaning(answer: Mapping[str, Any]) -> tuple[Meaning, str]:
    """What one item of a bulk's answer means, with the server's words."""
    item: Mapping[str, Any] = next(iter(answer.values()), {})
    status = int(item.get("status", 500))
    if status < 300:
        return Meaning.DONE, ""
    error = item.get("error", {})
    reason = f"{status} {reason_of(error) or told(error)}"
    kind = error.get("type", "") if isinstance(error, dict) else ""
    if status == 409:
        return Meaning.EXISTS, reason
    if status in TRANSIENT:
        return Meaning.RETRY, reason
    if status in REFUSED or kind == "cluster_block_exception":
        return Meaning.REFUSED, reason
    return Meaning.FAULT, reason
