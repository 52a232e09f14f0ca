"""Every wrapping around records comes off, by its shape alone, and the records stay as they were written."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.envelopes import split
from connectors.transports.base import Limits
from engine.model import Reject, Skip

CORPUS = Path(__file__).resolve().parents[2] / ".." / "shared" / "corpus"

TRAIL = '{"eventVersion":"1.08", "eventName":"GetObject","userIdentity":{"type":"IAMUser"},"n":1.50}'
AUDIT = '{"insertId":"1","protoPayload":{"methodName":"SetIamPolicy","value":[{"a":1}]}}'
ACTIVITY = '{"time":"2026-01-01T00:00:00Z","category":"Administrative","properties":{"records":[{"a":1}],"message":{"data":"eyJhIjoxfQ=="}}}'


def b64(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def outcome(data: str | bytes, limits: Limits | None = None) -> tuple[list[str], list[Reject], list[Skip]]:
    """Records, rejects and skips, which must be the same on the fast and on the tolerant way."""
    given = data.encode() if isinstance(data, str) else data
    both = []
    for fast in (True, False):
        pieces = list(split([given], "object", limits or Limits(), fast=fast))
        positions = [position for piece in pieces for position in piece.records["position"]]
        rejects = [reject for piece in pieces for reject in piece.rejects]
        refused = [reject.position for reject in rejects if reject.position is not None]
        assert sorted(positions + refused) == list(range(len(positions) + len(refused)))
        assert positions == sorted(positions)
        records = [text for piece in pieces for text in piece.records["raw_data"]]
        both.append((records, rejects, [skip for piece in pieces for skip in piece.skips]))
        assert sum(piece.decompressed for piece in pieces) == len(given)
    assert both[0] == both[1]
    return both[0]


def subscription(*messages: str, kind: str = "DATA_MESSAGE") -> str:
    events = [{"id": str(i), "timestamp": 1, "message": message, "extractedFields": {"@aws.account": "1"}} for i, message in enumerate(messages)]
    return json.dumps({"messageType": kind, "owner": "1", "logGroup": "g", "logStream": "s", "subscriptionFilters": ["f"], "logEvents": events})


def push(text: str) -> str:
    return json.dumps({"message": {"data": b64(text), "attributes": {"a": "b"}, "messageId": "1"}, "subscription": "projects/p/subscriptions/s"})


EVENT_BRIDGE = f'{{"version":"0","id":"1","detail-type":"AWS API Call via CloudTrail","source":"aws.s3","resources":[],"detail":{TRAIL}}}'
CLOUD_EVENT = f'{{"data":{AUDIT},"datacontenttype":"application/json","extension":"x","id":"1","source":"//s","specversion":"1.0","type":"t"}}'
EVENT_GRID = f'{{"topic":"/t","subject":"s","eventType":"Microsoft.Resources.ResourceWriteSuccess","id":"1","data":{ACTIVITY},"dataVersion":"2"}}'
LOOKUP = json.dumps({"EventId": "1", "EventName": "GetObject", "ReadOnly": "true", "Resources": [{"a": "b"}], "CloudTrailEvent": TRAIL})

SHAPES: dict[str, tuple[str | bytes, list[str]]] = {
    "bare object": (TRAIL, [TRAIL]),
    "white space around": (f"\n\n  {TRAIL} \r\n\n", [TRAIL]),
    "byte order mark": ("\ufeff" + TRAIL, [TRAIL]),
    "lines": (f"{TRAIL}\n{AUDIT}\n{ACTIVITY}\n", [TRAIL, AUDIT, ACTIVITY]),
    "lines without a last line end": (f"{TRAIL}\n{AUDIT}", [TRAIL, AUDIT]),
    "lines as Windows writes them": (f"{TRAIL}\r\n{AUDIT}\r\n{TRAIL}\r\n", [TRAIL, AUDIT, TRAIL]),
    "empty lines between": (f"{TRAIL}\n\n\n{AUDIT}\n", [TRAIL, AUDIT]),
    "after each other": (TRAIL + AUDIT + TRAIL, [TRAIL, AUDIT, TRAIL]),
    "lines with commas": (f"{TRAIL},\n{AUDIT},\n", [TRAIL, AUDIT]),
    "array": (f"[{TRAIL},{AUDIT}]", [TRAIL, AUDIT]),
    "array with white space": (f" [ {TRAIL} ,\n{AUDIT} ] ", [TRAIL, AUDIT]),
    "arrays on lines": (f"[{TRAIL}]\n[{AUDIT},{TRAIL}]\n", [TRAIL, AUDIT, TRAIL]),
    "array of arrays": (f"[[{TRAIL}],[[{AUDIT}]]]", [TRAIL, AUDIT]),
    "Records": (f'{{"Records":[{TRAIL},{TRAIL}]}}', [TRAIL, TRAIL]),
    "Records and more": (f'{{"version":1,"Records" : [ {TRAIL} ],"end":null}}', [TRAIL]),
    "records": (f'{{"records":[{ACTIVITY},{ACTIVITY}]}}\n', [ACTIVITY, ACTIVITY]),
    "records on lines": (f'{{"records":[{ACTIVITY}]}}\n{{"records":[{ACTIVITY},{AUDIT}]}}\n', [ACTIVITY, ACTIVITY, AUDIT]),
    "array of records": (f'[{{"records":[{ACTIVITY}]}},{{"records":[{AUDIT}]}}]', [ACTIVITY, AUDIT]),
    "page": (f'{{"@odata.context":"c","value":[{ACTIVITY}],"@odata.nextLink":"n"}}', [ACTIVITY]),
    "page with only a value": (f'{{"value":[{ACTIVITY},{ACTIVITY}]}}', [ACTIVITY, ACTIVITY]),
    "subscription": (subscription(TRAIL, AUDIT), [TRAIL, AUDIT]),
    "subscriptions after each other": (subscription(TRAIL) + subscription(AUDIT), [TRAIL, AUDIT]),
    "Lambda": (json.dumps({"awslogs": {"data": b64(gzip.compress(subscription(TRAIL, AUDIT).encode()))}}), [TRAIL, AUDIT]),
    "log events as a command prints them": (json.dumps({"events": [{"timestamp": 1, "message": TRAIL}], "nextForwardToken": "f"}), [TRAIL]),
    "EventBridge": (EVENT_BRIDGE, [TRAIL]),
    "EventBridge among records": (f"{TRAIL}\n{EVENT_BRIDGE}\n{TRAIL}\n", [TRAIL, TRAIL, TRAIL]),
    "EventBridge in a subscription": (subscription(EVENT_BRIDGE, TRAIL), [TRAIL, TRAIL]),
    "CloudEvent": (CLOUD_EVENT, [AUDIT]),
    "CloudEvents": (f"[{CLOUD_EVENT},{CLOUD_EVENT}]", [AUDIT, AUDIT]),
    "CloudEvent with text": (json.dumps({"specversion": "1.0", "data": AUDIT}), [AUDIT]),
    "CloudEvent with base64": (json.dumps({"specversion": "1.0", "data_base64": b64(AUDIT)}), [AUDIT]),
    "Event Grid": (EVENT_GRID, [ACTIVITY]),
    "wrapped by a tool": (f'{{"data":{ACTIVITY},"version":1,"eventId":"1","eventType":"AZURE_CLOUD"}}', [ACTIVITY]),
    "Pub/Sub push": (push(AUDIT), [AUDIT]),
    "Pub/Sub pull": (f'{{"receivedMessages":[{json.dumps({"ackId": "1", "message": {"data": b64(AUDIT)}})}]}}', [AUDIT]),
    "Pub/Sub pull as a list": (f'[{json.dumps({"ackId": "1", "message": {"data": b64(AUDIT)}})}]', [AUDIT]),
    "Pub/Sub message with lines": (push(f"{AUDIT}\n{AUDIT}\n"), [AUDIT, AUDIT]),
    "LookupEvents": (f'{{"Events":[{LOOKUP},{LOOKUP}],"NextToken":"t"}}', [TRAIL, TRAIL]),
    "LookupEvents on lines": (f"{LOOKUP}\n{LOOKUP}\n", [TRAIL, TRAIL]),
    "text that holds a record": (json.dumps(TRAIL) + "\n" + json.dumps(AUDIT), [TRAIL, AUDIT]),
    "UTF-16": (TRAIL.encode("utf-16"), [TRAIL]),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_the_records_of_a_shape_come_out_as_they_were_written(shape: str) -> None:
    data, records = SHAPES[shape]
    given = data if isinstance(data, bytes) else data.encode()
    pieces = list(split([given], "object", Limits()))
    assert [text for piece in pieces for text in piece.records["raw_data"]] == records
    if shape != "UTF-16":
        assert outcome(given) == (records, [], [])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("chunk", [64, 512])
def test_small_windows_give_the_same(shape: str, chunk: int) -> None:
    data, records = SHAPES[shape]
    given = data if isinstance(data, bytes) else data.encode()
    blocks = [given[i : i + 50] for i in range(0, len(given), 50)]
    pieces = list(split(blocks, "object", Limits(chunk_bytes=chunk)))
    assert [text for piece in pieces for text in piece.records["raw_data"]] == records
    assert not any(piece.rejects or piece.skips for piece in pieces)


@pytest.mark.parametrize("indent", [1, 4])
def test_pretty_printed_documents_keep_their_lines(indent: int) -> None:
    one, two = (json.dumps(json.loads(text), indent=indent) for text in (TRAIL, AUDIT))
    assert outcome(one + "\n" + two + "\n")[0] == [one, two]
    assert [json.loads(text) for text in outcome(json.dumps({"Records": [json.loads(TRAIL)] * 3}, indent=indent))[0]] == [json.loads(TRAIL)] * 3


OTLP: dict[str, Any] = {
    "resourceSpans": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "agent"}}]},
            "scopeSpans": [{"scope": {"name": "s"}, "spans": [{"name": "a", "startTimeUnixNano": "1"}, {"name": "b"}]}, {"spans": [{"name": "c"}]}],
        },
        {"scopeSpans": [{"scope": {"name": "t"}, "spans": [{"name": "d"}]}], "schemaUrl": "u"},
    ]
}


def test_a_trace_document_gives_a_record_per_span() -> None:
    records = [json.loads(text) for text in outcome(json.dumps(OTLP))[0]]
    resource = OTLP["resourceSpans"][0]["resource"]
    assert records == [
        {"resource": resource, "scope": {"name": "s"}, "span": {"name": "a", "startTimeUnixNano": "1"}},
        {"resource": resource, "scope": {"name": "s"}, "span": {"name": "b"}},
        {"resource": resource, "scope": {}, "span": {"name": "c"}},
        {"resource": {}, "scope": {"name": "t"}, "span": {"name": "d"}},
    ]


def test_a_log_document_gives_a_record_per_log_record_with_its_parts_verbatim() -> None:
    line = '{"resourceLogs":[{"resource":{"a" : 1.0},"scopeLogs":[{"scope":{"name":"s"},"logRecords":[{"body" :{"stringValue":"x"}}]}]}]}'
    assert outcome(f"{line}\n{line}\n")[0] == ['{"resource":{"a" : 1.0},"scope":{"name":"s"},"logRecord":{"body" :{"stringValue":"x"}}}'] * 2


@pytest.mark.parametrize(
    "record",
    [
        '{"value":[{"a":1}],"name":"policy"}',
        '{"value":"x"}',
        '{"message":"text","timestamp":1,"level":"info"}',
        '{"message":{"data":"eyJhIjoxfQ=="},"id":"x"}',
        '{"message":{"role":"user"}}',
        '{"data":{"a":1},"object":"list"}',
        '{"records":[1,2]}',
        '{"records":[{"a":1}],"properties":{}}',
        '{"Records":{"a":1}}',
        '{"events":["s3:ObjectCreated:*"]}',
        '{"detail":{"a":1},"source":"x"}',
        '{"detail-type":"x","detail":"text"}',
        '{"specversion":"1.0","type":"x"}',
        '{"resource":{"type":"gce"},"insertId":"1"}',
        '{"logEvents":[{"a":1}],"x":1}',
        "{}",
    ],
)
def test_a_record_that_only_resembles_a_wrapping_is_left_whole(record: str) -> None:
    assert outcome(record + "\n" + record) == ([record, record], [], [])


@pytest.mark.parametrize("data", ["", " \n\t\n", "[]", '{"Records":[]}', '{"value":[]}\n{"records":[]}\n', '{"resourceSpans":[]}'])
def test_an_object_without_records_is_skipped(data: str) -> None:
    assert outcome(data) == ([], [], [Skip("object", "holds no records")])


def test_what_is_no_log_is_skipped_with_its_reason() -> None:
    digest = '{"awsAccountId":"111122223333","digestStartTime":"2026-01-01T00:00:00Z","logFiles":[{"s3Object":"x"}]}'
    assert outcome(digest) == ([], [], [Skip("object", "CloudTrail digest file, holds no events")])
    control = subscription("CWL CONTROL MESSAGE: Checking health of destination", kind="CONTROL_MESSAGE")
    assert outcome(f"{control}\n{subscription(TRAIL)}") == ([TRAIL], [], [Skip("object", "CloudWatch control message")])


def test_contents_that_cannot_be_read_are_refused_in_their_place() -> None:
    records, rejects, _ = outcome(subscription(TRAIL, "START RequestId: 1", '{"cut":', TRAIL))
    assert records == [TRAIL, TRAIL]
    assert [reject.position for reject in rejects] == [1, 2]
    broken = ['{"awslogs":{"data":"!!"}}', '{"awslogs":{"data":"aGVsbG8="}}', '{"message":{"data":"%"}}', push("no json"), "[1,null]"]
    records, rejects, _ = outcome("\n".join([TRAIL, *broken, TRAIL]))
    assert records == [TRAIL, TRAIL]
    assert [reject.position for reject in rejects] == [1, 2, 3, 4, 5, 6]
    assert all(reject.object == "object" and reject.reason for reject in rejects)


def test_text_in_a_wrapping_is_mended_and_flagged() -> None:
    data = subscription(TRAIL) + "\n" + r'{"CloudTrailEvent":"{\"a\":\"\ud800\"}"}'
    (piece,) = split([data.encode()], "object", Limits())
    assert piece.records["raw_data"].to_list() == [TRAIL, '{"a":"\ufffd"}']
    assert piece.records["repaired"].to_list() == [False, True]


def test_a_compressed_body_in_a_wrapping_is_bounded() -> None:
    bomb = json.dumps({"awslogs": {"data": b64(gzip.compress(b" " * 1_000_000))}})
    _, rejects, _ = outcome(bomb, Limits(max_record_bytes=10_000))
    assert "more than" in rejects[0].reason


def test_wrappings_do_not_nest_without_end() -> None:
    data = TRAIL
    for _ in range(12):
        data = json.dumps({"CloudTrailEvent": data})
    assert [reject.position for reject in outcome(data)[1]] == [0]


def test_limits_apply_to_records_and_not_to_what_wraps_them() -> None:
    limits = Limits(max_record_bytes=200, max_depth=3)
    records, rejects, _ = outcome(f'{{"Records":[{TRAIL},{{"a":"{"x" * 300}"}},{TRAIL},{{"a":[[[1]]]}},{TRAIL},{{"a":[[1],"[[[[["]}}]}}', limits)
    assert records == [TRAIL, TRAIL, TRAIL, '{"a":[[1],"[[[[["]}']
    assert [reject.position for reject in rejects] == [1, 3]


@pytest.mark.parametrize("separator", [",", ",\n", " ,\n  "])
@pytest.mark.parametrize("named", [True, False])
def test_a_list_of_any_size_is_read_in_pieces(separator: str, named: bool) -> None:
    texts = [f'{{"eventVersion":"1","n":{i},"items":[{{"a":1}},{{"a":2}}]}}' for i in range(5000)]

    def blocks() -> Iterator[bytes]:
        yield b'{"Records": [' if named else b"["
        for i in range(0, len(texts), 100):
            yield (separator if i else "").encode() + separator.join(texts[i : i + 100]).encode()
        yield b"]}\n" if named else b"]"

    pieces = list(split(blocks(), "object", Limits(chunk_bytes=10_000, max_record_bytes=10_000)))
    assert [text for piece in pieces for text in piece.records["raw_data"]] == texts
    assert max(piece.records["raw_data"].str.len_bytes().sum() for piece in pieces) < 30_000
    assert len(pieces) > 10


def test_many_lines_come_in_pieces_with_running_positions() -> None:
    data = b"".join(b'{"n":%d}\n' % i for i in range(10_000))
    pieces = list(split([data], "object", Limits(chunk_bytes=5000)))
    assert len(pieces) > 10
    assert [position for piece in pieces for position in piece.records["position"]] == list(range(10_000))


COUNTS = {
    "aws_cloudtrail/otel_contrib_cloudwatch_subscription.ndjson": 2,
    "azure_activity/otel_contrib_eventhub_records.ndjson": 9,
}
"""Files of the corpus whose lines are not one record each."""


def _lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_bytes().splitlines() if line.strip()]


@pytest.mark.skipif(not CORPUS.is_dir(), reason="no corpus")
def test_every_record_of_the_corpus_comes_out() -> None:
    files = sorted(CORPUS.glob("*/*.ndjson"))
    assert files
    for path in files:
        data = path.read_bytes()
        name = f"{path.parent.name}/{path.name}"
        records, rejects, _ = outcome(data)
        assert len(records) + len(rejects) == COUNTS.get(name, len(_lines(path))), name
        assert [reject.reason for reject in rejects] == (["log event whose message is no JSON object"] if "subscription" in name else []), name
        as_array = b"[" + b",".join(data.splitlines()) + b"]"
        assert outcome(as_array)[0] == records


@pytest.mark.parametrize("size", range(2, 16))
def test_records_of_few_bytes_stay_as_they_were_written(size: int) -> None:
    short = {2: "{}", 3: "{ }"}.get(size, f"{{{' ' * (size - 2)}}}")
    record = '{"eventVersion":"1","long":"enough"}'
    given = [record, short, short, record, short]
    for text in ('{"Records":[' + ",".join(given) + "]}", "[" + ",".join(given) + "]", "\n".join(given), ",".join(given)):
        assert outcome(text)[0] == given


def test_what_stands_between_records_that_begin_alike_is_looked_at() -> None:
    record, limits = '{"eventVersion":"1","a":[[1]]}', Limits(max_depth=4, max_record_bytes=60)
    deep, long = '{"eventVersion":"1","a":[[[[1]]]]}', '{"eventVersion":"1","a":"' + "x" * 60 + '"}'
    wrapped = '{"Records":[{"eventVersion":"2"}]}'
    records, rejects, _ = outcome('{"Records":[' + ",".join((record, wrapped, record)) + "]}", limits)
    assert records == [record, '{"eventVersion":"2"}', record]
    assert not rejects
    for bad, reason in ((deep, "deeper"), (long, "longer")):
        records, rejects, _ = outcome('{"Records":[' + ",".join((record, bad, record)) + "]}", limits)
        assert records == [record, record]
        assert [(reject.position, reason in reject.reason) for reject in rejects] == [(1, True)]
