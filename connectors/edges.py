"""Records → raw edges between identities, as the ``identity`` section of their mapping says."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
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

_ENTITY, _MOMENT = "x.uid", "time"
"""Columns of the types that ends of edges and ends of what was issued have."""


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

    def found(kind: str, rule: ColumnRule) -> pl.Series:
        """What ``rule`` finds in each event; rules share it."""
        if (kind, rule) not in made:
            made[kind, rule] = column(kind, rule, cells, mapping.source, {}, codes)
        return made[kind, rule]

    parts: list[tuple[EdgeRule, pl.Series]] = []
    for rule in rules:
        child, parent = found(_ENTITY, rule.child), found(_ENTITY, rule.parent)
        if child.null_count() < child.len() and parent.null_count() < parent.len():
            parts.append((rule, (child.is_not_null() & parent.is_not_null()).arg_true()))
    if not parts:
        return pl.DataFrame(schema=RAW_EDGES)

    def texts(of: Callable[[EdgeRule], str]) -> pl.Series:
        return pl.Series([of(rule) for rule, _ in parts], dtype=pl.String).gather(which)

    which = np.repeat(np.arange(len(parts)), [rows.len() for _, rows in parts])
    rows = pl.concat([rows for _, rows in parts])
    ends = [
        found(_MOMENT, rule.until).gather(rows) if rule.until else pl.Series([None], dtype=RAW_EDGES["until"]).new_from_index(0, rows.len())
        for rule, rows in parts
    ]
    columns = {
        "kind": texts(lambda rule: rule.kind),
        "child": texts(lambda rule: rule.child_before) + pl.concat([found(_ENTITY, rule.child).gather(rows) for rule, rows in parts]),
        "parent": texts(lambda rule: rule.parent_before) + pl.concat([found(_ENTITY, rule.parent).gather(rows) for rule, rows in parts]),
        "time": events["time"].gather(rows),
        "until": pl.concat(ends),
        "source": pl.Series([mapping.source]).new_from_index(0, rows.len()),
        "event_uid": events["x.uid"].gather(rows),
    }
    return pl.DataFrame([series.alias(name) for name, series in columns.items()])
