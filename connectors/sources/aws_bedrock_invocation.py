"""What the mapping of Bedrock's invocation log cannot say in a table: token counts there twice, guardrail traces, parts of the caller's ARN."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import polars as pl

from connectors.cells import unquoted
from connectors.inference import bodies
from connectors.inference.answers import whole_number
from connectors.inference.exchange import reply
from connectors.inference.partial import decode
from connectors.inference.verdicts import bedrock_findings, plain, verdict
from connectors.values import email, is_empty, text

_ARN = re.compile(r"arn:[\w-]+:(?P<service>iam|sts)::(?P<account>[^:]*):(?P<kind>[^/]+)(?:/(?P<path>.+))?")
_TYPES = {"user": "IAMUser", "root": "Root", "assumed-role": "AssumedRole", "federated-user": "FederatedUser", "role": "Role"}


def uid(account: Any, request: Any) -> str | None:
    """``accountId|requestId``; None without a request id."""
    return None if is_empty(request) else f"{text(account) or ''}|{text(request)}"


def usual_uid(account: pl.Series, request: pl.Series) -> pl.Series:
    """`uid` where both parts are texts."""
    parts = pl.DataFrame([unquoted(account).alias("a"), unquoted(request).alias("b")])
    return parts.select(pl.concat_str("a", "b", separator="|")).to_series()


def outcome(code: Any) -> int:
    """1 for a call without error code, 2 with one."""
    return 2 if code else 1


def reason(message: Any, code: Any, body: Any) -> str | None:
    """The error's text: of the record, else of the response body of a failed call."""
    if isinstance(message, str) and message:
        return message
    found = decode(body)
    text = found.get("message") if code and isinstance(found, dict) else None
    return text if isinstance(text, str) else None


def _count(logged: Any, body: Any, name: str) -> int | None:
    number = whole_number(logged)
    return number if number else next((n for n in (getattr(reply(body), name), number) if n is not None), None)


def prompt_tokens(logged: Any, body: Any) -> int | None:
    """Tokens read: as logged, else as the response body counts them."""
    return _count(logged, body, "prompt_tokens")


def completion_tokens(logged: Any, body: Any) -> int | None:
    """Tokens written: as logged, else as the response body counts them."""
    return _count(logged, body, "completion_tokens")


def total_tokens(read: Any, written: Any, body: Any) -> int | None:
    """Tokens read and written."""
    counts = [count for count in (prompt_tokens(read, body), completion_tokens(written, body)) if count is not None]
    return sum(counts) if counts else None


def cached_tokens(logged: Any, body: Any) -> int | None:
    """Tokens read from the cache."""
    return _count(logged, body, "cached_tokens")


def guardrail(body: Any, asked: Any) -> dict[str, Any] | None:
    """The verdict of the guardrail that ran on a call, from the trace of either API, else from the stop reason alone.

    A guardrail that was asked for (Converse ``guardrailConfig``) and left no trace counts as checked.
    """
    found = decode(body)
    findings: list[dict[str, Any]] = []
    names: list[str] = []
    stopped = False
    traced = False
    for chunk in found if isinstance(found, list) else [found]:
        if not isinstance(chunk, dict):
            continue
        action = chunk.get("amazon-bedrock-guardrailAction")
        traced |= action is not None
        stopped |= plain(action) == "intervened" or plain(chunk.get("stopReason") or chunk.get("stop_reason")) == "guardrailintervened"
        for trace in _traces(chunk):
            traced = True
            findings.extend(item for item in bedrock_findings(trace) if item not in findings)
            names.extend(_guardrail_names(trace))
    stopped |= any(plain(stop) == "guardrailintervened" for stop in reply(found).finish)
    request = decode(asked)
    config = request.get("guardrailConfig") or request.get("amazon-bedrock-guardrailConfig") if isinstance(request, dict) else None
    if isinstance(config, dict) and isinstance(config.get("guardrailIdentifier"), str):
        names.append(config["guardrailIdentifier"])
    return verdict(findings, blocked=stopped, checked=traced or isinstance(config, dict), guardrail=names[0] if names else None)


def _traces(chunk: dict[str, Any]) -> list[dict[str, Any]]:
    metadata = chunk.get("metadata")
    holders = [chunk.get("trace"), chunk.get("amazon-bedrock-trace"), metadata.get("trace") if isinstance(metadata, dict) else None]
    return [holder["guardrail"] for holder in holders if isinstance(holder, dict) and isinstance(holder.get("guardrail"), dict)]


def _guardrail_names(trace: dict[str, Any]) -> list[str]:
    sides = [trace.get(key) for key in ("inputAssessment", "outputAssessments", "input", "outputs")]
    flat = [item for side in sides for item in (side if isinstance(side, list) else [side]) if isinstance(item, dict)]
    return [name for item in flat for name in item]


def _arn(arn: Any) -> re.Match[str] | None:
    return _ARN.fullmatch(arn) if isinstance(arn, str) else None


def arn_type(arn: Any) -> str | None:
    """The kind of caller, in CloudTrail's words."""
    match = _arn(arn)
    return _TYPES.get(match["kind"]) if match else None


def arn_account(arn: Any) -> str | None:
    """The account an ARN belongs to."""
    match = _arn(arn)
    return match["account"] or None if match else None


def arn_name(arn: Any) -> str | None:
    """The user name, or the role name of an assumed role."""
    match = _arn(arn)
    if not match or not match["path"]:
        return match["kind"] if match and match["kind"] == "root" else None
    parts = match["path"].split("/")
    name: str = parts[0] if match["kind"] == "assumed-role" else parts[-1]
    return name


def arn_session(arn: Any) -> str | None:
    """The whole ARN, for sessions of assumed roles and federated users only."""
    match = _arn(arn)
    return match[0] if match and match["service"] == "sts" else None


def arn_role_name(arn: Any) -> str | None:
    """The name of the role behind a session."""
    match = _arn(arn)
    return arn_name(arn) if match and match["kind"] == "assumed-role" else None


def arn_role(arn: Any) -> str | None:
    """The ARN of the role behind a session; roles with a path come without it, as their sessions do."""
    match = _arn(arn)
    name = arn_role_name(arn)
    return f"{arn.split(':sts:')[0]}:iam::{match['account']}:role/{name}" if match and name else None


def arn_person(arn: Any) -> int | None:
    """1 user, 2 root, 4 role. A role session of IAM Identity Center, or one named after an e-mail address, is a person's."""
    kind = arn_type(arn)
    if kind == "AssumedRole":
        return 1 if "/AWSReservedSSO_" in arn or arn_email(arn) else 4
    return {"IAMUser": 1, "FederatedUser": 1, "Root": 2, "Role": 4}.get(kind or "")


def arn_email(arn: Any) -> str | None:
    """The e-mail address that is the session or user name."""
    match = _arn(arn)
    return email(match["path"].split("/")[-1]) if match and match["path"] else None


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **bodies.FUNCTIONS,
    "arn_account": arn_account,
    "arn_email": arn_email,
    "arn_name": arn_name,
    "arn_person": arn_person,
    "arn_role": arn_role,
    "arn_role_name": arn_role_name,
    "arn_session": arn_session,
    "arn_type": arn_type,
    "cached_tokens": cached_tokens,
    "completion_tokens": completion_tokens,
    "guardrail": guardrail,
    "outcome": outcome,
    "prompt_tokens": prompt_tokens,
    "reason": reason,
    "total_tokens": total_tokens,
    "uid": uid,
}
USUAL: dict[str, Callable[..., pl.Series]] = {"uid": usual_uid}
