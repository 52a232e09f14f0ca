"""What new hits change: the alerts whose neighbourhood they touch, worked out again and compared with what was said before."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import polars as pl

from engine.correlate.alerts import Raised
from engine.correlate.alerts import alerts as make_alerts
from engine.correlate.correlated_alerts import correlated_alerts
from engine.correlate.correlations import correlate
from engine.correlate.episodes import LONGEST, merge_gap, raises_alerts
from engine.correlate.keying import Work
from engine.correlate.partitions import Gathered
from engine.correlate.revision import revise
from engine.correlate.satisfied import by_session
from engine.detect.program import Program
from engine.model import Alert, AlertKind, State
from engine.pipeline.correlating import left_out
from engine.sigma.correlation import silenced
from engine.sigma.tree import Correlation
from engine.store.records import Ended

Span = tuple[datetime, datetime]
"""First and last moment, both inside."""

ReadHits = Callable[[Sequence[str], datetime, datetime], pl.DataFrame]
"""The stored hits of some rules (by uid) between two moments, as `lake_hits.from_lake` gives them."""

Evaluate = Callable[[Work, AnyMapping[str, Span]], Gathered]
"""What is asked of the stored hits of some rules (by uid) in some spans. Its alerts come sorted by (first_time, uid), of rules and correlations apart
or together."""

StoredAlerts = Callable[[Sequence[str], datetime, datetime], Iterable[Alert]]
"""The standing alerts (live or open) of some rules and correlations, by uid, that touch the time between two moments."""

Times = Callable[[Collection[str]], pl.Series]
"""When the stored hits of some rules (by uid) happened, in any order."""

FIRST, LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Revision:
    """What touched hits amount to: alerts as they are now (known and unchanged ones among them), and those that ended."""

    alerts: list[Alert] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Reach:
    """How far touched hits are felt: ``affected`` by rule or correlation uid, where alerts may differ; ``reads`` by rule uid, which hits decide
    these; ``correlations``, to be evaluated for it, referenced ones first. ``silent``: what raises no alerts (any more), or is gone.
    """

    affected: dict[str, Span]
    reads: dict[str, Span]
    correlations: list[Correlation]
    silent: dict[str, Span]


def reach(program: Program, touched: AnyMapping[str, Span], times: Times | None = None) -> Reach:
    """How far hits are felt that came or went in ``touched`` (by rule uid; by correlation uid: spans of alerts that may be decided by now).

    An alert is decided by hits within L + T of it: runs are divided at multiples of L, and windows reach back T. So what differs lies within L + T of
    a touched hit, and to work that out takes the hits twice as far again. Upper bounds look at whole sessions, which have no greatest length: how far
    these go on, ``times`` tells.
    """
    affected: dict[str, Span] = {}
    reads: dict[str, Span] = {}
    by_uid = {each.uid: each for each in program.correlations}
    needed: set[str] = set()

    def whole(correlation: Correlation, span: Span) -> Span:
        """``span`` with the sessions of a correlation that it meets."""
        if times is None or not by_session(correlation):
            return span
        return _with_sessions(times(_leaves(correlation, by_uid)), correlation.timespan, span)

    def require(uid: str, span: Span) -> None:
        inner = by_uid.get(uid)
        if inner is None:
            reads[uid] = union(reads.get(uid), span)
            return
        needed.add(uid)
        for reference in inner.rules:
            require(reference, _widened(whole(inner, span), 3 * _length(inner)))

    quiet = silenced(program.correlations)
    for rule in program.ruleset.rules:
        if rule.uid in touched and rule.uid not in quiet and raises_alerts(rule):
            length = merge_gap(rule) + max(merge_gap(rule), LONGEST)
            affected[rule.uid] = _widened(touched[rule.uid], length)
            require(rule.uid, _widened(affected[rule.uid], 2 * length))
    felt = dict(touched)
    for correlation in program.correlations:
        spans = [felt[uid] for uid in (*correlation.rules, correlation.uid) if uid in felt]
        if not spans:
            continue
        length = _length(correlation)
        met = whole(correlation, (min(low for low, _ in spans), max(high for _, high in spans)))
        felt[correlation.uid] = affected[correlation.uid] = _widened(met, length)
        require(correlation.uid, _widened(affected[correlation.uid], 2 * length))
    silent = {uid: span for uid, span in {**touched, **affected}.items() if uid in quiet or uid not in affected}
    return Reach(affected, reads, [each for each in program.correlations if each.uid in needed], silent)


def revision(
    program: Program,
    touched: AnyMapping[str, Span],
    watermarks: AnyMapping[str, datetime],
    evaluate: Evaluate,
    stored: StoredAlerts,
    *,
    times: Times | None = None,
    changed: Collection[str] = (),
) -> Revision:
    """The alerts around ``touched`` as they are now, and those that stood there and no longer do.

    ``evaluate`` works out what is asked of the stored hits, `at_once` or in parts. ``watermarks``: source → the time before which nothing more is
    expected. ``times`` as `reach` wants them. ``changed``: rules that were touched because what they say or read is not what it was. The alerts
    depend on the hits in the store alone, not on how they came.
    """
    found = reach(program, touched, times)
    quiet = silenced(program.correlations)
    raised = _raised(program, found, watermarks, evaluate) if found.reads else Raised([])
    now = [alert for alert in raised.alerts if alert.rule.uid in found.affected and _inside(alert, found.affected[alert.rule.uid])]
    spans = found.affected | found.silent
    if not spans:
        return Revision()
    low, high = min(low for low, _ in spans.values()), max(high for _, high in spans.values())
    before = [alert for alert in stored(list(spans), low, high) if _inside(alert, spans[alert.rule.uid])]
    hashes = {rule.uid: rule.content_hash for rule in program.ruleset.rules} | {each.uid: each.content_hash for each in program.correlations}
    other = set(quiet) | _with_what_they_feed(program, changed)
    hashes = {uid: content for uid, content in hashes.items() if uid not in other}
    ended = revise(_compared(before), _compared(now), hashes).filter(pl.col("status") != "revised")
    gone = [Ended(uid, State(word), why, tuple(by)) for uid, word, why, by in ended.select("alert", "status", "reason", "by").iter_rows()]
    return Revision(now, gone, raised.notes)


def _with_what_they_feed(program: Program, rules: Collection[str]) -> set[str]:
    """``rules`` and the correlations that look at them, directly or through others."""
    found = set(rules)
    for correlation in program.correlations:
        if not found.isdisjoint(correlation.rules):
            found.add(correlation.uid)
    return found


def _raised(program: Program, found: Reach, watermarks: AnyMapping[str, datetime], evaluate: Evaluate) -> Raised:
    rules = program.ruleset.rules
    alone = [index for index, rule in enumerate(rules) if rule.uid in found.affected]
    quiet = frozenset(silenced(program.correlations))
    told = evaluate(Work(rules, alone, found.correlations, quiet, dict(watermarks), program.feeds()), found.reads)
    ordered = sorted(told.alerts, key=lambda alert: alert.kind is AlertKind.CORRELATION)  # those of rules first, else as they come
    return Raised(ordered, left_out(told.left_out, found.correlations))


def at_once(work: Work, reads: AnyMapping[str, Span], read_hits: ReadHits) -> Gathered:
    """What is asked of the hits of ``reads``, worked out here on all of them."""
    spans = pl.DataFrame(
        [(index, *reads[rule.uid]) for index, rule in enumerate(work.rules) if rule.uid in reads],
        schema={"rule": pl.UInt32(), "low": pl.Datetime("us", "UTC"), "high": pl.Datetime("us", "UTC")},
        orient="row",
    )
    hits = read_hits(list(reads), *overall(reads))
    hits = hits.join(spans, on="rule", maintain_order="left").filter(pl.col("time").is_between("low", "high")).drop("low", "high")
    plain = make_alerts(hits.filter(pl.col("rule").is_in(list(work.plain))), work.rules)
    if not work.correlations:
        return Gathered(plain)
    correlated = correlate(hits, work.rules, work.correlations, watermarks=work.watermarks, feeds=work.feeds)
    made = correlated_alerts(correlated, hits, work.rules, work.correlations)
    return Gathered([*plain, *(alert for alert in made if alert.rule.uid not in work.quiet)], correlated.left_out)


def overall(spans: AnyMapping[str, Span]) -> Span:
    """From the first moment of any to the last."""
    return min(low for low, _ in spans.values()), max(high for _, high in spans.values())


def _leaves(correlation: Correlation, by_uid: AnyMapping[str, Correlation]) -> list[str]:
    """The rules whose hits a correlation looks at, directly or through others."""
    found: dict[str, None] = {}
    for uid in correlation.rules:
        found.update(dict.fromkeys(_leaves(by_uid[uid], by_uid) if uid in by_uid else [uid]))
    return list(found)


def _with_sessions(times: pl.Series, gap: timedelta, span: Span) -> Span:
    """``span`` with the runs of ``times`` within ``gap`` of it; those of all groups as one, which is never less than one of them."""
    ordered = times.unique().sort()
    low, high = _widened(span, gap)
    run = (ordered.diff() > gap).fill_null(False).cum_sum()
    met = run.filter((ordered >= low) & (ordered <= high)).unique()
    mine = ordered.filter(run.is_in(met.implode()))
    first, last = mine.min(), mine.max()
    return union(span, (first, last)) if isinstance(first, datetime) and isinstance(last, datetime) else span


def _length(correlation: Correlation) -> timedelta:
    """L + T of a correlation."""
    return max(correlation.timespan, LONGEST) + correlation.timespan


def _widened(span: Span, by: timedelta) -> Span:
    low, high = span
    return (low - by if low - FIRST > by else FIRST), (high + by if LAST - high > by else LAST)


def union(one: Span | None, other: Span) -> Span:
    """The span from the beginning of the one to the end of the other."""
    return other if one is None else (min(one[0], other[0]), max(one[1], other[1]))


def _inside(alert: Alert, span: Span) -> bool:
    return alert.first_time <= span[1] and alert.last_time >= span[0]


def _compared(alerts: Sequence[Alert]) -> pl.DataFrame:
    return pl.DataFrame(
        [(alert.uid, alert.rule.uid, alert.rule.content_hash, list(alert.event_uids)) for alert in alerts],
        schema={"alert": pl.String(), "rule": pl.String(), "rule_hash": pl.String(), "events": pl.List(pl.String())},
        orient="row",
    )
