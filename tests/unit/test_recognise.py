"""Which source a record belongs to: many at once as one by one."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

from connectors.recognise import owners, recognise_record, telling
from connectors.shred import shred_shapes
from connectors.sources import load_mappings

AZURE: dict[str, Any] = {"time": "2026-03-01T00:00:00Z", "operationName": "X/WRITE", "resourceId": "/SUBSCRIPTIONS/1", "category": "Administrative"}


MIXTURES: list[list[dict[str, Any]]] = [
    [AZURE, {**AZURE, "category": "AuditLogs"}, {**AZURE, "resourceId": "/tenants/1/providers/Microsoft.aadiam", "category": "SignInLogs"}],
    [{**AZURE, "category": 5}, {**AZURE, "category": None}, {**AZURE, "resourceId": ["/subscriptions/1"]}],
    [{**AZURE, "CATEGORY": "AuditLogs"}, {**AZURE, "TYPE": "AzureActivity", "lacks.eventVersion": 1}],
    [{**AZURE, "OperationName": "y", "Type": "AzureActivity"}, {"OperationName": "y", "Type": "azureactivity"}],
    [{"eventName": "A", "eventTime": "t", "eventSource": source} for source in ("s3.amazonaws.com", "example.com", None, {"a": 1})],
    [{"logName": f"projects/p/logs/{name}", "protoPayload": {"@type": name}} for name in ("cloudaudit.googleapis.com%2Factivity", "other")],
    [{"logName": "x", "protoPayload.methodName": "m", "insertId": "1"}, {"logName": "x", "protoPayload": {"METHODNAME": "m"}}],
]


@pytest.mark.parametrize("records", MIXTURES)
def test_many_are_recognised_as_each_alone(records: list[dict[str, Any]]) -> None:
    mappings = load_mappings()
    names = list(mappings)
    raw = pl.Series("raw_data", [json.dumps(record) for record in records] * 120)
    alone = [recognise_record(record, mappings) for record in records] * 120
    found = owners(raw, shred_shapes(raw, ()).shape, mappings).tolist()
    assert [None if index < 0 else names[index] for index in found] == alone


@pytest.mark.parametrize("records", MIXTURES)
@pytest.mark.parametrize("source", ["azure.activity", "gcp.audit", "entra.audit"])
def test_cells_that_are_there_already_lead_to_the_same_sources(records: list[dict[str, Any]], source: str) -> None:
    mappings = load_mappings()
    raw = pl.Series("raw_data", [json.dumps(record) for record in records] * 120)
    for first in records:
        shredded = shred_shapes(raw, telling(first, mappings), mappings[source].embedded)
        found = owners(raw, shredded.shape, mappings, shredded.cells, mappings[source].embedded)
        assert found.tolist() == owners(raw, shredded.shape, mappings).tolist()


def test_cells_read_without_opening_a_text_are_read_again() -> None:
    mappings = load_mappings()
    record = {"logName": "x", "insertId": "1", "protoPayload": json.dumps({"methodName": "m"})}
    raw = pl.Series("raw_data", [json.dumps(record)] * 300)
    closed = shred_shapes(raw, telling(record, mappings))
    assert closed.cells["protoPayload.methodName"].null_count() == raw.len()
    assert set(owners(raw, closed.shape, mappings, closed.cells).tolist()) == {list(mappings).index("gcp.audit")}


def test_only_what_decides_is_read() -> None:
    mappings = load_mappings()
    assert telling(AZURE, mappings) == ("category", "resourceId")
    assert telling({"logName": "x", "protoPayload": {"methodName": "m"}}, mappings) == ("protoPayload.methodName",)
    assert telling({"eventVersion": "1", "eventSource": "s", "eventName": "n", "eventTime": "t"}, mappings) == ()
    assert telling({"a": 1}, mappings) == ()
    assert telling([], mappings) == ()


def test_records_without_a_shape_are_recognised_each_by_its_own_keys() -> None:
    mappings = load_mappings()
    trail = '{"eventVersion": "1", "eventSource": "s", "eventName": "a\tb", "eventTime": "t"}'
    bedrock = '{"schemaType": "ModelInvocationLog", "modelId": "a\tb"}'
    raw = pl.Series("raw_data", [trail, bedrock])
    shapes = shred_shapes(raw, ()).shape
    assert shapes.null_count() == 2
    assert [list(mappings)[index] for index in owners(raw, shapes, mappings)] == ["aws.cloudtrail", "aws.bedrock_invocation"]
