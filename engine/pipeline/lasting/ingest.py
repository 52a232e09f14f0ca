"""The batch protocol: plan, work, commit to the lake, commit to the state. Killed anywhere and started again, it loses and doubles nothing.

A plan names the exact objects of a batch and is stored before any work. The work is a function of the plan and of earlier batches, so doing it again
gives the same rows; tables that have the batch already take it as done. The state is written last, in one transaction.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from connectors.batches import Input
from connectors.cursors import Planned, planned_from_json
from connectors.transports.files import FilesTransport
from engine.correlate.alerts import Raised
from engine.correlate.keying import Work
from engine.correlate.partitions import Gathered
from engine.correlate.principals import with_principal
from engine.model import Alert, Incident, Level, State
from engine.pipeline.correlating import watermarks
from engine.pipeline.far.alerts import HitFile, far_alerts, far_origins, hit_files, worth_it
from engine.pipeline.far.keeping import Writers, writers_of
from engine.pipeline.lasting.lake_batch import Collecting, Written, widen, write_batch
from engine.pipeline.lasting.lake_hits import from_lake
from engine.pipeline.lasting.origins import StoredOrigins, since_of, touched_by, with_principals
from engine.pipeline.lasting.plans import REPAIR, RULES_CHANGED, TABLES, Bench, Done, all_hashes, rules_digest
from engine.pipeline.lasting.redetect import redetect, take_over
from engine.pipeline.lasting.regrouping import Regrouped, regroup, stored_incidents
from engine.pipeline.lasting.revising import FIRST, LAST, Revision, Span, at_once, overall, revision, union
from engine.report.account import build_report
from engine.report.summary import as_json
from engine.runners.base import Stage
from engine.schedule.checks import PREFIX
from engine.store import state as states
from engine.store.alert_rows import AlertQuery
from engine.store.incident_rows import IncidentQuery
from engine.store.records import BatchResult, Plan

_STANDING = (State.LIVE, State.OPEN)


def carry_out(plan: Plan, bench: Bench) -> Done | None:
    """Do what ``plan`` says; None where it was stopped on the way, which leaves the plan open for the next run.

    A table that has the batch already takes it as done. Where that happened with other rules, the state keeps the rules it knew, so that the next
    batch runs the changed ones over what is stored. Raises StateError where lake and state do not fit.
    """
    bench = replace(bench, now=plan.created)
    told = json.loads(plan.objects)
    begun = any(bench.lake.batch_of(table)[0] >= plan.batch for table in TABLES)
    with writers_of(bench.lake.path, plan.batch) as writers:
        if "planned" in told:
            planned = planned_from_json(told["planned"])
            written = _collect(planned, told["source"], plan, bench, writers, told.get("again"))
            skips, rejects = (*planned.skips, *planned.waiting), planned.rejects
        else:
            planned, skips, rejects = Planned(), (), ()
            span = (_moment(told["start"]) or FIRST, _moment(told["end"]) or LAST)
            written = redetect(
                told["rules"],
                span,
                bench.lake,
                plan.batch,
                writers.hits,
                bench.program,
                bench.settings,
                runner=bench.runner,
                stopped=bench.stopped,
                stage=Stage("reading", f"batch {plan.batch}: {told['reason']}, rules {plan.rules_digest[:12]}"),
            )
            if told["reason"] == REPAIR:
                take_over(bench.lake, writers.hits, written, bench.now)
        if written is None or bench.stopped():
            return None
        for table in TABLES:
            getattr(writers, table).commit(plan.digest)
    if begun:
        _touch_all(written, bench, bounded="again" not in told)
    latest = dict(bench.state.latest())
    for source, moment in written.totals.latest.items():
        latest[source] = max(latest.get(source, moment), moment)
    since = since_of(bench.state.latest(), bench.mappings, bench.config.horizon) if "again" not in told else {}
    spans, cut = touched_by(written.edges, bench.lake, plan.batch, bench.mappings, since)
    for rule, (low, high) in spans.items():
        widen(written.touched, rule, low, high)
    revised = _revised(bench, plan.batch, written, latest, told["rules"] if told.get("reason") == RULES_CHANGED else ())
    regrouped = _regrouped(bench, written, revised, latest)
    fresh = _fresh(bench.state, revised.alerts)
    numbers = {rule.uid: index for index, rule in enumerate(bench.program.ruleset.rules)}
    hits = Counter({numbers[uid]: count for uid, count in written.hits.items() if uid in numbers})
    notes = [*revised.notes, *cut, *_notes(written)]
    report = build_report(written.totals, skips, rejects, bench.program, bench.mappings, hits, Raised(fresh, notes), fresh, None)
    result = BatchResult(
        plan.batch,
        revised.alerts,
        revised.ended,
        {told["source"]: planned.settled(written.ends)} if "source" in told and "again" not in told else {},
        written.totals.latest,
        as_json(report),
        _hashes_after(plan, told, begun, bench),
        [sink.name for sink in bench.config.sinks],
        Level.of(bench.config.min_level),
        regrouped.incidents,
        regrouped.components,
    )
    done = bench.state.commit(result, bench.now)
    incidents = bench.state.incidents(IncidentQuery(uids=done.incidents.uids)) if done.incidents.uids else []
    return Done(told.get("source"), plan.batch, report, done, tuple(fresh), tuple(stored.incident for stored in incidents))


def _touch_all(written: Written, bench: Bench, *, bounded: bool) -> None:
    """Let every rule be touched on the days of the events of this batch, ``bounded`` by the horizon.

    Of a batch that was committed before, nobody knows what it withdrew.
    """
    if not written.totals.spans:
        return
    low, high = min(low for low, _ in written.totals.spans.values()), max(high for _, high in written.totals.spans.values())
    since = [moment for source, moment in bench.state.latest().items() if source in written.totals.spans]
    if bounded and since:
        low = max(low, min(since) - bench.config.horizon)
    for rule in bench.program.ruleset.rules:
        widen(written.touched, rule.uid, low - timedelta(days=1), high + timedelta(days=1))


def _hashes_after(plan: Plan, told: Mapping[str, Any], begun: bool, bench: Bench) -> Mapping[str, str]:
    """The rules whose hits on what is stored are there when this batch is done."""
    before, current = bench.state.rule_hashes(), all_hashes(bench.program)
    if begun and plan.rules_digest != rules_digest(bench.program):
        return before
    if told.get("reason") == RULES_CHANGED:
        done = {uid: current[uid] for uid in told["rules"] if uid in current}
        return {uid: content for uid, content in before.items() if uid not in told["rules"]} | done
    return before if bench.state.latest() else current


def _collect(planned: Planned, name: str, plan: Plan, bench: Bench, writers: Writers, again: Mapping[str, str | None] | None) -> Written | None:
    """Read the planned objects. ``again``: between these times, and however late the events are, they change alerts."""
    configured = next((source for source in bench.config.sources if source.name == name), None)
    settings = replace(bench.settings, source=configured.source if configured else None)
    if again is not None:
        settings = replace(settings, start=_moment(again["start"]), end=_moment(again["end"]))
    at = Collecting(
        bench.lake,
        writers,
        plan.batch,
        source=name,
        program=bench.program,
        mappings=bench.mappings,
        settings=settings,
        latest=bench.state.latest() if again is None else {},
        horizon=bench.config.horizon,
        stopped=bench.stopped,
        runner=bench.runner,
        stage=Stage("reading", f"batch {plan.batch} of {name}, rules {plan.rules_digest[:12]}"),
    )
    return write_batch(Input(FilesTransport(()), list(planned.objects)), at)


def _revised(bench: Bench, batch: int, written: Written, latest: Mapping[str, datetime], changed: Sequence[str]) -> Revision:
    """The alerts that this batch's hits, a watermark that moved or a changed document make different."""
    touched = dict(written.touched)
    for stored in bench.state.alerts(AlertQuery(states=(State.OPEN,))):
        touched[stored.alert.rule.uid] = union(touched.get(stored.alert.rule.uid), (stored.alert.first_time, stored.alert.last_time))
    marks = watermarks(latest, bench.mappings, bench.now)
    principals, by_principal = StoredOrigins(bench.lake, bench.mappings), bool(bench.program.by_principal())

    def hits(rules: Sequence[str], low: datetime, high: datetime) -> pl.DataFrame:
        found = bench.lake.hits_between(rules, low, None).filter(pl.col("time") <= high)
        read = from_lake(found.collect(), bench.program)
        return with_principal(read, principals(read)) if by_principal else read

    def evaluate(work: Work, reads: Mapping[str, Span]) -> Gathered:
        low, high = overall(reads)
        paths, rows = hit_files(bench.lake, low, high) if not bench.runner.shares_memory else ([], 0)
        if worth_it(rows, bench.runner):
            about = Stage("", f"batch {batch}, rules {rules_digest(bench.program)[:12]}")
            # To stop here would leave a batch in the lake that the state does not know yet: the next run would take it up, but so can this one.
            asked = HitFile(bench.program, dict.fromkeys(reads, (low, high)))
            origins = far_origins(paths, asked, principals, bench.runner, about, unstopped) if by_principal else None
            told = far_alerts(paths, HitFile(bench.program, dict(reads), origins), work, rows, bench.runner, about, unstopped)
            return told or Gathered()
        return at_once(work, reads, hits)

    def unstopped() -> bool:
        bench.stopped()  # which renews the lease
        return False

    def stored_alerts(uids: Sequence[str], low: datetime, high: datetime) -> list[Alert]:
        wanted = set(uids)
        found = bench.state.alerts(AlertQuery(states=_STANDING, start=low, end=high))
        return [stored.alert for stored in found if stored.alert.rule.uid in wanted]

    def times(rules: Collection[str]) -> pl.Series:
        return bench.lake.hits_between(rules, None, None).select("time").unique().collect(engine="streaming")["time"]

    revised = revision(bench.program, touched, marks, evaluate, stored_alerts, times=times, changed=changed)
    return replace(revised, alerts=with_principals(revised.alerts, bench.lake, bench.mappings, principals))


def _regrouped(bench: Bench, written: Written, revised: Revision, latest: Mapping[str, datetime]) -> Regrouped:
    """The incidents as they are after this batch; late events and edges count as far back as the horizon."""
    ended = {end.uid for end in revised.ended}
    before = [stored.alert for stored in bench.state.alerts(AlertQuery(uids=ended))] if ended else []
    times = [alert.first_time for alert in (*revised.alerts, *before)]
    if written.totals.spans and latest:
        times.append(max(latest.values()) - bench.config.horizon)
        since = [moment for source, moment in bench.state.latest().items() if source in written.totals.spans]
        low = min(low for low, _ in written.totals.spans.values())
        times.append(max(low, min(since) - bench.config.horizon) if since else low)
    if not times:
        return Regrouped()

    def standing(start: datetime) -> list[Alert]:
        stored = bench.state.alerts(AlertQuery(states=_STANDING, start=start))
        found = {each.alert.uid: each.alert for each in stored if not each.alert.rule.uid.startswith(PREFIX)}
        found.update((alert.uid, alert) for alert in revised.alerts if alert.last_time >= start)
        return [alert for uid, alert in found.items() if uid not in ended]

    def work(alerts: Sequence[Alert]) -> list[Incident]:
        if not alerts:
            return []
        return stored_incidents(alerts, bench.program.ruleset, bench.mappings, bench.lake)

    return regroup(min(times), standing, bench.state.incidents_around, work)


def _fresh(state: states.State, alerts: Sequence[Alert]) -> list[Alert]:
    """Those of ``alerts`` that were never stored."""
    if not alerts:
        return []
    known = {stored.alert.uid for stored in state.alerts(AlertQuery(uids=[alert.uid for alert in alerts]))}
    return [alert for alert in alerts if alert.uid not in known]


def _notes(written: Written) -> list[str]:
    notes = []
    if written.known:
        notes.append(f"{written.known:,} events were known from earlier batches")
    if written.replaced:
        notes.append(f"{written.replaced:,} events took the place of other records with their identity")
    if written.too_late:
        notes.append(f"{written.too_late:,} hits came too late to change alerts; `crosswind run --backfill` looks at them")
    return notes


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
