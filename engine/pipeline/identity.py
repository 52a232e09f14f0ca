"""`identity show`: the graph of identities of some paths or of the lake, and what it knows of one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import polars as pl

from connectors.batches import Batch, list_input
from connectors.normalize import Want, columns_of
from connectors.sources import load_mappings
from engine.errors import InputError, UsageError
from engine.identity.chain import Account, account, named
from engine.identity.edges import together
from engine.model import RunReport
from engine.pipeline.batch import Found, Settings, events_of
from engine.pipeline.hunts.hunting import open_lake
from engine.pipeline.identity_edges import issued, paths_for_edges, told
from engine.pipeline.run import run
from engine.pipeline.show import EventsRun
from engine.report.account import Totals


@dataclass(frozen=True, slots=True)
class KnownIdentities:
    """All edges of some input (`engine.identity.edges.together`), how many events they come from, and the account of the run."""

    edges: pl.DataFrame
    events: int
    report: RunReport | None


_PARTS = 500
"""So many frames of edges wait before they are put together."""
_ROWS = 20_000
"""Events of the lake that are read at once."""


@dataclass(frozen=True, slots=True)
class KnownOf:
    """What is known of the first of ``count`` identities that an identifier names; ``report``: the account of a run that read raw logs for it."""

    accounts: list[Account]
    count: int
    report: RunReport | None


def known_of(
    identifier: str,
    at: datetime | None,
    settings: Settings,
    *,
    paths: Sequence[str] | None = None,
    config: str | Path | None = None,
    stdin: BinaryIO | None = None,
    limit: int = 20,
) -> KnownOf:
    """What the logs below ``paths``, else the lake of the configuration, know of ``identifier``, of at most ``limit`` identities that it names.

    Raises UsageError where nothing is known, InputError where nothing is and not everything could be read.
    """
    found = graph(paths, settings, stdin=stdin) if paths else graph_of_lake(settings, config)
    names = named(identifier, found.edges)
    if not names:
        where = "these logs" if paths else "the lake"
        if (report := found.report) is not None and (report.interrupted or report.objects_failed or report.rejected):
            why = "interrupted" if report.interrupted else next(iter(report.failures), f"{report.rejected:,} records could not be read")
            raise InputError(f"nothing in what could be read of {where} tells of {identifier!r} ({found.events:,} events): {why}")
        raise UsageError(
            f"nothing in {where} tells of {identifier!r} ({found.events:,} events, {found.edges.height:,} edges between identities); "
            "give the identifier as it stands in the logs, or as `type:value`"
        )
    return KnownOf([account(name, found.edges, at) for name in names[:limit]], len(names), found.report)


def graph(paths: Sequence[str], settings: Settings, *, stdin: BinaryIO | None = None) -> KnownIdentities:
    """Everything that the logs below ``paths`` tell of identities."""
    mappings = load_mappings()
    given = list_input(paths, settings.limits, stdin)
    totals = Totals(objects=len(given.objects))
    wants = {source: Want((), paths_for_edges(mapping)) for source, mapping in mappings.items()}

    def work(batch: Batch) -> Found:
        found = Found(batch, batch.records.height)
        for mapping, events, _ in events_of(found, wants, mappings, settings):
            found.edges += [issued(events, mapping), told(events, mapping)]
        return found

    parts: list[pl.DataFrame] = []
    for found in run(given, given.streams(settings.limits), settings, work, totals, None):
        parts += found.edges
        if len(parts) > _PARTS:
            parts = [together(parts)]
    report = EventsRun(iter(()), totals, given).report
    return KnownIdentities(together(parts), sum(totals.events.values()), report)


def graph_of_lake(settings: Settings, config: str | Path | None) -> KnownIdentities:
    """Everything that the events of the configured lake tell of identities."""
    lake = open_lake(config=config).lake
    mappings = load_mappings()
    sources = [settings.source] if settings.source else None
    parts: list[pl.DataFrame] = []
    count = 0
    rows = lake.events_between(sources, settings.start, settings.end, ["x.uid", "time", "x.source", "raw_data"])
    for batch in rows.collect_batches(chunk_size=_ROWS):
        for (source,), events in batch.group_by("x.source", maintain_order=True):
            mapping = mappings.get(str(source))
            if mapping is None:
                continue
            want = Want((), paths_for_edges(mapping))
            cells = columns_of(events["raw_data"], mapping, want).drop("raw_data")
            parts += [issued(events.hstack(cells), mapping), told(events, mapping)]
            count += events.height
        if len(parts) > _PARTS:
            parts = [together(parts)]
    return KnownIdentities(together(parts), count, None)
