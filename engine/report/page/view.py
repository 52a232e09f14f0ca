"""What the page shows of a run: plain values, redacted, bounded, and said where they were bounded."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from engine import jsontext
from engine.documents.common import clean, shown
from engine.documents.incident import certainty, hunt_command
from engine.documents.redaction import redact_evidence
from engine.model import Alert, Incident, Level, RunReport
from engine.report.page.graph import graph
from engine.report.page.timeline import clock, timeline

LAID_OPEN = 100
"""Incidents with a section of their own; the ranked table names all."""
ALERTS = 200
"""Alerts of one incident that are laid open."""
RECORD = 20_000
"""Characters of a record that are shown."""
JOINS = 100
EVENTS = 20
LONGEST = 2_000
"""Characters of any other value."""


@dataclass(frozen=True, slots=True)
class Page:
    """Everything the template needs. ``incidents`` are rows of the ranked table, ``open`` those with a section."""

    head: dict[str, Any]
    incidents: list[dict[str, Any]]
    open: list[dict[str, Any]]
    rest: dict[str, Any]
    account: dict[str, Any]


def page(incidents: Sequence[Incident], alerts: Sequence[Alert], report: RunReport, now: datetime, *, show_content: bool = False) -> Page:
    """The page of ``incidents`` (most urgent first), made of ``alerts``, as seen at ``now``. Redacted unless ``show_content``."""
    by_uid = {alert.uid: clean(alert, show_content) for alert in alerts}
    number = {incident.uid: rank for rank, incident in enumerate(incidents, 1)}
    rows = [_row(incident, rank, show_content) for rank, incident in enumerate(incidents, 1)]
    opened = [
        {**row, **_section(incident, [by_uid[uid] for uid in incident.alert_uids if uid in by_uid], number, show_content)}
        for row, incident in zip(rows[:LAID_OPEN], incidents, strict=False)
    ]
    alone = set(by_uid) - {uid for incident in incidents for uid in incident.alert_uids}
    levels = Counter(incident.level for incident in incidents)
    head = {
        "made": clock(now),
        "content": show_content,
        "levels": [(level.word, levels[level]) for level in sorted(Level, reverse=True) if levels[level]],
        "alerts": len(alerts),
        "clouds": sorted({cloud for row in rows for cloud in row["clouds"]}),
    }
    return Page(head, rows, opened, {"closed": max(len(incidents) - LAID_OPEN, 0), "alone": len(alone)}, _account(report, show_content))


def _row(incident: Incident, rank: int, show_content: bool) -> dict[str, Any]:
    lasted = incident.last_time - incident.first_time
    return {
        "rank": rank,
        "uid": incident.uid,
        "anchor": f"incident-{rank}",
        "level": incident.level.word,
        "severity": int(incident.level),
        "score": incident.score,
        "title": _text(incident.title, show_content),
        "who": [_text(principal.entity, show_content) for principal in incident.principals],
        "clouds": list(dict.fromkeys(cloud.provider for cloud in incident.clouds if cloud.provider)),
        "first": clock(incident.first_time),
        "last": clock(incident.last_time),
        "lasted": _lasted(lasted.total_seconds()),
        "alerts": len(incident.alert_uids),
        "events": incident.events,
        "tactics": [step.tactic.replace("-", " ") for step in incident.tactics],
        "status": incident.status,
    }


def _section(incident: Incident, alerts: Sequence[Alert], number: Mapping[str, int], show_content: bool) -> dict[str, Any]:
    titles = {alert.uid: alert.rule.title for alert in alerts}
    places = {alert.uid: index for index, alert in enumerate(alerts, 1)}
    joins = [
        {
            "a": titles.get(join.a, join.a),
            "b": titles.get(join.b, join.b),
            "at": (places.get(join.a), places.get(join.b)),
            "reason": join.reason,
            "strength": str(join.strength),
            "key": _text(join.key, show_content),
            "evidence": [_text(uid, show_content) for uid in join.evidence[:3]],
        }
        for join in incident.joins[:JOINS]
    ]
    blast = asdict(incident.blast)
    return {
        "confidence": certainty(incident),
        "accounts": [_text(" ".join(filter(None, (cloud.provider, cloud.account))), show_content) for cloud in incident.clouds],
        "sources": incident.sources,
        "principals": [
            {
                "entity": _text(each.entity, show_content),
                "strength": str(each.strength),
                "evidence": [_text(uid, show_content) for uid in each.evidence[:3]],
            }
            for each in incident.principals
        ],
        "timeline": timeline(incident, alerts),
        "graph": graph(incident, alerts, show_content=show_content),
        "factors": [{**asdict(factor), "why": _text(factor.why, show_content), "rule": titles.get(factor.about, "")} for factor in incident.factors],
        "joins": joins,
        "joins_left": incident.joins_total - len(joins),
        "blast": [
            (name, [_text(value, show_content) for value in blast[name]]) for name in ("read", "written", "data", "models", "accounts") if blast[name]
        ],
        "blast_left": incident.blast.left_out,
        "responsibility": incident.responsibility,
        "hunts": [{"command": shown(hunt_command(hunt), show_content), "why": hunt.why} for hunt in incident.next_hunts],
        "containment": [{**asdict(step), "command": shown(step.command, show_content)} for step in incident.containment],
        "continues": _neighbour(incident.continues, number),
        "continued_by": _neighbour(incident.continued_by, number),
        "notes": [_text(note, show_content) for note in incident.notes],
        "opened": [_alert(alert, place, show_content) for place, alert in enumerate(alerts[:ALERTS], 1)],
        "left": max(len(alerts) - ALERTS, 0),
    }


def _neighbour(uid: str | None, number: Mapping[str, int]) -> tuple[str, int | None] | None:
    return (uid, number.get(uid)) if uid else None


def _alert(alert: Alert, place: int, show_content: bool) -> dict[str, Any]:
    evidence = redact_evidence(alert.evidence, show_content=show_content)
    record = evidence.pop("raw_data", None)
    return {
        "place": place,
        "uid": alert.uid,
        "level": alert.level.word,
        "severity": int(alert.level),
        "title": alert.rule.title,
        "reason": _text(alert.reason, show_content),
        "description": " ".join((alert.rule.description or "").split()),
        "state": str(alert.state),
        "first": clock(alert.first_time),
        "last": clock(alert.last_time),
        "count": alert.count,
        "sources": alert.sources,
        "tags": alert.rule.tags,
        "harmless": alert.rule.falsepositives,
        "response": alert.rule.response,
        "entities": [(entity.type, _text(entity.value, show_content)) for entity in alert.entities],
        "events": [
            {
                "time": clock(event.time),
                "operation": event.operation or "",
                "source": event.source,
                "uid": event.uid,
                "place": f"{event.object}:{event.position}",
            }
            for event in alert.events[:EVENTS]
        ],
        "more": max(alert.count - min(len(alert.events), EVENTS), 0),
        "evidence": [(name, _cell(value)) for name, value in evidence.items()],
        "record": _record(record),
    }


def _record(text: Any) -> tuple[str, int] | None:
    """A record laid out for reading, and how many characters of it are not shown."""
    if not isinstance(text, str):
        return None
    with suppress(ValueError, RecursionError):  # what is not JSON is shown as it stands
        text = json.dumps(jsontext.loads(text), indent=2, ensure_ascii=False)
    return text[:RECORD], max(len(text) - RECORD, 0)


def _cell(value: Any) -> str:
    if isinstance(value, datetime):
        return clock(value)
    text = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text) - LONGEST:,} more characters)"


def _text(text: str, show_content: bool) -> str:
    return _cell(shown(text, show_content))


def _lasted(seconds: float) -> str:
    for size, word in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {word}".replace(".0 ", " ")
    return f"{seconds:.0f} s"


def _account(report: RunReport, show_content: bool) -> dict[str, Any]:
    """Where every record went, and what could not be seen."""
    idle = Counter(status.reason or "" for status in report.rules if status.outcome == "cannot_fire")
    skipped: Counter[str] = Counter()
    for skip in report.skips:
        skipped[_text(skip.reason, show_content)] += skip.count
    counted = ("events", "duplicates", "conflicts", "skipped", "out_of_range", "rejected")
    return {
        "objects": report.objects,
        "objects_failed": report.objects_failed,
        "records": report.records,
        "parts": [(name.replace("out_of_range", "outside the time range"), count) for name in counted if (count := getattr(report, name))],
        "sources": [
            (each.source, each.events, clock(each.first_time) if each.first_time else "", clock(each.last_time) if each.last_time else "")
            for each in report.sources
        ],
        "rules": Counter(status.outcome for status in report.rules),
        "idle": sorted(idle.items(), key=lambda item: (-item[1], item[0])),
        "skipped": sorted(skipped.items(), key=lambda item: (-item[1], item[0]))[:EVENTS],
        "notes": report.notes,
        "failures": [_text(failure, show_content) for failure in report.failures[:EVENTS]],
        "failures_left": max(len(report.failures) - EVENTS, 0),
        "interrupted": report.interrupted,
    }
