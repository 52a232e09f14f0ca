"""`crosswind events`: what was understood, in every format."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from engine.schema import STORED

Cli = Callable[..., Any]
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


def trail(n: int, name: str = "ListUsers") -> dict[str, Any]:
    return {
        "eventVersion": "1.09",
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/eve", "accountId": "111122223333", "userName": "eve"},
        "eventTime": f"2026-03-01T12:00:{n:02d}Z",
        "eventSource": "iam.amazonaws.com",
        "eventName": name,
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "203.0.113.7",
        "requestParameters": {"note": f"aws_secret_access_key={SECRET}"},
        "eventID": f"00000000-0000-4000-8000-{n:012d}",
        "recipientAccountId": "111122223333",
    }


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Three events, one of them delivered twice, of two sources."""
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "a.json").write_text(json.dumps({"Records": [trail(1), trail(2, "CreateUser")]}), encoding="utf-8")
    (folder / "b.json").write_text(json.dumps({"Records": [trail(2, "CreateUser")]}), encoding="utf-8")
    call = {
        "schemaType": "ModelInvocationLog", "schemaVersion": "1.0", "timestamp": "2026-03-01T12:00:05Z", "accountId": "111122223333",
        "region": "eu-west-1", "requestId": "r-1", "operation": "InvokeModel", "modelId": "example.model-v1",
        "input": {"inputContentType": "application/json", "inputBodyJson": {"messages": [{"role": "user", "content": "a private question"}]}},
        "output": {"outputContentType": "application/json", "outputBodyJson": {"content": [{"type": "text", "text": "a private answer"}]}},
    }  # fmt: skip
    (folder / "c.json").write_text(json.dumps(call), encoding="utf-8")
    return folder


def documents(ran: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ran.out.splitlines()]


def test_ndjson_keys_are_columns_nulls_are_left_out_and_duplicates_count_once(logs: Path, cli: Cli) -> None:
    ran = cli("events", logs)
    found = documents(ran)
    assert ran.code == 0
    found.sort(key=lambda event: str(event["time"]))
    assert [event["api.operation"] for event in found] == ["ListUsers", "CreateUser", "InvokeModel"]
    assert all(event.keys() <= STORED.keys() and None not in event.values() for event in found)
    assert all("raw_data" not in event for event in found)
    assert found[0]["time"].startswith("2026-03-01T12:00:01")
    assert found[0]["src_endpoint.ip"] == "203.0.113.7"
    assert "4 = 3 events + 1 duplicates" in ran.err


def test_content_and_credentials_are_redacted_unless_asked_for(logs: Path, cli: Cli) -> None:
    hidden = cli("events", logs, "--raw").out
    shown = cli("events", logs, "--raw", "--show-content").out
    for text in (SECRET, "a private question", "a private answer"):
        assert text not in hidden
        assert text in shown


def test_raw_with_show_content_is_the_record_verbatim(logs: Path, cli: Cli) -> None:
    found = documents(cli("events", logs, "--raw", "--show-content", "--source", "aws.cloudtrail"))
    assert [json.loads(event["raw_data"]) for event in found] == [trail(1), trail(2, "CreateUser")]


def test_columns_come_in_the_order_asked_for(logs: Path, cli: Cli) -> None:
    assert [list(event) for event in documents(cli("events", logs, "--columns", "x.uid,api.operation,time", "--limit", "1"))] == [
        ["x.uid", "api.operation", "time"]
    ]
    ran = cli("events", logs, "--columns", "x.position,api.operation,x.source", "--format", "csv", "--source", "aws.cloudtrail")
    assert list(csv.reader(io.StringIO(ran.out)))[:2] == [["x.position", "api.operation", "x.source"], ["0", "ListUsers", "aws.cloudtrail"]]
    assert list(documents(cli("events", logs, "--columns", "raw_data,time", "--limit", "1"))[0]) == ["time", "raw_data"]


def test_an_unknown_column_is_wrong_usage_and_helps(logs: Path, cli: Cli) -> None:
    ran = cli("events", logs, "--columns", "api.operatoin")
    assert ran.code == 2
    assert "did you mean" in ran.err.lower()
    assert "api.operation" in ran.err
    assert len(ran.err) < 500


def test_limit_source_and_time(logs: Path, cli: Cli) -> None:
    assert len(documents(cli("events", logs, "--limit", "2"))) == 2
    assert [event["x.source"] for event in documents(cli("events", logs, "--source", "aws.bedrock_invocation"))] == ["aws.bedrock_invocation"]
    late = documents(cli("events", logs, "--from", "2026-03-01T12:00:02Z", "--to", "2026-03-01T12:00:05Z"))
    assert [event["api.operation"] for event in late] == ["CreateUser"]
    assert cli("events", logs, "--source", "aws.nothing").code == 2


def test_csv_has_every_column_and_one_row_an_event(logs: Path, cli: Cli) -> None:
    rows = list(csv.DictReader(io.StringIO(cli("events", logs, "--format", "csv").out)))
    assert len(rows) == 3
    assert list(rows[0]) == [name for name in STORED if name != "raw_data"]


@pytest.mark.parametrize("options", [(), ("--show-content",), ("--raw",)])
def test_parquet_has_the_types_of_the_schema(logs: Path, cli: Cli, tmp_path: Path, options: tuple[str, ...]) -> None:
    out = tmp_path / "events.parquet"
    assert cli("events", logs, "--format", "parquet", "-o", out, *options).code == 0
    frame = pl.read_parquet(out)
    assert frame.height == 3
    assert dict(frame.schema) == {name: column.dtype for name, column in STORED.items() if name != "raw_data" or options == ("--raw",)}
    assert frame["time"].null_count() == 0


def test_parquet_needs_a_file(logs: Path, cli: Cli) -> None:
    assert cli("events", logs, "--format", "parquet").code == 2


def test_the_table_shows_events(logs: Path, cli: Cli) -> None:
    assert "203.0.113.7" in cli("events", logs, "--format", "table", "--columns", "src_endpoint.ip").out
    assert "No events." in cli("events", logs, "--format", "table", "--source", "gcp.audit").out


def test_an_empty_folder_and_standard_input(tmp_path: Path, cli: Cli) -> None:
    ran = cli("events", tmp_path)
    assert (ran.code, ran.out) == (0, "")
    assert "nothing to look at" in ran.err
    ran = cli("events", "-", stdin=json.dumps(trail(1)).encode())
    assert [event["api.operation"] for event in documents(ran)] == ["ListUsers"]
