"""Records → raw posture facts, as the ``posture`` section of their mapping says."""

from __future__ import annotations

import polars as pl

from connectors.codes import Codes
from connectors.columns import column
from connectors.shred import cells_of
from engine.schema import FactRule, Mapping

RAW_FACTS: dict[str, pl.DataType] = {
    "fact": pl.String(),
    "asset": pl.String(),
    "part": pl.String(),
    "time": pl.Datetime("us", "UTC"),
    "value": pl.String(),
    "why": pl.String(),
    "tier": pl.String(),
    "source": pl.String(),
    "event_uid": pl.String(),
}
"""Columns of `raw_facts`: ``asset`` as ``type:value`` in the record's own spelling, ``value`` as JSON text, null where the record lacks it."""

SUCCESS = 1
"""The status_id of events that did what they say."""


def may_tell(operations: pl.Series, mapping: Mapping) -> pl.Series:
    """Which records may tell facts, by their ``api.operation``."""
    wanted = [each for each in operations.unique().drop_nulls().to_list() if _rules_of(each, mapping)]
    return operations.is_in(wanted) if wanted else pl.repeat(False, operations.len(), eager=True)


def _rules_of(operation: str, mapping: Mapping) -> list[FactRule]:
    """The rules that read records of an operation, by its whole name, or by its last words: dots come before words in names of Google."""
    said = operation.lower()
    parts = said.rsplit(".", 2)
    return [rule for name in dict.fromkeys((said, parts[-1], ".".join(parts[-2:]))) for rule in mapping.facts.get(name, ())]


def raw_facts(events: pl.DataFrame, mapping: Mapping) -> pl.DataFrame:
    """What the posture section of ``mapping`` finds in ``events`` (x.uid, time, raw_data, ``api.operation``, all of its source) that succeeded."""
    rules = {operation: _rules_of(operation, mapping) for operation in events["api.operation"].unique().drop_nulls().to_list()}
    wanted = {id(rule): rule for found in rules.values() for rule in found}
    status, service = mapping.columns["status_id"], mapping.columns["api.service.name"]
    paths = dict.fromkeys((*status.paths, *service.paths, *(path for rule in wanted.values() for path in rule.paths)))
    cells = cells_of(events["raw_data"], list(paths), mapping.embedded)
    codes = Codes(cells)
    told = events.select("time", pl.col("x.uid").alias("event_uid"), "api.operation").with_columns(
        column("status_id", status, cells, mapping.source, {}, codes),
        column("api.service.name", service, cells, mapping.source, {}, codes).str.to_lowercase(),
    )
    by_rule: dict[int, list[int]] = {}
    for row, operation, outcome in told.with_row_index("row").select("row", "api.operation", "status_id").iter_rows():
        for rule in rules[operation] if operation and outcome == SUCCESS else ():
            by_rule.setdefault(id(rule), []).append(row)
    parts = [_told(wanted[number], told[rows], cells[rows], mapping.source) for number, rows in by_rule.items()]
    return pl.concat(parts) if parts else pl.DataFrame(schema=RAW_FACTS)


def _told(rule: FactRule, told: pl.DataFrame, cells: pl.DataFrame, source: str) -> pl.DataFrame:
    """What one rule finds in records of its operations."""
    if rule.services:
        fitting = told["api.service.name"].is_in(rule.services).fill_null(False)
        told, cells = told.filter(fitting), cells.filter(fitting)
    codes = Codes(cells)
    found = told.select(
        column("resources.uid", rule.asset, cells, source, {}, codes).alias("asset"),
        (
            column("resources.uid", rule.part, cells, source, {}, codes).alias("part")
            if rule.part
            else pl.lit(list(rule.parts), pl.List(pl.String)).alias("part")
        ),
        "time",
        column("api.request.data", rule.value, cells, source, {}, codes).alias("value"),
        pl.lit(rule.fact).alias("fact"),
        pl.lit(rule.unknown).alias("why"),
        pl.lit(rule.tier).alias("tier"),
        pl.lit(source).alias("source"),
        "event_uid",
    )
    rows = found.drop_nulls(["asset", "part"]).explode("asset", empty_as_null=False).explode("part", empty_as_null=False)
    return rows.with_columns(asset=pl.lit(rule.asset_before) + pl.col("asset")).select(pl.col(name).cast(dtype) for name, dtype in RAW_FACTS.items())
