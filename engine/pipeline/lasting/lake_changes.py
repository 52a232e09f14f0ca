"""Diff rules over a lake: what new facts of a batch make different, and what stored events changed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from engine.detect.program import Program
from engine.pipeline.batch import TELLING, Settings
from engine.pipeline.changes import Changed, changed
from engine.pipeline.lasting.lake_hits import to_lake
from engine.pipeline.posture_facts import OPERATION, facts_of
from engine.posture.changes import changes, differing
from engine.posture.facts import FACTS, together
from engine.schema import Mapping
from engine.store.lake import Lake
from engine.store.lake_writer import LakeWriter

Numbers = Callable[[pl.Series], pl.Series]
"""Gives objects their numbers."""


@dataclass(frozen=True, slots=True)
class Revisited:
    """What diff rules say after a batch: ``hits``, as rows of the table, and x.source and time of the ``stored`` events that may say something else
    than before.
    """

    hits: pl.DataFrame
    stored: pl.DataFrame


def revisit(
    lake: Lake,
    batch: int,
    facts: pl.DataFrame,
    fresh: pl.DataFrame,
    events: LakeWriter,
    hits: LakeWriter,
    program: Program,
    mappings: AnyMapping[str, Mapping],
    settings: Settings,
) -> Revisited | None:
    """Run the diff rules over the ``fresh`` events of a batch (`batch.TELLING`), and over stored events to which its ``facts`` give other changes.

    The history of the assets that the facts are about is read, no more. Hits that earlier batches brought to these stored events are withdrawn from
    ``hits``. ``events`` knows which stored events the batch takes back. None where there is nothing to do.
    """
    if not program.diff_plans or not facts.height:
        return None
    assets = facts["asset"].unique()
    before = _history(lake, assets, batch)
    other = differing(changes(before), changes(together([before, facts])))["event_uid"]
    late = other.filter(~other.is_in(fresh["x.uid"].implode()))
    beside = lake.scan("facts").filter(pl.col("x.batch") < batch, pl.col("event_uid").is_in(late.implode())).select("asset").unique().collect()
    if not beside["asset"].is_in(assets.implode()).all():
        before = _history(lake, pl.concat([assets, beside["asset"]]).unique(), batch)
    rows = changes(together([before, facts]))
    stored = _stored(lake, rows.join(late.to_frame(), on="event_uid", how="semi"), batch, program, mappings, events.withdrawn)
    _withdraw(lake, [rule.uid for plan in program.diff_plans.values() for rule in plan.rules], stored, batch, hits)
    told = pl.concat([fresh.select(TELLING), stored.select(TELLING)]).with_columns(object_index=pl.lit(0, pl.UInt32))
    found = [to_lake(each.hits, program) for each in changed(told, rows, program.diff(), mappings, settings)]
    empty = pl.DataFrame(schema={"rule": pl.String(), "time": rows.schema["time"], "x.source": pl.String()})
    return Revisited(pl.concat(found) if found else empty, stored.select("x.source", "time"))


def stored_changes(
    lake: Lake,
    batch: int | None,
    start: datetime | None,
    end: datetime | None,
    program: Program,
    mappings: AnyMapping[str, Mapping],
    settings: Settings,
    numbers: Numbers | None = None,
) -> Iterator[Changed]:
    """What the diff rules of ``program`` find in stored events from ``start`` up to before ``end``, of batches before ``batch`` (None: of all)."""
    facts = lake.scan("facts").filter(pl.col("source").is_in(sorted(program.diff_plans)))
    if start is not None:
        facts = facts.filter(pl.col("time") >= start)
    if end is not None:
        facts = facts.filter(pl.col("time") < end)
    asked = facts.select("asset", "event_uid").unique().collect()
    if not asked.height:
        return
    rows = changes(_history(lake, asked["asset"].unique(), batch)).join(asked.select("event_uid").unique(), on="event_uid", how="semi")
    nothing = pl.DataFrame(schema={"x.source": pl.String(), "x.day": pl.Date(), "x.uid": pl.String()})
    told = _stored(lake, rows, batch, program, mappings, nothing)
    index = pl.repeat(0, told.height, dtype=pl.UInt32, eager=True) if numbers is None else numbers(told["x.object"])
    yield from changed(told.select(TELLING).with_columns(index.alias("object_index")), rows, program.diff(), mappings, settings)


def withdraw_between(lake: Lake, rules: Collection[str], start: datetime, end: datetime, batch: int, hits: LakeWriter) -> None:
    """Take the hits of some diff rules out, from ``start`` up to before ``end``, that batches before ``batch`` brought."""
    found = lake.hits_between(rules, start, end).filter(pl.col("x.batch") < batch)
    hits.withdraw(found.select("rule", "x.source", "x.day", "x.uid").collect())


def _history(lake: Lake, assets: pl.Series, batch: int | None) -> pl.DataFrame:
    """All facts about some assets, of batches before ``batch``."""
    found = lake.scan("facts").filter(pl.col("asset").is_in(assets.implode()))
    if batch is not None:
        found = found.filter(pl.col("x.batch") < batch)
    return together([found.select(list(FACTS)).collect()])


def _stored(
    lake: Lake, rows: pl.DataFrame, batch: int | None, program: Program, mappings: AnyMapping[str, Mapping], withdrawn: pl.DataFrame
) -> pl.DataFrame:
    """The stored events of ``rows`` that diff rules run on, without those taken back, and that tell facts by the record that stayed."""
    rows = rows.filter(pl.col("source").is_in(sorted(program.diff_plans)))
    days = pl.col("x.day").is_in(rows["time"].dt.date().unique().implode()) & pl.col("x.source").is_in(rows["source"].unique().implode())
    wanted = rows.select(pl.col("event_uid").alias("x.uid"), pl.col("source").alias("x.source"))
    found = lake.scan("events").filter(days)
    if batch is not None:
        found = found.filter(pl.col("x.batch") < batch)
    events = found.join(wanted.lazy(), on=["x.uid", "x.source"], how="semi").select(*TELLING, "x.day", OPERATION).collect(engine="streaming")
    events = events.join(withdrawn, on=["x.source", "x.day", "x.uid"], how="anti")
    telling = [facts_of(part, mappings[str(source)])["event_uid"] for (source,), part in events.group_by("x.source")]
    return events.filter(pl.col("x.uid").is_in(pl.concat(telling).unique().implode())) if telling else events


def _withdraw(lake: Lake, rules: Collection[str], stored: pl.DataFrame, batch: int, hits: LakeWriter) -> None:
    """Take the hits of diff rules on some stored events out."""
    if not stored.height:
        return
    found = lake.scan("hits").filter(
        pl.col("x.day").is_in(stored["x.day"].unique().implode()) & pl.col("rule").is_in(sorted(rules)) & (pl.col("x.batch") < batch)
    )
    keys = ["x.source", "x.day", "x.uid"]
    hits.withdraw(found.join(stored.select(keys).lazy(), on=keys, how="semi").select("rule", *keys).collect())
