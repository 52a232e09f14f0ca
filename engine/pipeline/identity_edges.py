"""Edges between identities from events, and who stands behind them: the mapping files and the kernels of identities joined."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from connectors.edges import may_issue, raw_edges
from connectors.normalize import NATIVE
from engine.correlate.principals import behind
from engine.identity.actors import Actors
from engine.identity.edges import described, empty, together
from engine.identity.resolve import within_reach
from engine.schema import Mapping
from engine.store.frames import in_own_memory


def paths_for_edges(mapping: Mapping) -> tuple[str, ...]:
    """The record paths that `issued` wants as ``native.`` columns: those that tell operations, of a source that issues with any operation all."""
    found = mapping.identities
    return found.operation_paths if found.operations else tuple(dict.fromkeys(path for rule in found.issuing for path in rule.paths))


def issued(events: pl.DataFrame, mapping: Mapping) -> pl.DataFrame:
    """The edges that ``events`` (x.uid, time, raw_data, native columns of `paths_for_edges`) of one source bring into the graph."""
    found = mapping.identities
    if not found.issuing or not events.height:
        return empty()
    if found.operations:
        rows = may_issue([events[NATIVE + path] for path in found.operation_paths], mapping).arg_true()
        if not rows.len():
            return empty()
        return in_own_memory(described(raw_edges(events.select("x.uid", "time", "raw_data")[rows], mapping, found.issuing)))
    cells = events.select(pl.col(NATIVE + path).alias(path) for path in paths_for_edges(mapping))
    # Where every record tells of identities, nearly all tell the same.
    return in_own_memory(together([described(raw_edges(events, mapping, found.issuing, cells))]))


def acting_paths(mapping: Mapping) -> tuple[str, ...]:
    """The record paths that `told` reads."""
    return tuple(dict.fromkeys(path for rule in mapping.identities.acting for path in rule.paths))


def told(events: pl.DataFrame, mapping: Mapping, cells: pl.DataFrame | None = None) -> pl.DataFrame:
    """The edges that ``events`` (x.uid, time, raw_data) of one source tell of who acted: of events somebody asks about. ``cells``: those at
    `acting_paths`, where they are known already.
    """
    return described(raw_edges(events, mapping, mapping.identities.acting, cells))


@dataclass(frozen=True, slots=True)
class Told:
    """What some hits tell of identities: the ``edges`` of who acted in them, and ``acting``, who that was."""

    edges: pl.DataFrame
    acting: pl.Series


@dataclass(frozen=True, slots=True)
class Origins:
    """Who stands behind hits (`engine.pipeline.correlating.Principals`), by ``edges`` that are all there are. It can be pickled."""

    by_source: Actors
    edges: pl.DataFrame

    def __call__(self, hits: pl.DataFrame) -> pl.DataFrame:
        return behind(hits, self.by_source, self.edges)

    def among(self, told: Sequence[Told]) -> Origins:
        """The same for the hits that told so much, with the edges that these need."""
        return replace(self, edges=within_reach(pl.concat([each.acting for each in told]), self.edges))


def principals_by(edges: Sequence[pl.DataFrame], mappings: AnyMapping[str, Mapping]) -> Origins:
    """Who stands behind hits, by the ``edges`` of batches."""
    return Origins(actors_by_source(mappings), together(edges))


def actors_by_source(mappings: AnyMapping[str, Mapping]) -> dict[str, tuple[tuple[str, str], ...]]:
    """Source → who acted, in the form `engine.identity.actors` reads."""
    return {source: mapping.identities.actors for source, mapping in mappings.items()}
