"""Sightings: who acted from which address, and from which network with which agent, hour by hour. They tell what is rare and what many share."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from engine.identity.entities import canonical
from engine.incidents.clock import HOUR

SIGHTINGS: dict[str, pl.DataType] = {"entity": pl.String(), "actor": pl.String(), "hour": pl.Int64()}
"""Schema of sightings: from an address (``ip:…``), or a network with a user agent (``asn_agent:…``), somebody (or null) acted in an hour (since the
epoch), each once: a set, so that repeated records and batches that overlap add nothing.
"""

TOTALS: dict[str, pl.DataType] = {"kind": pl.String(), "day": pl.Int64(), "sightings": pl.Int64()}
"""Schema of totals: how many sightings of all entities of a kind (``ip``, ``asn_agent``) there are on a day (since the epoch)."""

_ADDRESS = ("src_endpoint.ip", "actor.user.uid")
_NETWORK = ("src_endpoint.autonomous_system.number", "http_request.user_agent")


def sighted(columns: Collection[str]) -> tuple[str, ...]:
    """The columns that sightings of a source are made of, beside ``time``; ``columns`` are those its records can fill."""
    return (*_ADDRESS, *_NETWORK) if _NETWORK[0] in columns else _ADDRESS


def sightings_of(events: pl.DataFrame | pl.LazyFrame) -> pl.DataFrame:
    """The sightings in ``events``, which have ``time`` and the columns `sighted` names."""
    given = events.lazy()
    known = set(given.collect_schema().names())
    hour = pl.col("time").dt.timestamp("us").floordiv(HOUR)
    parts = [
        given.filter(pl.col(_ADDRESS[0]).is_not_null()).select(pl.concat_str(pl.lit("ip:"), _ADDRESS[0]).alias("entity"), _ADDRESS[1], hour=hour)
    ]
    if known.issuperset(_NETWORK):
        named = pl.concat_str(pl.lit("asn_agent:"), pl.col(_NETWORK[0]).cast(pl.String), pl.lit("|"), _NETWORK[1])
        parts.append(given.select(named.alias("entity"), _ADDRESS[1], hour=hour).filter(pl.col("entity").is_not_null()))
    found = pl.concat([part.unique() for part in parts]).collect()
    spelled = found["entity"].unique().to_frame().with_columns(pl.col("entity").map_batches(canonical, return_dtype=pl.String).alias("one"))
    made = found.join(spelled, on="entity").select(entity="one", actor=_identity(pl.col(_ADDRESS[1])), hour="hour")
    return made.drop_nulls("entity").unique()


def totals_of(sightings: pl.DataFrame | pl.LazyFrame) -> pl.LazyFrame:
    """The totals (`TOTALS`) of ``sightings``, each of which stands there once."""
    kind = pl.col("entity").str.extract("^([^:]*):")
    return sightings.lazy().group_by(kind.alias("kind"), pl.col("hour").floordiv(24).alias("day")).agg(pl.len().cast(pl.Int64).alias("sightings"))


def _identity(actor: pl.Expr) -> pl.Expr:
    """One text for what is one identity under several names: an address at the end of sessions and subjects, a role for its sessions."""
    email = actor.str.extract(r"([^\s/:|#]+@[^\s/:|]+)$").str.to_lowercase()
    return pl.coalesce(email, actor.str.extract(r"^(arn:[^:]*:sts::\d*:assumed-role/[^/]+)/"), actor)
