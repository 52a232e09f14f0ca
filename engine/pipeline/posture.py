"""`posture`: what the logs below some paths, or the lake, tell of assets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import polars as pl

from connectors.batches import Batch, list_input
from connectors.normalize import Want
from connectors.sources import load_mappings
from engine.errors import InputError, UsageError
from engine.model import RunReport
from engine.pipeline.batch import Found, Settings, events_of
from engine.pipeline.hunts.hunting import open_lake
from engine.pipeline.lasting.lake_identities import facts_of_lake
from engine.pipeline.posture_facts import OPERATION, facts_of
from engine.pipeline.run import run
from engine.pipeline.show import EventsRun
from engine.posture.facts import together
from engine.posture.history import at as known_at
from engine.posture.kinds import KINDS
from engine.report.account import Totals


@dataclass(frozen=True, slots=True)
class Unseen:
    """A kind of fact that no event told, and the log of a source that would: ``operations`` of ``services`` in it."""

    fact: str
    source: str
    tier: str
    services: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Posture:
    """``known``: what is known of assets (`engine.posture.history.AT`); ``report``: the account of a run that read raw logs for it."""

    known: pl.DataFrame
    unseen: tuple[Unseen, ...]
    report: RunReport | None


def posture_of(
    asset: str | None,
    moment: datetime | None,
    settings: Settings,
    *,
    paths: Sequence[str] | None = None,
    config: str | Path | None = None,
    stdin: BinaryIO | None = None,
) -> Posture:
    """What the logs below ``paths``, else the lake of the configuration, tell of assets at ``moment`` (None: at the end of what they tell).

    ``asset`` narrows to one, or to those whose name holds it. Raises UsageError where nothing tells of it, InputError where that may be so because
    not everything could be read.
    """
    facts, report = _read(paths, settings, stdin) if paths else (_stored(settings, config), None)
    known = known_at(facts, moment)
    if asset is None:
        return Posture(known, unseen(facts, settings.source), report)
    rows = _named(asset, known)
    if not rows.height:
        where = "these logs" if paths else "the lake"
        if report is not None and (report.interrupted or report.objects_failed or report.rejected):
            why = "interrupted" if report.interrupted else next(iter(report.failures), f"{report.rejected:,} records could not be read")
            raise InputError(f"nothing in what could be read of {where} tells of {asset!r}: {why}")
        at_time = "" if moment is None else f" up to {moment.isoformat()}"
        raise UsageError(
            f"nothing in {where} tells of {asset!r}{at_time} ({facts['asset'].n_unique():,} assets); give a part of its name, or nothing to see all"
        )
    return Posture(rows, (), report)


def _named(asset: str, known: pl.DataFrame) -> pl.DataFrame:
    """Rows of the asset of that name, with or without its type; else of those whose name holds it."""
    name, wanted = pl.col("asset").str.to_lowercase(), asset.strip().lower()
    exact = known.filter((name == wanted) | (name.str.replace(r"^[a-z0-9._]+:", "") == wanted))
    return exact if exact.height else known.filter(name.str.contains(wanted, literal=True))


def unseen(facts: pl.DataFrame, source: str | None = None) -> tuple[Unseen, ...]:
    """The kinds of facts that ``facts`` do not tell, per source that could (``source``: that one alone), in the order of `KINDS`."""
    seen = set(facts["fact"].unique().to_list())
    found: dict[tuple[str, str], Unseen] = {}
    for mapping in load_mappings().values():
        if source not in (None, mapping.source):
            continue
        for rules in mapping.facts.values():
            for rule in rules:
                if rule.fact not in seen:
                    before = found.get((rule.fact, mapping.source))
                    services = dict.fromkeys((*(before.services if before else ()), *rule.services))
                    found[rule.fact, mapping.source] = Unseen(rule.fact, mapping.source, before.tier if before else rule.tier, tuple(services))
    order = list(KINDS)
    return tuple(sorted(found.values(), key=lambda each: (order.index(each.fact), each.source)))


def _read(paths: Sequence[str], settings: Settings, stdin: BinaryIO | None) -> tuple[pl.DataFrame, RunReport]:
    mappings = load_mappings()
    given = list_input(paths, settings.limits, stdin)
    totals = Totals(objects=len(given.objects))
    wants = {source: Want((OPERATION,), ()) for source in mappings}

    def work(batch: Batch) -> Found:
        found = Found(batch, batch.records.height)
        found.facts += [facts_of(events, mapping) for mapping, events, _ in events_of(found, wants, mappings, settings)]
        return found

    parts = [part for found in run(given, given.streams(settings.limits), settings, work, totals, None) for part in found.facts if part.height]
    return together(parts), EventsRun(iter(()), totals, given).report


def _stored(settings: Settings, config: str | Path | None) -> pl.DataFrame:
    facts = facts_of_lake(open_lake(config=config).lake)
    if settings.source is not None:
        facts = facts.filter(pl.col("source") == settings.source)
    if settings.start is not None:
        facts = facts.filter(pl.col("time") >= settings.start)
    return facts if settings.end is None else facts.filter(pl.col("time") < settings.end)
