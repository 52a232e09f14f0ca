"""Whole rows of the inference sources: invented records of every shape, and the corpus where it is there.

``ai_sources/<source>.json`` lists cases: ``name``, ``record`` as the provider writes it, and ``row``, every column that is not null.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from connectors.normalize import Normalized, Want, understand
from connectors.sources import load_mappings
from engine.schema import AI_COLUMNS, COLUMNS

HERE = Path(__file__).parent / "ai_sources"
CORPUS = Path(__file__).resolve().parents[2] / ".." / "shared" / "corpus"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SOURCES = sorted(name for name, mapping in load_mappings().items() if mapping.ai)
CASES = [
    pytest.param(source, case, id=f"{source}: {case['name']}")
    for source in SOURCES
    for case in json.loads((HERE / f"{source.replace('.', '_')}.json").read_text("utf-8"))
]


def read(records: list[dict[str, Any]]) -> dict[str | None, Normalized]:
    """Records, recognised and normalised with all columns, by source; records of no source under None."""
    frame = pl.DataFrame(
        {"raw_data": [json.dumps(r) for r in records], "object": "o", "position": range(len(records)), "repaired": False},
        schema_overrides={"position": pl.Int64},
    )
    found = understand(frame, load_mappings(), {name: Want() for name in load_mappings()}, now=NOW)
    parts: dict[str | None, Normalized] = {mapping.source: part for mapping, part in found.parts}
    if found.unknown:
        parts[None] = Normalized(pl.DataFrame({"unknown": [skip.reason for skip in found.unknown]}))
    return parts


def rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    plain = frame.drop("raw_data", "x.object", "x.position")
    return [
        {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items() if value is not None}
        for row in plain.iter_rows(named=True)
    ]


@pytest.mark.parametrize(("source", "case"), CASES)
def test_record_becomes_the_row(source: str, case: dict[str, Any]) -> None:
    parts = read([case["record"]])
    assert list(parts) == [source]
    assert rows(parts[source].events) == [case["row"]]


@pytest.mark.parametrize("source", SOURCES)
def test_every_ai_column_is_filled_by_some_case_or_cannot_be(source: str) -> None:
    cases = json.loads((HERE / f"{source.replace('.', '_')}.json").read_text("utf-8"))
    filled = {name for case in cases for name in case["row"]}
    mapped = {name for name in load_mappings()[source].columns if name in AI_COLUMNS or name in ("x.ai.call_uid", "x.ai.tool_text")}
    assert mapped - filled <= {"message_context.uid", "x.ai.cost_usd"}, "a column of the mapping that no case shows to work"


BROKEN: list[Any] = [None, 0, -1.5, True, "", "{", "[", "text", [], {}, [None, 7, "x", [], {}], {"a": {"b": [1, {"c": None}]}}]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("value", BROKEN, ids=repr)
def test_values_of_the_wrong_kind_never_fail_a_column(source: str, value: Any) -> None:
    cases = json.loads((HERE / f"{source.replace('.', '_')}.json").read_text("utf-8"))
    broken = [record for case in cases[::5] for record in _replaced(case["record"], value) if isinstance(record, dict)]
    for name, part in read(broken).items():
        if name is not None:
            flags = part.events["x.flags"].drop_nulls().explode().to_list()
            assert [flag for flag in flags if flag.startswith("unmapped")] == []


def _replaced(record: Any, value: Any) -> Iterator[Any]:
    """``record`` with one value at any depth replaced by ``value``, also inside of JSON text."""
    yield value
    if isinstance(record, dict):
        for key, inner in record.items():
            yield from ({**record, key: changed} for changed in _replaced(inner, value))
    elif isinstance(record, list):
        for index, inner in enumerate(record):
            yield from ([*record[:index], changed, *record[index + 1 :]] for changed in _replaced(inner, value))
    elif isinstance(record, str) and record.startswith(("{", "[")) and record.endswith(("}", "]")):
        yield from (json.dumps(changed) for changed in _replaced(json.loads(record), value))


def test_plain_http_spans_and_foreign_diagnostic_logs_are_left_alone() -> None:
    span = {"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "name": "GET /", "startTimeUnixNano": "1772459000000000000"}
    foreign: list[dict[str, Any]] = [
        {"resource": {}, "scope": {}, "span": {**span, "attributes": [{"key": "http.request.method", "value": {"stringValue": "GET"}}]}},
        {
            "resource": {},
            "scope": {},
            "logRecord": {"timeUnixNano": "1772459000000000000", "body": {"stringValue": "gen_ai. is a name"}, "attributes": []},
        },
        {
            "time": "2026-03-02T11:00:00Z",
            "category": "Audit",
            "operationName": "Sign",
            "resourceId": "/SUBSCRIPTIONS/X/PROVIDERS/MICROSOFT.KEYVAULT/VAULTS/V",
            "properties": {},
        },
        {
            "time": "2026-03-02T11:00:00Z",
            "category": "GatewayLogs",
            "operationName": "Microsoft.ApiManagement/GatewayLogs",
            "correlationId": "c",
            "properties": {"backendUrl": "https://shop.example.com/orders"},
        },
        {"started_at": 1772456402500, "request": {"id": "k"}, "response": {"status": 200}, "client_ip": "198.51.100.6"},
    ]
    assert set(read(foreign)) & set(SOURCES) == set()


def _otlp(line: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for outer, inner, items, single in (("resourceSpans", "scopeSpans", "spans", "span"), ("resourceLogs", "scopeLogs", "logRecords", "logRecord")):
        for resource in line.get(outer, []):
            for scope in resource[inner]:
                for item in scope[items]:
                    yield {"resource": resource.get("resource", {}), "scope": scope.get("scope", {}), single: item}


def _corpus(name: str) -> list[dict[str, Any]]:
    path = CORPUS / name
    if not path.exists():
        pytest.skip("the corpus is not there")
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    return [record for line in lines for record in (_otlp(line) if "resourceSpans" in line or "resourceLogs" in line else [line])]


@pytest.mark.parametrize(
    ("name", "source", "count", "filled"),
    [
        (
            "bedrock_invocation/SYNTHETIC_envelope_real_bodies.ndjson",
            "aws.bedrock_invocation",
            19,
            {"prompt": 19, "response": 19, "calls": 3, "tool": 3, "system": 3},
        ),
        ("bedrock_invocation/dheeraj_mcp.ndjson", "aws.bedrock_invocation", 1, {"prompt": 1, "response": 1}),
        ("litellm/standard_logging_payload_generated.ndjson", "ai.litellm", 7, {"prompt": 7, "response": 6, "calls": 1, "system": 1}),
        ("litellm/spend_logs_payload_fixture.ndjson", "ai.litellm", 1, {}),
        ("openai_compat/envoy_ai_gateway_accesslog.ndjson", "ai.gateway", 2, {}),
        ("otel_genai/otlp_spans_default.ndjson", "ai.otel", 60, {}),
        ("otel_genai/otlp_spans_latest.ndjson", "ai.otel", 60, {"prompt": 17, "response": 14, "calls": 2, "tool": 1, "system": 4}),
        ("otel_genai/otlp_logs_default.ndjson", "ai.otel", 158, {"prompt": 59, "response": 42, "calls": 10, "tool": 22, "system": 10}),
        ("otel_genai/otlp_logs_latest.ndjson", "ai.otel", 133, {"prompt": 17, "response": 14, "calls": 10, "tool": 1, "system": 4}),
    ],
)
def test_corpus_is_read_whole(name: str, source: str, count: int, filled: dict[str, int]) -> None:
    parts = read(_corpus(name))
    assert list(parts) == [source]
    events = parts[source].events
    assert events.height == count
    assert events["x.uid"].n_unique() == count
    assert events["x.flags"].null_count() == count
    columns = {
        "prompt": "message_context.prompt_text",
        "response": "message_context.response_text",
        "calls": "x.ai.tool_calls",
        "tool": "x.ai.tool_text",
        "system": "x.ai.system_text",
    }
    assert {key: n for key, column in columns.items() if (n := events[column].is_not_null().sum())} == filled


def test_http_exchanges_of_the_corpus_are_no_log() -> None:
    for name in ("openai_compat/otel_contrib_openai_http_pairs.ndjson", "bedrock_invocation/otel_contrib_bedrock_http_pairs.ndjson"):
        assert list(read(_corpus(name))) == [None]


def test_golden_rows_name_columns_that_exist() -> None:
    for source in SOURCES:
        for case in json.loads((HERE / f"{source.replace('.', '_')}.json").read_text("utf-8")):
            assert set(case["row"]) <= set(COLUMNS)
