"""Facts → one row per event with what it changed: the ``x.change.*`` columns that diff rules read. A pure function of the set of facts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any

import polars as pl

from engine import jsontext
from engine.identity.entities import shortened
from engine.posture.history import KNOWN, SAME, STRONGER, WEAKER, history
from engine.posture.kinds import KINDS
from engine.schema import CHANGE_COLUMNS, DTYPES

CHANGES: dict[str, pl.DataType] = {
    "event_uid": pl.String(),
    "source": pl.String(),
    "time": DTYPES["time"],
    **{name: column.dtype for name, column in CHANGE_COLUMNS.items()},
}
"""Columns of `changes`: the event, its source and time, and the ``x.change.*`` columns, null where there is nothing to say."""

MOST = 100
"""Texts of a list, and facts in ``x.change.before`` and ``x.change.after``; the first ones by their order stay."""

_MOST_KNOWN = 1_000
"""Facts of one asset that are kept in mind while its history is gone through; later ones are not told as ``x.change.about``."""

Fact = dict[str, Any]


def changes(facts: pl.DataFrame) -> pl.DataFrame:
    """A row for each event that tells facts, in the form of `CHANGES`, sorted by event uid.

    ``facts`` (`engine.posture.facts.FACTS`) may come in any order and repeat; all facts of the assets of an event decide about its row, no others do.
    """
    rows = history(facts)
    about = _about(rows)
    told = rows.sort("event_uid", "fact", "asset", "part").iter_rows(named=True)
    made = [_row(uid, list(group), about) for uid, group in groupby(told, key=lambda fact: fact["event_uid"])]
    return pl.DataFrame(made, schema=CHANGES, orient="row")


def differing(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """The rows of ``after`` (both as `changes` gives them) that ``before`` does not hold as they are."""
    known = {row[0]: row for row in before.iter_rows()}
    return after.filter(pl.Series([known.get(row[0]) != row for row in after.iter_rows()], dtype=pl.Boolean))


def _row(uid: str, facts: Sequence[Fact], about: dict[tuple[str, str], frozenset[str]]) -> tuple[Any, ...]:
    changed = [fact for fact in facts if fact["known"] and fact["change"] != SAME]
    weaker, stronger, lost, gained, besides = set[str](), set[str](), set[str](), set[str](), set[str]()
    for fact in changed:
        down, up = _steps(fact["fact"], fact["before"], fact["value"])
        weaker.update(([fact["fact"]] if fact["change"] == WEAKER else []) + down)
        stronger.update(([fact["fact"]] if fact["change"] == STRONGER else []) + up)
        old, new = members(fact["fact"], fact["before"]), members(fact["fact"], fact["value"])
        lost |= old - new
        gained |= new - old
        besides |= about.get((uid, fact["asset"]), frozenset())
    first = facts[0]
    return (
        uid,
        first["source"],
        first["time"],
        any(fact["known"] for fact in facts),
        _texts({fact["fact"] for fact in changed}),
        _texts({fact["asset"] for fact in changed}),
        *map(_texts, (weaker, stronger, lost, gained, besides)),
        _told(changed, "before"),
        _told(changed, "value"),
    )


def _texts(found: set[str]) -> list[str] | None:
    return sorted(found)[:MOST] or None


def _told(facts: Sequence[Fact], which: str) -> str | None:
    """Facts as JSON text, for people."""
    if not facts:
        return None
    rows = [
        {"fact": fact["fact"], "asset": fact["asset"]} | ({"part": fact["part"]} if fact["part"] else {}) | {"value": json.loads(fact[which])}
        for fact in facts[:MOST]
    ]
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"))


def _about(rows: pl.DataFrame) -> dict[tuple[str, str], frozenset[str]]:
    """(event uid, asset) → members of all that was known of the asset just before, apart from what the event tells itself; of changes alone."""
    found: dict[tuple[str, str], frozenset[str]] = {}
    asked = rows.filter(pl.col("known") & (pl.col("change") != SAME)).select("asset").unique()
    ordered = rows.join(asked, on="asset", how="semi").sort("asset", "time", "event_uid", "fact", "part")
    wanted = ordered.select("asset", "event_uid", "fact", "part", "value", "state", "known", "change").iter_rows()
    for asset, facts in groupby(wanted, key=lambda fact: fact[0]):
        state: dict[tuple[str, str], frozenset[str]] = {}
        for uid, group in groupby(facts, key=lambda fact: fact[1]):
            told = list(group)
            own = {(fact, part) for _, _, fact, part, *_ in told}
            if any(known and change != SAME for *_, known, change in told):
                found[uid, asset] = frozenset().union(*(each for key, each in state.items() if key not in own))
            for _, _, fact, part, value, status, *_ in told:
                if status != KNOWN:
                    state.pop((fact, part), None)
                elif (fact, part) in state or len(state) < _MOST_KNOWN:
                    state[fact, part] = members(fact, value)
    return found


@lru_cache(maxsize=4_096)
def members(fact: str, value: str) -> frozenset[str]:
    """What a value holds, each as a text: ``ai.logging.text`` for a member that is true, ``bucket.policy.foreign:444455556666`` for an element of a
    list, ``ai.guardrail.filters.HATE:HIGH/HIGH`` for a text or number. False and empty members are nothing.
    """
    return frozenset(shortened(text) for text in _walk(fact, jsontext.loads(value)))


def _walk(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _walk(f"{name}.{key}", inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _walk(name, inner) if isinstance(inner, (dict, list)) else (f"{name}:{inner}",)
    elif isinstance(value, bool):
        if value:
            yield name
    elif value is not None and value != "":
        yield f"{name}:{value}"


@lru_cache(maxsize=4_096)
def _steps(fact: str, before: str, after: str) -> tuple[list[str], list[str]]:
    """The protections that protect less, and those that protect more."""
    old, new = (KINDS[fact].measures(jsontext.loads(value)) for value in (before, after))
    if old is None or new is None:
        return [], []
    steps = {name: new.get(name, 0) - old.get(name, 0) for name in old.keys() | new.keys()}
    return [f"{fact}.{name}" for name, step in steps.items() if step < 0], [f"{fact}.{name}" for name, step in steps.items() if step > 0]
