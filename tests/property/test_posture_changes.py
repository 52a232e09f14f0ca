"""What events changed, against a slow and obvious second way; in any order, from any part of the facts of the assets."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from engine.posture.changes import CHANGES, changes, differing
from engine.posture.facts import FACTS
from tests.reference_changes import differences

LOGGING: list[Any] = [{"on": True, "text": True, "to": ["s3"]}, {"on": True, "text": False, "to": ["s3", "cloudwatch"]}, {"on": False}, None]
POLICY: list[Any] = [
    {"public": False, "foreign": [], "federated": [], "conditional": False},
    {"public": True, "foreign": ["111122223333"], "federated": [], "conditional": False},
    {"public": False, "foreign": ["111122223333", "444455556666"], "federated": [], "conditional": True},
    None,
]
USE: list[Any] = [{"in_use": True, "holds": "training data"}, {"in_use": False}, None]
VALUES: dict[str, list[Any]] = {"ai.logging": LOGGING, "bucket.policy": POLICY, "bucket.use": USE}
BEGIN = datetime(2026, 5, 1, tzinfo=UTC)


@st.composite
def told(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Facts of a few events about a few assets; one event tells of each fact, asset and part once."""
    found = []
    for number in range(draw(st.integers(1, 10))):
        time = BEGIN + timedelta(seconds=draw(st.integers(0, 4)))
        kinds = st.tuples(st.sampled_from(sorted(VALUES)), st.sampled_from(("aws.arn:a", "aws.arn:b")), st.sampled_from(("", "p")))
        for fact, asset, part in draw(st.lists(kinds, min_size=1, max_size=4, unique=True)):
            value = draw(st.sampled_from(VALUES[fact]))
            text = None if value is None else json.dumps(value, sort_keys=True, separators=(",", ":"))
            found.append({"fact": fact, "asset": asset, "part": part, "time": time, "value": text, "event_uid": f"e{number}"})
    return found


def frame(facts: list[dict[str, Any]]) -> pl.DataFrame:
    whole = [{"why": None, "tier": "t", "source": "aws.cloudtrail", **fact} for fact in facts]
    return pl.DataFrame(whole, schema=FACTS, orient="row")


@given(told(), st.randoms())
def test_the_changes_are_those_of_the_obvious_way_in_any_order(facts: list[dict[str, Any]], random: Any) -> None:
    found = changes(frame(facts))
    again = [*facts, *facts[:2]]
    random.shuffle(again)
    assert changes(frame(again)).equals(found)
    assert dict(found.schema) == CHANGES
    expected = differences(facts)
    for row in found.iter_rows(named=True):
        got = {name: row[f"x.change.{name}"] for name in expected[row["event_uid"]]}
        shown = {name: value if name == "known" else set(value or ()) for name, value in got.items()}
        assert shown == expected[row["event_uid"]]
        assert (row["x.change.after"] is None) == (row["x.change.fact"] is None)
    assert found["event_uid"].to_list() == sorted(expected)


@given(told(), st.integers(0, 40))
def test_a_late_fact_changes_no_row_but_those_that_differ(facts: list[dict[str, Any]], cut: int) -> None:
    before, after = changes(frame(facts[:cut])), changes(frame(facts))
    other = differing(before, after)["event_uid"].to_list()
    same = after.filter(~pl.col("event_uid").is_in(other))
    assert same.equals(before.join(same.select("event_uid"), on="event_uid", how="semi", maintain_order="left"))
    assert {fact["event_uid"] for fact in facts[cut:]} - {fact["event_uid"] for fact in facts[:cut]} <= set(other)
