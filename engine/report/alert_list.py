"""Stored alerts, a line each, for people or as NDJSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TextIO

from rich.console import Console
from rich.text import Text

from engine.documents.common import shown, timestamp
from engine.documents.escaping import safe_text
from engine.documents.native import to_native
from engine.documents.output import json_line
from engine.report.table import STYLES
from engine.store.records import StoredAlert

SHORT = 12
"""So many characters of a uid tell alerts apart."""
_LONGEST = 100


def write_list(alerts: Sequence[StoredAlert], form: str, stream: TextIO, *, show_content: bool = False) -> None:
    """Write ``alerts`` in their order."""
    if form == "ndjson":
        for each in alerts:
            stream.write(json_line(document(each, show_content=show_content)) + "\n")
        return
    console = Console(file=stream, highlight=False, soft_wrap=True)
    for each in alerts:
        console.print(_line(each, show_content))
    console.print(f"{len(alerts):,} alert{'s' if len(alerts) != 1 else ''}" if alerts else "No alerts like that.")


def document(stored: StoredAlert, *, show_content: bool = False) -> dict[str, Any]:
    """The alert's own document with what the store knows beside it."""
    human = stored.human
    return {
        **to_native(stored.alert, show_content=show_content),
        "revision": stored.revision,
        "sequence": stored.sequence,
        "superseded_by": list(stored.superseded_by),
        "why": shown(stored.why, show_content) if stored.why else None,
        "created": timestamp(stored.created),
        "updated": timestamp(stored.updated),
        "status": human.status if human else "open",
        "assignee": human.assignee if human else None,
        "verdict": human.verdict if human else None,
        "verdict_reason": human.reason if human else None,
        "notes": [{"who": note.who, "at": timestamp(note.at), "text": note.text} for note in human.notes] if human else [],
    }


def _line(stored: StoredAlert, show_content: bool) -> Text:
    alert, human = stored.alert, stored.human
    status = human.status if human else "open"
    if human and human.verdict:
        status = human.verdict
    reason = shown(alert.reason, show_content)
    text = Text()
    text.append(f"{safe_text(alert.uid[:SHORT])}  ")
    text.append(f"{alert.level.word:<13}", style=STYLES[alert.level.word])
    text.append(f"  {status:<14}  {safe_text(human.assignee or '-') if human else '-':<10}  {alert.last_time:%Y-%m-%d %H:%M}  ")
    text.append(safe_text(alert.rule.title), style="bold")
    if alert.state.value != "live":
        text.append(f"  [{alert.state.value}]", style="dim")
    text.append(f"  ×{alert.count:,}  {safe_text(reason if len(reason) <= _LONGEST else reason[:_LONGEST] + '…')}")
    return text
