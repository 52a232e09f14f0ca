"""Small invented logs for tests that run the whole product."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ALERT = "CloudTrail trail stopped or deleted"
"""Title of the bundled rule that `event` of its default name raises."""
SUM = ("events", "duplicates", "conflicts", "skipped", "out_of_range", "rejected")


def event(number: int = 0, name: str = "StopLogging", **changes: Any) -> dict[str, Any]:
    """A CloudTrail event; a member set to ``...`` is left out."""
    made = {
        "eventVersion": "1.09",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": "AIDAEXAMPLE",
            "arn": "arn:aws:iam::111122223333:user/mallory",
            "accountId": "111122223333",
            "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
            "userName": "mallory",
        },
        "eventTime": "2026-03-01T08:00:00Z",
        "eventSource": "cloudtrail.amazonaws.com",
        "eventName": name,
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "203.0.113.7",
        "userAgent": "aws-cli/2.15.0",
        "requestParameters": {"name": "arn:aws:cloudtrail:eu-west-1:111122223333:trail/main"},
        "responseElements": None,
        "requestID": f"request-{number}",
        "eventID": f"00000000-0000-4000-8000-{number:012d}",
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": "111122223333",
        "eventCategory": "Management",
    }
    return {key: value for key, value in (made | changes).items() if value is not ...}


def quiet(number: int, **changes: Any) -> dict[str, Any]:
    """An event that raises no alert."""
    return event(number, "DescribeTrails", **changes)


def delivered(*events: dict[str, Any]) -> bytes:
    """Events as CloudTrail delivers them to a bucket."""
    return json.dumps({"Records": events}, separators=(",", ":")).encode()


def lines(*events: dict[str, Any]) -> bytes:
    """Events one a line."""
    return b"".join(json.dumps(item).encode() + b"\n" for item in events)


def command(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """`crosswind` with ``arguments``, run to its end in a process of its own."""
    options = {"timeout": 120, **options}
    return subprocess.run([sys.executable, "-m", "engine.cli", *map(str, arguments)], capture_output=True, check=False, **_placed(options))


def started(*arguments: str | Path, **options: Any) -> subprocess.Popen[bytes]:
    """`crosswind` with ``arguments``, left running with pipes."""
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-m", "engine.cli", *map(str, arguments)], **_placed(pipes | options))


def _placed(options: dict[str, Any]) -> dict[str, Any]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", **options.pop("env", {})}
    return {"cwd": ROOT, "env": environment, **options}


def titles(output: bytes) -> list[str]:
    """The rule titles of alerts in NDJSON."""
    return [json.loads(line)["rule"]["title"] for line in output.splitlines()]


def adds_up(report: dict[str, Any]) -> bool:
    """Whether every record of a summary stands in exactly one place."""
    return bool(report["records"] == sum(report[name] for name in SUM))


@contextmanager
def open_folder() -> Iterator[Path]:
    """A temporary folder that everybody may enter."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@contextmanager
def without_rights() -> Iterator[None]:
    """For a while no more rights than anybody has: root may read everything otherwise."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(was)
