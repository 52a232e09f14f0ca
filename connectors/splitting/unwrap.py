"""One JSON document → what stands in it: a record, or the wrapping around records, told apart by shape.

Every wrapping is recognised by members that no provider's record has, or by having no members but those of the wrapping (`_CLOSED`).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec
import polars as pl

from connectors.splitting.jsonbytes import TOO_DEEP, Valid, check, members
from connectors.splitting.texts import Buffer
from connectors.transports.base import Limits

CONTROL = "CloudWatch control message"
DIGEST = "CloudTrail digest file, holds no events"

_Members = dict[str, msgspec.Raw]
_PAGING = ("nextLink", "NextToken", "nextToken", "ResponseMetadata", "count", "totalCount", "requestId")
_EVENT_GRID = ("data", "version", "eventId", "eventType", "eventTime", "eventTypeVersion", "dataVersion", "metadataVersion", "topic", "subject", "id")
_LOOKUP = ("EventId", "EventName", "ReadOnly", "AccessKeyId", "EventTime", "EventSource", "Username", "Resources", "CloudTrailEvent")
_LOG_EVENT = ("id", "eventId", "timestamp", "ingestionTime", "logStreamName", "message", "extractedFields")
_SUBSCRIPTION = ("messageType", "owner", "logGroup", "logStream", "subscriptionFilters", "policyLevel", "logEvents")
_EVENTS = ("Events", "events", "searchedLogStreams", "nextBackwardToken", "nextForwardToken", *_PAGING)
_PAGE = ("value", "@odata.context", "@odata.nextLink", "@odata.count", "@odata.deltaLink", "odata.metadata", "odata.nextLink", *_PAGING)
_PUSH = ("message", "subscription", "deliveryAttempt", "ackId")
_OTLP = ("resource", "scopeSpans", "scopeLogs", "schemaUrl")

# The first member of a document decides cheaply. Some only records have: no wrapping has a member of that name, and CloudEvents extensions, which are
# free, have lower case names. Some only wrappings have. The rest need a second look at the text.
_RECORD_FIRST = (
    *("eventVersion", "additionalEventData", "awsRegion", "requestParameters", "errorCode", "userIdentity", "protoPayload", "insertId", "logName"),
    *("jsonPayload", "textPayload", "receiveTimestamp", "schemaType", "TenantId", "TimeGenerated", "CreationTime"),
)
_SURE = (
    *("Records", "records", "value", "logEvents", "awslogs", "detail-type", "specversion", "Events", "events", "receivedMessages", "CloudTrailEvent"),
    *("resourceSpans", "resourceLogs", "scopeSpans", "scopeLogs", "data", "message", "subscription", "deliveryAttempt", "ackId", "messageType"),
    *("awsAccountId", "owner", "EventId", "searchedLogStreams", "nextBackwardToken", "nextForwardToken", "nextLink", "NextToken", "nextToken"),
    *("@odata\\.\\w+", "odata\\.\\w+", "count", "totalCount", "ResponseMetadata", "extractedFields", "ingestionTime"),
)
_FIRST_SURE = r'^\s*(?:[^{\s]|\{\s*"(?:' + "|".join(_SURE) + r')"\s*:)'
_FIRST_SHARED = (
    r'^\s*\{\s*"(?:'
    + "|".join(sorted({*_EVENT_GRID, *_LOG_EVENT, *_LOOKUP, *_SUBSCRIPTION, *_OTLP, "digestStartTime", "digestEndTime", "requestId"}))
    + r')"\s*:'
)
_FIRST_RECORD = r'^\s*\{\s*"(?:' + "|".join(_RECORD_FIRST) + r')"\s*:'
_START = re.compile(r'\{"(\w+)":')
_SHARED = r'"(?:data|message|CloudTrailEvent|logEvents|scopeSpans|scopeLogs|logFiles|value|[Ee]vents)"\s*:'
_ANYWHERE = ('ecords"', '"detail-type"', '"specversion"')


@dataclass(frozen=True, slots=True)
class Refused:
    """Something that stands where a record should, and is none."""

    reason: str


@dataclass(frozen=True, slots=True)
class Opened:
    """What a wrapping held, in order. ``repaired``: text in it had to be mended. ``skip``: why it is no log at all."""

    inner: Sequence[Buffer | Refused]
    repaired: bool = False
    skip: str | None = None


@dataclass(slots=True)
class _Found:
    inner: list[Buffer | Refused] = field(default_factory=list)
    repaired: bool = False


def record_start(text: str | None) -> str | None:
    """The first bytes of ``text`` as far as they prove that it, and any text that begins so, is a record; None where they do not."""
    start = _START.match(text or "")
    return start[0] if start is not None and start[1] in _RECORD_FIRST else None


def suspects(texts: pl.Series) -> list[int]:
    """Rows of the JSON ``texts`` that may be something other than a record, in order. Rows that are null are none."""
    rows = pl.DataFrame({"text": texts}).with_row_index("row")
    text = pl.col("text")
    start = record_start(texts[0])
    if start is not None:
        rows = rows.filter(~text.str.starts_with(start))
    rows = rows.filter(text.is_not_null() & ~text.str.contains(_FIRST_RECORD)) if rows.height else rows
    if not rows.height:
        return []
    anywhere = pl.any_horizontal(text.str.contains(word, literal=True) for word in _ANYWHERE)
    rows = rows.with_columns(sure=text.str.contains(_FIRST_SURE) | anywhere, shared=text.str.contains(_FIRST_SHARED))
    sure = rows.filter("sure")["row"].to_list()
    unsure = rows.filter(~pl.col("sure") & pl.col("shared"))
    return sorted(sure + unsure.filter(text.str.contains(_SHARED))["row"].to_list()) if unsure.height else sure


def open_document(text: Buffer, limits: Limits) -> Opened | None:
    """What the JSON document ``text`` wraps, None if it is a record."""
    first = bytes(memoryview(text)[:1])
    if first == b"[":
        try:
            return Opened(_list(text))
        except RecursionError:
            return Opened([Refused(TOO_DEEP)])
    if first == b'"':
        found = _Found()
        _embedded(text, found, "text, not a JSON object")
        return Opened(found.inner, found.repaired)
    if first != b"{":
        return Opened([Refused("a JSON value that is no object")])
    parts = members(text)
    if parts is None:
        return Opened([Refused(TOO_DEEP)])
    for name, opener in _OPENERS:
        if name in parts:
            opened = opener(parts, limits)
            if opened is not None:
                return opened
    return None


def _records(name: str) -> Callable[[_Members, Limits], Opened | None]:
    def opener(parts: _Members, limits: Limits) -> Opened | None:
        others = (value for key, value in parts.items() if key != name)
        if not _is(parts[name], b"[") or any(_is(value, b"{[") for value in others):
            return None
        inner = _list(parts[name])
        return Opened(inner) if all(_is(item, b"{") for item in inner) else None

    return opener


def _closed(name: str, allowed: tuple[str, ...]) -> Callable[[_Members, Limits], Opened | None]:
    def opener(parts: _Members, limits: Limits) -> Opened | None:
        if not _is(parts[name], b"[") or not parts.keys() <= set(allowed):
            return None
        inner = _list(parts[name])
        return Opened(inner) if all(_is(item, b"{") for item in inner) else None

    return opener


def _subscription(parts: _Members, limits: Limits) -> Opened | None:
    if not _is(parts["logEvents"], b"[") or not parts.keys() <= set(_SUBSCRIPTION):
        return None
    if "messageType" in parts and bytes(parts["messageType"]) == b'"CONTROL_MESSAGE"':
        return Opened([], skip=CONTROL)
    return Opened(_list(parts["logEvents"]))


def _log_event(parts: _Members, limits: Limits) -> Opened | None:
    if "timestamp" not in parts or not _is(parts["message"], b'"') or not parts.keys() <= set(_LOG_EVENT):
        return None
    found = _Found()
    _embedded(parts["message"], found, "log event whose message is no JSON object")
    return Opened(found.inner, found.repaired)


def _lambda(parts: _Members, limits: Limits) -> Opened | None:
    data = members(parts["awslogs"]) if len(parts) == 1 else None
    if data is None or set(data) != {"data"} or not _is(data["data"], b'"'):
        return None
    packed = _decoded(data["data"])
    if packed is None:
        return Opened([Refused("awslogs.data is not base64")])
    try:
        unpacked = _gunzip(packed, limits.max_record_bytes)
    except (zlib.error, ValueError) as error:
        return Opened([Refused(f"awslogs.data cannot be unpacked: {error}")])
    return _one(unpacked, "awslogs.data")


def _gunzip(packed: bytes, most: int) -> bytes:
    """The gzip content of ``packed``. Raises ValueError beyond ``most`` bytes or where it is cut off."""
    unpack = zlib.decompressobj(wbits=31)
    unpacked = unpack.decompress(packed, most)
    if unpack.unconsumed_tail:
        raise ValueError(f"more than {most} bytes")
    if not unpack.eof:
        raise ValueError("cut off")
    return unpacked


def _event_bridge(parts: _Members, limits: Limits) -> Opened | None:
    return Opened([parts["detail"]]) if "detail" in parts and _is(parts["detail"], b"{") else None


def _cloud_event(parts: _Members, limits: Limits) -> Opened | None:
    if "data" in parts:
        if _is(parts["data"], b"{["):
            return Opened([parts["data"]])
        if _is(parts["data"], b'"'):
            found = _Found()
            _embedded(parts["data"], found, "CloudEvent whose data is no JSON object")
            return Opened(found.inner, found.repaired)
    if "data_base64" in parts:
        decoded = _decoded(parts["data_base64"])
        return Opened([Refused("data_base64 is not base64")]) if decoded is None else _one(decoded, "data_base64")
    return None


def _push(parts: _Members, limits: Limits) -> Opened | None:
    message = members(parts["message"]) if parts.keys() <= set(_PUSH) else None
    if message is None or "data" not in message or not _is(message["data"], b'"'):
        return None
    decoded = _decoded(message["data"])
    return Opened([Refused("Pub/Sub message whose data is not base64")]) if decoded is None else _one(decoded, "Pub/Sub message data")


def _lookup(parts: _Members, limits: Limits) -> Opened | None:
    if not _is(parts["CloudTrailEvent"], b'"') or not parts.keys() <= set(_LOOKUP):
        return None
    found = _Found()
    _embedded(parts["CloudTrailEvent"], found, "CloudTrailEvent is no JSON object")
    return Opened(found.inner, found.repaired)


def _data(parts: _Members, limits: Limits) -> Opened | None:
    if (
        not _is(parts["data"], b"{")
        or not parts.keys() <= set(_EVENT_GRID)
        or any(_is(value, b"{[") for key, value in parts.items() if key != "data")
    ):
        return None
    return Opened([parts["data"]])


def _otlp(name: str) -> Callable[[_Members, Limits], Opened | None]:
    def opener(parts: _Members, limits: Limits) -> Opened | None:
        return Opened(_list(parts[name])) if len(parts) == 1 and _is(parts[name], b"[") else None

    return opener


def _scopes(name: str, items: str, single: str) -> Callable[[_Members, Limits], Opened | None]:
    def opener(parts: _Members, limits: Limits) -> Opened | None:
        if not parts.keys() <= set(_OTLP) or not _is(parts[name], b"["):
            return None
        resource = bytes(parts.get("resource", b"{}"))
        inner: list[Buffer | Refused] = []
        for scope in _list(parts[name]):
            scoped = members(scope)
            if scoped is None or items not in scoped:
                continue
            head = b'{"resource":' + resource + b',"scope":' + bytes(scoped.get("scope", b"{}")) + b',"' + single.encode() + b'":'
            inner.extend(head + bytes(item) + b"}" for item in _list(scoped[items]))
        return Opened(inner)

    return opener


def _digest(parts: _Members, limits: Limits) -> Opened | None:
    return Opened([], skip=DIGEST) if "logFiles" in parts and "awsAccountId" in parts else None


_OPENERS: tuple[tuple[str, Callable[[_Members, Limits], Opened | None]], ...] = (
    ("Records", _records("Records")),
    ("records", _records("records")),
    ("value", _closed("value", _PAGE)),
    ("logEvents", _subscription),
    ("awslogs", _lambda),
    ("detail-type", _event_bridge),
    ("specversion", _cloud_event),
    ("message", _log_event),
    ("message", _push),
    ("receivedMessages", _closed("receivedMessages", ("receivedMessages",))),
    ("Events", _closed("Events", _EVENTS)),
    ("events", _closed("events", _EVENTS)),
    ("CloudTrailEvent", _lookup),
    ("data", _data),
    ("resourceSpans", _otlp("resourceSpans")),
    ("resourceLogs", _otlp("resourceLogs")),
    ("scopeSpans", _scopes("scopeSpans", "spans", "span")),
    ("scopeLogs", _scopes("scopeLogs", "logRecords", "logRecord")),
    ("digestStartTime", _digest),
)
"""In the order in which they are tried."""

_list_decoder = msgspec.json.Decoder(list[msgspec.Raw])
_SURROGATE = re.compile("[\ud800-\udfff]")


def _list(text: Buffer) -> list[msgspec.Raw]:
    return _list_decoder.decode(text)


def _is(text: Buffer | Refused, first: bytes) -> bool:
    return not isinstance(text, Refused) and bytes(memoryview(text)[:1]) in {first[i : i + 1] for i in range(len(first))}


def _decoded(text: Buffer) -> bytes | None:
    """The bytes of a JSON string of base64, None where it is none."""
    try:
        return base64.b64decode(msgspec.json.decode(text, type=str), validate=True)
    except (msgspec.DecodeError, msgspec.ValidationError, binascii.Error, ValueError):
        return None


def _one(text: bytes, place: str) -> Opened:
    """A document that stood in another one as bytes."""
    found = check(text.strip())
    if isinstance(found, Valid):
        return Opened([found.text], found.repaired)
    lines = [check(line) for line in text.splitlines() if line.strip()]
    valid = [line.text for line in lines if isinstance(line, Valid)]
    return Opened(list(valid)) if len(lines) > 1 and len(valid) == len(lines) else Opened([Refused(f"{place} is not JSON: {found}")])


def _embedded(text: Buffer, found: _Found, reason: str) -> None:
    """A JSON string that should hold an object or a list."""
    inner = json.loads(bytes(text))
    if _SURROGATE.search(inner):
        inner, found.repaired = _SURROGATE.sub("\ufffd", inner), True
    verdict = check(inner.strip().encode())
    if isinstance(verdict, Valid) and _is(verdict.text, b"{["):
        found.inner.append(verdict.text)
        found.repaired |= verdict.repaired
    else:
        found.inner.append(Refused(reason))
