"""The honest account of a run: everything that came in stands in exactly one place, every rule ran or is named with why not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from engine.correlate.alerts import Raised
from engine.detect.program import Program
from engine.documents.redaction import redact_text
from engine.model import Alert, Level, Reject, RuleStatus, RunReport, Skip, SourceCount, State
from engine.report.correlations import correlation_statuses
from engine.schema import Mapping
from engine.sigma.tree import Rule
from engine.store.memory import Losers

LISTED = 1000
"""Most skips and rejects a report names one by one; the counts are always whole."""


class _Batch(Protocol):
    skips: list[Skip]
    rejects: list[Reject]
    failed: list[Reject]
    objects_done: int
    stored: int
    decompressed: int


class _Found(Protocol):
    @property
    def batch(self) -> _Batch: ...

    records: int
    unknown: list[Skip]
    rejects: list[Reject]
    out_of_range: int
    flagged: int
    events: Counter[str]
    spans: dict[str, tuple[datetime, datetime]]
    latest: dict[str, datetime]
    seen_paths: dict[str, set[str]]


@dataclass(slots=True)
class Totals:
    """Running sums of a run. Batches may come in any order."""

    objects: int
    objects_done: int = 0
    stored: int = 0
    decompressed: int = 0
    records: int = 0
    out_of_range: int = 0
    flagged: int = 0
    duplicates: int = 0
    conflicts: int = 0
    events: Counter[str] = field(default_factory=Counter)
    spans: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)
    latest: dict[str, datetime] = field(default_factory=dict)
    skipped_records: Counter[tuple[str, str]] = field(default_factory=Counter)
    skipped_objects: list[Skip] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    rejected: int = 0
    failed: list[Reject] = field(default_factory=list)
    seen_paths: dict[str, set[str]] = field(default_factory=dict)
    interrupted: bool = False
    seconds: float = 0.0
    seconds_loading: float = 0.0

    def add(self, found: _Found) -> None:
        """Take the counts of one batch."""
        batch = found.batch
        self.objects_done += batch.objects_done
        self.stored += batch.stored
        self.decompressed += batch.decompressed
        record_skips = [skip for skip in batch.skips if skip.position is not None]
        self.skipped_objects.extend(skip for skip in batch.skips if skip.position is None)
        self.failed.extend(reject for reject in batch.rejects if reject.position is None)
        unread = [reject for reject in batch.rejects if reject.position is not None]
        rejected = [replace(reject, reason=redact_text(reject.reason)) for reject in (*unread, *found.rejects)]
        self.records += found.records + len(unread) + sum(skip.count for skip in record_skips)
        self.rejected += len(rejected)
        self.rejects = sorted([*self.rejects, *rejected], key=_reject_order)[:LISTED]
        self.failed.extend(batch.failed)
        for skip in (*record_skips, *found.unknown):
            self.skipped_records[skip.object, redact_text(skip.reason)] += skip.count
        self.out_of_range += found.out_of_range
        self.flagged += found.flagged
        self.events.update(found.events)
        self._reach(found.spans, found.latest, found.seen_paths)

    def _reach(
        self, spans: AnyMapping[str, tuple[datetime, datetime]], latest: AnyMapping[str, datetime], seen_paths: AnyMapping[str, set[str]]
    ) -> None:
        for source, (low, high) in spans.items():
            known = self.spans.get(source, (low, high))
            self.spans[source] = (min(known[0], low), max(known[1], high))
        for source, moment in latest.items():
            self.latest[source] = max(self.latest.get(source, moment), moment)
        for source, paths in seen_paths.items():
            self.seen_paths.setdefault(source, set()).update(paths)

    def merge(self, other: Totals) -> None:
        """Take the sums of another part of the same run."""
        for name in ("objects_done", "stored", "decompressed", "records", "out_of_range", "flagged", "duplicates", "conflicts", "rejected"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.events.update(other.events)
        self.skipped_records.update(other.skipped_records)
        self.skipped_objects.extend(other.skipped_objects)
        self.failed.extend(other.failed)
        self.rejects = sorted([*self.rejects, *other.rejects], key=_reject_order)[:LISTED]
        self._reach(other.spans, other.latest, other.seen_paths)

    def losers(self, losers: Losers, sources: Sequence[str]) -> None:
        """Take what dedupe found."""
        self.duplicates, self.conflicts = losers.duplicates, losers.conflicts
        for code, count in losers.duplicates_by_source.items():
            self.events[sources[code]] -= count


def _reject_order(reject: Reject) -> tuple[str, int, str]:
    return (reject.object, -1 if reject.position is None else reject.position, reject.reason)


def build_report(
    totals: Totals,
    skips: Sequence[Skip],
    rejects: Sequence[Reject],
    program: Program,
    mappings: AnyMapping[str, Mapping],
    hits: Counter[int],
    raised: Raised,
    shown: Sequence[Alert],
    only: str | None,
) -> RunReport:
    """The report of a run. ``hits``: hits by rule index; ``skips``, ``rejects``: what listing left out; ``raised`` all, ``shown`` those asked for."""
    alerts = raised.alerts
    record_skips = [Skip(uri, reason, count) for (uri, reason), count in sorted(totals.skipped_records.items())]
    object_skips = sorted((*skips, *totals.skipped_objects), key=lambda skip: (skip.object, skip.reason))
    failed = sorted((*rejects, *totals.failed), key=_reject_order)
    counted = Counter(alert.rule.uid for alert in alerts)
    statuses = _statuses(program, mappings, totals, hits, counted, only)
    statuses += correlation_statuses(program, {status.uid: status for status in statuses}, counted)
    failed_objects = {reject.object for reject in failed}
    levels = Counter(alert.level for alert in shown)
    failures = [f"{reject.object}: {redact_text(reject.reason)}" for reject in failed]
    failures += [str(error) for error in program.ruleset.errors]
    failures += [status.reason or status.title for status in statuses if status.outcome == "failed" and status.uid]
    failures += _record_failures(totals)
    if totals.interrupted:
        failures.append(f"interrupted: {totals.objects - totals.objects_done} of {totals.objects} objects were not read to the end")
    notes = [*program.ruleset.notes, *program.partly, *raised.notes]
    if waiting := sum(alert.state is State.OPEN for alert in shown):
        notes.append(f"{waiting:,} alert{'s are' if waiting != 1 else ' is'} open: later records could still undo {'them' if waiting != 1 else 'it'}")
    if len(shown) < len(alerts):
        hidden = len(alerts) - len(shown)
        notes.append(f"{hidden:,} alert{'s' if hidden != 1 else ''} below the level asked for {'are' if hidden != 1 else 'is'} not shown")
    return RunReport(
        objects=totals.objects + len(skips) + len(rejects),
        objects_skipped=len({skip.object for skip in object_skips} - failed_objects),
        objects_failed=len(failed_objects),
        bytes_read=totals.stored,
        bytes_decompressed=totals.decompressed,
        records=totals.records,
        events=sum(totals.events.values()),
        duplicates=totals.duplicates,
        conflicts=totals.conflicts,
        skipped=sum(totals.skipped_records.values()),
        out_of_range=totals.out_of_range,
        rejected=totals.rejected,
        flagged=totals.flagged,
        hits=sum(hits.values()),
        alerts=len(shown),
        alerts_by_level=tuple((level.word, levels[level]) for level in sorted(Level, reverse=True)),
        sources=tuple(SourceCount(name, totals.events[name], *totals.spans.get(name, (None, None))) for name in mappings if totals.events[name]),
        rules=tuple(statuses),
        skips=_listed([*object_skips, *record_skips]),
        rejects=tuple([*failed, *totals.rejects][:LISTED]),
        failures=tuple(failures),
        notes=tuple(notes),
        seconds=totals.seconds,
        seconds_loading=totals.seconds_loading,
        interrupted=totals.interrupted,
    )


def _listed(skips: Sequence[Skip]) -> tuple[Skip, ...]:
    """The first of ``skips`` one by one, the others summed by reason: no count gets lost."""
    rest: Counter[str] = Counter()
    for skip in skips[LISTED:]:
        rest[skip.reason] += skip.count
    return (*skips[:LISTED], *(Skip("(others)", reason, count) for reason, count in sorted(rest.items())))


def _record_failures(totals: Totals) -> list[str]:
    """A line for each object and reason. What is wrong with an object as a whole has no position."""
    alike: dict[tuple[str, str], list[Reject]] = {}
    for reject in totals.rejects:
        alike.setdefault((reject.object, reject.reason), []).append(reject)
    lines = []
    for (uri, reason), rejects in alike.items():
        first = rejects[0].position
        place = uri if first is None else f"{uri}: record {first}"
        more = len(rejects) - 1
        lines.append(f"{place}: {reason}" + (f"; likewise {more:,} more record{'s' if more > 1 else ''} of it" if more else ""))
    if totals.rejected > len(totals.rejects):
        lines.append(f"{totals.rejected - len(totals.rejects):,} more records were rejected and are not listed")
    return lines


def _statuses(
    program: Program, mappings: AnyMapping[str, Mapping], totals: Totals, hits: Counter[int], alerts: Counter[str], only: str | None
) -> list[RuleStatus]:
    running: dict[str, list[str]] = {}
    for source, rules in program.running().items():
        for rule in rules:
            running.setdefault(rule.uid, []).append(source)
    found: list[RuleStatus] = []
    for index, rule in enumerate(program.ruleset.rules):
        outcome, reason = _outcome(rule, running.get(rule.uid, []), program, mappings, totals, only)
        if outcome == "ran" and not hits[index] and (unseen := program.never_seen(rule.uid, totals.seen_paths)):
            reason = f"reads fields never seen in this input: {', '.join(unseen)}"
        found.append(RuleStatus(rule.uid, rule.title, rule.level, rule.path, outcome, reason, hits[index], alerts[rule.uid]))
    found.extend(RuleStatus("", error.rule or "?", "", error.path, "failed", str(error)) for error in program.ruleset.errors)
    found.extend(
        RuleStatus(other.uid, other.title, "", other.path, "cannot_fire", f"{other.kind} documents are not run yet")
        for other in program.ruleset.others
    )
    return found


def _outcome(
    rule: Rule, sources: Sequence[str], program: Program, mappings: AnyMapping[str, Mapping], totals: Totals, only: str | None
) -> tuple[str, str | None]:
    if rule.uid in program.refused:
        return "failed", str(program.refused[rule.uid])
    if not sources:
        return "cannot_fire", f"no source has logs of {rule.logsource}"
    present = [source for source in sources if totals.events[source] > 0]
    if not present:
        if len(sources) > 3:
            return "cannot_fire", f"no events of its {len(sources)} sources in this input ({', '.join(sources[:3])}, …)"
        return "cannot_fire", f"no {' or '.join(sources)} events in this input"
    return "ran", None
