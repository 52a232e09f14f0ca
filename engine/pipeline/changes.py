"""Diff rules: events that tell posture facts go through the rules that read ``x.change.*`` once all facts are known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass

import polars as pl

from connectors.normalize import Want, normalize
from engine.detect.kernel import detect
from engine.detect.plan import Plan
from engine.detect.program import Program
from engine.errors import EngineError
from engine.pipeline.batch import Settings, matched, with_evidence
from engine.pipeline.posture_facts import OPERATION, facts_of
from engine.posture.changes import CHANGES, changes
from engine.posture.facts import together
from engine.schema import CHANGE_COLUMNS, Mapping

_ROWS = 20_000
"""Events worked on at a time."""


@dataclass(frozen=True, slots=True)
class Changed:
    """What diff rules found in some events of one source: hits with evidence, and the edges between identities these events tell."""

    hits: pl.DataFrame
    edges: pl.DataFrame


def want(plan: Plan, *more: str) -> Want:
    """What a plan of diff rules asks of records, and ``more`` columns."""
    return Want(tuple(dict.fromkeys((*(name for name in plan.columns if name not in CHANGE_COLUMNS), *more))), plan.paths)


def with_changes(events: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """``events`` with the ``x.change.*`` columns that ``rows`` (`engine.posture.changes.CHANGES`) give to them."""
    known = rows.select(pl.col("event_uid").alias("x.uid"), *CHANGE_COLUMNS)
    return events.drop(CHANGE_COLUMNS, strict=False).join(known, on="x.uid", how="left", maintain_order="left")


def changed_by(
    facts: Sequence[pl.DataFrame], events: pl.DataFrame, program: Program, mappings: AnyMapping[str, Mapping], settings: Settings
) -> Iterator[Changed]:
    """What the diff rules of ``program`` find in ``events`` (`batch.TELLING`), by ``facts`` that are all there are."""
    if events.height:
        yield from changed(events, changes(together(facts)), program.diff(), mappings, settings)


def changed(told: pl.DataFrame, rows: pl.DataFrame, program: Program, mappings: AnyMapping[str, Mapping], settings: Settings) -> Iterator[Changed]:
    """What the rules of ``program`` (of `Program.diff`) find in the events ``told`` (`batch.TELLING`), by source. ``rows``: what they changed.

    Raises EngineError where stored events have no time any more.
    """
    for (source,), part in told.sort("x.source", "time", "x.uid").group_by("x.source", maintain_order=True):
        mapping, plan = mappings[str(source)], program.plans.get(str(source))
        for first in range(0, part.height, _ROWS) if plan is not None else ():
            assert plan is not None
            piece = part[first : first + _ROWS]
            records = piece.select("raw_data", pl.col("x.object").alias("object"), pl.col("x.position").alias("position"), repaired=pl.lit(False))
            events = normalize(records, mapping, want(plan), now=settings.now).events
            if events.height != piece.height:
                raise EngineError(
                    f"{piece.height - events.height} stored events of {mapping.source} have no time any more: `crosswind lake renormalize`"
                )
            events = with_changes(events.with_columns(piece["x.uid"], piece["x.flags"]), rows)
            if (hits := detect(events, plan)).height:
                those = matched(hits, events, piece["object_index"], mapping, program, settings)
                yield Changed(with_evidence(hits, those, mapping, program), those.told(mapping))


def changed_in(frames: Sequence[tuple[Mapping, pl.DataFrame]]) -> pl.DataFrame:
    """What events of several sources (x.uid, time, raw_data, `OPERATION`) changed, by the facts of these events alone."""
    return changes(together(facts_of(events, mapping) for mapping, events in frames)) if frames else pl.DataFrame(schema=CHANGES)


def reads(plan: Plan) -> Want:
    """What is asked of records to know what they changed and what the rules of ``plan`` say to it."""
    return want(plan, "time", OPERATION)
