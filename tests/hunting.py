"""Runs the SQL of rules on tables in memory."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import duckdb
import polars as pl

from engine.hunt.macros import prelude
from engine.hunt.sql import compile_sql
from engine.schema import Mapping
from engine.sigma.tree import Rule


@cache
def connection() -> duckdb.DuckDBPyConnection:
    """A database with the macros."""
    database = duckdb.connect(config={"threads": 1})
    database.execute(prelude())
    return database


def found(rule: Rule, mappings: Sequence[Mapping], events: pl.DataFrame) -> list[int]:
    """The rows of ``events`` that the SQL of the rule finds."""
    database = connection()
    database.register("events", events.with_row_index("row").to_arrow())
    try:
        return sorted(row for (row,) in database.sql(f"select row from ({compile_sql(rule, mappings)})").fetchall())
    finally:
        database.unregister("events")
