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
    made: dict[tuple[str, str, ColumnRule], pl.Series] = {}

    def values(name: str, rule: ColumnRule, before: str = "") -> pl.Series:
        key = (name, before, rule)
        if key not in made:
            found = column("x.uid" if name == "entity" else "time", rule, cells, mapping.source, {}, codes)
            made[key] = found if not before else (before + found)
        return made[key]

    parts: list[pl.DataFrame] = []
    nothing = pl.Series("until", [None], RAW_EDGES["until"]).new_from_index(0, events.height)
    for rule in rules:
        child, parent = values("entity", rule.child, rule.child_before), values("entity", rule.parent, rule.parent_before)
        both = (child.is_not_null() & parent.is_not_null()).arg_true()
        if not both.len():
            continue
        until = values("until", rule.until) if rule.until else nothing
        ends = [child.gather(both).alias("child"), parent.gather(both).alias("parent"), until.gather(both).alias("until")]
        parts.append(pl.DataFrame(ends).with_columns(events["time"].gather(both), kind=pl.lit(rule.kind), event_uid=events["x.uid"].gather(both)))
    if not parts:
        return pl.DataFrame(schema=RAW_EDGES)
    return pl.concat(parts).with_columns(source=pl.lit(mapping.source)).select(pl.col(name).cast(dtype) for name, dtype in RAW_EDGES.items())
