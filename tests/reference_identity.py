"""Origins of identities, slow and obvious: what `engine.identity.resolve` must say."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import polars as pl

from engine.identity.edges import ALIAS, ISSUED, KINDS, STRENGTHS
from engine.identity.resolve import CHOICES, DEPTH, FIRST, SKEW


def origin(entity: str, moment: datetime, edges: pl.DataFrame) -> tuple[str, str, bool, bool]:
    """(principal, strength, spoofable, contested) of ``entity`` at ``moment``."""
    rows = [row for row in edges.unique().iter_rows(named=True) if KINDS[row["kind"]].way in (ISSUED, ALIAS)]
    end, levels, spoofable, contested, _ = _walk(entity, moment, rows, [])
    return end, STRENGTHS[max(levels, default=0)], spoofable, contested


def _walk(entity: str, moment: datetime, rows: list[dict[str, Any]], path: list[str]) -> tuple[str, list[int], bool, bool, list[str]]:
    nothing: tuple[str, list[int], bool, bool, list[str]] = (entity, [], False, False, [])
    if len(path) >= DEPTH:
        return nothing
    path = [*path, entity]
    mine = [row for row in rows if row["child"] == entity and row["parent"] not in path]
    issued = [row for row in mine if KINDS[row["kind"]].way == ISSUED and (row["until"] is None or row["until"] >= moment)]
    held = [row for row in issued if row["time"] <= moment] or [row for row in issued if moment < row["time"] <= moment + SKEW]
    choices = []
    for event in {row["event_uid"] for row in held}:
        same = [row for row in held if row["event_uid"] == event]
        choices.append(min(same, key=lambda row: (FIRST.index(row["kind"]) if row["kind"] in FIRST else len(FIRST), row["kind"], row["parent"])))
    if not choices:
        aliases = [row for row in mine if KINDS[row["kind"]].way == ALIAS]
        ranks = {_rank(row) for row in aliases}
        choices = [row for row in aliases if _rank(row) == min(ranks)]
    if not choices:
        return nothing
    if len({row["parent"] for row in choices}) > CHOICES:
        return (entity, [], False, True, [])
    ends = []
    for parent in {row["parent"] for row in choices}:
        row = max((row for row in choices if row["parent"] == parent), key=lambda row: (row["time"], row["event_uid"]))
        at = row["time"] if KINDS[row["kind"]].way == ISSUED else moment
        end, levels, spoofable, contested, steps = _walk(parent, at, rows, path)
        ends.append((end, [STRENGTHS.index(row["strength"]), *levels], row["spoofable"] or spoofable, contested, [row["event_uid"], *steps], row))
    if len({end[0] for end in ends}) > 1:
        return (entity, [], False, True, [])
    best = max(ends, key=lambda end: (-max(end[1]), end[5]["time"], end[5]["event_uid"], end[5]["parent"]))
    return best[:5]


def _rank(row: dict[str, Any]) -> tuple[int, int]:
    return STRENGTHS.index(row["strength"]), list(KINDS).index(row["kind"])
