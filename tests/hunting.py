"""Runs the SQL of rules on tables in memory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache

import duckdb
import polars as pl

from engine.hunt.macros import prelude
from engine.hunt.sql import compile_sql
from engine.schema import Mapping
from engine.sigma.tree import Rule

LOGGING_STOPPED = """
title: Logging stopped
id: 5d1f6a3e-1111-4222-8333-444455556666
logsource: {product: aws, service: cloudtrail}
detection:
  selection: {eventName: [StopLogging, DeleteTrail]}
  condition: selection
"""
"""A rule, and the one record of `output_of` that it is about."""
STOPPED = '{"eventName": "stoplogging"}'


def output_of(sql: str) -> list[str]:
    """The records of a small table that ``sql``, the text a backend prints, finds."""
    database = duckdb.connect()
    database.execute('create table events ("x.source" varchar, raw_data varchar)')
    records = [("aws.cloudtrail", "stoplogging"), ("aws.cloudtrail", "x"), ("gcp.audit", "stoplogging")]
    database.executemany("insert into events values (?, ?)", [(source, json.dumps({"eventName": name})) for source, name in records])
    return [raw for _, raw in database.sql(sql).fetchall()]


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
