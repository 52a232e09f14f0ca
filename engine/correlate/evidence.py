"""What an alert needs to know of each hit: the common columns that the hits frame carries, and their types."""

from __future__ import annotations

import polars as pl

from engine import schema

COLUMNS: tuple[str, ...] = (
    "time",
    "x.uid",
    "x.source",
    "x.object",
    "x.position",
    "x.flags",
    "metadata.uid",
    "metadata.tenant_uid",
    "class_uid",
    "activity_id",
    "severity_id",
    "status_id",
    "status_code",
    "status_detail",
    "cloud.provider",
    "cloud.account.uid",
    "cloud.region",
    "api.service.name",
    "api.operation",
    "api.request.uid",
    "api.response.error",
    "x.read_only",
    "actor.user.uid",
    "actor.user.name",
    "actor.user.email_addr",
    "actor.user.type",
    "actor.user.type_id",
    "actor.user.account.uid",
    "actor.user.credential_uid",
    "actor.app_uid",
    "actor.app_name",
    "actor.session.uid",
    "actor.session.issuer",
    "actor.session.is_mfa",
    "actor.idp.name",
    "user.uid",
    "user.name",
    "privileges",
    "src_endpoint.ip",
    "src_endpoint.domain",
    "src_endpoint.location.country",
    "src_endpoint.autonomous_system.number",
    "http_request.user_agent",
    "resources.uid",
    "resources.type",
    "resources.name",
    "risk_level",
    "x.ai.operation",
    "x.ai.response_id",
    "x.ai.call_uid",
    "x.ai.api_key_uid",
    "x.ai.finish_reasons",
    "x.ai.guardrail",
    "ai_model.ai_provider",
    "ai_model.name",
    "ai_model.uid",
    "ai_model.version",
    "message_context.uid",
    "message_context.prompt_tokens",
    "message_context.completion_tokens",
    "message_context.total_tokens",
    *schema.CHANGE_COLUMNS,
)
"""Common columns every hit carries, in display order."""

OPTIONAL: tuple[str, ...] = (
    "message_context.prompt_text",
    "message_context.response_text",
    "x.ai.system_text",
    "x.ai.tool_text",
    "x.ai.tool_calls",
    "raw_data",
)
"""Long texts, carried where present; only the first event of an alert needs them (see `episodes.keep_first_raw`)."""


def complete(hits: pl.DataFrame) -> pl.DataFrame:
    """``hits`` with every column of `COLUMNS` and `OPTIONAL` in its common type; columns that are missing are added as nulls."""
    wanted = (*COLUMNS, *OPTIONAL)
    return hits.with_columns((pl.col(name) if name in hits.columns else pl.lit(None)).cast(schema.COLUMNS[name].dtype).alias(name) for name in wanted)


def empty() -> pl.DataFrame:
    """A hits frame without rows: ``rule`` and all columns."""
    types: dict[str, pl.DataType] = {"rule": pl.UInt32()}
    types.update((name, schema.COLUMNS[name].dtype) for name in (*COLUMNS, *OPTIONAL))
    return pl.DataFrame(schema=types)
