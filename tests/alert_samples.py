"""Invented alerts for tests of documents."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from engine.model import Alert, AlertKind, CloudAccount, Entity, EventRef, Level, RuleRef, State

NOON = datetime(2026, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC)
EVE = "arn:aws:iam::111122223333:user/eve"
TRAIL = "arn:aws:cloudtrail:eu-west-1:111122223333:trail/main"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

CLOUD_EVIDENCE: dict[str, Any] = {
    "time": NOON,
    "x.uid": "e-1|111122223333",
    "x.source": "aws.cloudtrail",
    "x.object": "a.json.gz",
    "x.position": 3,
    "class_uid": 6003,
    "activity_id": 4,
    "status_id": 1,
    "cloud.provider": "AWS",
    "cloud.account.uid": "111122223333",
    "cloud.region": "eu-west-1",
    "api.operation": "DeleteTrail",
    "api.service.name": "cloudtrail.amazonaws.com",
    "api.request.uid": "q-1",
    "actor.user.uid": EVE,
    "actor.user.name": "eve",
    "actor.user.email_addr": "eve@example.com",
    "actor.user.type_id": 1,
    "actor.user.credential_uid": "AKIAIOSFODNN7EXAMPLE",
    "src_endpoint.ip": "203.0.113.7",
    "src_endpoint.autonomous_system.number": 64500,
    "src_endpoint.location.country": "NL",
    "http_request.user_agent": "aws-cli/2.15",
    "resources.uid": [TRAIL],
    "resources.type": ["AWS::CloudTrail::Trail"],
    "raw_data": '{"eventName":"DeleteTrail","n":1.50}',
}
AI_EVIDENCE: dict[str, Any] = {
    "time": NOON,
    "x.uid": "call-1",
    "x.source": "aws.bedrock_invocation",
    "x.object": "b.jsonl",
    "x.position": 0,
    "class_uid": 6003,
    "cloud.provider": "AWS",
    "x.ai.operation": "Converse",
    "ai_model.ai_provider": "anthropic",
    "ai_model.name": "example-model",
    "message_context.prompt_tokens": 12,
    "message_context.completion_tokens": 30,
    "message_context.prompt_text": "My plan is secret, key AKIAIOSFODNN7EXAMPLE",
    "x.ai.tool_calls": '[{"name":"search","arguments":"{\\"q\\":\\"merger\\"}","id":"t-1"}]',
    "x.ai.finish_reasons": ["stop"],
    "raw_data": '{"modelId":"m-1","input":{"inputTokenCount":12,"inputBodyJson":{"messages":[{"role":"user","content":"My plan is secret"}]}}}',
}


def alert(**changes: Any) -> Alert:
    """An alert over two deletions of a trail, with ``changes``."""
    values: dict[str, Any] = {
        "uid": "0123456789abcdef0123456789abcdef",
        "state": State.LIVE,
        "kind": AlertKind.RULE,
        "rule": RuleRef(
            "r-1", "Trail deleted", "high", ("attack.defense-evasion", "attack.t1562.008"), "rules/trail.yml", "Somebody deleted a trail."
        ),
        "level": Level.HIGH,
        "first_time": NOON,
        "last_time": NOON + timedelta(minutes=4),
        "count": 2,
        "sources": ("aws.cloudtrail",),
        "cloud": (CloudAccount("AWS", "111122223333"),),
        "entities": (Entity("ip", "203.0.113.7"), Entity("user", EVE)),
        "events": (EventRef("e-1|111122223333", NOON, "aws.cloudtrail", "a.json.gz", 3, "DeleteTrail"),),
        "event_uids": ("e-1|111122223333", "e-2|111122223333"),
        "reason": f"{EVE} called DeleteTrail.",
        "group": (("actor.user.uid", EVE), ("cloud.account.uid", "none")),
        "evidence": CLOUD_EVIDENCE,
    }
    return Alert(**{**values, **changes})
