"""What an alert says about its hits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from engine.correlate import evidence
from engine.correlate.alerts import ENTITIES, alerts
from engine.correlate.reason import clip, lasting, listed
from engine.model import Alert, AlertKind, CloudAccount, Entity, EventRef, Level, State
from engine.sigma.tree import And, LogSource, Rule

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVE = "arn:aws:iam::111122223333:user/eve"
RULE = Rule(
    "r-1",
    "Trail deleted",
    "high",
    LogSource(),
    And(()),
    "hash",
    tags=("attack.t1685.002",),
    path="rules/trail.yml",
    extra=(("response", ["Stop it"]),),
)
DELETE: dict[str, Any] = {
    "rule": 0,
    "x.source": "aws.cloudtrail",
    "x.object": "a.json.gz",
    "cloud.provider": "AWS",
    "cloud.account.uid": "111122223333",
    "actor.user.uid": EVE,
    "actor.user.credential_uid": "AKIAIOSFODNN7EXAMPLE",
    "api.operation": "DeleteTrail",
    "api.service.name": "cloudtrail.amazonaws.com",
    "src_endpoint.ip": "203.0.113.7",
    "resources.uid": ["arn:aws:cloudtrail:eu-west-1:111122223333:trail/main"],
    "raw_data": "{}",
}
CHAT: dict[str, Any] = {
    "rule": 0,
    "x.source": "ai.litellm",
    "x.object": "b.jsonl",
    "actor.app_name": "support-bot",
    "x.ai.api_key_uid": "key-7",
    "x.ai.operation": "chat",
    "ai_model.name": "example-model",
    "message_context.prompt_text": "my secret plan",
}


def made(*rows: dict[str, Any], rules: tuple[Rule, ...] = (RULE,)) -> list[Alert]:
    """The alerts over ``rows``, a minute apart unless they say ``time``."""
    numbered = [{"time": NOON + timedelta(minutes=n), "x.uid": f"e-{n:04}", "x.position": n, **row} for n, row in enumerate(rows)]
    return alerts(pl.DataFrame(numbered, schema=evidence.empty().schema), rules)


def test_every_field_is_told_of_the_hits() -> None:
    [alert] = made(DELETE, {**DELETE, "cloud.region": "eu-west-1"})
    assert (alert.state, alert.kind, alert.level, alert.count) == (State.LIVE, AlertKind.RULE, Level.HIGH, 2)
    assert (alert.first_time, alert.last_time) == (NOON, NOON + timedelta(minutes=1))
    assert alert.sources == ("aws.cloudtrail",)
    assert alert.cloud == (CloudAccount("AWS", "111122223333"),)
    assert alert.events[0] == EventRef("e-0000", NOON, "aws.cloudtrail", "a.json.gz", 0, "DeleteTrail")
    assert alert.event_uids == ("e-0000", "e-0001")
    assert alert.rule.title == "Trail deleted"
    assert alert.rule.response == ("Stop it",)
    assert alert.group == (
        ("actor.user.uid", EVE),
        ("cloud.account.uid", "111122223333"),
        ("resources.uid", "arn:aws:cloudtrail:eu-west-1:111122223333:trail/main"),
    )
    assert alert.evidence["raw_data"] == "{}"
    assert alert.evidence["time"] == NOON
    assert "cloud.region" not in alert.evidence


def test_entities_are_typed_distinct_and_sorted() -> None:
    [alert] = made(DELETE, DELETE)
    assert alert.entities == (
        Entity("account", "111122223333"),
        Entity("credential", "AKIAIOSFODNN7EXAMPLE"),
        Entity("ip", "203.0.113.7"),
        Entity("resource", "arn:aws:cloudtrail:eu-west-1:111122223333:trail/main"),
        Entity("user", EVE),
    )


def test_a_flood_of_resources_does_not_crowd_out_the_actor() -> None:
    many = {**DELETE, "resources.uid": [f"arn:{n:04}" for n in range(500)], "http_request.user_agent": "curl/8"}
    [alert] = made(many)
    assert len(alert.entities) <= ENTITIES
    assert {"user", "ip", "user_agent", "resource"} <= {entity.type for entity in alert.entities}


def test_long_alerts_show_the_first_events_and_count_all() -> None:
    [alert] = made(*[{**DELETE, "time": NOON + timedelta(seconds=n)} for n in range(1_200)])
    assert (alert.count, len(alert.events), len(alert.event_uids)) == (1_200, 20, 1_000)
    assert alert.event_uids[-1] == "e-0999"


def test_the_reason_says_who_did_what_from_where_how_often_and_who_saw_it() -> None:
    [alert] = made(DELETE, DELETE, {**DELETE, "time": NOON + timedelta(minutes=4)})
    assert alert.reason == (
        f"{EVE} called DeleteTrail on cloudtrail.amazonaws.com for arn:aws:cloudtrail:eu-west-1:111122223333:trail/main from 203.0.113.7, "
        "3 times in 4 minutes. Logged by aws.cloudtrail in account 111122223333."
    )


def test_the_reason_says_what_failed() -> None:
    failed = {**DELETE, "status_id": 2, "status_code": "AccessDenied"}
    assert ", which failed (AccessDenied). " in made(failed)[0].reason
    assert "2 times in 1 minute, all of which failed (AccessDenied). " in made(failed, failed)[0].reason
    assert "1 of them failed. " in made(DELETE, failed)[0].reason


def test_the_reason_of_an_ai_alert_names_model_key_and_application_and_never_the_prompt() -> None:
    [alert] = made({**CHAT, "actor.user.uid": "alice@example.com"})
    assert alert.reason == "alice@example.com with key key-7 through support-bot called chat on model example-model. Logged by ai.litellm."
    assert alert.evidence["message_context.prompt_text"] == "my secret plan"


def test_a_hit_that_says_nothing_still_makes_an_alert() -> None:
    [alert] = made({"rule": 0, "x.source": "aws.cloudtrail", "x.object": "a"})
    assert alert.reason == "An unnamed actor acted. Logged by aws.cloudtrail."
    assert alert.group == (("actor.user.uid", "none"), ("cloud.account.uid", "none"), ("resources.uid", "none"))
    assert alert.cloud == ()


def test_the_group_is_spelled_as_in_the_earliest_hit() -> None:
    [alert] = made({**DELETE, "actor.user.uid": "EVE"}, {**DELETE, "actor.user.uid": "eve"})
    assert alert.group[0] == ("actor.user.uid", "EVE")


def test_alerts_come_by_time_then_uid() -> None:
    found = made(*[{**DELETE, "time": NOON, "actor.user.uid": f"user-{n}"} for n in range(5)])
    assert [alert.uid for alert in found] == sorted(alert.uid for alert in found)


def test_missing_columns_count_as_null_and_no_hits_are_no_alerts() -> None:
    bare = pl.DataFrame({"rule": [0], "time": [NOON], "x.uid": ["e"], "x.source": ["s"], "x.object": ["o"], "x.position": [0]})
    assert len(alerts(bare, [RULE])) == 1
    assert alerts(bare.clear(), [RULE]) == []


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "1 second"), (2.5, "3 seconds"), (60, "1 minute"), (240, "4 minutes"), (241, "5 minutes"), (7200, "2 hours"), (259_200, "3 days")],
)
def test_spans_in_words(seconds: float, words: str) -> None:
    assert lasting(timedelta(seconds=seconds)) == words


def test_lists_in_words() -> None:
    assert listed(["a"], 1, "things") == "a"
    assert listed(["a", "b", "c"], 3, "things", "b") == "b, a and c"
    assert listed(["a", "b", "c", "d"], 40, "things") == "a, b and 38 other things"


def test_long_and_broken_values_are_clipped_to_one_line() -> None:
    assert clip("a\nb" + "c" * 500) == "a b" + "c" * 156 + "…"
