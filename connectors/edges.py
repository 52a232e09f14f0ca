"""Records → raw edges between identities, as the ``identity`` section of their mapping says."""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl

from connectors.codes import Codes
from connectors.columns import column
from connectors.shred import cells_of
from engine.schema import ColumnRule, EdgeRule, Mapping

RAW_EDGES: dict[str, pl.DataType] = {
    "kind": pl.String(),
    "child": pl.String(),
    "parent": pl.String(),
    "time": pl.Datetime("us", "UTC"),
    "until": pl.Datetime("us", "UTC"),
    "source": pl.String(),
    "event_uid": pl.String(),
}
"""Columns of `raw_edges`: both ends as ``type:value`` in the record's own spelling."""


def may_issue(operations: Sequence[pl.Series], mapping: Mapping) -> pl.Series:
    """Which records may hold issuing edges, by the cells at the ``operation_paths`` of the mapping."""
    names = "|".join(map(re.escape, mapping.identities.operations))
    pattern = rf'(?i)(?:^"|[./])(?:{names})"$'
    found = pl.DataFrame([cells.alias(str(index)) for index, cells in enumerate(operations)])
    return found.select(pl.any_horizontal(pl.all().str.contains(pattern).fill_null(False)).alias("issues"))["issues"]


def raw_edges(events: pl.DataFrame, mapping: Mapping, rules: Sequence[EdgeRule], cells: pl.DataFrame | None = None) -> pl.DataFrame:
    """What ``rules`` find in ``events`` (x.uid, time, raw_data, all of the mapping's source): an edge a row, where both ends hold a value. ``cells``:
    those of the rules' paths, where they are known already.
    """
    if not events.height or not rules:
        return pl.DataFrame(schema=RAW_EDGES)
    if cells is None:
        cells = cells_of(events["raw_data"], list(dict.fromkeys(path for rule in rules for path in rule.paths)), mapping.embedded)
    codes = Codes(cells)
    made: dict[tuple[str, ColumnRule], pl.Series] = {}

    def name_of(kind: str, rule: ColumnRule) -> str:
        """The name of the column that holds what ``rule`` finds; rules share it."""
        if (kind, rule) not in made:
            found = column("x.uid" if kind == "entity" else "time", rule, cells, mapping.source, {}, codes)
            made[kind, rule] = found.alias(f"{kind} {len(made)}")
        return made[kind, rule].name

    wanted = [
        (name_of("entity", rule.child), name_of("entity", rule.parent), name_of("until", rule.until) if rule.until else None, rule) for rule in rules
    ]
    whole = events.select("time", pl.col("x.uid").alias("event_uid")).hstack(list(made.values())).lazy()
    parts = [
        whole.filter(pl.col(child).is_not_null() & pl.col(parent).is_not_null()).select(
            pl.lit(rule.kind).alias("kind"),
            (pl.lit(rule.child_before) + pl.col(child)).alias("child"),
            (pl.lit(rule.parent_before) + pl.col(parent)).alias("parent"),
            "time",
            (pl.col(until) if until else pl.lit(None, RAW_EDGES["until"])).alias("until"),
            pl.lit(mapping.source).alias("source"),
            "event_uid",
        )
        for child, parent, until, rule in wanted
        if made["entity", rule.child].null_count() < events.height and made["entity", rule.parent].null_count() < events.height
    ]
    return pl.concat(parts).collect() if parts else pl.DataFrame(schema=RAW_EDGES)
