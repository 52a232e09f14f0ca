"""Which source a record belongs to: many at once as one by one."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

from connectors.recognise import owners, recognise_record
from connectors.shred import shred_shapes
from connectors.sources import load_mappings

AZURE: dict[str, Any] = {"time": "2026-03-01T00:00:00Z", "operationName": "X/WRITE", "resourceId": "/SUBSCRIPTIONS/1", "category": "Administrative"}


@pytest.mark.parametrize(
    "records",
    [
        [AZURE, {**AZURE, "category": "AuditLogs"}, {**AZURE, "resourceId": "/tenants/1/providers/Microsoft.aadiam", "category": "SignInLogs"}],
        [{**AZURE, "category": 5}, {**AZURE, "category": None}, {**AZURE, "resourceId": ["/subscriptions/1"]}],
        [{**AZURE, "CATEGORY": "AuditLogs"}, {**AZURE, "TYPE": "AzureActivity", "lacks.eventVersion": 1}],
        [{**AZURE, "OperationName": "y", "Type": "AzureActivity"}, {"OperationName": "y", "Type": "azureactivity"}],
        [{"eventName": "A", "eventTime": "t", "eventSource": source} for source in ("s3.amazonaws.com", "example.com", None, {"a": 1})],
        [{"logName": f"projects/p/logs/{name}", "protoPayload": {"@type": name}} for name in ("cloudaudit.googleapis.com%2Factivity", "other")],
        [{"logName": "x", "protoPayload.methodName": "m", "insertId": "1"}, {"logName": "x", "protoPayload": {"METHODNAME": "m"}}],
    ],
)
def test_many_are_recognised_as_each_alone(records: list[dict[str, Any]]) -> None:
    mappings = load_mappings()
    names = list(mappings)
    raw = pl.Series("raw_data", [json.dumps(record) for record in records] * 120)
    alone = [recognise_record(record, mappings) for record in records] * 120
    found = owners(raw, shred_shapes(raw, ()).shape, mappings).tolist()
    assert [None if index < 0 else names[index] for index in found] == alone
