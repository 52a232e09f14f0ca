"""Rows that invented records of every delivery shape normalise to, and the same promises checked on real samples where they are at hand."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from connectors.normalize import Normalized, Understood, Want, understand
from connectors.sources import load_mappings
from engine.schema import rows

HERE = Path(__file__).parent
CORPUS = Path(__file__).resolve().parents[2] / ".." / "shared" / "corpus"
NOW = datetime(2026, 11, 1, tzinfo=UTC)
STEMS = ("aws_cloudtrail", "azure_activity", "entra_signin", "entra_audit", "entra_risk", "gcp_audit")
LEFT_OUT = ("raw_data", "x.object", "x.position")

CASES = [
    (stem, case["name"], case["record"], case["row"]) for stem in STEMS for case in json.loads((HERE / f"{stem}.json").read_text(encoding="utf-8"))
]


def _understand(records: list[Any], uri: str = "test") -> Understood:
    frame = pl.DataFrame(
        {
            "raw_data": [json.dumps(record, ensure_ascii=False) for record in records],
            "object": [uri] * len(records),
            "position": list(range(len(records))),
            "repaired": [False] * len(records),
        },
        schema_overrides={"position": pl.Int64},
    )
    mappings = load_mappings()
    return understand(frame, mappings, {name: Want() for name in mappings}, now=NOW)


def _only(understood: Understood) -> tuple[str, Normalized]:
    assert not understood.unknown
    assert len(understood.parts) == 1
    mapping, normalized = understood.parts[0]
    assert not normalized.rejects
    return mapping.source, normalized


def _row(normalized: Normalized) -> dict[str, Any]:
    (row,) = rows(normalized.events)
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items() if name not in LEFT_OUT}


@pytest.mark.parametrize(("stem", "name", "record", "row"), CASES, ids=[f"{stem}: {name}" for stem, name, _, _ in CASES])
def test_a_record_of_each_shape_gives_its_row(stem: str, name: str, record: dict[str, Any], row: dict[str, Any]) -> None:
    source, normalized = _only(_understand([record]))
    assert source == stem.replace("_", ".", 1)
    assert _row(normalized) == row


@pytest.mark.parametrize("stem", STEMS)
def test_shapes_mixed_in_one_object_give_the_rows_they_give_alone(stem: str) -> None:
    cases = [case for case in CASES if case[0] == stem]
    _, normalized = _only(_understand([record for _, _, record, _ in cases]))
    found = {row["x.uid"]: row for row in rows(normalized.events)}
    assert [found[row["x.uid"]]["time"].isoformat() for _, _, _, row in cases] == [row["time"] for _, _, _, row in cases]


@pytest.mark.parametrize(
    "record",
    [
        {
            "time": "2026-03-04T05:06:07Z",
            "resourceId": "/SUBSCRIPTIONS/X/PROVIDERS/MICROSOFT.WEB/SITES/F",
            "operationName": "log",
            "category": "FunctionAppLogs",
        },
        {"time": "2026-03-04T05:06:07Z", "resourceId": "/SUBSCRIPTIONS/X/PROVIDERS/HEALTH/FHIR/F", "operationName": "read", "category": "AuditLogs"},
        {"insertId": "a", "logName": "projects/p/logs/requests", "timestamp": "2026-03-04T05:06:07Z", "jsonPayload": {"a": 1}},
        {"awsAccountId": "111122223333", "digestStartTime": "2026-03-04T05:06:07Z", "logFiles": []},
        {"eventName": "click", "eventSource": "web", "eventTime": "2026-03-04T05:06:07Z"},
    ],
)
def test_records_of_others_stay_unknown(record: dict[str, Any]) -> None:
    understood = _understand([record])
    assert not understood.parts
    assert len(understood.unknown) == 1


def _without_time(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: "yesterday" if key.lower().endswith(("time", "timestamp")) else _without_time(item) for key, item in value.items()}


@pytest.mark.parametrize("stem", STEMS)
def test_a_record_without_a_readable_time_is_rejected_and_named(stem: str) -> None:
    record = next(record for case_stem, _, record, _ in CASES if case_stem == stem)
    understood = _understand([record, _without_time(record)])
    ((mapping, normalized),) = understood.parts
    assert normalized.events["x.position"].to_list() == [0]
    (reject,) = normalized.rejects
    assert (reject.position, reject.object) == (1, "test")
    assert reject.reason.startswith(f"{mapping.source}: ")
    assert "'yesterday'" in reject.reason


# --- real samples -----------------------------------------------------------------------------------------------------------------------------

FOLDERS = {
    "aws_cloudtrail": "aws.cloudtrail",
    "azure_activity": "azure.activity",
    "entra_audit": "entra.audit",
    "entra_signin": "entra.signin",
    "gcp_audit": "gcp.audit",
}
REWRITTEN = ("otrf_s3_honeybucket_csvrows.ndjson", "cloudgrep_wrapped.ndjson")
"""Tables made from records by other tools: no delivery of the provider looks like this."""


def _records(value: Any) -> list[Any]:
    """The records in one line of a sample file."""
    if isinstance(value.get("records"), list):
        return list(value["records"])
    if "logEvents" in value:
        return [json.loads(event["message"]) for event in value["logEvents"] if event["message"].startswith("{")]
    if "CloudTrailEvent" in value:
        return [json.loads(value["CloudTrailEvent"])]
    if "detail-type" in value:
        return [value["detail"]]
    return [value["data"]] if "specversion" in value else [value]


def _samples() -> list[Path]:
    return [path for folder in FOLDERS for path in sorted((CORPUS / folder).glob("*.ndjson")) if path.name not in REWRITTEN]


@pytest.mark.parametrize("path", _samples(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_real_samples_have_a_source_a_time_an_identity_and_an_operation(path: Path) -> None:
    records = [record for line in path.read_text(encoding="utf-8").splitlines() if line.strip() for record in _records(json.loads(line))]
    understood = _understand(records, path.name)
    assert {mapping.source for mapping, _ in understood.parts} == {FOLDERS[path.parent.name]}
    for skip in understood.unknown:
        assert skip.position is not None
        assert not {"protoPayload", "protopayload_auditlog", "eventName", "operationName"} & set(records[skip.position])
    ((_, normalized),) = understood.parts
    for reject in normalized.rejects:
        assert reject.position is not None
        assert str(records[reject.position].get("timestamp", "0000")).startswith("0000"), reject.reason
    events = normalized.events
    assert events.height + len(normalized.rejects) + len(understood.unknown) == len(records)
    for column in ("x.uid", "time", "api.operation", "api.service.name", "class_uid", "activity_id"):
        assert events[column].null_count() == 0, column
    undecided = {"start", "started", "started.", "active", "resolved", "updated"}
    assert all(code is not None and code.lower() in undecided for code in events.filter(pl.col("status_id").is_null())["status_code"])
    assert events["x.flags"].explode().drop_nulls().is_empty()
