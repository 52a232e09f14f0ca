"""Edges between identities of a lake: those that lead on from some entities, and which hits new ones say something new about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from engine.correlate.principals import told
from engine.identity.actors import actors, columns
from engine.identity.edges import EDGES, ISSUED, KINDS, TOLD, together
from engine.identity.resolve import DEPTH
from engine.model import Alert
from engine.pipeline.correlating import Principals
from engine.pipeline.far.keeping import EDGE
from engine.pipeline.identity_edges import Origins, Told, actors_by_source
from engine.pipeline.identity_edges import told as told_by
from engine.pipeline.lasting.revising import Span, union
from engine.schema import Mapping
from engine.store.lake import Lake

_LEADING = [name for name, kind in KINDS.items() if kind.way != TOLD]
BELOW = 10_000
"""Identities that new edges lead down to, such as sessions of one key, for which alerts are worked out again."""
CUT = "new identity edges lead to more than {:,} sessions and keys: `crosswind run --backfill` looks again at alerts of those beyond"
_TIMED = [name for name, kind in KINDS.items() if kind.way == ISSUED]


@dataclass(frozen=True, slots=True)
class StoredOrigins:
    """Who stands behind hits (`Principals`), by the edges of ``lake``, what the hits tell themselves, and ``own`` edges that are not in it."""

    lake: Lake
    mappings: AnyMapping[str, Mapping]
    own: Sequence[pl.DataFrame] = ()

    def __call__(self, hits: pl.DataFrame) -> pl.DataFrame:
        return self.among([told_by_hits(hits, self.mappings)])(hits)

    def among(self, told: Sequence[Told]) -> Origins:
        """Who stands behind the hits that told so much."""
        own = [*self.own, *(each.edges for each in told)]
        leading = [*(each.acting for each in told), *(part["parent"].rename("entity") for part in own)]
        edges = together([*own, followed(self.lake, pl.concat(leading), "child", "parent").edges])
        return Origins(actors_by_source(self.mappings), edges).among(told)


def told_by_hits(hits: pl.DataFrame, mappings: AnyMapping[str, Mapping]) -> Told:
    """What ``hits`` tell of identities. Their edges are not in the lake where their rules were loaded after their events had been read."""
    return Told(together(_told(hits, mappings)), actors(hits, actors_by_source(mappings))["entity"].unique(maintain_order=True))


def with_principals(alerts: Sequence[Alert], lake: Lake, mappings: AnyMapping[str, Mapping], principals: Principals) -> list[Alert]:
    """``alerts`` with the principals of their events, whose hits are in the lake."""
    if not alerts:
        return []
    wanted = pl.Series("x.uid", [uid for alert in alerts for uid in alert.event_uids], dtype=pl.String).unique()
    low, high = min(alert.first_time for alert in alerts), max(alert.last_time for alert in alerts)
    names = list(dict.fromkeys(("x.uid", "x.source", "time", "raw_data", *columns(actors_by_source(mappings)))))
    hits = lake.hits_between(None, low, None).filter(pl.col("time") <= high).select(names).join(wanted.to_frame().lazy(), on="x.uid", how="semi")
    return told(alerts, principals(hits.collect().unique("x.uid", keep="first").sort("x.uid")))


def _told(hits: pl.DataFrame, mappings: AnyMapping[str, Mapping]) -> Iterator[pl.DataFrame]:
    """What events tell whose rules were loaded after they had been read."""
    events = hits.select("x.uid", "x.source", "time", "raw_data").drop_nulls("raw_data").unique("x.uid", keep="first", maintain_order=True)
    for (source,), part in events.group_by("x.source", maintain_order=True):
        yield told_by(part, mappings[str(source)])


@dataclass(frozen=True, slots=True)
class Followed:
    """``edges`` on the way; ``cut``: whether there were more identities than were followed."""

    edges: pl.DataFrame
    cut: bool = False


def followed(lake: Lake, entities: pl.Series, start: str, end: str, most: int | None = None) -> Followed:
    """The edges of the lake that lead on from ``entities``, from their ``start`` (child or parent) to their ``end``, step by step; once more than
    ``most`` identities were met, no further.
    """
    leading = lake.scan("edges").filter(pl.col("kind").is_in(_LEADING)).select(list(EDGES))
    parts: list[pl.DataFrame] = []
    wanted = entities.drop_nulls().unique().alias("entity").to_frame()
    seen, cut = wanted, False
    for _ in range(DEPTH):
        if not wanted.height or cut:
            break
        step = leading.join(wanted.lazy(), left_on=start, right_on="entity", how="semi")
        # One edge more than there is room for tells that there are more; which ones are met does not depend on the order in which files are read.
        found = (step if most is None else step.unique(end, keep="any").bottom_k(most + 1, by=[end])).collect(engine="streaming")
        parts.append(found)
        wanted = found.select(entity=pl.col(end)).unique().join(seen, on="entity", how="anti")
        seen = pl.concat([seen, wanted])
        cut = most is not None and seen.height > most
    return Followed(pl.concat(parts) if parts else pl.DataFrame(schema=EDGES), cut)


def touched_by(
    new: Sequence[pl.DataFrame], lake: Lake, batch: int, mappings: AnyMapping[str, Mapping], since: AnyMapping[str, datetime]
) -> tuple[dict[str, Span], list[str]]:
    """Rule uid → the span of its stored hits whose origin the edges of ``batch`` may change; and sentences on what was not followed. ``since``: per
    source the time before which hits stay.

    ``new`` are the edges the batch wrote (`keeping.EDGE`); those that earlier batches knew change nothing.
    """
    fresh = _unknown(new, lake, batch)
    if not fresh.height:
        return {}, []
    below = followed(lake, fresh["child"], "parent", "child", BELOW)
    affected = pl.concat([fresh["child"], below.edges["child"]]).unique().alias("entity").to_frame()
    by_source = actors_by_source(mappings)
    low = min(since.values(), default=None) if since.keys() >= mappings.keys() else None
    found_hits = lake.hits_between(None, low, None)
    for source, moment in since.items():
        found_hits = found_hits.filter((pl.col("x.source") != source) | (pl.col("time") >= moment))
    hits = found_hits.select("rule", "x.source", "time", *columns(by_source)).collect()
    rows = actors(hits, by_source).join(affected, on="entity", how="semi")["row"].unique()
    found: dict[str, Span] = {}
    for rule, first, last in hits[rows].group_by("rule").agg(first=pl.col("time").min(), last=pl.col("time").max()).iter_rows():
        found[rule] = union(found.get(rule), (first, last))
    return found, [CUT.format(BELOW)] if below.cut else []


def _unknown(new: Sequence[pl.DataFrame], lake: Lake, batch: int) -> pl.DataFrame:
    """Those of ``new`` that lead on and that no earlier batch knew."""
    if not new:
        return pl.DataFrame(schema={name: EDGES[name] for name in EDGE})
    fresh = pl.concat([part.select(EDGE) for part in new]).filter(pl.col("kind").is_in(_LEADING)).unique()
    before = (
        lake.scan("edges").filter(pl.col("x.batch") < batch).join(fresh.lazy(), on=["kind", "child", "parent"], how="semi").select(EDGE).collect()
    )
    timed = pl.col("kind").is_in(_TIMED)
    return pl.concat(
        [
            fresh.filter(timed).join(before, on=list(EDGE), how="anti"),
            fresh.filter(~timed).join(before, on=["kind", "child", "parent"], how="anti"),
        ]
    )


def since_of(latest: AnyMapping[str, datetime], mappings: AnyMapping[str, Mapping], horizon: timedelta) -> dict[str, datetime]:
    """Per source the time before which late records change nothing."""
    return {source: moment - timedelta(minutes=mappings[source].lateness_minutes) - horizon for source, moment in latest.items()}
