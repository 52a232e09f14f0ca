"""Who and what takes part in each alert, as one frame of typed entities."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import polars as pl

from engine.identity.entities import canonical
from engine.incidents import naming
from engine.incidents.prompts import clusters
from engine.incidents.windows import EVENT
from engine.model import Alert

CROWD = 5
"""An alert with more acting identities than this names a crowd, such as everybody whose password was tried: they say nothing about each other."""
EVENTS = 50
"""Events of an alert by which it joins others; the first ones."""

SCHEMA: dict[str, pl.DataType] = {"alert": pl.UInt32(), "role": pl.String(), "entity": pl.String()}
_TEXTS = ("message_context.prompt_text", "message_context.response_text", "x.ai.tool_text")
_TEXT = 10_000
_CREDENTIAL_TYPES = ("aws.key", "gcp.key", "ai.key", "entra.token", "entra.key")


def participants(alerts: Sequence[Alert], mixed: Collection[int] = ()) -> pl.DataFrame:
    """One row per (``alert`` index, ``role``, ``entity``), sorted, distinct; of the alerts of ``mixed`` only what stands in the first event.

    Roles: ``actor`` (who acted, and with which key or session), ``crowd`` (the same of an alert that names too many of them), ``target`` (identity
    that was acted upon), ``leaked`` (key id in a prompt, an answer or a tool's result), ``resource``, ``model``, ``ip``, ``agent``, ``role`` (of
    AWS), ``prompt`` (its clusters), ``request`` and ``event``. Types are those of `engine.identity.entities`, and ``event`` for events.
    """
    rows: list[tuple[int, str, str]] = []
    for index, alert in enumerate(alerts):
        rows.extend((index, role, entity) for role, entity in _crowded(dict.fromkeys(_named(alert, index in mixed))))
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    texts = frame["entity"].unique()
    others = texts.filter(~texts.str.starts_with(f"{EVENT}:"))
    spelled = pl.DataFrame({"entity": others, "one": canonical(others)}).filter(pl.col("one").is_not_null())
    events = texts.filter(texts.str.starts_with(f"{EVENT}:"))
    known = pl.concat([spelled, pl.DataFrame({"entity": events, "one": events})])
    return frame.join(known, on="entity").select("alert", "role", entity="one").unique().sort("alert", "role", "entity")


def _crowded(named: dict[tuple[str, str], None]) -> Iterator[tuple[str, str]]:
    """``named`` with its actors called a crowd where there are too many identities among them; keys and sessions of one are not counted twice."""
    acting = sum(role == "actor" and not entity.startswith(_CREDENTIAL_TYPES) for role, entity in named)
    for role, entity in named:
        yield ("crowd" if role == "actor" and acting > 2 * CROWD else role), entity


def _named(alert: Alert, first_alone: bool) -> Iterator[tuple[str, str]]:
    evidence = alert.evidence
    told = _texts_of(evidence) if first_alone else frozenset()
    accounts = {cloud.account for cloud in alert.cloud if cloud.account}
    account = next(iter(accounts)) if len(accounts) == 1 else None
    provider = next((cloud.provider for cloud in alert.cloud if cloud.provider), None)
    targets = {str(evidence[name]) for name in ("user.uid", "user.name") if evidence.get(name)}
    for each in alert.entities:
        kind, value = each.type, each.value
        if first_alone and value not in told:
            continue
        found: str | None = None
        role = kind
        if kind == "user" and value in targets:
            role, found = "target", naming.target(value, account, provider)
        elif kind == "user" or kind == "email":
            role, found = "actor", naming.actor(value)
        elif kind == "credential":
            role, found = "actor", naming.credential(value)
        elif kind == "session":
            role, found = "actor", naming.session(value)
        elif kind == "resource":
            found = naming.resource(value, account)
        elif kind in ("ip", "model"):
            found = f"{kind}:{value}"
        if found:
            yield ("role" if found.startswith("aws.role:") else role), found
    yield from _evident(evidence, targets, account, provider)
    for uid in alert.event_uids[: 1 if first_alone else EVENTS]:
        yield "event", f"{EVENT}:{uid}"


def _texts_of(evidence: dict[str, Any]) -> frozenset[str]:
    """Every short text of the first event."""
    listed = [item for value in evidence.values() for item in (value if isinstance(value, list | tuple) else (value,))]
    return frozenset(item for item in listed if isinstance(item, str) and len(item) <= _TEXT)


def _evident(evidence: dict[str, Any], targets: set[str], account: str | None, provider: str | None) -> Iterator[tuple[str, str]]:
    """What the first event says beyond the entities of the alert."""
    for value in sorted(targets):
        if found := naming.target(value, account, provider):
            yield "target", found
    if (issuer := evidence.get("actor.session.issuer")) and (role := naming.actor(str(issuer))):
        yield "role", role
    request = evidence.get("x.ai.call_uid") or evidence.get("api.request.uid")
    if request and evidence.get("cloud.provider"):
        yield "request", f"request:{evidence['cloud.provider']}|{request}"
    number, agent = evidence.get("src_endpoint.autonomous_system.number"), evidence.get("http_request.user_agent")
    if number and agent:
        yield "agent", f"asn_agent:{number}|{agent}"
    for cluster in clusters(str(evidence.get("message_context.prompt_text") or "")):
        yield "prompt", f"prompt:{cluster}"
    for name in _TEXTS:
        if text := evidence.get(name):
            yield from (("leaked", f"aws.key:{key}") for key in naming.KEY_IN_TEXT.findall(str(text)[:1_000_000])[:20])
