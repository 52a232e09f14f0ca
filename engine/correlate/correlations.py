"""Correlations: from the hits of rules to the alerts of the correlations that name them. A pure function of the set of hits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import polars as pl

from engine.correlate import chains, gather, measures, windows
from engine.correlate.columns import Bools, Floats, Ints, Numbers, spread
from engine.correlate.episodes import LONGEST, alert_uid
from engine.correlate.gather import Entries, Grouped, Source
from engine.correlate.satisfied import ORDER, PER_WINDOW, SETTLED, Satisfied, by_bounds, by_terms, first_greatest, measure, numeric
from engine.sigma.tree import Correlation, CorrelationType, Rule

_TIME = pl.Datetime("us", "UTC")
_ALERTS = {
    "alert": pl.String(),
    "correlation": pl.UInt32(),
    "group": pl.List(pl.String()),
    "shown": pl.List(pl.String()),
    "state": pl.String(),
    "first_time": _TIME,
    "last_time": _TIME,
    "satisfied": _TIME,
    "value": pl.Float64(),
}
_MEMBERS = {"alert": pl.String(), "hit": pl.UInt32()}
_ASIDE = {"correlation": pl.UInt32(), "reason": pl.String(), "uid": pl.String(), "rank": pl.Int64()}
_UNDECIDED = {"correlation": pl.UInt32(), "group": pl.List(pl.String()), "time": _TIME}
NO_GROUP = "no group-by value"
MANY_GROUPS = f"more than {gather.GROUP_VALUES} group values"
NO_NUMBER = "not a number"
_MICROSECOND = np.timedelta64(1, "us")


@dataclass(frozen=True, slots=True)
class Correlated:
    """What correlations found.

    ``alerts``: one row an alert, by (correlation, first_time, alert). ``alert`` its uid, ``correlation`` UInt32 index, ``group`` folded values and
    ``shown`` these as in its earliest hit, ``state`` live or open, ``first_time`` and ``last_time`` of its evidence, ``satisfied`` the end of its
    first satisfied window, ``value`` the greatest measure of its satisfied windows (of averages and percentiles that of the first; of extended
    conditions null).
    ``members``: ``alert`` and ``hit`` (row of the hits given), sorted by (alert, time, x.uid, rule). An event stands there once for each rule it
    matches. ``aside``: what took no part or not fully, ``correlation``, ``reason``, ``uid`` (x.uid of a hit or uid of an alert) and ``rank`` (index
    of its rule; of an alert the index of its correlation after those of all rules). ``undecided``: of correlations that others name, what later
    records may still change: ``correlation``, ``group`` and the ``time`` it begins.
    """

    alerts: pl.DataFrame
    members: pl.DataFrame
    aside: pl.DataFrame
    undecided: pl.DataFrame

    @property
    def left_out(self) -> pl.DataFrame:
        """How much took no part: ``correlation``, ``reason``, ``count``."""
        return self.aside.group_by("correlation", "reason", maintain_order=True).agg(pl.len().cast(pl.UInt32()).alias("count"))


def correlate(
    hits: pl.DataFrame,
    rules: Sequence[Rule],
    correlations: Sequence[Correlation],
    *,
    watermarks: Mapping[str, datetime] | None = None,
    feeds: Mapping[str, frozenset[str]] | None = None,
    settled: Mapping[str, int] | None = None,
) -> Correlated:
    """The alerts that ``hits`` of ``rules`` make under ``correlations``, which stand in the order of their dependencies.

    ``hits`` has ``rule`` (UInt32 index into ``rules``), ``time``, ``x.uid``, ``x.source``, optionally ``rule_hash`` (hits of another version of their
    rule are ignored) and ``cloud.provider``, and per field F that correlations read ``native.F`` (lists of texts) or F (scalars or lists); a field
    without a column is missing in every hit. ``watermarks`` (source → time) and ``feeds`` (rule uid → its sources) decide which alerts are open;
    without watermarks none is. ``settled``: uid of a correlation → the watermark, in microseconds since the epoch, that those over its alerts go by
    at most, for callers whose ``hits`` are a part of all: what is undecided elsewhere counts here too. Raises EngineError for a correlation that
    names what is neither a rule nor stands before it.
    """
    known, by_uid = {rule.uid: rule for rule in rules}, {one.uid: one for one in correlations}
    used, original = _usable(hits, rules, correlations)
    plain = chains.hit_source(used, rules)
    sources: dict[str, Source] = {rule.uid: plain for rule in rules}
    chained = {uid for one in correlations for uid in one.rules if uid in by_uid}
    made: dict[str, _Made] = {}
    for index, one in enumerate(correlations):
        level = chains.watermark(one, known, by_uid, watermarks, feeds)
        inner = [made[uid] for uid in one.rules if uid in made]
        changing = [made[uid].settled for uid in one.rules if uid in made and chains.may_change(one, by_uid[uid])]
        found = _one(one, index, Entries(one, sources), min([level, *changing]), inner, used, one.uid in chained)
        own = (settled or {}).get(one.uid, found.settled)
        made[one.uid] = replace(found, settled=min([own, *(other.settled for other in inner)]))
        if one.uid in chained:
            sources[one.uid] = chains.alert_source(one, len(rules) + index, made[one.uid].alerts, made[one.uid].members, used)
    return _joined(list(made.values()), original)


def _usable(hits: pl.DataFrame, rules: Sequence[Rule], correlations: Sequence[Correlation]) -> tuple[pl.DataFrame, pl.Series | None]:
    """The hits that some correlation may read, and their rows in ``hits`` (None: all)."""
    named = {uid for one in correlations for uid in one.rules}
    wanted = pl.Series([rule.uid in named for rule in rules], dtype=pl.Boolean).gather(hits["rule"])
    if "rule_hash" in hits.columns:
        wanted &= (hits["rule_hash"] == pl.Series([rule.content_hash for rule in rules], dtype=pl.String).gather(hits["rule"])).fill_null(False)
    if wanted.all():
        return hits, None
    return hits.filter(wanted), wanted.arg_true()


@dataclass(frozen=True, slots=True)
class _Made:
    """The parts of `Correlated` for one correlation; ``settled``: the watermark that correlations over its alerts go by at most."""

    alerts: pl.DataFrame
    members: pl.DataFrame
    aside: pl.DataFrame
    undecided: pl.DataFrame
    settled: int


def _joined(made: Sequence[_Made], original: pl.Series | None) -> Correlated:
    alerts = pl.concat([one.alerts for one in made]) if made else pl.DataFrame(schema=_ALERTS)
    members = pl.concat([one.members for one in made]) if made else pl.DataFrame(schema=_MEMBERS)
    aside = pl.concat([one.aside for one in made]) if made else pl.DataFrame(schema=_ASIDE)
    undecided = pl.concat([one.undecided for one in made]) if made else pl.DataFrame(schema=_UNDECIDED)
    if original is not None:
        members = members.with_columns(hit=original.gather(members["hit"]).cast(pl.UInt32()))
    extents = members.select(pl.col("alert").rle().struct.unnest()).select(pl.col("value").alias("alert"), count="len")
    extents = extents.with_columns(first=pl.col("count").cum_sum() - pl.col("count")).sort("alert")
    rows = spread(extents["first"].to_numpy().astype(np.int64), extents["count"].to_numpy().astype(np.int64))
    return Correlated(alerts.sort("correlation", "first_time", "alert"), members[rows], aside, undecided)


@dataclass(frozen=True, slots=True)
class _Found:
    """Alerts of some groups: ``opening`` is the row of `Grouped` of the least hit, ``rows`` all those of alert 0, 1, …, ``count`` of each.

    ``undecided``: the rows that begin what is undecided.
    """

    opening: Ints
    number: Ints
    open: Bools
    satisfied: Ints
    value: Floats
    rows: Ints
    count: Ints
    undecided: Ints


def _one(correlation: Correlation, index: int, entries: Entries, watermark: int, inner: Sequence[_Made], hits: pl.DataFrame, chained: bool) -> _Made:
    rows = gather.grouped(entries)
    numeric_field = _numbers(correlation, entries)
    span = int(np.timedelta64(correlation.timespan) / _MICROSECOND)
    found: list[_Found] = []
    wrong = np.zeros(0, dtype=np.int64)
    for order, key in windows.lay_out(rows.group, rows.groups, entries.time[rows.entry], span):
        order, key, counted = _in_order(entries, rows, order, key)
        found.append(_groups(correlation, entries, rows, order, key, counted, span, watermark, numeric_field))
        if numeric_field is not None:
            chosen = rows.entry[order]
            wrong = np.union1d(wrong, chosen[numeric_field.other[chosen]])
    left = {NO_GROUP: rows.nowhere, MANY_GROUPS: rows.beyond, NO_NUMBER: wrong}
    aside = pl.concat([_aside(index, reason, entries, chosen) for reason, chosen in left.items()])
    alerts, members = _frames(correlation, index, entries, rows, found, inner, hits)
    undecided = _undecided(index, entries, rows, found if chained else [])
    settled = min([watermark, *(undecided["time"].to_physical() - 1)])
    return _Made(alerts, members, aside, undecided, settled)


def _undecided(index: int, entries: Entries, rows: Grouped, found: Sequence[_Found]) -> pl.DataFrame:
    chosen = np.concatenate([one.undecided for one in found]) if found else rows.entry[:0]
    group, _ = _named(rows, chosen)
    time = pl.Series(entries.time[rows.entry[chosen]]).cast(_TIME)
    return pl.DataFrame({"group": group, "time": time}).select(pl.lit(index, pl.UInt32()).alias("correlation"), "group", "time").unique()


def _numbers(correlation: Correlation, entries: Entries) -> Numbers | None:
    if correlation.type in ORDER or correlation.type in (CorrelationType.EVENT_COUNT, CorrelationType.VALUE_COUNT):
        return None
    return entries.numbers(correlation.fields[0])


def _aside(index: int, reason: str, entries: Entries, chosen: Ints) -> pl.DataFrame:
    frame = pl.DataFrame({"uid": entries.uids(chosen), "rank": pl.Series(entries.ranks(chosen)).cast(pl.Int64())}).unique(maintain_order=True)
    return frame.select(pl.lit(index, pl.UInt32()).alias("correlation"), pl.lit(reason).alias("reason"), "uid", "rank")


def _in_order(entries: Entries, rows: Grouped, order: Ints, key: Ints) -> tuple[Ints, Ints, Bools]:
    """``order`` with rows of one time and group sorted by (x.uid, rule) and each hit once; and which rows count where events count once."""
    counted = np.ones(len(order), dtype=np.bool_)
    ties = np.flatnonzero(gather.tied(key))
    if len(ties) == 0:
        return order, key, counted
    entry = rows.entry[order[ties]]
    place = np.arange(len(entries.names))
    if terms := entries.correlation.terms:
        shown = {uid for term in terms for uid in term.present}
        place[[uid not in shown for uid in entries.names]] += len(place)
    frame = pl.DataFrame(
        {"key": key[ties], "uid": entries.uids(entry), "rank": entries.ranks(entry), "place": place[entries.rule[entry]], "row": order[ties]}
    )
    frame = frame.sort("key", "uid", "rank", "row")
    order = order.copy()
    order[ties] = frame["row"].to_numpy()
    same = pl.struct("key", "uid")
    told = frame.select(
        twice=pl.struct("key", "uid", "rank").rle_id().diff() == 0,
        counted=pl.col("place") == pl.col("place").min().over(same.rle_id()),
    )
    counted[ties] = told["counted"].to_numpy()
    keep = np.ones(len(order), dtype=np.bool_)
    keep[ties] = ~told["twice"].fill_null(False).to_numpy()
    return order[keep], key[keep], counted[keep]


def _groups(
    correlation: Correlation,
    entries: Entries,
    rows: Grouped,
    order: Ints,
    key: Ints,
    counted: Bools,
    span: int,
    watermark: int,
    numbers: Numbers | None,
) -> _Found:
    """The alerts of the groups whose rows are ``order``, sorted by ``key``."""
    entry = rows.entry[order]
    rule = entries.rule[entry]
    if correlation.terms:
        present = [entries.names.index(uid) for uid in {uid for term in correlation.terms for uid in term.present}]
        absent = {entries.names.index(uid) for term in correlation.terms for uid in term.absent}
        others = {one: key[rule == one] for one in absent}
        held = np.isin(rule, present)
        order, key, entry, rule, counted = order[held], key[held], entry[held], rule[held], counted[held]
        seen, time = windows.windows(key, span), entries.time[entry]
        result = by_terms(correlation, entries.names, seen, rule, others, time, watermark)
    else:
        seen, time = windows.windows(key, span), entries.time[entry]
        negative = None
        if correlation.type in ORDER:
            measured = measure(correlation, seen, rule, entries.names)
        elif correlation.type is CorrelationType.EVENT_COUNT:
            measured = measures.events(seen, counted)
        elif numbers is None:
            measured = measures.distinct(seen, *_values(entries, entry, counted, correlation.fields))
        else:
            values = _flat(seen, entry, counted, numbers)
            measured, negative = numeric(correlation, values), values.negative()
        result = by_bounds(correlation, seen, measured, time, negative, watermark)
    return _alerts(correlation, result, seen, order, time, counted, watermark)


def _values(entries: Entries, entry: Ints, counted: Bools, names: Sequence[str]) -> tuple[Ints, Ints]:
    chosen = np.flatnonzero(counted)
    row, code = gather.combinations(entries, entry[chosen], names)
    return chosen[row], code


def _flat(seen: windows.Windows, entry: Ints, counted: Bools, numbers: Numbers) -> measures.Flat:
    count = np.where(counted, numbers.count[entry], 0)
    return measures.flat(seen, np.repeat(np.arange(len(entry)), count), numbers.numbers[spread(numbers.first[entry], count)])


def _alerts(correlation: Correlation, result: Satisfied, seen: windows.Windows, order: Ints, time: Ints, counted: Bools, watermark: int) -> _Found:
    longest = max(seen.span, int(np.timedelta64(LONGEST) / _MICROSECOND))
    found = windows.pieces(seen, result.windows, time, longest)
    piece = np.full(len(seen.first), -1, dtype=np.int64)
    inside = np.searchsorted(found.opening, result.windows, "right") - 1
    piece[result.windows] = inside
    live = np.zeros(len(found.opening), dtype=np.bool_)
    live[inside[~result.open]] = True
    value = np.full(len(found.opening), np.nan)
    if result.measured is not None and len(value):
        if correlation.type in PER_WINDOW:
            result.measured.settle(found.opening)
            value = result.measured.value[found.opening]
        else:
            result.measured.settle_greatest(piece)
            greatest = first_greatest(result.measured.value, piece, len(value))
            result.measured.settle(greatest)
            value = result.measured.value[greatest]
    undecided = result.undecided
    if watermark < SETTLED:
        # A run that may still grow beyond the longest length is divided then, which moves alerts inside it.
        growing = ~found.divided & (time[found.run_last] + seen.span >= watermark)
        undecided = np.append(undecided, found.run_first[growing])
    count = found.last - found.first + 1
    # Of the least event's rows the one under the first of its rules says how the group is spelled.
    told = np.flatnonzero(counted)
    return _Found(
        order[told[np.searchsorted(told, found.first)]],
        found.number,
        ~live,
        time[seen.last[found.opening]],
        value,
        order[spread(found.first, count)],
        count,
        order[undecided],
    )


def _frames(
    correlation: Correlation, index: int, entries: Entries, rows: Grouped, found: Sequence[_Found], inner: Sequence[_Made], hits: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The alerts and their members (rows of ``hits``)."""
    if not found:
        return pl.DataFrame(schema=_ALERTS), pl.DataFrame(schema=_MEMBERS)
    opening = np.concatenate([one.opening for one in found])
    group, shown = _named(rows, opening)
    entry = rows.entry[opening]
    numbers = np.concatenate([one.number for one in found])
    firsts = pl.Series(entries.time[entry]).cast(_TIME)
    uids = []
    for values, micros, uid, number in zip(
        group.to_list(), entries.time[entry].tolist(), entries.uids(entry).to_list(), numbers.tolist(), strict=True
    ):
        uids.append(alert_uid(correlation.uid, values if number < 0 else (*values, str(number)), micros, uid))
    count = np.concatenate([one.count for one in found])
    member = rows.entry[np.concatenate([one.rows for one in found])]
    alerts = pl.DataFrame(
        {
            "alert": pl.Series(uids, dtype=pl.String),
            "correlation": pl.Series([index], dtype=pl.UInt32).new_from_index(0, len(uids)),
            "group": group,
            "shown": shown,
            "open": np.concatenate([one.open for one in found]),
            "satisfied": pl.Series(np.concatenate([one.satisfied for one in found])).cast(_TIME),
            "value": pl.Series(np.concatenate([one.value for one in found]), nan_to_null=True),
        }
    )
    nth = np.repeat(np.arange(len(uids)), count)
    if inner:
        return _chained(alerts, entries, member, nth, inner, hits)
    ends = np.cumsum(count)
    times = alerts.with_columns(
        first_time=firsts,
        last_time=pl.Series(entries.time[member[ends - 1]]).cast(_TIME),
        state=pl.when("open").then(pl.lit("open")).otherwise(pl.lit("live")),
    )
    members = pl.DataFrame({"alert": alerts["alert"].gather(nth), "hit": pl.Series(entries.row[member]).cast(pl.UInt32())})
    return times.select(*_ALERTS).cast(_ALERTS), members  # type: ignore[arg-type]


def _named(rows: Grouped, chosen: Ints) -> tuple[pl.Series, pl.Series]:
    """The folded and the shown group values of the chosen grouped rows."""
    if not rows.fields:
        empty = pl.Series([[]], dtype=pl.List(pl.String)).new_from_index(0, len(chosen))
        return empty, empty
    folded = [one.known.gather(one.codes[place[chosen]]) for one, place in zip(rows.fields, rows.places, strict=True)]
    shown = [one.texts.gather(place[chosen]) for one, place in zip(rows.fields, rows.places, strict=True)]
    return tuple(  # type: ignore[return-value]
        pl.DataFrame([part.alias(str(number)) for number, part in enumerate(parts)]).select(pl.concat_list(pl.all())).to_series()
        for parts in (folded, shown)
    )


def _chained(
    alerts: pl.DataFrame, entries: Entries, member: Ints, nth: Ints, inner: Sequence[_Made], hits: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The alerts and members of a correlation over correlations: the evidence of inner alerts stands for them, an open one leaves the alert open."""
    plain = np.isin(entries.rule[member], [number for number, part in enumerate(entries.parts) if part.source.plain])
    direct = pl.DataFrame({"nth": nth[plain], "hit": pl.Series(entries.row[member[plain]]).cast(pl.UInt32())})
    held = pl.DataFrame({"nth": nth[~plain], "alert": entries.uids(member[~plain])})
    evidence = pl.concat([one.members for one in inner]).unique()
    told = held.join(evidence, on="alert").select("nth", "hit")
    both = pl.concat([direct, told]).unique()
    both = both.with_columns(time=hits["time"].gather(both["hit"]), uid=hits["x.uid"].gather(both["hit"]), rule=hits["rule"].gather(both["hit"]))
    both = both.sort("nth", "time", "uid", "rule", "hit").unique(["nth", "uid", "rule"], keep="first", maintain_order=True)
    states = pl.concat([one.alerts.filter(state="open").select("alert") for one in inner])
    undone = held.join(states, on="alert", how="semi")["nth"].unique()
    extents = both.group_by("nth").agg(first_time=pl.col("time").min(), last_time=pl.col("time").max())
    numbered = alerts.with_row_index("nth").with_columns(pl.col("nth").cast(pl.Int64())).join(extents, on="nth", how="left", maintain_order="left")
    opened = pl.col("open") | pl.col("nth").is_in(undone.implode())
    done = numbered.with_columns(state=pl.when(opened).then(pl.lit("open")).otherwise(pl.lit("live")))
    members = pl.DataFrame({"alert": alerts["alert"].gather(both["nth"]), "hit": both["hit"]})
    return done.select(*_ALERTS).cast(_ALERTS), members  # type: ignore[arg-type]
