"""Alerts of hits that are worked on in parts, on machines that do not know of each other: the same as those of all hits at once.

1. `layout.weights` of every piece of the hits, added up; `layout.lay_out` makes a layout of them.
2. `scattered`: every hit to the parts where it counts.
3. Where `stages` names correlations: `undecided` of every part, `settle` of all of them; stage by stage.
4. `found` of every part, `gathered` of all of them.

The kernels evaluate whatever hits a part has, and of what they say that is taken which the part owns. Frames can go through Arrow.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from engine.correlate import chains
from engine.correlate.alerts import alerts as make_alerts
from engine.correlate.columns import Ints
from engine.correlate.correlated_alerts import correlated_alerts
from engine.correlate.correlations import Correlated, correlate
from engine.correlate.keying import Work, keys, pairs
from engine.correlate.layout import Layout
from engine.model import Alert

FOUND = {"alert": pl.Binary(), "correlation": pl.UInt32(), "reason": pl.String(), "count": pl.UInt32()}
"""Columns of `found`: an alert, pickled, or how many hits of a correlation took no part for a reason."""
UNDECIDED = {"correlation": pl.UInt32(), "time": pl.Int64()}
"""Columns of `undecided`: the earliest moment, in microseconds since the epoch, from which a correlation may still change."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """All alerts sorted by (first_time, uid), and ``left_out`` as `Correlated.left_out` has it."""

    alerts: list[Alert] = field(default_factory=list)
    left_out: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema={name: FOUND[name] for name in ("correlation", "reason", "count")}))


def scattered(hits: pl.DataFrame, work: Work, layout: Layout) -> pl.DataFrame:
    """``hits`` with ``part`` (UInt32), once for every part where they count."""
    there = pairs(hits, work)
    rows, part = _placed(there, hits, layout)
    told = pl.DataFrame({"hit": there["hit"].gather(rows), "part": pl.Series(part).cast(pl.UInt32())}).unique().sort("hit", "part")
    return hits[told["hit"]].with_columns(told["part"])


def stages(work: Work) -> list[list[str]]:
    """Correlations (uids) whose undecided alerts hold back others, those first that others of them wait for."""
    if work.watermarks is None:
        return []
    by_uid = {each.uid: each for each in work.correlations}
    outer = [(each, by_uid[uid]) for each in work.correlations for uid in each.rules if uid in by_uid]
    needed = {inner.uid for each, inner in outer if chains.may_change(each, inner)}
    for each, inner in reversed(outer):
        needed |= {inner.uid} if each.uid in needed else set()
    depth: dict[str, int] = {}
    for each in work.correlations:
        depth[each.uid] = max((depth[uid] + 1 for uid in each.rules if uid in by_uid), default=0)
    ordered = sorted({depth[uid] for uid in needed})
    return [[each.uid for each in work.correlations if each.uid in needed and depth[each.uid] == level] for level in ordered]


def undecided(hits: pl.DataFrame, part: int, work: Work, layout: Layout, settled: Mapping[str, int]) -> pl.DataFrame:
    """What ``part`` knows of undecided alerts. ``hits``: those scattered to it; ``settled``: from the stages before."""
    told = _Part(hits, part, work, layout)
    open_ones = told.correlated(settled).undecided
    mine = open_ones.filter(told.owns(open_ones, "time")).with_columns(pl.col("time").to_physical())
    return mine.group_by("correlation").agg(pl.col("time").min()).cast(UNDECIDED).sort("correlation")  # type: ignore[arg-type]


def settle(told: Iterable[pl.DataFrame], work: Work, stage: Sequence[str], settled: Mapping[str, int]) -> dict[str, int]:
    """``settled`` with the correlations of ``stage``, by the `undecided` of all parts."""
    known, by_uid = {rule.uid: rule for rule in work.rules}, {each.uid: each for each in work.correlations}
    frame = pl.concat([pl.DataFrame(schema=UNDECIDED), *told]).group_by("correlation").agg(pl.col("time").min())
    earliest = {work.correlations[index].uid: time for index, time in frame.iter_rows()}
    made = dict(settled)
    for uid in stage:
        one = by_uid[uid]
        level = chains.watermark(one, known, by_uid, work.watermarks, work.feeds)
        made[uid] = min([level, *(made[inner] for inner in one.rules if inner in made), *([earliest[uid] - 1] if uid in earliest else [])])
    return made


def found(hits: pl.DataFrame, part: int, work: Work, layout: Layout, settled: Mapping[str, int] | None = None) -> pl.DataFrame:
    """The alerts that ``part`` owns, and what it counts as left out: a frame of `FOUND`. ``hits``: those scattered to it."""
    told = _Part(hits, part, work, layout)
    made = told.plain_alerts()
    result = told.correlated(settled or {})
    mine = result.alerts.filter(told.owns(result.alerts, "satisfied"))
    aside = _left_out(result, told, mine, work)
    loud = pl.Series([each.uid not in work.quiet for each in work.correlations], dtype=pl.Boolean)
    mine = mine.filter(loud.gather(mine["correlation"]))
    members = result.members.join(mine, on="alert", how="semi", maintain_order="left")
    made += correlated_alerts(Correlated(mine, members, result.aside, result.undecided), told.hits, work.rules, work.correlations)
    frames = [pl.DataFrame({"alert": [pickle.dumps(alert) for alert in made]}, schema={"alert": pl.Binary()}), aside]
    return pl.concat(frames, how="diagonal").select(*FOUND)


def gathered(told: Iterable[pl.DataFrame]) -> Gathered:
    """What all parts `found`, together."""
    frame = pl.concat([pl.DataFrame(schema=FOUND), *told])
    alerts = [pickle.loads(text) for text in frame["alert"].drop_nulls()]  # noqa: S301  # made by `found`
    left_out = frame.filter(pl.col("alert").is_null()).group_by("correlation", "reason").agg(pl.col("count").sum())
    return Gathered(sorted(alerts, key=lambda alert: (alert.first_time, alert.uid)), left_out.sort("correlation", "reason"))


class _Part:
    """The hits of one part, and what of their groups it owns."""

    def __init__(self, hits: pl.DataFrame, part: int, work: Work, layout: Layout) -> None:
        self._all, self._part, self._work, self._layout = hits.drop("part", strict=False), part, work, layout
        self._pairs = pairs(self._all, work)
        rows, parts = _placed(self._pairs, self._all, layout)
        here = self._pairs[rows[parts == part]].unique()
        alone = here["unit"] >= len(work.correlations)
        self._plain = here.filter(alone)
        self._rows = here.filter(~alone)["hit"].unique().sort()
        self.hits = self._all[self._rows]
        by_uid = {each.uid: each for each in work.correlations}
        self._keys = [keys(each, by_uid) for each in work.correlations]

    def correlated(self, settled: Mapping[str, int]) -> Correlated:
        """What the hits here say of all correlations, be they owned or not."""
        work = self._work
        return correlate(self.hits, work.rules, work.correlations, watermarks=work.watermarks, feeds=work.feeds, settled=settled)

    def owns(self, told: pl.DataFrame, time: str) -> pl.Series:
        """Which rows (``correlation``, ``group`` and a moment in the column ``time``) this part owns."""
        bins = [self._keys[unit].bin_of(group) for unit, group in zip(told["correlation"], told["group"].to_list(), strict=True)]
        return self._owned(told["correlation"], pl.Series(bins, dtype=pl.Int64), told[time])

    def owned_hits(self) -> pl.DataFrame:
        """``correlation``, ``uid`` and ``rank`` of hits that are counted here, should they take no part: each in one of all parts."""
        told = self._pairs.filter(pl.col("unit") < len(self._work.correlations)).group_by("unit", "hit").agg(pl.col("bin").min())
        told = told.filter(self._owned(told["unit"], told["bin"], self._all["time"].gather(told["hit"])))
        uid, rank = self._all["x.uid"].gather(told["hit"]), self._all["rule"].gather(told["hit"]).cast(pl.Int64)
        return pl.DataFrame({"correlation": told["unit"], "uid": uid, "rank": rank})

    def plain_alerts(self) -> list[Alert]:
        """The alerts of plain rules that this part owns."""
        chosen = self._plain["hit"]
        hits = self._all[chosen]
        bins = dict(zip(zip(hits["rule"], hits["x.uid"], strict=True), self._plain["bin"], strict=True))
        made = make_alerts(hits, self._work.rules)
        index = {self._work.rules[rule].uid: rule for rule in hits["rule"].unique()}
        rules = [index[alert.rule.uid] for alert in made]
        units = pl.Series(rules, dtype=pl.UInt32) + len(self._work.correlations)
        binned = pl.Series([bins[rule, alert.event_uids[0]] for rule, alert in zip(rules, made, strict=True)], dtype=pl.Int64)
        owned = self._owned(units, binned, pl.Series([alert.first_time for alert in made], dtype=hits.schema["time"]))
        return [alert for alert, mine in zip(made, owned, strict=True) if mine]

    def _owned(self, units: pl.Series, bins: pl.Series, time: pl.Series) -> pl.Series:
        return pl.Series(self._layout.owner(_ints(units), _ints(bins), _ints(time.to_physical())) == self._part)


def _left_out(result: Correlated, part: _Part, mine: pl.DataFrame, work: Work) -> pl.DataFrame:
    """How much of ``result.aside`` is counted here: hits in one of the parts that have them, alerts where they are owned (``mine``)."""
    inner = mine.select(uid="alert", rank=pl.col("correlation").cast(pl.Int64) + len(work.rules))
    hits = result.aside.join(part.owned_hits(), on=["correlation", "uid", "rank"], how="semi")
    alerts = result.aside.join(inner, on=["uid", "rank"], how="semi")
    return pl.concat([hits, alerts]).group_by("correlation", "reason").agg(pl.len().cast(pl.UInt32()).alias("count"))


def _placed(there: pl.DataFrame, hits: pl.DataFrame, layout: Layout) -> tuple[Ints, Ints]:
    time = hits["time"].to_physical().to_numpy()[there["hit"].to_numpy()].astype(np.int64)
    return layout.places(_ints(there["unit"]), _ints(there["bin"]), time)


def _ints(column: pl.Series) -> Ints:
    return column.to_numpy().astype(np.int64)
