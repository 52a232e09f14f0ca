"""Incidents for people: the worst first, a few lines each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.text import Text

from engine.documents.common import shown
from engine.documents.escaping import safe_text
from engine.documents.incident import certainty, hunt_command
from engine.model import Incident, Level
from engine.report.table import STYLES

SHOWN = 10
_WHY = {
    "sameActor": "one actor",
    "eventSequence": "what one did the other used",
    "sameTargetedAsset": "one target",
    "sharedIndicators": "one rare address",
    "similarArtifacts": "like prompts",
}


def print_incidents(
    incidents: Sequence[Incident], stream: TextIO, *, least: Level = Level.LOW, show_content: bool = False, more: str = "", width: int | None = None
) -> None:
    """Write the worst `SHOWN` of ``incidents`` (sorted, worst first) that have at least the level ``least``; ``more`` says where the others are."""
    console = Console(file=stream, highlight=False, width=width, soft_wrap=True)
    fitting = [incident for incident in incidents if incident.level >= least]
    if not fitting:
        return
    levels = Counter(incident.level.word for incident in fitting)
    named = ", ".join(f"{count:,} {word}" for word, count in levels.items())
    alerts = sum(len(incident.alert_uids) for incident in fitting)
    console.print(Text(f"incidents {len(fitting):,} of {alerts:,} alerts: {named}\n"))
    for incident in fitting[:SHOWN]:
        console.print(_block(incident, show_content))
    if len(fitting) > SHOWN:
        console.print(Text(f"          {len(fitting) - SHOWN:,} more incidents{f'; {more}' if more else ''}\n"))


def _block(incident: Incident, show_content: bool) -> Text:
    def told(value: str) -> str:
        return safe_text(shown(value, show_content))

    text = Text()
    text.append(f"{incident.score:>5.0f}", style="bold")
    text.append(f"  {incident.level.word.upper():<13}", style=STYLES[incident.level.word])
    text.append(f" {told(incident.title)}\n", style="bold")
    span = f"{incident.first_time:%Y-%m-%d %H:%M:%S}Z"
    if incident.last_time != incident.first_time:
        span += f" to {incident.last_time:%Y-%m-%d %H:%M:%S}Z"
    count = len(incident.alert_uids)
    parts = [span, f"{count:,} alert{'s' if count > 1 else ''}", f"{incident.events:,} event{'s' if incident.events > 1 else ''}"]
    text.append(f"       {'   '.join(parts)}   {incident.uid}\n")
    if incident.principals:
        named = ", ".join(told(each.entity.partition(":")[2]) for each in incident.principals[:4])
        left = len(incident.principals) - 4
        text.append(f"       who: {named}{f' and {left} more' if left > 0 else ''}\n")
    if len(incident.tactics) > 1:
        text.append(f"       what: {' → '.join(each.tactic for each in incident.tactics)}\n")
    if incident.joins:
        reasons = Counter(_WHY.get(join.reason, join.reason) for join in incident.joins)
        why = ", ".join(f"{reason} ×{times}" for reason, times in reasons.most_common())
        text.append(f"       joined by: {why} ({certainty(incident)})\n")
    if incident.continues or incident.continued_by:
        text.append(f"       part of a longer story: {incident.continues or '-'} before, {incident.continued_by or '-'} after\n", style="dim")
    if incident.containment:
        first = incident.containment[0]
        text.append(f"       first: {first.what}: {told(first.command)}\n")
    elif incident.next_hunts:
        text.append(f"       first: {told(hunt_command(incident.next_hunts[0]))}\n")
    return text
