"""Sightings: who acted from which address, and from which network with which agent, hour by hour. They tell what is rare and what many share."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from engine.identity.entities import canonical
from engine.incidents.clock import HOUR

SIGHTINGS: dict[str, pl.DataType] = {"entity": pl.Categorical(), "actor": pl.Categorical(), "hour": pl.Int32()}
"""Schema of sightings: from an address (``ip:…``), or a network with a user agent (``asn_agent:…``), somebody (or null) acted in an hour (since the
epoch). They are a set: repeated records and batches that overlap add nothing. There may be as many as events, so a row takes 12 bytes and each text
is held once.
"""

TOTALS: dict[str, pl.DataType] = {"kind": pl.String(), "day": pl.Int64(), "sightings": pl.Int64()}
"""Schema of totals: how many sightings of all entities of a kind (``ip``, ``asn_agent``) there are on a day (since the epoch)."""

_ADDRESS = ("src_endpoint.ip", "actor.user.uid")
_NETWORK = ("src_endpoint.autonomous_system.number", "http_request.user_agent")


def sighted(columns: Collection[str]) -> tuple[str, ...]:
    """The columns that sightings of a source are made of, beside ``time``; ``columns`` are those its records can fill."""
    return (*_ADDRESS, *_NETWORK) if _NETWORK[0] in columns else _ADDRESS


def sightings_in(events: pl.DataFrame | pl.LazyFrame) -> pl.DataFrame:
    """The sightings in ``events``, which have ``time`` and the columns `sighted` names, in the words of their records (for `spelled`)."""
    given = events.lazy()
    address, actor = (pl.col(name) for name in _ADDRESS)
    entities = [pl.concat_str(pl.lit("ip:"), address)]
    if set(given.collect_schema().names()).issuperset(_NETWORK):
        entities.append(pl.concat_str(pl.lit("asn_agent:"), pl.col(_NETWORK[0]).cast(pl.String), pl.lit("|"), _NETWORK[1]))
    hour = pl.col("time").dt.timestamp("us").floordiv(HOUR)
    parts = []
    for entity in entities:
        made = zip((entity.alias("entity"), actor.alias("actor"), hour.alias("hour")), SIGHTINGS.values(), strict=True)
        parts.append(given.select(each.cast(dtype) for each, dtype in made).filter(pl.col("entity").is_not_null()))
    return pl.concat(parts).collect(engine="streaming" if isinstance(events, pl.LazyFrame) else "auto")


def spelled(found: pl.DataFrame) -> pl.DataFrame:
    """Sightings with one text for what is one entity or one identity; without those of what is none. Each text is looked at once, so it is done best
    for many batches together.
    """
    entities = _each(found["entity"], pl.col("text").map_batches(canonical, return_dtype=pl.String))
    identities = _each(found["actor"], _identity(pl.col("text")))
    named = found.join(entities, on="entity").join(identities, on="actor", how="left")
    return named.select(entity="entity_one", actor="actor_one", hour="hour").drop_nulls("entity")


def sightings_of(events: pl.DataFrame | pl.LazyFrame) -> pl.DataFrame:
    """The sightings in ``events``, which have ``time`` and the columns `sighted` names; some may be there more than once."""
    return spelled(sightings_in(events))


def _each(column: pl.Series, one: pl.Expr) -> pl.DataFrame:
    """Each value of ``column`` beside what ``one`` makes of its ``text``."""
    values = column.drop_nulls().unique()
    texts = values.cast(pl.String).alias("text").to_frame()
    return values.to_frame().with_columns(texts.select(one.cast(column.dtype).alias(f"{column.name}_one")))


def totals_of(sightings: pl.DataFrame | pl.LazyFrame) -> pl.LazyFrame:
    """The totals (`TOTALS`) of ``sightings``."""
    # Nearly every event may be a sighting of its own: counted as numbers, hour by hour, they take a tenth of what a set of rows takes.
    pair = pl.col("entity").to_physical().cast(pl.UInt64) * 2**32 + pl.col("actor").to_physical().fill_null(2**32 - 1)
    network = pl.col("entity").cast(pl.String).str.starts_with("asn_agent:")
    hours = sightings.lazy().group_by(network.alias("network"), "hour").agg(pair.n_unique().alias("sightings"))
    kind = pl.when("network").then(pl.lit("asn_agent")).otherwise(pl.lit("ip"))
    days = hours.group_by(kind.alias("kind"), pl.col("hour").floordiv(24).cast(pl.Int64).alias("day"))
    return days.agg(pl.col("sightings").sum().cast(pl.Int64))


def seen_of(sightings: pl.DataFrame, keys: pl.Series) -> pl.DataFrame:
    """The sightings of the entities ``keys``, each once: ``key`` (text), ``actor``, ``seen_day``."""
    named = keys.unique().cast(SIGHTINGS["entity"]).alias("entity").to_frame()
    each = sightings.join(named, on="entity", how="semi").unique()
    return each.select(pl.col("entity").cast(pl.String).alias("key"), "actor", seen_day=pl.col("hour").floordiv(24).cast(pl.Int64))


def _identity(actor: pl.Expr) -> pl.Expr:
    """One text for what is one identity under several names: an address at the end of sessions and subjects, a role for its sessions."""
    email = actor.str.extract(r"([^\s/:|#]+@[^\s/:|]+)$").str.to_lowercase()
    return pl.coalesce(email, actor.str.extract(r"^(arn:[^:]*:sts::\d*:assumed-role/[^/]+)/"), actor)
