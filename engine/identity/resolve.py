"""Origins: from a session or key back to the identity that began the chain.

From an entity at a moment the walk goes to whoever issued it, at the moment it was issued, and so on; where nobody did, over the strongest kind of
alias. Where several events could have issued it and their origins differ, or one kind of alias leads to different identities, the walk ends: an
identity whose evidence contradicts itself is nobody else's. A chain is as strong as its weakest edge.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import polars as pl
import pyarrow as pa

from engine.identity.edges import ALIAS, ISSUED, KINDS, ORDER, STRENGTHS

RESOLVED: dict[str, pl.DataType] = {
    "entity": pl.String(),
    "time": pl.Datetime("us", "UTC"),
    "principal": pl.String(),
    "strength": pl.String(),
    "spoofable": pl.Boolean(),
    "contested": pl.Boolean(),
    "steps": pl.List(pl.String()),
}
"""Columns of `resolve`: ``principal`` is the entity itself where nothing leads on; ``steps`` the x.uid of the events that prove the chain, from the
entity on; ``contested`` tells that the walk ended because evidence leads to different identities.
"""

WALKED: dict[str, pl.DataType] = {
    "entity": pl.String(),
    "time": pl.Datetime("us", "UTC"),
    "step": pl.UInt8(),
    "parent": pl.String(),
    "level": pl.UInt8(),
    "proof": pl.List(pl.String()),
}
"""Columns of `walks`: ``parent`` is the entity that step (from 1) led to, ``level`` the place in `STRENGTHS` of the weakest edge up to there,
``proof`` the x.uid of the events of those edges.
"""

SKEW = timedelta(minutes=5)
"""Clocks may differ by so much: what was issued so shortly after it acted counts where nothing before it does."""

DEPTH = 16
"""Longest chain; role chains and federations have three or four steps."""

CHOICES = 16
"""So many events may have issued one thing at one time; with more its evidence is contested."""

LOOKED_AT = 1_000
"""So many events before a moment are looked at for those that still hold."""

VISITS = 500
"""Entities that are looked at for one question."""

FIRST = ("source_identity", "saml_subject", "oidc_subject")
"""Of edges that one event proves these are the farthest origin; the others name who called."""


_PLACES = {name: place for place, name in enumerate(KINDS)}
"""Of aliases of one strength the first kind of `KINDS` counts."""


@dataclass(frozen=True, slots=True)
class Edge:
    """One edge as the walk reads it; ``rank`` orders edges of one event, ``level`` is the place of its strength in `STRENGTHS`."""

    kind: str
    parent: str
    time: datetime
    until: datetime | None
    level: int
    spoofable: bool
    source: str
    event: str

    @property
    def rank(self) -> tuple[int, str, str]:
        return (FIRST.index(self.kind) if self.kind in FIRST else len(FIRST), self.kind, self.parent)


@dataclass(slots=True)
class Known:
    """What leads on from one entity: ``issued`` by time, ``aliases`` by strength."""

    issued: list[Edge] = field(default_factory=list)
    times: list[datetime] = field(default_factory=list)
    aliases: list[Edge] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a walk ended, and over which edges."""

    entity: str
    edges: tuple[Edge, ...] = ()
    contested: bool = False


def resolve(asked: pl.DataFrame, edges: pl.DataFrame) -> pl.DataFrame:
    """The origin of every ``entity`` at its ``time`` (columns of ``asked``), in the form of `RESOLVED`, a row for each row asked.

    The order of ``edges`` and their repetition change nothing. Cycles, storms and contradictions are bounded by the constants above.
    """
    questions = asked.select("entity", pl.col("time").cast(RESOLVED["time"]))
    graph = Graph(within_reach(questions["entity"], edges))
    distinct = questions.unique(maintain_order=True).drop_nulls()
    origins = [graph.origin(entity, moment) for entity, moment in distinct.iter_rows()]
    steps = pa.array([[edge.event for edge in origin.edges] for origin in origins], type=pa.large_list(pa.large_string()))
    told = {
        "principal": [origin.entity for origin in origins],
        "strength": [STRENGTHS[max((edge.level for edge in origin.edges), default=0)] for origin in origins],
        "spoofable": [any(edge.spoofable for edge in origin.edges) for origin in origins],
        "contested": [origin.contested for origin in origins],
        "steps": pl.Series(pl.from_arrow(steps), dtype=RESOLVED["steps"]),
    }
    answers = distinct.hstack(pl.DataFrame(told, schema={name: RESOLVED[name] for name in told}))
    return questions.join(answers, on=["entity", "time"], how="left", maintain_order="left")


def walks(asked: pl.DataFrame, edges: pl.DataFrame) -> pl.DataFrame:
    """Every step from each distinct (``entity``, ``time``) of ``asked`` to its origin, in the form of `WALKED`; none where nothing leads on."""
    questions = asked.select("entity", pl.col("time").cast(WALKED["time"])).unique(maintain_order=True).drop_nulls()
    graph = Graph(within_reach(questions["entity"], edges))
    rows = []
    for entity, moment in questions.iter_rows():
        level, proof = 0, list[str]()
        for step, edge in enumerate(graph.origin(entity, moment).edges, 1):
            level = max(level, edge.level)
            proof = [*proof, edge.event]
            rows.append((entity, moment, step, edge.parent, level, proof))
    return pl.DataFrame(rows, schema=WALKED, orient="row")


def within_reach(entities: pl.Series, edges: pl.DataFrame) -> pl.DataFrame:
    """The edges that lead on from ``entities``, directly or over others, sorted."""
    leading = edges.filter(pl.col("kind").is_in([name for name, kind in KINDS.items() if kind.way in (ISSUED, ALIAS)]))
    found: list[pl.DataFrame] = []
    wanted = entities.drop_nulls().unique().to_frame("child")
    seen = wanted
    for _ in range(DEPTH):
        if not wanted.height or not leading.height:
            break
        step = leading.join(wanted, on="child", how="semi")
        found.append(step)
        wanted = step.select(child=pl.col("parent")).unique().join(seen, on="child", how="anti")
        seen = pl.concat([seen, wanted])
    return pl.concat(found).unique().sort(ORDER, nulls_last=True) if found else leading.clear()


class Graph:
    """Edges by child. Built from an edges frame sorted by `edges.ORDER`."""

    def __init__(self, edges: pl.DataFrame) -> None:
        self._known: defaultdict[str, Known] = defaultdict(Known)
        columns = ("child", "kind", "parent", "time", "until", "strength", "spoofable", "source", "event_uid")
        for child, kind, parent, time, until, strength, spoofable, source, event in edges.select(columns).iter_rows():
            known = self._known[child]
            edge = Edge(kind, parent, time, until, STRENGTHS.index(strength), spoofable, source, event)
            if KINDS[kind].way == ISSUED:
                known.issued.append(edge)
                known.times.append(time)
            elif KINDS[kind].way == ALIAS:
                known.aliases.append(edge)

    def origin(self, entity: str, moment: datetime) -> Origin:
        """The origin of ``entity`` at ``moment``."""
        return self._origin(entity, moment, (), [VISITS])

    def _origin(self, entity: str, moment: datetime, path: tuple[str, ...], left: list[int]) -> Origin:
        left[0] -= 1
        known = self._known.get(entity)
        if known is None or len(path) >= DEPTH:
            return Origin(entity)
        path = (*path, entity)
        issuers = self._issuers(known, moment, path)
        if issuers is not None:
            return self._agreed(entity, issuers, path, left, None)
        aliases = [edge for edge in known.aliases if edge.parent not in path]
        if not aliases:
            return Origin(entity)
        best = min((edge.level, _PLACES[edge.kind]) for edge in aliases)
        return self._agreed(entity, [edge for edge in aliases if (edge.level, _PLACES[edge.kind]) == best], path, left, moment)

    def _issuers(self, known: Known, moment: datetime, path: tuple[str, ...]) -> list[Edge] | None:
        """Who may have issued it: of each event that issued what holds at ``moment`` the farthest origin. None: nobody."""
        end = bisect_right(known.times, moment)
        found = _holding(known.issued[max(0, end - LOOKED_AT) : end], moment, path)
        if not found:
            later = bisect_right(known.times, moment + SKEW)
            found = _holding(known.issued[end : min(later, end + LOOKED_AT)], moment, path)
        by_event: dict[str, Edge] = {}
        for edge in found:
            if edge.event not in by_event or edge.rank < by_event[edge.event].rank:
                by_event[edge.event] = edge
        return list(by_event.values()) or None

    def _agreed(self, entity: str, choices: Iterable[Edge], path: tuple[str, ...], left: list[int], moment: datetime | None) -> Origin:
        """The one origin of all ``choices``, over the latest of them; the entity itself where they differ. ``moment``: that of aliases."""
        latest: dict[str, Edge] = {}
        for edge in choices:
            before = latest.get(edge.parent)
            if before is None or (edge.time, edge.event) > (before.time, before.event):
                latest[edge.parent] = edge
        if len(latest) > CHOICES:
            return Origin(entity, contested=True)
        origins: list[tuple[Edge, Origin]] = []
        for parent, edge in sorted(latest.items()):
            if left[0] <= 0:
                return Origin(entity, contested=True)
            origins.append((edge, self._origin(parent, edge.time if moment is None else moment, path, left)))
        if len({origin.entity for _, origin in origins}) > 1:
            return Origin(entity, contested=True)
        edge, origin = max(
            origins, key=lambda each: (-max(step.level for step in (each[0], *each[1].edges)), each[0].time, each[0].event, each[0].parent)
        )
        return Origin(origin.entity, (edge, *origin.edges), origin.contested)


def _holding(edges: list[Edge], moment: datetime, path: tuple[str, ...]) -> list[Edge]:
    return [edge for edge in edges if (edge.until is None or edge.until >= moment) and edge.parent not in path]
