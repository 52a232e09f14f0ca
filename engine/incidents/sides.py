"""Where a key joins only some of the alerts that have it: its sides. Alerts are joined on a side they share."""

from __future__ import annotations

import polars as pl

from engine.incidents.clock import Ordered
from engine.incidents.hubs import shared_ways
from engine.model import Strength

SIDES = 20
"""With more identities that touch one target, what names nobody goes with none of them."""
ADDRESSES = 10
"""Addresses of an alert that are sides."""
NEAR = "near "
"""How the side of an address begins that many share; there only `windows.TIGHT` is bridged."""

WHERE = ("ip", "agent")
"""Roles of what tells where somebody came from."""

WAYS: dict[str, pl.DataType] = {"alert": pl.UInt32(), "side": pl.String()}
_PLACES: dict[str, pl.DataType] = {"alert": pl.UInt32(), "clouds": pl.List(pl.String())}


def ways(parts: pl.DataFrame, ordered: Ordered, sightings: pl.DataFrame) -> pl.DataFrame:
    """The sides (`WAYS`) of the addresses in ``parts`` (`participants`): ``from …``, and ``near …`` for one that many share."""
    days = pl.DataFrame({"alert": pl.Series(range(len(ordered.alerts)), dtype=pl.UInt32), "day": ordered.day})
    named = parts.filter(pl.col("role") == "ip").select("alert", key="entity")
    named = named.filter(pl.int_range(pl.len()).over("alert") < ADDRESSES).join(days, on="alert", maintain_order="left")
    many = shared_ways(named.select("key", "day").unique(), sightings).select("key", "day", way=pl.lit(NEAR))
    side = pl.concat_str(pl.col("way").fill_null("from "), pl.col("key").str.strip_prefix("ip:"))
    return named.join(many, on=["key", "day"], how="left", maintain_order="left").select("alert", side.alias("side"))


def sided(keyed: pl.DataFrame, ordered: Ordered, addresses: pl.DataFrame) -> pl.DataFrame:
    """``keyed`` (`keys.KEYED`) with ``side``, a row for each side of a key that an alert is on. ``addresses`` are those of `ways`.

    Strong keys, and prompts that are alike, join wherever they are. A target joins what one identity did to it, and what nobody is named for. Who
    somebody is joins what happened in one cloud: people work in all of them, each day. Across clouds it is one hand where the same identity also
    comes from the same address, or no address is known. An address, or a network with an agent, joins within one cloud: by itself it says nothing of
    who came from there into two. What happened in no cloud, as at a gateway, is a place of its own.
    """
    targeted = pl.col("role").is_in(["resource", "target"])
    placed = (pl.col("strength") == Strength.MEDIUM.value) | pl.col("role").is_in(WHERE)
    named = keyed.filter(targeted & pl.col("actor").is_not_null()).with_columns(pl.concat_str(pl.lit("by "), "actor").alias("side"))
    rest = keyed.filter(~targeted | pl.col("actor").is_null())
    everywhere = rest.filter(~placed).with_columns(pl.lit(None, pl.String).alias("side"))
    sides = named.select("key", "side").unique().filter(pl.len().over("key") <= SIDES)
    return pl.concat([named, everywhere, rest.join(sides, on="key").select(named.columns), _by_place(rest.filter(placed), ordered, addresses)])


def _by_place(rows: pl.DataFrame, ordered: Ordered, addresses: pl.DataFrame) -> pl.DataFrame:
    """``rows`` on the sides of the clouds and addresses of their alerts."""
    there = _places(rows["alert"].unique().sort().to_list(), ordered)
    there = there.join(addresses.select("alert", known=True).unique(), on="alert", how="left").with_columns(pl.col("known").fill_null(False))
    identity = ~pl.col("role").is_in(["resource", "target", *WHERE])
    placed = rows.join(there, on="alert")
    by_address = placed.filter(identity).select(rows.columns).join(addresses, on="alert")
    # What spans clouds says itself what it joins there; beyond that it goes by its addresses.
    by_cloud = placed.filter(~(identity & (pl.col("clouds").list.len() > 1) & pl.col("known"))).select(*rows.columns, pl.col("clouds").alias("side"))
    by_cloud = by_cloud.explode("side", empty_as_null=True, keep_nulls=True)
    anywhere = placed.filter(identity & ~pl.col("known")).select(rows.columns)
    clouds = by_cloud.select("key", "side").unique()
    return pl.concat([by_cloud, by_address, anywhere.join(clouds, on="key").select(by_cloud.columns)])


def _places(alerts: list[int], ordered: Ordered) -> pl.DataFrame:
    """Per alert the sides of its clouds."""
    rows = []
    for index in alerts:
        clouds = sorted({cloud.provider for cloud in ordered.alerts[index].cloud if cloud.provider})
        rows.append((index, [f"in {name}" for name in clouds] or ["in no cloud"]))
    return pl.DataFrame(rows, schema=_PLACES, orient="row")
