"""The normalise kernel: recognition by shape, times, flags, identities."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from connectors import columns as kernel
from connectors.cells import times
from connectors.normalize import Want, columns_of, normalize, understand
from connectors.sources import functions, load_mappings
from connectors.values import micros
from engine.schema import COLUMNS

NOW = datetime(2026, 3, 2, tzinfo=UTC)
MAPPINGS = load_mappings()
TRAIL = MAPPINGS["aws.cloudtrail"]
NOTHING = dict.fromkeys(MAPPINGS, Want(columns=()))


def trail(n: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "eventVersion": "1.09",
        "eventTime": f"2026-03-01T12:00:{n:02d}Z",
        "eventSource": "iam.amazonaws.com",
        "eventName": "ListUsers",
        "eventID": f"e-{n}",
        "recipientAccountId": "111122223333",
        **more,
    }


BEDROCK = {
    "schemaType": "ModelInvocationLog",
    "timestamp": "2026-03-01T12:00:05Z",
    "accountId": "111122223333",
    "requestId": "r-1",
    "operation": "InvokeModel",
    "modelId": "example.model-v1",
}
GCP = {
    "protoPayload": {"@type": "type.googleapis.com/google.cloud.audit.AuditLog", "serviceName": "iam.googleapis.com", "methodName": "SetIamPolicy"},
    "insertId": "i-1",
    "logName": "projects/example/logs/cloudaudit.googleapis.com%2Factivity",
    "timestamp": "2026-03-01T12:00:06.123456789Z",
}


def frame(*records: Any, objects: list[str] | None = None, repaired: bool = False) -> pl.DataFrame:
    raw = [record if isinstance(record, str) else json.dumps(record) for record in records]
    return pl.DataFrame(
        {"raw_data": raw, "object": objects or ["a"] * len(raw), "position": list(range(len(raw))), "repaired": [repaired] * len(raw)},
        schema={"raw_data": pl.String, "object": pl.String, "position": pl.Int64, "repaired": pl.Boolean},
    )


def test_every_record_of_a_mixed_frame_goes_to_its_source() -> None:
    mixed = [trail(1), BEDROCK, {"hello": 1}, GCP, trail(2), 5, {}]
    found = understand(frame(*mixed), MAPPINGS, NOTHING, now=NOW)
    assert {m.source: part.events["x.position"].to_list() for m, part in found.parts} == {
        "aws.bedrock_invocation": [1],
        "aws.cloudtrail": [0, 4],
        "gcp.audit": [3],
    }
    assert [(skip.position, skip.count) for skip in found.unknown] == [(2, 1), (5, 1), (6, 1)]
    assert "hello" in found.unknown[0].reason


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_the_order_of_a_frame_does_not_change_what_is_understood(order: tuple[int, ...]) -> None:
    records = [trail(1), BEDROCK, GCP]
    wants = {name: Want(native=("eventName",)) for name in MAPPINGS}
    found = understand(frame(*(records[n] for n in order)), MAPPINGS, wants, now=NOW)
    names = {m.source: (part.events["x.uid"].to_list(), part.events["api.operation"].to_list()) for m, part in found.parts}
    assert names["aws.cloudtrail"] == (["e-1|111122223333"], ["ListUsers"])
    assert names["gcp.audit"][1] == ["SetIamPolicy"]
    assert names["aws.bedrock_invocation"][1] == ["InvokeModel"]


def test_an_empty_frame_is_understood_as_nothing() -> None:
    found = understand(frame(), MAPPINGS, NOTHING, now=NOW)
    assert (found.parts, found.unknown) == ([], [])


def test_records_without_a_time_are_rejected_with_the_reason() -> None:
    late = trail(3)
    del late["eventTime"]
    done = normalize(frame(trail(1), late, trail(2, eventTime="soon")), TRAIL, Want(columns=()), now=NOW)
    assert done.events["x.position"].to_list() == [0]
    assert [(reject.object, reject.position) for reject in done.rejects] == [("a", 1), ("a", 2)]
    assert "no event time" in done.rejects[0].reason
    assert "eventTime is not a time: 'soon'" in done.rejects[1].reason


def test_a_time_in_the_future_and_a_repair_are_flagged() -> None:
    edge, far = "2026-03-02T01:00:00Z", "2026-03-02T01:00:01Z"
    done = normalize(frame(trail(1), trail(2, eventTime=edge), trail(3, eventTime=far)), TRAIL, Want(columns=()), now=NOW)
    assert done.events["x.flags"].to_list() == [None, None, ["future_time"]]
    done = normalize(frame(trail(1), repaired=True), TRAIL, Want(columns=()), now=NOW)
    assert done.events["x.flags"].to_list() == [["utf8_repaired"]]


def test_a_function_that_fails_is_flagged_and_not_fatal(monkeypatch: pytest.MonkeyPatch) -> None:
    def strict(value: Any) -> str:
        if value == "boom":
            raise ValueError(value)
        return str(value).upper()

    rule = replace(TRAIL.columns["api.operation"], function="strict", paths=("eventName",), every=False)
    mapping = replace(TRAIL, columns={**TRAIL.columns, "api.operation": rule})
    known = dict(functions(TRAIL.source))
    monkeypatch.setattr(kernel, "functions", lambda _: {**known, "strict": strict})
    done = normalize(frame(trail(1), trail(2, eventName="boom"), trail(3)), mapping, Want(columns=("api.operation",)), now=NOW)
    assert done.events["api.operation"].to_list() == ["LISTUSERS", None, "LISTUSERS"]
    assert done.events["x.flags"].to_list() == [None, ["unmapped:api.operation"], None]
    assert done.rejects == []


def test_equal_records_without_an_id_are_numbered_within_their_object() -> None:
    bare = trail(1)
    del bare["eventID"]
    records = frame(bare, bare, bare, trail(2), objects=["a", "a", "b", "b"])
    uids = normalize(records, TRAIL, Want(columns=()), now=NOW).events["x.uid"].to_list()
    digest = uids[0]
    assert len(digest) == 32
    assert uids == [digest, f"{digest}|1", digest, "e-2|111122223333"]
    later = normalize(records, TRAIL, Want(columns=()), now=NOW, repeats={("a", 0): 2, ("a", 1): 3, ("b", 3): 4}).events["x.uid"].to_list()
    assert later == [f"{digest}|2", f"{digest}|3", digest, "e-2|111122223333"]


def test_columns_of_keeps_every_row() -> None:
    raw = pl.Series("raw_data", ["{}", json.dumps(trail(1)), '{"eventName": null}', '{"eventname": "x"}'])
    made = columns_of(raw, TRAIL, Want(columns=("api.operation", "ai_model.name"), native=("eventName",)))
    assert made.columns == ["raw_data", "api.operation", "ai_model.name", "native.eventName"]
    assert made["api.operation"].to_list() == [None, "ListUsers", None, "x"]
    assert made["ai_model.name"].to_list() == [None] * 4
    assert made["native.eventName"].to_list() == [None, '"ListUsers"', "null", '"x"']


def test_columns_have_the_types_of_the_schema() -> None:
    events = normalize(frame(trail(1)), TRAIL, now=NOW).events
    assert {name: dtype for name, dtype in events.schema.items() if dtype != COLUMNS[name].dtype} == {}
    assert events["raw_data"].to_list() == [json.dumps(trail(1))]


def test_times_with_fractions_are_those_of_the_slow_way() -> None:
    dates = ("2026-03-01T01:02:03", "2026-03-01T23:59:60", "2026-02-30T00:00:00", "1969-12-31T23:59:59", "0000-01-01T00:00:00", "2026-03-01T25:00:00")
    texts = [date + end for date in dates for end in ("Z", ".1Z", ".1234567Z", ".999999999999Z", ".5+02:00", "")]
    found = times(pl.Series("time", [*texts, None, "x"]))
    assert found.cast(pl.Int64).to_list() == [*map(micros, texts), None, None]
