"""Participants and identity edges → the keys by which alerts may join."""

from __future__ import annotations

import polars as pl

from engine.identity.edges import ISSUED, KINDS, STRENGTHS, TOLD
from engine.identity.resolve import walks
from engine.incidents.clock import DAY, Ordered
from engine.incidents.windows import EVENT, PRINCIPALS, RANKS
from engine.incidents.windows import STRENGTHS as PROVES
from engine.model import Strength

KEYED: dict[str, pl.DataType] = {
    "alert": pl.UInt32(),
    "key": pl.String(),
    "strength": pl.String(),
    "rank": pl.UInt8(),
    "role": pl.String(),
    "actor": pl.String(),
    "proof": pl.List(pl.String()),
}
"""``role`` is that of `participants`, ``made`` for a key whose creation the alert tells of, ``chain`` for what stands behind an actor, ``trust``
where that is in another cloud; ``actor`` is who acted in the alert, null where nobody is named; ``proof`` are the events that prove a chain.
"""
ORIGINS: dict[str, pl.DataType] = {
    "alert": pl.UInt32(),
    "entity": pl.String(),
    "principal": pl.String(),
    "strength": pl.String(),
    "proof": pl.List(pl.String()),
}
BEGUN: dict[str, pl.DataType] = {"key": pl.String(), "event_uid": pl.String(), "seen_day": pl.Int64()}
"""``key`` is the name, ``event_uid`` the event that began a session, ``seen_day`` its day since the epoch."""
_JOINING = ("actor", "target", "made", "leaked", "resource", "ip", "agent", "prompt", "request", "event")
TOLD_OF_ACTORS = ("created_key", "impersonated", "used_key", "used_federation", "federated_credential")
"""Edges that lead to no origin and still tell whose doing something is."""
TOLD_OF_EVENTS = ("created_key", "issued_key", "assumed_role")
"""Edges whose event is where the child begins."""
_CLOUDS = {"aws": "AWS", "entra": "Azure", "azure": "Azure", "gcp": "GCP", "oidc": "outside", "saml": "outside", "k8s": "outside"}
_EARLIEST = 8
"""Edges of `TOLD_OF_ACTORS` that are followed from one entity; with more it is shared."""


def keys(parts: pl.DataFrame, ordered: Ordered, edges: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The keys of each alert (`KEYED`), and who stands behind its actors (`ORIGINS`)."""
    moments = pl.DataFrame(
        {"alert": pl.Series(range(len(ordered.alerts)), dtype=pl.UInt32), "time": pl.Series(ordered.first).cast(pl.Datetime("us", "UTC"))}
    )
    parts = _what_was_made(parts, edges)
    acting = parts.filter(pl.col("role") == "actor").join(moments, on="alert")
    walked = walks(acting.select("entity", "time"), edges)
    behind = _behind(acting, edges)
    chains = pl.concat([acting.join(walked, on=["entity", "time"]).select(*behind.columns), behind])
    chains = chains.with_columns(crosses=_cloud("entity") != _cloud("parent"))
    origins = _origins(acting, walked)
    direct = parts.filter(pl.col("role").is_in(_JOINING)).select(
        "alert", key="entity", role="role", level=pl.lit(0, pl.Int64), proof=pl.lit([], pl.List(pl.String))
    )
    role = pl.when(pl.col("crosses").fill_null(False) & (pl.col("level") < 2)).then(pl.lit("trust")).otherwise(pl.lit("chain"))
    indirect = chains.select("alert", key="parent", role=role, level=pl.col("level").cast(pl.Int64), proof="proof")
    kind = pl.col("key").str.extract(r"^([a-z0-9_.]+):")
    proves = {name: list(Strength).index(strength) for name, strength in PROVES.items()}
    keyed = (
        pl.concat([direct, indirect])
        .with_columns(own=kind.replace_strict(proves, default=None, return_dtype=pl.Int64))
        .filter(pl.col("own").is_not_null())
        .with_columns(rank=kind.replace_strict(RANKS, return_dtype=pl.UInt8), grade=pl.max_horizontal("own", "level"))
        .sort("alert", "key", "grade", "role", "proof")
        .unique(["alert", "key"], keep="first", maintain_order=True)
    )
    words = {number: strength.value for number, strength in enumerate(Strength)}
    actors = origins.sort("alert", "strength", "principal").unique("alert", keep="first", maintain_order=True)
    keyed = keyed.join(actors.select("alert", actor="principal"), on="alert", how="left", maintain_order="left")
    keyed = keyed.with_columns(pl.col("grade").replace_strict(words, return_dtype=pl.String).alias("strength"))
    return keyed.select(pl.col(name).cast(dtype) for name, dtype in KEYED.items()), origins


def _what_was_made(parts: pl.DataFrame, edges: pl.DataFrame) -> pl.DataFrame:
    """``parts`` with the keys and sessions that events of alerts issued, role ``made``. A key that was created stands in the place of the identity it
    was created for: what that one does with another key is not of that alert's making.
    """
    issued = edges.filter(pl.col("kind").is_in(TOLD_OF_EVENTS)).select("kind", entity="child", event=pl.concat_str(pl.lit(f"{EVENT}:"), "event_uid"))
    made = parts.filter(pl.col("role") == "event").select("alert", event="entity").join(issued, on="event")
    ours = pl.col("role") == "target"
    kept = parts.filter(ours).join(made.filter(pl.col("kind") == TOLD_OF_EVENTS[0]), on="alert", how="anti")
    added = made.select("alert", "entity", role=pl.lit("made")).unique().select(parts.columns)
    return pl.concat([parts.filter(~ours), kept, added]).sort("alert", "role", "entity")


def contested(parts: pl.DataFrame, edges: pl.DataFrame) -> pl.Series:
    """The e-mail addresses that several identities of Entra have, such as one in each of two tenants: they stand for none of them."""
    acting = parts.filter(pl.col("role") == "actor")
    people = acting.filter(pl.col("entity").str.starts_with("entra.object:")).select("alert", parent="entity")
    together = acting.filter(pl.col("entity").str.starts_with("email:")).join(people, on="alert").select("entity", "parent")
    between = edges.filter(pl.col("kind") == "user_name").select("child", "parent")
    ways = [between.select(entity=one, parent=other) for one, other in (("child", "parent"), ("parent", "child"))]
    pairs = pl.concat([together, *ways]).filter(pl.col("entity").str.starts_with("email:") & pl.col("parent").str.starts_with("entra.object:"))
    return pairs.group_by("entity").agg(pl.col("parent").n_unique().alias("n")).filter(pl.col("n") > 1)["entity"].sort()


def begun(keyed: pl.DataFrame, edges: pl.DataFrame) -> pl.DataFrame:
    """The sessions of roles that began under the names in ``keyed``, by id and by ARN (`BEGUN`)."""
    wanted = keyed.filter(pl.col("key").str.contains(r"^aws\.(session|arn):"))["key"].unique().to_frame("key")
    ids = edges.filter(pl.col("kind") == "session_of").select(key="child", session="parent").join(wanted, on="key", how="semi")
    names = pl.concat([wanted.select("key", session="key"), ids]).unique()
    issued = edges.filter(pl.col("kind").is_in([name for name, kind in KINDS.items() if kind.way == ISSUED]))
    found = issued.select("time", "event_uid", session="child").join(names, on="session")
    days = found.select("key", "event_uid", seen_day=pl.col("time").dt.timestamp("us").floordiv(DAY))
    return days.select(pl.col(name).cast(dtype) for name, dtype in BEGUN.items()).unique()


def _cloud(column: str) -> pl.Expr:
    return pl.col(column).str.extract(r"^([a-z0-9]+)[.:]").replace_strict(_CLOUDS, default=None, return_dtype=pl.String)


def _behind(acting: pl.DataFrame, edges: pl.DataFrame) -> pl.DataFrame:
    """Whose doing the acting entities are, by edges that were true before they acted."""
    assert all(KINDS[name].way == TOLD for name in TOLD_OF_ACTORS)
    told = edges.filter(pl.col("kind").is_in(TOLD_OF_ACTORS)).select("child", "parent", "strength", "event_uid", since="time")
    told = told.with_columns(pl.len().over("child").alias("n")).filter(pl.col("n") <= _EARLIEST)
    found = acting.join(told, left_on="entity", right_on="child").filter(pl.col("since") <= pl.col("time"))
    return found.select(
        "alert",
        "entity",
        "parent",
        level=pl.col("strength").replace_strict({word: n for n, word in enumerate(STRENGTHS)}, return_dtype=pl.UInt8),
        proof=pl.concat_list("event_uid"),
    )


def _origins(acting: pl.DataFrame, walked: pl.DataFrame) -> pl.DataFrame:
    """Per alert and actor the last step of its walk; the actor itself where there is none. Only those that may stand for somebody, where any may."""
    last = walked.sort("entity", "time", "step").unique(["entity", "time"], keep="last", maintain_order=True)
    rows = acting.join(last.drop("step"), on=["entity", "time"], how="left").select(
        "alert",
        "entity",
        principal=pl.coalesce("parent", "entity"),
        strength=pl.col("level").fill_null(0).cast(pl.Int64),
        proof=pl.col("proof").fill_null(pl.lit([], pl.List(pl.String))),
    )
    person = pl.col("principal").str.extract(r"^([a-z0-9_.]+):").is_in(list(PRINCIPALS))
    rows = rows.with_columns(person=person, any=person.any().over("alert")).filter(pl.col("person") | ~pl.col("any"))
    words = dict(enumerate(STRENGTHS))
    told = rows.with_columns(pl.col("strength").replace_strict(words, return_dtype=pl.String))
    return told.select(pl.col(name).cast(dtype) for name, dtype in ORIGINS.items()).sort("alert", "entity")
