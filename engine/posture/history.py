"""The history of facts: what each event changed, and what is known at a time. Pure functions of the set of facts; their order says nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import polars as pl

from engine import jsontext
from engine.posture.facts import FACTS, together
from engine.posture.kinds import KINDS

KNOWN, UNKNOWN, STALE = "known", "unknown", "stale"
"""States: the value is known; it is not; an older value is known, and something happened since that may have changed it."""

WEAKER, STRONGER, OTHER, SAME = "weaker", "stronger", "other", "same"
"""What a change means: something protects less than before; something protects more, nothing less; the value differs otherwise; it does not."""

HISTORY: dict[str, pl.DataType] = {
    **FACTS,
    "state": pl.String(),
    "strength": pl.Int64(),
    "known": pl.Boolean(),
    "change": pl.String(),
    "before": pl.String(),
    "before_state": pl.String(),
    "before_strength": pl.Int64(),
    "before_time": pl.Datetime("us", "UTC"),
    "before_uid": pl.String(),
}
"""Columns of `history`: those of `FACTS`, and

``value``: as the event told it, null where it did not (then ``state`` is `STALE` where an earlier value is known, else `UNKNOWN`);
``strength``: how much the value protects, greater is safer, comparable within a kind of fact; null where it has no order or no value is told;
``known``: whether the difference to the previous fact is: both values are known. False for the first fact of an asset and part (`x.change.known`);
``change``: one of `WEAKER`, `STRONGER`, `OTHER`, `SAME`; null where ``known`` is false;
``before``: the last value known before, null where there is none; ``before_state``: the state of the previous fact, null for the first;
``before_strength``: that of ``before``; ``before_time``, ``before_uid``: time and event of the previous fact.
"""

AT: dict[str, pl.DataType] = {
    "asset": pl.String(),
    "fact": pl.String(),
    "part": pl.String(),
    "value": pl.String(),
    "state": pl.String(),
    "since": pl.Datetime("us", "UTC"),
    "event_uid": pl.String(),
    "source": pl.String(),
    "tier": pl.String(),
    "why": pl.String(),
    "strength": pl.Int64(),
    "last_seen": pl.Datetime("us", "UTC"),
}
"""Columns of `at`: a row for each asset, fact and part. ``value``: the last one known, null where there is none; ``state``: whether it still holds;
``since``, ``event_uid``, ``source``: time and proof of the event from which value and state are as they are, without a break; ``last_seen``: time of
the last event that told of it.
"""

_KEY = ["fact", "asset", "part"]


def history(facts: pl.DataFrame) -> pl.DataFrame:
    """Every fact beside what was known before it, in the form of `HISTORY`, ordered by `facts.ORDER`: per asset and part by (time, event uid).

    ``facts`` (`FACTS`) may come in any order and repeat. A late fact changes its own row and the next one of its asset and part, no other, but for
    ``before`` and ``state`` of rows that follow without a value of their own.
    """
    rows = together([facts])
    strengths, changes = _strengths(rows), _Changes()
    last = pl.col("value").forward_fill().over(_KEY)
    state = pl.when(pl.col("value").is_not_null()).then(pl.lit(KNOWN)).when(last.is_not_null()).then(pl.lit(STALE)).otherwise(pl.lit(UNKNOWN))
    rows = rows.with_columns(strengths, state=state, last=last, last_strength=strengths)
    rows = rows.with_columns(pl.col("last_strength").forward_fill().over(_KEY))
    rows = rows.with_columns(
        pl.col("last").shift().over(_KEY).alias("before"),
        pl.col("last_strength").shift().over(_KEY).alias("before_strength"),
        pl.col("state").shift().over(_KEY).alias("before_state"),
        pl.col("time").shift().over(_KEY).alias("before_time"),
        pl.col("event_uid").shift().over(_KEY).alias("before_uid"),
    )
    known = (pl.col("state") == KNOWN) & (pl.col("before_state") == KNOWN).fill_null(False)
    rows = rows.with_columns(known=known)
    told = rows.select("fact", "before", "value", "known").iter_rows()
    change = pl.Series("change", [changes.of(fact, before, value) if sure else None for fact, before, value, sure in told], dtype=pl.String)
    return rows.with_columns(change).select(pl.col(name).cast(dtype) for name, dtype in HISTORY.items())


def at(facts: pl.DataFrame, moment: datetime | None = None) -> pl.DataFrame:
    """What is known of every asset at ``moment`` (None: now), in the form of `AT`, sorted by asset, fact and part. Facts of that moment count."""
    known = facts if moment is None else facts.filter(pl.col("time") <= moment)
    rows = history(known)
    last = pl.coalesce("value", "before")
    again = (pl.col("state") == pl.col("state").shift().over(_KEY)) & last.eq_missing(last.shift().over(_KEY))
    rows = rows.with_columns(last=last, first=~again.fill_null(False), strong=pl.coalesce("strength", "before_strength"))
    for name in ("time", "event_uid", "source"):
        rows = rows.with_columns(pl.when("first").then(name).forward_fill().over(_KEY).alias(f"begun_{name}"))
    found = rows.group_by(_KEY, maintain_order=True).last()
    found = found.select(
        *("asset", "fact", "part", "state", "tier", "why"),
        value="last", since="begun_time", event_uid="begun_event_uid", source="begun_source", strength="strong", last_seen="time",
    )  # fmt: skip
    return found.select(pl.col(name).cast(dtype) for name, dtype in AT.items()).sort("asset", "fact", "part")


def _strengths(rows: pl.DataFrame) -> pl.Series:
    memo: dict[tuple[str, str], int | None] = {}
    found: list[int | None] = []
    for fact, value in rows.select("fact", "value").iter_rows():
        if value is None:
            found.append(None)
            continue
        if (fact, value) not in memo:
            memo[fact, value] = _strength(_measures(fact, value))
        found.append(memo[fact, value])
    return pl.Series("strength", found, dtype=pl.Int64)


def _strength(measures: dict[str, int] | None) -> int | None:
    return None if measures is None else sum(measures.values())


def _measures(fact: str, value: str) -> dict[str, int] | None:
    return KINDS[fact].measures(jsontext.loads(value))


class _Changes:
    """What differences mean; each is looked at once."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, str, str], str] = {}

    def of(self, fact: str, before: str, value: str) -> str:
        key = (fact, before, value)
        if key not in self._made:
            self._made[key] = SAME if before == value else _direction(_measures(fact, before), _measures(fact, value))
        return self._made[key]


def _direction(before: dict[str, int] | None, after: dict[str, int] | None) -> str:
    if before is None or after is None:
        return OTHER
    steps = [after.get(name, 0) - before.get(name, 0) for name in before.keys() | after.keys()]
    return WEAKER if min(steps, default=0) < 0 else STRONGER if max(steps, default=0) > 0 else OTHER


def rows_of(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """The rows of `at` as plain values, ``value`` opened."""
    return [row | {"value": None if row["value"] is None else jsontext.loads(row["value"])} for row in frame.iter_rows(named=True)]
