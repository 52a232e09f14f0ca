"""SQL and the reference evaluator say the same of any condition and any records, or the SQL says why not."""

from __future__ import annotations

from collections import Counter

import duckdb
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import UnsupportedFeature
from engine.sigma.fields import OPEN
from engine.sigma.tree import Node
from tests.hunting import found
from tests.property.test_detect import events, leaves, rule, trees
from tests.reference_evaluator import matches


def test_sql_equals_reference() -> None:
    outcomes: Counter[str] = Counter()

    @given(st.one_of(leaves, trees), st.lists(events, min_size=1, max_size=8))
    @settings(max_examples=120, deadline=None)
    def check(condition: Node, records: list[str]) -> None:
        try:
            rows = found(rule(condition), [OPEN], pl.DataFrame({"raw_data": records}))
        except UnsupportedFeature:
            outcomes["refused"] += 1
        except duckdb.Error as error:
            outcomes["refused" if "crosswind: " in str(error) else "broken"] += 1
        else:
            assert rows == [row for row, record in enumerate(records) if matches(condition, record)]
            outcomes["equal"] += 1

    check()
    assert not outcomes["broken"]
    assert outcomes["equal"] > 20 * outcomes["refused"]
