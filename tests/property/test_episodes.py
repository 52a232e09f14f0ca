"""Alerts are a function of the set of hits."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from engine.correlate import evidence
from engine.correlate.alerts import alerts
from engine.correlate.episodes import keep_first_raw
from engine.sigma.tree import And, LogSource, Rule
from tests.examples import examples

START = datetime(2026, 3, 1, 20, tzinfo=UTC)
RULES = (
    Rule("r-1", "One", "high", LogSource(), And(()), "h"),
    Rule("r-2", "Two", "low", LogSource(), And(()), "h", group_by=("src_endpoint.ip",), suppress="3h"),
    Rule("r-3", "Three", "informational", LogSource(), And(()), "h"),
)
ROWS = st.fixed_dictionaries(
    {
        "rule": st.integers(0, 2),
        "minutes": st.integers(0, 4 * 24 * 60).map(lambda minutes: minutes // 20 * 20),
        "actor.user.uid": st.sampled_from([None, "Eve", "eve", "bob"]),
        "src_endpoint.ip": st.sampled_from([None, "203.0.113.7"]),
        "resources.uid": st.sampled_from([None, [], ["a", "B"], ["b", "A"]]),
        "copy": st.booleans(),
    }
)


def frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    made = []
    for index, row in enumerate(rows):
        values = {name: value for name, value in row.items() if name not in ("minutes", "copy")}
        values |= {"time": START + timedelta(minutes=row["minutes"]), "x.uid": f"e-{index:04}", "x.source": "aws.cloudtrail", "x.object": "o"}
        values |= {"x.position": index, "raw_data": f"raw {index}"}
        made += [values] * (1 + row["copy"])
    return pl.DataFrame(made, schema=evidence.empty().schema)


@examples(60)
@given(st.lists(ROWS, max_size=40), st.randoms(use_true_random=False), st.integers(1, 5))
def test_order_copies_and_batches_change_nothing(rows: list[dict[str, Any]], shuffle: random.Random, batches: int) -> None:
    hits = frame(rows)
    expected = alerts(hits, RULES)
    order = list(range(hits.height))
    shuffle.shuffle(order)
    shuffled = hits[order]
    assert alerts(shuffled, RULES) == expected
    parts = [keep_first_raw(shuffled[index::batches], RULES) for index in range(batches)]
    assert alerts(keep_first_raw(pl.concat(parts), RULES), RULES) == expected


@examples(60)
@given(st.lists(ROWS, max_size=40))
def test_every_alerting_hit_is_in_exactly_one_alert(rows: list[dict[str, Any]]) -> None:
    found = alerts(frame(rows), RULES)
    expected = [f"e-{index:04}" for index, row in enumerate(rows) if row["rule"] != 2]
    assert sorted(uid for alert in found for uid in alert.event_uids) == expected
    assert all(alert.count == len(alert.event_uids) and alert.last_time - alert.first_time <= timedelta(hours=24) for alert in found)
    assert len({alert.uid for alert in found}) == len(found)
    assert [(alert.first_time, alert.uid) for alert in found] == sorted((alert.first_time, alert.uid) for alert in found)
