"""Alerts of stored hits, worked out by many hands: hits are dealt to parts by the groups they matter to, and every part says what it owns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import polars as pl

from connectors.sources import load_mappings
from engine.correlate.keying import Work
from engine.correlate.layout import Layout, lay_out, weights
from engine.correlate.partitions import Gathered, found, gathered, scattered, settle, stages, undecided
from engine.correlate.principals import with_principal
from engine.detect.program import Program
from engine.pipeline.identity_edges import Origins, Told
from engine.pipeline.lasting.lake_hits import ORDER, from_lake
from engine.pipeline.lasting.origins import StoredOrigins, told_by_hits
from engine.runners.base import Runner, Stage
from engine.store.lake import Lake

ASKING, WEIGHING, CORRELATING = "looking for principals", "weighing hits", "correlating"
MANY = 100_000
"""Fewer hits are correlated here sooner than elsewhere."""
_PART_ROWS = 50_000

Spans = Mapping[str, tuple[datetime, datetime]]
"""By rule uid: the first and the last moment, both inside, of the hits that count."""


@dataclass(frozen=True, slots=True)
class HitFile:
    """A file of hits in a lake, as the kernels read it. ``spans``: only hits of these rules and times; None: all. ``origins``: with those who stand
    behind them, to group by.
    """

    program: Program = field(repr=False)
    spans: Spans | None = None
    origins: Origins | None = field(default=None, repr=False)

    def read(self, path: Path) -> pl.DataFrame:
        """The hits that count, with the batch of each."""
        rows = pl.read_parquet(path, glob=False, hive_partitioning=False)
        if self.spans is not None:
            bounds = pl.DataFrame(
                [(uid, *span) for uid, span in self.spans.items()],
                schema={"rule": pl.String(), "low": pl.Datetime("us", "UTC"), "high": pl.Datetime("us", "UTC")},
                orient="row",
            )
            rows = rows.join(bounds, on="rule", maintain_order="left").filter(pl.col("time").is_between("low", "high")).drop("low", "high")
        hits = from_lake(rows, self.program, batch=True)
        return hits if self.origins is None else with_principal(hits, self.origins(hits))


@dataclass(frozen=True, slots=True)
class Asking:
    """What the hits of a file tell of identities: work of a runner."""

    hits: HitFile

    def __call__(self, path: Path) -> Told:
        return told_by_hits(self.hits.read(path), load_mappings())


@dataclass(frozen=True, slots=True)
class Weighing:
    """How many hits of a file are where: work of a runner."""

    hits: HitFile
    work: Work

    def __call__(self, path: Path) -> pl.DataFrame:
        return weights(self.hits.read(path), self.work)


@dataclass(frozen=True, slots=True)
class Dealing:
    """Sends the hits of a file to the parts where they count: work of a runner."""

    hits: HitFile
    work: Work
    layout: Layout

    def __call__(self, path: Path) -> Iterator[tuple[int, pl.DataFrame]]:
        told = scattered(self.hits.read(path), self.work, self.layout)
        for (part,), rows in told.partition_by("part", as_dict=True, include_key=False).items():
            yield int(part), rows


@dataclass(frozen=True, slots=True)
class Undecided:
    """What a part knows of undecided alerts: work of a runner."""

    work: Work
    layout: Layout
    settled: Mapping[str, int]

    def __call__(self, part: int, frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
        return undecided(_once(frames), part, self.work, self.layout, self.settled)


@dataclass(frozen=True, slots=True)
class Finding:
    """The alerts that a part owns: work of a runner."""

    work: Work
    layout: Layout
    settled: Mapping[str, int]

    def __call__(self, part: int, frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
        return found(_once(frames), part, self.work, self.layout, self.settled)


def _once(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The hits of a part, each (rule, event) once as `from_lake` has it, though files may hold it twice."""
    hits = pl.concat(frames).sort(ORDER)
    return hits.unique(["rule", "x.uid"], keep="last", maintain_order=True).drop("x.batch")


def far_alerts(
    paths: Sequence[Path], hits: HitFile, work: Work, rows: int, runner: Runner, stage: Stage, stopped: Callable[[], bool]
) -> Gathered | None:
    """The alerts that the hits in some files make, of which there are about ``rows``. None where it was stopped."""
    weighed = list(runner.each(replace(stage, doing=WEIGHING), Weighing(hits, work), list(paths), stopped))
    if stopped():
        return None
    if not weighed:
        return Gathered()
    total = pl.concat(weighed).group_by("kind", "bin", "day").agg(pl.col("hits").sum())
    layout = lay_out(total, work, runner.tasks or max(runner.slots, -(-rows // _PART_ROWS)))
    stage, settled = replace(stage, doing=CORRELATING), dict[str, int]()
    for level in stages(work):
        told = list(runner.heaps(stage, Dealing(hits, work, layout), list(paths), Undecided(work, layout, settled), stopped))
        if stopped():
            return None
        settled = settle(told, work, level, settled)
    parts = list(runner.heaps(stage, Dealing(hits, work, layout), list(paths), Finding(work, layout, settled), stopped))
    return None if stopped() else gathered(parts)


def far_origins(
    paths: Sequence[Path], hits: HitFile, origins: Origins | StoredOrigins, runner: Runner, stage: Stage, stopped: Callable[[], bool]
) -> Origins | None:
    """``origins`` of the hits in some files, to be taken along by those who read these. None where there are none."""
    told = list(runner.each(replace(stage, doing=ASKING), Asking(hits), list(paths), stopped))
    return origins.among(told) if told else None


def worth_it(rows: int, runner: Runner) -> bool:
    """Whether so many hits are worth being dealt out."""
    return not runner.shares_memory and (rows > MANY or runner.tasks is not None)


def hit_files(lake: Lake, start: datetime | None = None, end: datetime | None = None) -> tuple[list[Path], int]:
    """The files that may hold hits from ``start`` up to before ``end``, and how many rows they have."""
    paths = lake.files("hits", start=start, end=end)
    return paths, sum(pl.scan_parquet(path, glob=False, hive_partitioning=False).select(pl.len()).collect().item() for path in paths)
