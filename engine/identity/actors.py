"""Who acted in an event, as directly as it tells, and who stands behind that."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from engine.identity.entities import canonical
from engine.identity.resolve import RESOLVED, resolve

Actors = Mapping[str, tuple[tuple[str, str], ...]]
"""Source → what stands before the value of an entity, and the common column that holds the value; the most telling first."""

CREDENTIALS = ("aws.key", "entra.token", "gcp.key", "ai.key", "request")
"""What acts for somebody: where nothing is known about it, the next actor of the event says more."""

ACTORS: dict[str, pl.DataType] = {"row": pl.UInt32(), "place": pl.UInt32(), "entity": pl.String(), "time": pl.Datetime("us", "UTC")}
"""Columns of `actors`: an entity a row; ``row`` is that of the event, ``place`` 0 for the most telling."""

PRINCIPALS: dict[str, pl.DataType] = {"row": pl.UInt32(), **RESOLVED}
"""Columns of `principals`."""


def columns(by_source: Actors) -> tuple[str, ...]:
    """The common columns that `actors` reads beside x.source and time."""
    return tuple(dict.fromkeys(name for given in by_source.values() for _, name in given))


def actors(events: pl.DataFrame, by_source: Actors) -> pl.DataFrame:
    """The entities that acted in ``events`` (x.source, time, `columns`), in the form of `ACTORS`, ordered."""
    numbered = events.select("x.source", "time", *columns(by_source)).with_row_index("row")
    parts = []
    for source, given in sorted(by_source.items()):
        mine = numbered.filter(pl.col("x.source") == source) if given else numbered.clear()
        for place, (before, name) in enumerate(given if mine.height else ()):
            entity = canonical(mine.select(pl.lit(before) + pl.col(name)).to_series())
            parts.append(
                mine.select("row", "time", pl.lit(place, pl.UInt32()).alias("place"), entity.alias("entity")).filter(pl.col("entity").is_not_null())
            )
    if not parts:
        return pl.DataFrame(schema=ACTORS)
    return pl.concat(parts).select(pl.col(name).cast(dtype) for name, dtype in ACTORS.items()).sort("row", "place")


def principals(events: pl.DataFrame, by_source: Actors, edges: pl.DataFrame) -> pl.DataFrame:
    """Who stands behind each of ``events``: at most a row each, in the form of `PRINCIPALS`; none where the event names nobody."""
    found = actors(events, by_source)
    resolved = resolve(found, edges).with_columns(found["row"], found["place"])
    silent = pl.col("entity").str.extract(r"^([^:]*):").is_in(CREDENTIALS) & (pl.col("steps").list.len() == 0)
    first = resolved.with_columns(silent.alias("silent")).sort("row", "silent", "place").unique("row", keep="first", maintain_order=True)
    return first.select(list(PRINCIPALS))
