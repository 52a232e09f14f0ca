"""Whether lake and state belong together, and how a state that is older than its lake catches up."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from engine.errors import StateError
from engine.pipeline.lasting.plans import REPAIR, TABLES, Bench, Done, all_hashes, redetect_plan, rules_digest
from engine.store.lake import Lake
from engine.store.records import BatchResult
from engine.store.state import State

_BROUGHT_LATER = ("facts",)
"""Tables that lakes of earlier versions lack: they are made empty when such a lake is opened."""


def misfit(lake: Lake, state: State) -> tuple[int, int] | None:
    """The last batch of the lake and the last that the state knows, where these do not fit together."""
    last, begun = state.last_batch(), state.open_plan()
    for table in TABLES:
        number, digest = lake.batch_of(table)
        known = (
            number == last
            or (number == 0 and table in _BROUGHT_LATER)
            or (begun is not None and number == begun.batch and digest in (begun.digest, None))
        )
        if not known:
            return max(lake.batch_of(table)[0] for table in TABLES), last
    return None


def check_age(lake: Lake, state: State) -> None:
    """Raises StateError where lake and state do not know the same batches."""
    found = misfit(lake, state)
    if found is None:
        return
    there, known = found
    told = f"the lake at {lake.path} holds batch {there}, the state {state.place} knows {known}"
    if there < known:
        raise StateError(
            f"{told}: the lake is older than the state, or another one. Put the lake back that belongs to it, or name a new lake and a new state"
        )
    raise StateError(f"{told}: the state is older than the lake. `crosswind state repair` brings them together")


def repair(bench: Bench) -> Done | None:
    """Let the state catch up with the lake; None where they fit together already.

    What the state did not know of is worked out again from the lake: all rules run over the time of the events of the batches it lost, and alerts are
    made of their hits. Objects that were read in these batches are read again by the next run, which knows their events. Raises StateError where
    the lake is the older one.
    """
    from engine.pipeline.lasting.ingest import carry_out  # `check_age` has no use for it

    lake, state = bench.lake, bench.state
    found = misfit(lake, state)
    if found is None:
        return None
    there, known = found
    if there < known:
        check_age(lake, state)
    begun = state.open_plan()
    if begun is not None:
        given_up = {"failures": [f"batch {begun.batch} was given up by `crosswind state repair`: the lake has another one"]}
        state.commit(BatchResult(begun.batch, report=given_up, rule_hashes=state.rule_hashes()), bench.now)
    start, end = _span(lake, known)
    rules = list(all_hashes(bench.program)) if start is not None else []
    plan = redetect_plan(rules, start, end, REPAIR, there + 1, bench.now, rules_digest(bench.program))
    state.write_plan(plan)
    return carry_out(plan, bench)


def _span(lake: Lake, known: int) -> tuple[datetime | None, datetime | None]:
    """The times of what batches after ``known`` brought, and a day around: what they replaced had the day of what took its place."""
    spans = [
        lake.scan(table).filter(pl.col("x.batch") > known).select(low=pl.col("time").min(), high=pl.col("time").max()) for table in ("events", "hits")
    ]
    low, high = pl.concat(spans).select(pl.col("low").min(), pl.col("high").max()).collect().row(0)
    return (None, None) if low is None else (low - timedelta(days=1), high + timedelta(days=1))
