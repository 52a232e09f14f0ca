"""All that is known of one identity: where it came from, what came from it, and what proves each step."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from engine.identity.edges import EDGES, KINDS, ORDER, STRENGTHS, TOLD
from engine.identity.entities import TYPES, account_of_key, canonical, kind_of
from engine.identity.resolve import Graph, within_reach

LISTED = 100
"""Most steps of one list; how many there are is told beside it."""

DEEP = 6
"""So many steps are followed from an identity to what came from it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One edge, as `edges.EDGES` has it; ``depth``: how many steps it is away, from 1."""

    depth: int
    kind: str
    child: str
    parent: str
    time: datetime
    until: datetime | None
    strength: str
    spoofable: bool
    source: str
    event_uid: str

    @property
    def meaning(self) -> str:
        return KINDS[self.kind].meaning


@dataclass(frozen=True, slots=True)
class Account:
    """``origins`` leads from the identity at moment ``at`` to its ``principal``; ``evidence`` is what else is told of both ends and all between;
    ``made`` are the steps to what came from it, nearest first, of ``made_count``. ``account``: the one a key of AWS tells itself.
    """

    entity: str
    at: datetime
    principal: str
    strength: str
    spoofable: bool
    contested: bool
    origins: tuple[Step, ...]
    evidence: tuple[Step, ...]
    evidence_count: int
    made: tuple[Step, ...]
    made_count: int
    account: str | None


def named(identifier: str, edges: pl.DataFrame) -> list[str]:
    """The entities of ``edges`` that an identifier may mean, sorted: itself as ``type:value``, the value of one, else the name at its end."""
    guesses = [identifier, *(f"{kind}:{identifier}" for kind in TYPES), f"request:aws|{identifier}", f"request:aws.shared|{identifier}"]
    possible = canonical(pl.Series(guesses, dtype=pl.String)).drop_nulls().unique()
    known = pl.concat([edges["child"], edges["parent"]]).unique()
    found = possible.filter(possible.is_in(known.implode()))
    if not len(found) and identifier.strip():
        found = known.filter(known.str.ends_with(f"/{identifier.strip()}") | known.str.ends_with(f"|{identifier.strip()}"))
    return sorted(found.to_list())


def account(entity: str, edges: pl.DataFrame, at: datetime | None = None) -> Account:
    """What ``edges`` (sorted and each once, as `edges.together` gives them) know of ``entity``; ``at``: the moment it acted, by default the last one
    that anything tells of it.
    """
    own = edges.filter((pl.col("child") == entity) | (pl.col("parent") == entity))
    last = own["time"].max()
    moment = at or (last if isinstance(last, datetime) else datetime.min)
    origin = Graph(within_reach(pl.Series([entity]), edges)).origin(entity, moment)
    steps: list[Step] = []
    child = entity
    for depth, edge in enumerate(origin.edges, 1):
        steps.append(
            Step(depth, edge.kind, child, edge.parent, edge.time, edge.until, STRENGTHS[edge.level], edge.spoofable, edge.source, edge.event)
        )
        child = edge.parent
    evidence = _evidence([entity, *(step.parent for step in steps)], steps, edges)
    made = _made(entity, edges)
    strength = STRENGTHS[max((edge.level for edge in origin.edges), default=0)]
    return Account(
        entity,
        moment,
        origin.entity,
        strength,
        any(edge.spoofable for edge in origin.edges),
        origin.contested,
        tuple(steps),
        tuple(evidence[:LISTED]),
        len(evidence),
        tuple(made[:LISTED]),
        len(made),
        account_of_key(entity.partition(":")[2]) if kind_of(entity) == "aws.key" else None,
    )


def _evidence(entities: list[str], steps: list[Step], edges: pl.DataFrame) -> list[Step]:
    """Edges of ``entities`` that are no steps of the chain themselves."""
    taken = {(step.kind, step.child, step.parent) for step in steps}
    found = edges.filter(pl.col("child").is_in(entities)).unique(["kind", "child", "parent"], keep="first", maintain_order=True)
    rows = [_step(entities.index(row[1]) + 1, row) for row in found.select(list(EDGES)).iter_rows()]
    return sorted((row for row in rows if (row.kind, row.child, row.parent) not in taken), key=lambda row: (row.depth, row.kind, row.parent))


def _made(entity: str, edges: pl.DataFrame) -> list[Step]:
    """What came from ``entity``, level by level; each identity once."""
    leading = edges.filter(~pl.col("kind").is_in([name for name, kind in KINDS.items() if kind.way == TOLD and name != "created_key"]))
    found: list[Step] = []
    seen, level = {entity}, [entity]
    for depth in range(1, DEEP + 1):
        step = leading.filter(pl.col("parent").is_in(level) & ~pl.col("child").is_in(list(seen))).sort(ORDER, nulls_last=True)
        step = step.unique("child", keep="first", maintain_order=True)
        if not step.height:
            break
        found.extend(_step(depth, row) for row in step.select(list(EDGES)).iter_rows())
        level = step["child"].to_list()
        seen.update(level)
        if len(seen) > 100 * LISTED:
            break
    return found


def _step(depth: int, row: tuple[str, str, str, datetime, datetime | None, str, bool, str, str]) -> Step:
    return Step(depth, *row)
