"""The account of a run, for people on standard error and as JSON for machines."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TextIO

from engine.documents.escaping import safe_text
from engine.errors import SinkError
from engine.model import Alert, Incident, Level, RunReport

SHOWN = 8
"""Most lines of one kind the panel shows; the JSON has all."""


class Result(Protocol):
    """A finished scan."""

    @property
    def alerts(self) -> list[Alert]: ...

    @property
    def report(self) -> RunReport: ...

    @property
    def incidents(self) -> list[Incident]: ...

    @property
    def highest(self) -> Level | None: ...


def exit_code_of(report: RunReport) -> int:
    """3 where some input or rule failed, else 0."""
    return 3 if report.failures or report.rejected or report.objects_failed else 0


def exit_code(result: Result, fail_on: Level | None, report: RunReport | None = None) -> int:
    """As `exit_code_of` (``report``: with what failed after the run); else 1 where an alert at or above ``fail_on`` was found, shown or not."""
    code = exit_code_of(report or result.report)
    found = fail_on is not None and result.highest is not None and result.highest >= fail_on
    if found and fail_on is not None:
        sys.stderr.write(f"found alerts at or above {fail_on.word}\n")
    return code or int(found)


def write_summary(report: RunReport, path: Path) -> None:
    """Write the whole report as JSON. Raises SinkError where the file cannot be written."""
    try:
        path.write_text(json.dumps(as_json(report), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise SinkError(f"cannot write the summary to {path}: {error.strerror or error}") from error


def as_json(report: RunReport) -> dict[str, Any]:
    """The report as plain JSON values; equal runs give equal values but for ``seconds``."""

    def plain(value: Any) -> Any:
        if isinstance(value, datetime):
            return value.isoformat().replace("+00:00", "Z")
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value

    document: dict[str, Any] = plain(asdict(report))
    document["alerts_by_level"] = dict(report.alerts_by_level)
    return document


def print_summary(report: RunReport, *, rules: bool = True, stream: TextIO | None = None) -> None:
    """The panel: where every record went, what ran, and what could not be seen."""
    lines = [*_input(report), *(_rules(report) if rules else ()), *_not_covered(report, rules), *_failures(report)]
    (stream or sys.stderr).write("".join(f"{safe_text(line)}\n" for line in lines))


def _input(report: RunReport) -> Iterable[str]:
    working = report.seconds - report.seconds_loading
    speed = f", {report.records / working:,.0f} records/s" if working > 0 and report.records else ""
    rules = f" ({report.seconds_loading:.1f} s of it for loading rules)" if report.seconds_loading >= 0.05 else ""
    took = f" in {report.seconds:.1f} s{rules}" if report.seconds else ""
    read = report.objects - report.objects_skipped - report.objects_failed
    left = [f"{count:,} {word}" for count, word in ((report.objects_skipped, "skipped"), (report.objects_failed, "failed")) if count]
    yield ""
    yield (
        f"objects   {report.objects:,}: {max(read, 0):,} read" + "".join(f", {part}" for part in left)
        + f"; {_size(report.bytes_read)} stored, {_size(report.bytes_decompressed)} of text{took}{speed}"
    )  # fmt: skip
    yield (
        f"records   {report.records:,} = {report.events:,} events + {report.duplicates:,} duplicates + {report.conflicts:,} conflicts"
        f" + {report.skipped:,} skipped + {report.out_of_range:,} outside the time range + {report.rejected:,} rejected"
    )
    for source in report.sources:
        span = f"{_minute(source.first_time)} to {_minute(source.last_time)}"
        yield f"          {source.source:<24} {source.events:>10,} events   {span}"
    if report.flagged:
        yield f"          {report.flagged:,} events are flagged (repaired text, a time in the future, or a field that could not be mapped)"
    if not report.records:
        yield "          nothing to look at: no log records were found; `crosswind sources` shows what can be read"


def _rules(report: RunReport) -> Iterable[str]:
    outcomes = Counter(status.outcome for status in report.rules)
    yield f"rules     {outcomes['ran']:,} ran, {outcomes['failed']:,} failed, {outcomes['cannot_fire']:,} could not fire; {report.hits:,} hits"
    levels = ", ".join(f"{count:,} {word}" for word, count in report.alerts_by_level if count)
    yield f"alerts    {report.alerts:,}" + (f": {levels}" if levels else "")


def _not_covered(report: RunReport, rules: bool) -> Iterable[str]:
    lines: list[str] = []
    if rules:
        reasons = Counter(status.reason or "" for status in report.rules if status.outcome == "cannot_fire")
        lines += _counted(reasons, "rule cannot fire", "rules cannot fire")
        if unseen := sum(status.outcome == "ran" and status.reason is not None for status in report.rules):
            lines.append(f"{unseen:,} rules that ran read fields never seen in this input: a typo, or no such activity (--summary FILE names them)")
    skipped: Counter[str] = Counter()
    for skip in report.skips:
        skipped[skip.reason] += skip.count
    lines += _counted(skipped, "skipped", "skipped")
    lines += report.notes
    if lines:
        yield "not covered"
        yield from (f"  {line}" for line in lines)


def _counted(reasons: Counter[str], one: str, many: str) -> list[str]:
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    lines = [f"{count:,} {one if count == 1 else many}: {reason}" for reason, count in ordered[:SHOWN]]
    if len(ordered) > SHOWN:
        lines.append(
            f"… and {sum(count for _, count in ordered[SHOWN:]):,} more {many} for {len(ordered) - SHOWN} other reasons (--summary FILE has all)"
        )
    return lines


def with_failure(report: RunReport, failure: str) -> RunReport:
    """``report`` with one more thing that failed."""
    return replace(report, failures=(*report.failures, failure))


def _failures(report: RunReport) -> Iterable[str]:
    if report.failures:
        rules = sum(status.outcome == "failed" for status in report.rules)
        counts = ((report.objects_failed, "object"), (report.rejected, "record"), (rules, "rule"))
        parts = [f"{count:,} {word}{'s' if count != 1 else ''}" for count, word in counts if count]
        yield "failed    " + (", ".join(parts) or "see below")
        yield from (f"  {line}" for line in report.failures[:SHOWN])
        if len(report.failures) > SHOWN:
            yield f"  … and {len(report.failures) - SHOWN:,} more (--summary FILE has all)"


def _size(count: int) -> str:
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def _minute(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M") if moment else "?"
