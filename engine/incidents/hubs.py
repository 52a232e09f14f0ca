"""Entities that many share and that therefore prove nothing: known ones, and those the 30 days before an alert's day show to be."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

import polars as pl

from engine.incidents.clock import Ordered
from engine.incidents.sightings import seen_of, totals_of

HISTORY_DAYS = 30
BUSY_DAYS = 10
"""An entity with alerts on so many of the 30 days before is routine: a scanner, a posture tool, a job that trips the same rules every night."""
SHARED_BY = 4
"""More acting identities than this behind one address, or on one resource, in the 30 days before: an egress, a NAT, a shared store."""
RARE_BITS = 8
"""An address is rare when fewer than 1 in 2^8 sightings of the 30 days before were of it."""
BEGUN_AGAIN = 4
"""A name under which more sessions of a role than this began in the 30 days before is one that is given again and again, as pipelines do."""
FAN_OUT = 1_000
"""Alerts one key may join on one UTC day."""

_SERVICE = re.compile(
    r"aws\.(?:root|service):.*"
    r"|aws\.\w+:.*(?:aws-service-role/|awsservicerolefor|/aws-reserved/sso\.).*"
    r"|gcp\.account:(?:service-\d+@|\d+@cloudservices\.|.*@gcp-sa-|.*@[\w-]*\.?gcp-sa-).*"
    r"|gcp\.account:[^@]*@(?:system|container-engine-robot|compute-system|cloudbuild|appspot)\.gserviceaccount\.com",
    re.IGNORECASE,
)
_NOT_GLOBAL = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "224.0.0.0/3"),
        *("::/127", "fc00::/7", "fe80::/10", "ff00::/8"),
    )
)


@lru_cache(maxsize=1 << 16)
def known_hub(entity: str) -> str | None:
    """Why ``entity`` never joins, whatever was seen of it; None where nothing speaks against it."""
    if entity.startswith("ip:"):
        try:
            address = ipaddress.ip_address(entity[3:])
        except ValueError:
            return "is no address"
        return "is no address of the public internet" if any(address in network for network in _NOT_GLOBAL) else None
    return "belongs to the provider or to everybody" if _SERVICE.fullmatch(entity) else None


def hubs(
    keyed: pl.DataFrame,
    ordered: Ordered,
    sightings: pl.DataFrame,
    contested: pl.Series,
    begun: pl.DataFrame,
    totals: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """The rows of ``keyed`` (``alert``, ``key``, ``strength``, ``actor``) that must not join: ``alert``, ``key``, ``why``.

    Everything that is counted is counted over the 30 UTC days before the day the alert begins, so nothing that happens that day or later changes it;
    only `FAN_OUT`, a bound on work, counts that day itself. ``contested`` are the e-mail addresses of several people, ``begun`` the sessions that
    began (`keys.BEGUN`). ``totals`` (`sightings.TOTALS`) where ``sightings`` are only those of entities that alerts name.
    """
    days = pl.DataFrame({"alert": pl.Series(range(len(ordered.alerts)), dtype=pl.UInt32), "day": ordered.day})
    rows = keyed.join(days, on="alert").select("alert", "key", "strength", "actor", "day")
    texts = rows["key"].unique()
    # Of events and resources there are most, and nobody knows one as a hub.
    texts = texts.filter(~texts.str.contains("^(event|request|resource|asn_agent|prompt):"))
    reasons = [known_hub(text) for text in texts.to_list()]
    named = pl.DataFrame({"key": texts, "why": pl.Series(reasons, dtype=pl.String)}).with_columns(
        pl.when(pl.col("key").is_in(contested.implode())).then(pl.lit("belongs to several identities")).otherwise("why").alias("why")
    )
    named = named.drop_nulls()
    found = [rows.join(named, on="key").select("alert", "key", "why")]
    asked = rows.select("key", "day", "strength").unique()
    judged = pl.concat([_busy(asked, rows), _shared(asked, rows), _begun_again(asked, begun), _fan_out(rows), _not_rare(asked, sightings, totals)])
    judged = judged.unique(["key", "day"], keep="first", maintain_order=True)
    found.append(rows.join(judged, on=["key", "day"]).select("alert", "key", "why"))
    return pl.concat(found).unique(["alert", "key"], keep="first", maintain_order=True)


_REASON: dict[str, pl.DataType] = {"key": pl.String(), "day": pl.Int64(), "why": pl.String()}


def _within(asked: pl.DataFrame, seen: pl.DataFrame, found: pl.Expr, *, that_day: bool = False) -> pl.DataFrame:
    """``found`` over the rows of ``seen`` (``key``, ``seen_day``, …) of the 30 days before each (key, day) asked, and of ``that_day``; those without
    any are left out.
    """
    wanted = asked.select("key", "day").unique()
    few = pl.len().over("key") <= HISTORY_DAYS
    pairs = wanted.filter(few).join(seen, on="key")
    end = pl.col("day") + int(that_day)
    near = pairs.filter((pl.col("seen_day") < end) & (pl.col("seen_day") >= pl.col("day") - HISTORY_DAYS))
    # A key that is asked about on very many days would meet all of its rows on each of them: there every row goes to the days that see it.
    often = wanted.filter(~few)
    rows = seen.join(often.select("key").unique(), on="key", how="semi").with_columns(
        pl.int_ranges(pl.col("seen_day") + int(not that_day), pl.col("seen_day") + HISTORY_DAYS + 1, dtype=pl.Int64).alias("day")
    )
    far = rows.explode("day", empty_as_null=True, keep_nulls=True).join(often, on=["key", "day"], how="semi")
    return pl.concat([near, far.select(near.columns)]).group_by("key", "day").agg(found)


def shared_ways(asked: pl.DataFrame, sightings: pl.DataFrame) -> pl.DataFrame:
    """The addresses of ``asked`` (``key``, ``day``) through which many went in the 30 days before or on that day: with ``identities``, how many.

    That day counts too: an address is known as a way out once it is seen to be one, and who is seen there beside each other may be anybody.
    """
    identities = pl.col("actor").drop_nulls().n_unique().cast(pl.Int64).alias("identities")
    counted = _within(asked, seen_of(sightings, asked["key"]), identities, that_day=True)
    return counted.filter(pl.col("identities") > SHARED_BY)


def _busy(asked: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    seen = rows.select("key", seen_day="day").unique()
    counted = _within(asked.filter(pl.col("strength") != "weak"), seen, pl.col("seen_day").n_unique().alias("n"))
    why = pl.format("had alerts on {} of the 30 days before: routine", "n")
    return counted.filter(pl.col("n") >= BUSY_DAYS).select("key", "day", why.alias("why"))


def _shared(asked: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Resources that many touched, and prompts that many sent, as alerts tell: nobody counts those that raise none."""
    resource, prompt = (pl.col("key").str.starts_with(f"{kind}:") for kind in ("resource", "prompt"))
    seen = rows.filter((resource | prompt) & pl.col("actor").is_not_null()).select("key", "actor", seen_day="day").unique()
    counted = _within(asked.filter(resource | prompt), seen, pl.col("actor").n_unique().alias("n"))
    did = pl.when(prompt).then(pl.lit("sent")).otherwise(pl.lit("touched"))
    why = pl.format("was {} by {} identities in the 30 days before", did, "n")
    return counted.filter(pl.col("n") > SHARED_BY).select("key", "day", why.alias("why"))


def _begun_again(asked: pl.DataFrame, begun: pl.DataFrame) -> pl.DataFrame:
    """Names of sessions that whoever takes the role gives again and again: what is done under one is no more of one hand than the role is."""
    named = asked.filter(pl.col("key").is_in(begun["key"].unique().implode()))
    counted = _within(named, begun, pl.col("event_uid").n_unique().alias("n"))
    why = pl.format("is a name under which {} sessions began in the 30 days before", "n")
    return counted.filter(pl.col("n") > BEGUN_AGAIN).select("key", "day", why.alias("why"))


def _fan_out(rows: pl.DataFrame) -> pl.DataFrame:
    counted = rows.group_by("key", "day").agg(pl.col("alert").n_unique().alias("n")).filter(pl.col("n") > FAN_OUT)
    return counted.select("key", "day", pl.format("has {} alerts that day, more than one key may join", "n").alias("why"))


def _not_rare(asked: pl.DataFrame, sightings: pl.DataFrame, totals: pl.DataFrame | None) -> pl.DataFrame:
    """Addresses, and networks with an agent, of which nothing says that they are rare: rarity is -log2 of their share of all sightings of their kind,
    one added for those never seen.
    """
    weak = asked.filter(pl.col("key").str.contains("^(ip|asn_agent):")).select("key", "day").unique()
    if weak.is_empty():
        return pl.DataFrame(schema=_REASON)
    sums = (totals_of(sightings).collect() if totals is None else totals).rename({"day": "seen_day"})
    weak = weak.with_columns(pl.col("key").str.extract("^([^:]*):").alias("kind"))
    pairs = weak.select("kind", "day").unique().join(sums, on="kind")
    before = pairs.filter((pl.col("seen_day") < pl.col("day")) & (pl.col("seen_day") >= pl.col("day") - HISTORY_DAYS))
    summed = before.group_by("kind", "day").agg(pl.col("sightings").sum().alias("total"))
    counted = _within(weak, seen_of(sightings, weak["key"]), pl.struct(n=pl.len(), actors=pl.col("actor").drop_nulls().n_unique()).alias("c"))
    counted = counted.unnest("c")
    judged = (
        weak.join(summed, on=["kind", "day"], how="left")
        .join(counted, on=["key", "day"], how="left")
        .with_columns(pl.col("total", "n", "actors").fill_null(0))
        .with_columns(common=pl.col("total") + 1 < 2**RARE_BITS * (pl.col("n") + 1))
    )
    why = (
        pl.when(pl.col("actors") > SHARED_BY)
        .then(pl.format("was used by {} identities in the 30 days before: a shared way out", "actors"))
        .when(pl.col("common") & (pl.col("n") == 0))
        .then(pl.lit("cannot be shown to be rare: too little is known of the 30 days before"))
        .when("common")
        .then(pl.format("is common: {} of {} sightings in the 30 days before", "n", "total"))
    )
    return judged.select("key", "day", why.alias("why")).drop_nulls()
