"""Frames for the detect kernel made from record texts: cells are looked up in plain Python."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import polars as pl

from engine.schema import split_path
from tests.reference_evaluator import ABSENT, SourceNumber, look_up, read


def events_of(records: list[str], paths: Iterable[str]) -> pl.DataFrame:
    """``native.<path>`` cells of the records, and raw_data."""
    parsed = [read(record) for record in records]
    columns = {f"native.{path}": [cell(look_up(record, split_path(path))) for record in parsed] for path in paths}
    return pl.DataFrame(columns | {"raw_data": records}, schema=dict.fromkeys([*columns, "raw_data"], pl.String))


def cell(value: Any) -> str | None:
    """JSON text of a value, None for a missing one."""
    if value is ABSENT:
        return None
    if isinstance(value, SourceNumber):
        return value.text
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{cell(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(str(cell(item)) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)
