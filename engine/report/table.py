"""Alerts for people: one block each, the most severe first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TextIO

from rich.console import Console
from rich.text import Text

from engine.documents.escaping import safe_text
from engine.documents.native import to_native
from engine.model import Alert

STYLES = {"critical": "bold white on red", "high": "bold red", "medium": "yellow", "low": "cyan", "informational": "dim"}


def print_alerts(alerts: Sequence[Alert], stream: TextIO, *, show_content: bool = False, width: int | None = None) -> None:
    """Write ``alerts`` to ``stream``, grouped by level, in order of time within one. Values are neutralised and, unless asked otherwise, redacted."""
    console = Console(file=stream, highlight=False, width=width, soft_wrap=True)
    if not alerts:
        console.print("No alerts.")
        return
    for alert in sorted(alerts, key=lambda alert: (-alert.level, alert.first_time, alert.uid)):
        console.print(_block(to_native(alert, show_content=show_content)))


def _block(alert: dict[str, Any]) -> Text:
    text = Text()
    text.append(f" {alert['level'].upper():<13}", style=STYLES[alert["level"]])
    text.append(f" {safe_text(alert['rule']['title'])}\n", style="bold")
    if alert["state"] == "open":
        text.append("               open: later records could still undo this\n", style="dim")
    span = _time(alert["first_time"])
    if alert["last_time"] != alert["first_time"]:
        span += f" to {_time(alert['last_time'])}"
    clouds = ", ".join(f"{cloud['provider']} {cloud['account']}" for cloud in alert["cloud"] if cloud["provider"] and cloud["account"])
    count = f"{alert['count']:,} event{'s' if alert['count'] != 1 else ''}"
    text.append(f"               {span}   {count}   {', '.join(alert['sources'])}" + (f"   {safe_text(clouds)}" if clouds else "") + "\n")
    text.append(f"               {safe_text(alert['reason'])}\n")
    if rules := alert.get("rules"):
        named = ", ".join(f"{safe_text(rule['title'])} ×{rule['events']:,}" for rule in rules[:5])
        text.append(f"               evidence: {named}" + (f" and {len(rules) - 5} more rules" if len(rules) > 5 else "") + "\n")
    tags = " ".join(tag for tag in alert["rule"]["tags"])
    if tags:
        text.append(f"               {safe_text(tags)}\n", style="dim")
    return text


def _time(text: str) -> str:
    return text[:19].replace("T", " ") + "Z"
