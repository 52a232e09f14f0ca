"""Logs of a Bedrock logging configuration and of a bucket, for tests of diff rules."""

from __future__ import annotations

from typing import Any

from tests.logs import event
from tests.running import at

WEAKER = """
title: Logging weaker
id: 00000000-0000-4000-8000-000000000001
name: weaker
level: high
logsource: {product: aws, service: cloudtrail}
detection: {selection: {x.change.known: true, x.change.weaker: ai.logging}, condition: selection}
"""
STRONGER = """
title: Logging stronger
id: 00000000-0000-4000-8000-000000000002
level: low
logsource: {product: aws, service: cloudtrail}
detection: {selection: {x.change.known: true, x.change.stronger: ai.logging}, condition: selection}
"""


def logging(number: int, minute: int, *, text: bool, **changes: Any) -> dict[str, Any]:
    """Event ``number`` at ``minute``: the configuration, with or without texts."""
    config = {"loggingConfig": {"s3Config": {"bucketName": "example-logs"}, "textDataDeliveryEnabled": text}}
    name = "PutModelInvocationLoggingConfiguration"
    return event(number, name, eventTime=at(minute), eventSource="bedrock.amazonaws.com", requestParameters=config, **changes)
