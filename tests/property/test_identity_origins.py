"""Origins of random graphs: those of the slow walk, whatever the order of the edges."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from engine.identity.edges import EDGES, KINDS, described, together
from engine.identity.resolve import resolve
from tests.examples import examples
from tests.reference_identity import origin

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
NAMES = [f"aws.key:K{number}" for number in range(6)] + ["email:a@example.com", "email:b@example.com"]
KIND = st.sampled_from(["issued_key", "source_identity", "saml_subject", "acts_as", "key_of", "user_name", "session_name", "role_of", "assumed_role"])
MINUTES = st.integers(0, 20)


@st.composite
def graphs(draw: st.DrawFn) -> pl.DataFrame:
    rows = []
    for _ in range(draw(st.integers(0, 14))):
        time = BEGIN + timedelta(minutes=draw(MINUTES))
        length = draw(st.none() | MINUTES)
        until = None if length is None else time + timedelta(minutes=length)
        event = f"e{draw(st.integers(0, 8))}"
        rows.append((draw(KIND), draw(st.sampled_from(NAMES)), draw(st.sampled_from(NAMES)), time, until, "aws.cloudtrail", event))
    raw = {name: EDGES[name] for name in ("kind", "child", "parent", "time", "until", "source", "event_uid")}
    return together([described(pl.DataFrame(rows, schema=raw, orient="row"))])


ASKED = pl.DataFrame(
    [(name, BEGIN + timedelta(minutes=minutes)) for name in NAMES[:3] for minutes in (0, 7, 14, 40)],
    schema={"entity": pl.String(), "time": EDGES["time"]},
    orient="row",
)


@examples(100)
@given(graphs())
def test_origins_are_those_of_the_slow_walk(edges: pl.DataFrame) -> None:
    found = resolve(ASKED, edges).select("entity", "time", "principal", "strength", "spoofable", "contested")
    for entity, time, *told in found.iter_rows():
        assert tuple(told) == origin(entity, time, edges), (entity, time)


@examples(100)
@given(graphs(), st.integers(0, 1000), st.integers(1, 3))
def test_order_repetition_and_batches_of_edges_change_nothing(edges: pl.DataFrame, seed: int, parts: int) -> None:
    shuffled = pl.concat([edges, edges]).sample(fraction=1.0, shuffle=True, seed=seed)
    size = max(1, shuffled.height // parts)
    batches = [shuffled[start : start + size] for start in range(0, shuffled.height, size)]
    assert together(batches).equals(edges)
    assert resolve(ASKED, shuffled).equals(resolve(ASKED, edges))


@examples(100)
@given(graphs())
def test_weak_evidence_never_gives_a_strong_principal(edges: pl.DataFrame) -> None:
    weak = {row["event_uid"] for row in edges.filter(pl.col("spoofable")).iter_rows(named=True)}
    for row in resolve(ASKED, edges.filter(pl.col("spoofable"))).iter_rows(named=True):
        assert not row["steps"] or (row["strength"] == "weak" and row["spoofable"] and set(row["steps"]) <= weak)
    assert all(not kind.spoofable or kind.strength == "weak" for kind in KINDS.values())
