"""Stored incidents, a line each, for people or as NDJSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TextIO

from rich.console import Console
from rich.text import Text

from engine.documents.common import shown, timestamp
from engine.documents.delivered import Layout
from engine.documents.delivered_incident import incident_to_delivered
from engine.documents.escaping import safe_text
from engine.documents.output import json_line
from engine.report.alert_list import SHORT
from engine.report.table import STYLES
from engine.store.records import StoredIncident

_NAMED = 3


def by_weight(incidents: Sequence[StoredIncident]) -> list[StoredIncident]:
    """The worst first."""
    return sorted(incidents, key=lambda each: (-each.incident.score, each.incident.first_time, each.incident.uid))


def write_list(incidents: Sequence[StoredIncident], form: str, stream: TextIO, *, show_content: bool = False) -> None:
    """Write ``incidents`` in their order."""
    if form == "ndjson":
        for each in incidents:
            stream.write(json_line(document(each, show_content=show_content)) + "\n")
        return
    console = Console(file=stream, highlight=False, soft_wrap=True)
    for each in incidents:
        console.print(_line(each, show_content))
    console.print(f"{len(incidents):,} incident{'s' if len(incidents) != 1 else ''}" if incidents else "No incidents like that.")


def document(stored: StoredIncident, *, show_content: bool = False) -> dict[str, Any]:
    """The incident's own document with what the store knows beside it; ``human`` with its notes."""
    made = incident_to_delivered(stored, Layout.NDJSON, show_content=show_content) | {"sequence": stored.sequence}
    if stored.human is not None:
        notes = [{"who": note.who, "at": timestamp(note.at), "text": shown(note.text, show_content)} for note in stored.human.notes]
        made["human"] = {**made["human"], "notes": notes}
    return made


def _line(stored: StoredIncident, show_content: bool) -> Text:
    incident, human = stored.incident, stored.human
    status = human.verdict or human.status if human else "open"
    count = len(incident.alert_uids)
    text = Text()
    text.append(f"{safe_text(incident.uid[:SHORT])}  {incident.score:>3.0f}  ")
    text.append(f"{incident.level.word:<13}", style=STYLES[incident.level.word])
    text.append(f"  {status:<14}  {safe_text(human.assignee or '-') if human else '-':<10}  {incident.last_time:%Y-%m-%d %H:%M}  ")
    text.append(safe_text(shown(incident.title, show_content)), style="bold")
    if (went := whereabouts(stored)) is not None:
        text.append(f"  [{went}]", style="dim")
    text.append(f"  {count:,} alert{'s' if count != 1 else ''}")
    if incident.principals:
        named = ", ".join(safe_text(shown(each.entity.partition(":")[2], show_content)) for each in incident.principals[:_NAMED])
        text.append(f"  {named}{', …' if len(incident.principals) > _NAMED else ''}")
    return text


def whereabouts(stored: StoredIncident) -> str | None:
    """What became of an incident that does not go on under its uid; None where it does."""
    if stored.moved_to:
        return f"{stored.why or 'merged'}: part of {stored.moved_to[:SHORT]}"
    if stored.why:
        return stored.why
    if stored.followed_by:
        return f"went on: {stored.followed_by[:SHORT]}"
    return f"goes on from {stored.follows[:SHORT]}" if stored.follows else None
