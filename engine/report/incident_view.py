"""One stored incident, laid open: who, what in which order, why it belongs together, its score, what to do, what people did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TextIO

from engine.documents.common import shown, timestamp
from engine.documents.escaping import safe_text
from engine.documents.incident import certainty
from engine.documents.output import json_line
from engine.model import Alert, Incident
from engine.report.alert_list import SHORT
from engine.report.alert_view import change_document, section, told_change
from engine.report.incident_rows import document, whereabouts
from engine.store.records import HumanChange, StoredIncident

_ALERTS = 100
_JOINS = 50
_FACTORS = 30
_PROOF = 3


def write_view(
    stored: StoredIncident,
    alerts: Sequence[Alert],
    history: Sequence[HumanChange],
    form: str,
    stream: TextIO,
    *,
    show_content: bool = False,
) -> None:
    """Write the incident with its ``alerts`` and the ``history`` of what people did about it. Values are redacted unless ``show_content``."""
    shown_as = document(stored, show_content=show_content)
    if form == "ndjson":
        stream.write(json_line({**shown_as, "history": [change_document(each, show_content) for each in history]}) + "\n")
        return
    course = sorted(alerts, key=lambda alert: (alert.first_time, alert.uid))
    lines = [
        *_head(stored, shown_as),
        *_who(shown_as),
        *_course(course, shown_as, show_content),
        *_joins(stored.incident, shown_as),
        *_score(shown_as),
    ]
    lines += _touched(shown_as)
    lines += section(
        "contain: commands to check and copy", [f"{each['provider']}, {each['what']}: {each['command']}" for each in shown_as["containment"]]
    )
    lines += section("look next", [f"{each['command']}    {each['why']}" for each in shown_as["next_hunts"]])
    lines += section("not used", shown_as["notes"])
    lines += section("what people did", [told_change(each, show_content) for each in history])
    stream.write("".join(f"{safe_text(line)}\n" for line in lines))


def _head(stored: StoredIncident, told: Mapping[str, Any]) -> Iterator[str]:
    human = told.get("human") or {}
    yield f"{told['level'].upper()} {told['score']:g}  {told['title']}"
    yield f"  {told['uid']}, revision {told['revision']}, change {told['sequence']}"
    person = [told["status"], *([f"assigned to {human['assignee']}"] if human.get("assignee") else [])]
    person += [f"{human['verdict']}" + (f": {human['reason']}" if human.get("reason") else "")] if human.get("verdict") else []
    yield f"  {', '.join(person)}" + (f"; {went}" if (went := whereabouts(stored)) else "")
    yield f"  {told['first_time']} to {told['last_time']}, {told['alerts']:,} alerts, {told['events']:,} events, {', '.join(told['sources'])}"
    for cloud in told["clouds"]:
        yield f"  {' '.join(part for part in (cloud['provider'], cloud['account']) if part)}"
    if told["responsibility"]:
        yield f"  who must act: {', '.join(told['responsibility'])}"
    if told["continues"] or told["continued_by"]:
        yield f"  part of a longer story: {told['continues'] or '-'} before, {told['continued_by'] or '-'} after"


def _who(told: Mapping[str, Any]) -> Iterator[str]:
    lines = []
    for each in told["principals"]:
        proof = f", proof {', '.join(each['evidence'][:_PROOF])}" if each["evidence"] else ""
        lines.append(f"{each['entity']} ({each['strength']}{proof})")
    yield from section("who", lines)


def _course(alerts: Sequence[Alert], told: Mapping[str, Any], show_content: bool) -> Iterator[str]:
    first = {step["alert"]: step["tactic"] for step in reversed(told["tactics"])}
    lines = [
        f"{timestamp(alert.first_time)}  {alert.level.word:<13}  {first.get(alert.uid, ''):<21}  {alert.rule.title}: "
        f"{shown(alert.reason, show_content)} ({alert.uid[:SHORT]})"
        for alert in alerts[:_ALERTS]
    ]
    if (more := told["alerts"] - len(lines)) > 0:
        lines.append(f"and {more:,} more: `crosswind incidents show {told['uid'][:SHORT]} --format ndjson`")
    yield from section("in this order", lines)


def _joins(incident: Incident, told: Mapping[str, Any]) -> Iterator[str]:
    lines = []
    for join in told["joins"][:_JOINS]:
        proof = f"; proof {', '.join(join['evidence'][:_PROOF])}" if join["evidence"] else ""
        lines.append(f"{join['a'][:SHORT]} and {join['b'][:SHORT]}: {join['reason']}, {join['strength']}, {join['key']}{proof}")
    if (more := told["joins_total"] - len(lines)) > 0:
        lines.append(f"and {more:,} more")
    yield from section(f"why they belong together ({certainty(incident)})", lines)


def _score(told: Mapping[str, Any]) -> Iterator[str]:
    alerts = [each for each in told["factors"] if each["name"] == "alert"]
    rest = [each for each in told["factors"] if each["name"] != "alert"]
    lines = [f"{each['name']} {each['value']:g} → {each['points']:g}: {each['why']}" for each in (*alerts[:_FACTORS], *rest)]
    if (more := len(alerts) - _FACTORS) > 0:
        lines.insert(_FACTORS, f"and {more:,} alerts more")
    yield from section("how the score came about", lines)


def _touched(told: Mapping[str, Any]) -> Iterator[str]:
    blast = told["blast"]
    lines = [f"{name:<8} {value}" for name in ("written", "read", "models", "accounts") for value in blast[name]]
    if blast["left_out"]:
        lines.append(f"and {blast['left_out']:,} more")
    yield from section("what was touched", lines)
