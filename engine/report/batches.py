"""The account of a run over configured sources, for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TextIO

from engine.documents.escaping import safe_text
from engine.documents.redaction import redact_text
from engine.model import Incident, Reject, RunReport
from engine.report.summary import as_json, print_summary
from engine.store.records import Committed

SHOWN = 8


class Batch(Protocol):
    """One batch that is done."""

    @property
    def source(self) -> str | None: ...
    @property
    def batch(self) -> int: ...
    @property
    def report(self) -> RunReport: ...
    @property
    def committed(self) -> Committed: ...
    @property
    def incidents(self) -> Sequence[Incident]: ...


class Sent(Protocol):
    """What became of the outbox of one sink."""

    sink: str
    delivered: int
    retry: int
    dead: int
    reason: str | None
    stopped: str | None


class Summary(Protocol):
    """What a run did."""

    @property
    def batches(self) -> Sequence[Batch]: ...
    @property
    def quiet(self) -> Sequence[str]: ...
    @property
    def waiting(self) -> int: ...
    @property
    def rejects(self) -> Sequence[Reject]: ...
    @property
    def delivered(self) -> Sequence[Sent]: ...
    @property
    def interrupted(self) -> bool: ...


def failures(summary: Summary) -> list[str]:
    """Everything that failed, a line each."""
    found = [failure for batch in summary.batches for failure in batch.report.failures]
    named = set(found)
    found += [text for reject in summary.rejects if (text := f"{reject.object}: {redact_text(reject.reason)}") not in named]
    for sent in summary.delivered:
        if sent.stopped:
            found.append(f"sink {sent.sink}: {sent.stopped}; what waits for it stays in the outbox")
        elif sent.retry:
            found.append(f"sink {sent.sink}: {sent.retry:,} deliveries wait for another try: {sent.reason}")
        if sent.dead:
            found.append(f"sink {sent.sink}: {sent.dead:,} deliveries were refused for good: {sent.reason}; `crosswind sinks status` lists them")
    if summary.interrupted:
        found.append("interrupted: the batch under way was given up; the next run begins with it")
    return found


def exit_code(summary: Summary) -> int:
    """3 where anything failed, else 0."""
    rejected = any(batch.report.rejected or batch.report.objects_failed for batch in summary.batches)
    return 3 if rejected or failures(summary) else 0


def to_json(summary: Summary) -> dict[str, Any]:
    """The account as plain JSON values."""
    return {
        "batches": [
            {
                "batch": each.batch,
                "source": each.source,
                "report": as_json(each.report),
                "alerts": {"new": each.committed.created, "changed": each.committed.changed, "ended": each.committed.ended},
                "incidents": {
                    "new": each.committed.incidents.created,
                    "changed": each.committed.incidents.changed,
                    "ended": each.committed.incidents.ended,
                },
            }
            for each in summary.batches
        ],
        "without_news": list(summary.quiet),
        "waiting_objects": summary.waiting,
        "delivered": [{"sink": sent.sink, "delivered": sent.delivered, "retry": sent.retry, "dead": sent.dead} for sent in summary.delivered],
        "failures": failures(summary),
        "interrupted": summary.interrupted,
    }


def print_run(summary: Summary, stream: TextIO) -> None:
    """What came in, what it changed, and what was delivered."""
    for each in summary.batches:
        what = f"source {each.source}" if each.source else "rules over stored events"
        stream.write(f"\nbatch {each.batch}: {safe_text(what)}")
        print_summary(each.report, stream=stream)
        done = each.committed
        stream.write(f"stored    {done.created:,} new alerts, {done.changed:,} changed, {done.ended:,} superseded or retracted\n")
        grouped = done.incidents
        stream.write(f"          {grouped.created:,} new incidents, {grouped.changed:,} changed, {grouped.ended:,} merged or withdrawn\n")
    _incidents(summary, stream)
    stream.writelines(f"{safe_text(line)}\n" for line in _end(summary))


def _incidents(summary: Summary, stream: TextIO) -> None:
    """What is new or changed, as the last batch left it."""
    from engine.report.incident_list import print_incidents  # which draws in what draws tables

    last = {incident.uid: incident for each in summary.batches for incident in each.incidents}
    if last:
        stream.write("\n")
        ranked = sorted(last.values(), key=lambda each: (-each.score, each.first_time, each.uid))
        print_incidents(ranked, stream, more="`crosswind incidents list` has all")


def _end(summary: Summary) -> Iterable[str]:
    if summary.quiet:
        yield f"nothing new in {', '.join(summary.quiet)}"
    if summary.waiting:
        yield f"{summary.waiting:,} objects end in the middle of a record and are looked at again"
    for sent in summary.delivered:
        yield f"sink {sent.sink}: {sent.delivered:,} delivered"
    told = {failure for batch in summary.batches for failure in batch.report.failures}
    left = [failure for failure in failures(summary) if failure not in told]
    if left:
        yield "failed"
        yield from (f"  {line}" for line in left[:SHOWN])
        if len(left) > SHOWN:
            yield f"  … and {len(left) - SHOWN:,} more"
