"""What the hits of one alert have in common, counted: the frame `alerts` reads its sentences and entities from."""

from __future__ import annotations

import polars as pl

EVENTS = 20
EVENT_UIDS = 1_000
VALUES = 10
"""Distinct values kept of each trait."""

TRAITS: dict[str, tuple[str, ...]] = {
    "actor": ("actor.user.uid", "actor.user.name", "actor.user.email_addr", "actor.app_uid", "actor.app_name", "x.ai.api_key_uid"),
    "target": ("user.uid", "user.name"),
    "email": ("actor.user.email_addr",),
    "credential": ("actor.user.credential_uid",),
    "api_key": ("x.ai.api_key_uid",),
    "session": ("actor.session.uid",),
    "app": ("actor.app_name", "actor.app_uid"),
    "ip": ("src_endpoint.ip",),
    "domain": ("src_endpoint.domain",),
    "account": ("cloud.account.uid",),
    "resource": ("resources.uid",),
    "resource_name": ("resources.name",),
    "operation": ("api.operation", "x.ai.operation"),
    "service": ("api.service.name",),
    "model": ("ai_model.name", "ai_model.uid"),
    "user_agent": ("http_request.user_agent",),
    "status_code": ("status_code",),
}
"""Trait → the columns of a hit that hold it; the first with a value counts, of list columns every element."""

_LISTS = frozenset({"resources.uid", "resources.name"})


def summarise(episodes: pl.DataFrame) -> pl.DataFrame:
    """One row per alert of an `episodes.episodes` frame, in its order.

    ``alert``, ``rule``, ``count``, ``failed`` (hits with status_id 2), ``first_time``, ``last_time``, ``sources`` (sorted), ``clouds`` (structs of
    provider and account), ``event_uids``; lists of ``time``, ``x.source``, ``x.object``, ``x.position`` and ``trait.operation`` of the first `EVENTS`
    hits; and per trait of `TRAITS` ``<trait>`` (the least `VALUES` distinct values) and ``<trait>.n`` (how many there are).
    """
    cloud = pl.struct(provider="cloud.provider", account="cloud.account.uid")
    told = [pl.col("alert", "rule", "status_id", "time", "x.uid", "x.source", "x.object", "x.position"), cloud.alias("cloud")]
    traits = [pl.coalesce(names).alias(f"trait.{trait}") for trait, names in TRAITS.items()]
    aggregates: list[pl.Expr] = [
        pl.col("rule").first(),
        pl.len().alias("count"),
        (pl.col("status_id") == 2).sum().alias("failed"),
        pl.col("time").min().alias("first_time"),
        pl.col("time").max().alias("last_time"),
        pl.col("x.source").drop_nulls().unique().sort().alias("sources"),
        pl.col("cloud").unique().alias("clouds"),
        pl.col("time", "x.source", "x.object", "x.position", "trait.operation").head(EVENTS),
        pl.col("x.uid").head(EVENT_UIDS).alias("event_uids"),
    ]
    for trait, names in TRAITS.items():
        values = pl.col(f"trait.{trait}")
        values = (values.list.explode(keep_nulls=True, empty_as_null=True) if names[0] in _LISTS else values).drop_nulls().unique().sort()
        aggregates += [values.head(VALUES).alias(trait), values.len().alias(f"{trait}.n")]
    return episodes.select(*told, *traits).group_by("alert", maintain_order=True).agg(aggregates)
