"""Posture facts from events: the mapping files and the kernel of facts joined."""

from __future__ import annotations

import polars as pl

from connectors.facts import may_tell, raw_facts
from engine.posture.facts import described, empty
from engine.schema import Mapping
from engine.store.frames import in_own_memory

OPERATION = "api.operation"
"""The column that tells which events may tell facts."""


def facts_of(events: pl.DataFrame, mapping: Mapping) -> pl.DataFrame:
    """The facts that ``events`` (x.uid, time, raw_data, `OPERATION`) of one source tell."""
    if not mapping.facts or not events.height:
        return empty()
    rows = may_tell(events[OPERATION], mapping).arg_true()
    if not rows.len():
        return empty()
    return in_own_memory(described(raw_facts(events.select("x.uid", "time", "raw_data", OPERATION)[rows], mapping)))
