"""`crosswind posture`: what a person at a terminal and a program behind a pipe get."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from engine.posture.kinds import KINDS
from tests.conftest import Ran
from tests.logs import lines
from tests.posture_samples import REGION, aws, azure
from tests.running import Place

ON = {"loggingConfig": {"textDataDeliveryEnabled": True}}
RECORDS = (
    aws("bedrock", "PutModelInvocationLoggingConfiguration", ON, number=1, eventTime="2026-03-01T08:00:00Z"),
    aws("bedrock", "PutModelInvocationLoggingConfiguration", None, number=2, eventTime="2026-03-02T08:00:00Z"),
    aws("bedrock", "DeleteGuardrail", {"guardrailIdentifier": "gr1"}, number=3, eventTime="2026-03-02T09:00:00Z"),
    aws("iam", "CreateUser", {"userName": "BedrockAPIKey-\x1b[31mred"}, number=4, eventTime="2026-03-02T09:00:00Z"),
    azure("Microsoft.CognitiveServices/accounts/write"),
)
Cli = Callable[..., Ran]


def logs(folder: Path) -> Path:
    path = folder / "logs.json"
    path.write_bytes(lines(*RECORDS))
    return path


def rows(ran: Ran) -> list[dict[str, object]]:
    return [json.loads(line) for line in ran.out.splitlines()]


def test_programs_get_a_line_a_fact_and_the_facts_that_no_event_told(tmp_path: Path, cli: Cli) -> None:
    ran = cli("posture", "--input", logs(tmp_path))
    assert ran.code == 0
    told = rows(ran)
    (logging,) = [row for row in told if row["fact"] == "ai.logging"]
    assert logging["asset"] == REGION
    assert logging["value"] == {"on": True, "text": True, "to": []}
    assert (logging["state"], logging["since"]) == ("stale", "2026-03-02T08:00:00.000000Z")
    assert logging["event_uid"] == "00000000-0000-4000-8000-000000000002|111122223333"
    assert logging["tier"] == "CloudTrail management events"
    assert logging["why"]
    (guardrail,) = [row for row in told if row["fact"] == "ai.guardrail"]
    assert guardrail["effect"] == {"on": "posture", "factor": 1.5, "why": "the guardrail was deleted"}
    unseen = [row for row in told if row["asset"] is None]
    assert all((row["state"], row["why"]) == ("unknown", "no event seen") for row in unseen)
    assert {row["fact"] for row in told} == set(KINDS)
    (notebook,) = [row for row in unseen if row["fact"] == "ai.notebook"]
    assert (notebook["source"], notebook["services"]) == ("aws.cloudtrail", ["sagemaker.amazonaws.com"])


def test_people_read_it_and_nothing_moves_their_terminal(tmp_path: Path, cli: Cli) -> None:
    ran = cli("posture", "--input", logs(tmp_path), "--format", "table")
    assert "AI logging: on yes, text yes, to none; stale, the record holds no request parameters that tell it" in ran.out
    assert "exposure of an AI account (keys, network rules, public network): unknown, the record carries no body" in ran.out
    assert "notebook exposure: no event seen; needs CloudTrail management events of sagemaker" in ran.out
    assert "\x1b[31m" not in ran.out


def test_an_asset_by_name_at_a_time(tmp_path: Path, cli: Cli) -> None:
    path = logs(tmp_path)
    (row,) = rows(cli("posture", "111122223333/EU-west", "--input", path, "--at", "2026-03-01T12:00:00Z"))
    assert (row["fact"], row["state"]) == ("ai.logging", "known")
    assert len(rows(cli("posture", REGION, "--input", path))) == 1
    assert len(rows(cli("posture", REGION.partition(":")[2], "--input", path))) == 1
    ran = cli("posture", "nobody", "--input", path)
    assert ran.code == 2
    assert "tells of 'nobody'" in ran.err


def test_the_lake_answers_as_the_logs_do(tmp_path: Path, cli: Cli) -> None:
    place = Place(tmp_path / "place")
    place.put("1.json", *RECORDS[:2])
    assert cli("run", "--config", place.config).code == 0
    place.put("2.json", *RECORDS[2:], RECORDS[0])
    assert cli("run", "--config", place.config).code == 0
    stored = cli("posture", "--config", place.config, "--at", "2026-03-02T08:30:00Z")
    assert rows(stored) == rows(cli("posture", "--input", place.logs, "--at", "2026-03-02T08:30:00Z"))
    assert rows(cli("posture", "--config", place.config, "--source", "azure.activity")) == rows(
        cli("posture", "--input", place.logs, "--source", "azure.activity")
    )


def test_logs_that_tell_nothing_name_what_they_would_have_to_be(tmp_path: Path, cli: Cli) -> None:
    path = tmp_path / "empty.json"
    path.write_bytes(lines(aws("ec2", "DescribeInstances")))
    ran = cli("posture", "--input", path, "--format", "table")
    assert ran.code == 0
    assert "No event tells of an asset." in ran.out
    assert ran.out.count("no event seen") == len(KINDS)


def test_a_lake_from_before_facts_were_kept_goes_on(tmp_path: Path, cli: Cli) -> None:
    place = Place(tmp_path / "place")
    place.put("1.json", *RECORDS[:2])
    assert cli("run", "--config", place.config).code == 0
    shutil.rmtree(place.root / "lake" / "facts")
    place.put("2.json", *RECORDS[2:])
    assert cli("run", "--config", place.config).code == 0
    told = {row["fact"] for row in rows(cli("posture", "--config", place.config)) if row["asset"]}
    assert told == {"ai.guardrail", "ai.key", "ai.account"}


def test_retention_takes_no_facts(tmp_path: Path, cli: Cli) -> None:
    place = Place(tmp_path / "place")
    place.put("1.json", *RECORDS)
    assert cli("run", "--config", place.config).code == 0
    before = rows(cli("posture", "--config", place.config))
    assert cli("lake", "retain", "--days", "8", "--config", place.config).code == 0
    assert place.lake().scan("events").collect().height == 0
    assert rows(cli("posture", "--config", place.config)) == before
