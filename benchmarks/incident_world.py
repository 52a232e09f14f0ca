"""A folder of logs, read once and judged many times: with sources left out, with correlations switched off.

What a record gives (hits, edges, sightings) depends on no other record, and `scan` makes alerts and incidents of what all records gave by two
functions, which are called here too. So leaving the parts of a source out is a scan without its files, and leaving a correlation out of the
program is a scan without that document; tests hold both to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path

import polars as pl

from connectors.batches import list_input
from connectors.sources import load_mappings
from engine import bundled
from engine.correlate.alerts import Raised
from engine.detect.program import Program, compile_program
from engine.identity.edges import together
from engine.incidents.circumstances import circumstances
from engine.incidents.kernel import Given
from engine.incidents.kernel import incidents as make_incidents
from engine.incidents.sightings import spelled
from engine.model import Alert, Incident, Level
from engine.pipeline.batch import Found, Settings, isolated, work
from engine.pipeline.changes import Changed, changed_by
from engine.pipeline.correlating import raise_alerts
from engine.pipeline.identity_edges import principals_by
from engine.pipeline.incidents import raise_incidents, rule_facts
from engine.pipeline.portable import portable
from engine.posture.facts import empty as empty_facts
from engine.posture.facts import together as together_facts
from engine.schema import Mapping
from engine.sigma.cache import load_cached
from engine.store.memory import EventIndex

CAMPAIGNS = "detections/correlations/"
"""Where correlations stand that tell of a whole campaign rather than of a series."""


@dataclass(frozen=True, slots=True)
class Part:
    """What the records of one source gave."""

    hits: pl.DataFrame
    edges: pl.DataFrame
    sightings: pl.DataFrame
    facts: pl.DataFrame
    telling: pl.DataFrame | None
    latest: datetime


@dataclass(frozen=True, slots=True)
class Judged:
    """Alerts as `scan` raises them, their incidents worst first, and what they were made with."""

    alerts: list[Alert]
    incidents: list[Incident]
    given: Given = field(repr=False)

    def reached(self, sets: Sequence[Sequence[Alert]]) -> list[Level]:
        """Of each set the highest level of the incidents it is in, where the ``sets`` are all alerts; edges are those that prove the joins."""
        proofs = {uid for each in self.incidents for join in each.joins for uid in join.evidence}
        edges = self.given.edges.filter(pl.col("event_uid").is_in(list(proofs)))
        found = make_incidents([alert for alerts in sets for alert in alerts], replace(self.given, edges=edges))
        levels = {uid: each.level for each in found for uid in each.alert_uids}
        return [max(levels[alert.uid] for alert in alerts) for alerts in sets]


@dataclass(frozen=True, slots=True)
class World:
    """The parts by source, and the rules they were judged by."""

    parts: dict[str, Part]
    program: Program
    mappings: MappingOf[str, Mapping]
    now: datetime
    known: dict[tuple[str, ...], pl.DataFrame] = field(default_factory=dict, repr=False)
    changes: dict[tuple[str, ...], list[Changed]] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, folder: Path, now: datetime, sources: Sequence[str | Path] | None = None) -> World:
        """Everything below ``folder`` through the rules of ``sources``, crosswind's own without."""
        mappings = load_mappings()
        program = compile_program(portable(load_cached(sources or [bundled.detections()], now=now)), mappings)
        settings = Settings(now=now, jobs=1)
        given = list_input([str(folder)], settings.limits, None)
        index, gathered = EventIndex(), _Gathered()
        try:
            for stream in given.streams(settings.limits):
                for batch in stream:
                    found = isolated(batch, partial(work, program=program, mappings=mappings, settings=settings))
                    for rows in found.index:
                        index.add(rows)
                    gathered.take(found)
            losers = index.resolve(partial(given.read_again, settings.limits))
        finally:
            index.close()
        lost = losers.places.rename({"object": "object_index", "position": "x.position"}).with_columns(pl.col("x.position").cast(pl.Int64))
        return cls(gathered.parts(lost), program, mappings, now)

    def judged(self, without: Iterable[str] = (), off: frozenset[str] = frozenset()) -> Judged:
        """The alerts and incidents of the parts but those of the sources ``without``, by the rules but the correlations whose uids are ``off``."""
        parts = {source: part for source, part in self.parts.items() if source not in set(without)}
        program = self._program(off)
        edges, sightings, facts = ([getattr(part, name) for part in parts.values()] for name in ("edges", "sightings", "facts"))
        changed = self._changed(tuple(parts))
        edges += [each.edges for each in changed]
        hits = [*(part.hits for part in parts.values() if part.hits.height), *(each.hits for each in changed)]
        raised = Raised()
        if hits:
            latest = {source: part.latest for source, part in parts.items()}
            matched = pl.concat(hits, how="diagonal_relaxed")
            raised = raise_alerts(matched, program, self.mappings, latest, self.now, lambda places: {}, self._behind(tuple(parts), edges))
        found = raise_incidents(raised.alerts, program.ruleset, edges, sightings, facts)
        seen = spelled(pl.concat(sightings)) if sightings else Given().sightings
        about = circumstances(raised.alerts, together_facts(facts))
        return Judged(raised.alerts, found, Given(rule_facts(program.ruleset), together(edges), seen, about))

    def _changed(self, sources: tuple[str, ...]) -> list[Changed]:
        """What diff rules find where these sources tell all facts there are."""
        if sources not in self.changes:
            parts = [self.parts[source] for source in sources]
            telling = [part.telling for part in parts if part.telling is not None]
            facts = [part.facts for part in parts]
            settings = Settings(now=self.now)
            found = changed_by(facts, pl.concat(telling), self.program, self.mappings, settings) if telling else ()
            self.changes[sources] = list(found)
        return self.changes[sources]

    def _behind(self, sources: tuple[str, ...], edges: list[pl.DataFrame]) -> Callable[[pl.DataFrame], pl.DataFrame]:
        """Who stands behind the hits of these sources: the same whatever correlations make of them, so worked out once."""
        asked = principals_by(edges, self.mappings)

        def behind(hits: pl.DataFrame) -> pl.DataFrame:
            if sources not in self.known:
                self.known[sources] = asked(hits)
            return self.known[sources]

        return behind

    def _program(self, off: frozenset[str]) -> Program:
        ruleset = self.program.ruleset
        gone = off | {each.uid for each in ruleset.correlations if not off.isdisjoint(each.rules)}
        if gone != off:
            return self._program(frozenset(gone))
        kept = tuple(each for each in ruleset.correlations if each.uid not in off)
        running = tuple(each for each in self.program.correlations if each.uid not in off)
        return replace(self.program, ruleset=replace(ruleset, correlations=kept), correlations=running)

    def campaigns(self) -> dict[str, str]:
        """The correlations that tell of campaigns: uid → title."""
        return {each.uid: each.title for each in self.program.correlations if (each.path or "").startswith(CAMPAIGNS)}


@dataclass(slots=True)
class _Gathered:
    hits: list[pl.DataFrame] = field(default_factory=list)
    edges: list[pl.DataFrame] = field(default_factory=list)
    sightings: dict[str, list[pl.DataFrame]] = field(default_factory=dict)
    facts: list[pl.DataFrame] = field(default_factory=list)
    telling: list[pl.DataFrame] = field(default_factory=list)
    latest: dict[str, datetime] = field(default_factory=dict)

    def take(self, found: Found) -> None:
        """What a batch gave: of sightings one frame for each source in it."""
        self.hits += found.hits
        self.edges += found.edges
        self.facts += found.facts
        self.telling += found.telling
        for source, frame in zip(found.spans, found.sightings, strict=True):
            self.sightings.setdefault(source, []).append(frame)
        for source, moment in found.latest.items():
            self.latest[source] = max(self.latest.get(source, moment), moment)

    def parts(self, lost: pl.DataFrame) -> dict[str, Part]:
        hits = pl.concat(self.hits, how="diagonal_relaxed") if self.hits else pl.DataFrame(schema={"x.source": pl.String})
        if hits.height:
            hits = hits.join(lost, on=["object_index", "x.position"], how="anti", maintain_order="left")
        facts = pl.concat(self.facts).partition_by("source", as_dict=True) if self.facts else {}
        told = pl.concat(self.telling).join(lost, on=["object_index", "x.position"], how="anti", maintain_order="left") if self.telling else None
        telling = told.partition_by("x.source", as_dict=True) if told is not None else {}
        # Each source's own: of what several tell only the earliest proof would be left.
        edges = pl.concat(self.edges).partition_by("source", as_dict=True) if self.edges else {}
        return {
            source: Part(
                hits.filter(pl.col("x.source") == source),
                together([edges[source,]] if (source,) in edges else []),
                pl.concat(self.sightings[source]).unique(),
                facts[source,] if (source,) in facts else empty_facts(),
                telling.get((source,)),
                latest,
            )
            for source, latest in self.latest.items()
        }
