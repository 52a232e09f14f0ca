"""The story of the sample logs, told from what the scan really found."""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from engine.documents.escaping import safe_text
from engine.errors import EngineError
from engine.model import Alert, Level
from engine.report.incident_list import print_incidents
from engine.report.summary import Result
from engine.report.table import STYLES


def read_story(folder: Path) -> list[dict[str, Any]]:
    """The steps of the attack in ``folder``/expected.json. Raises EngineError where the file is missing or broken."""
    path = folder / "expected.json"
    try:
        steps: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["story"]
    except (OSError, ValueError, KeyError) as error:
        raise EngineError(f"{path} cannot be read ({error}); install crosswind again") from error
    return steps


def caught(step: dict[str, Any], alerts: Sequence[Alert]) -> list[Alert]:
    """The alerts that hold an event of this step, the most severe first."""
    uids = set(step["event_uids"])
    return sorted((alert for alert in alerts if uids.intersection(alert.event_uids)), key=lambda alert: (-alert.level, alert.first_time, alert.uid))


def print_story(result: Result, folder: Path) -> None:
    """What came in, what was found in which order, why it matters, what to run next."""
    console = Console(highlight=False, soft_wrap=True)
    steps = read_story(folder)
    report = result.report
    sources = ", ".join(f"{source.events:,} {source.source}" for source in report.sources)
    console.print(Text("crosswind demo: two days of Example Corp, three clouds, one stolen key\n", style="bold"))
    console.print(f"What came in   {report.objects:,} objects, {report.records:,} records: {sources}")
    console.print(
        f"What was left  {report.duplicates:,} duplicates, {report.skipped + report.objects_skipped:,} skipped, {report.rejected:,} rejected"
    )
    levels = ", ".join(f"{count} {word}" for word, count in report.alerts_by_level if count)
    console.print(f"What was found {report.alerts:,} alerts ({levels}) from {report.hits:,} hits in {report.seconds:.1f} s\n")
    told: set[str] = set()
    for step in steps:
        found = caught(step, result.alerts)
        told.update(alert.uid for alert in found)
        console.print(_step(step, found))
    others = [alert for alert in result.alerts if alert.uid not in told]
    if others:
        worst = max(alert.level for alert in others)
        console.print(
            f"Beside the story: {len(others)} more alerts in ordinary life, at most {worst.word}; a night's work begins with the ones above.\n"
        )
    console.print("What belongs together\n", style="bold")
    print_incidents(result.incidents, sys.stdout)
    missed = sum(not caught(step, result.alerts) for step in steps)
    console.print(_next(len(steps) - missed, len(steps), folder))


def _step(step: dict[str, Any], found: Sequence[Alert]) -> Text:
    text = Text()
    text.append(f"{step['time'][5:16].replace('T', ' ')}  ", style="dim")
    text.append(f"{safe_text(step['title'])}", style="bold")
    text.append(f"   {step['cloud']} · {step['source']}\n", style="dim")
    text.append(f"             {safe_text(step['why'])}\n")
    shown = [alert for alert in found if alert.level >= Level.MEDIUM] or list(found)
    titles = Counter((alert.level, alert.rule.title) for alert in shown)
    for (level, title), times in sorted(titles.items(), key=lambda item: (-item[0][0], item[0][1])):
        text.append("             → ")
        text.append(level.word, style=STYLES[level.word])
        text.append(f"  {safe_text(title)}" + (f"   ×{times}" if times > 1 else "") + "\n")
    if not found:
        text.append("             → not caught\n", style="dim")
    return text


def _next(seen: int, steps: int, folder: Path) -> Text:
    text = Text()
    text.append(f"{seen} of {steps} steps were caught, in AWS, Azure and GCP, from the logs alone.\n\n", style="bold")
    text.append("What to run next\n", style="bold")
    command = _command()
    logs = _relative(folder / "logs")
    lines = (
        (f"{command} scan {logs}", "the same alerts, with who, where and why"),
        (f"{command} scan {logs} --format ndjson | head -1", "one alert as a document"),
        (f"{command} scan {logs} -o alerts.ndjson --report report.html", "what to hand to a responder: one page with every incident"),
        (f"{command} events {logs} --source ai.litellm --limit 3", "what an inference log looks like in the common schema"),
        (f"{command} scan PATH", "your own logs: a folder, a bucket dump, any mix"),
    )
    width = max(len(line) for line, _ in lines)
    for line, why in lines:
        text.append(f"  {line:<{width}}   {why}\n")
    return text


def _command() -> str:
    """How to call crosswind from here: by its name where the shell would find it."""
    called = Path(sys.argv[0])
    if shutil.which("crosswind") is not None or called.name != "crosswind":
        return "crosswind" if called.name == "crosswind" else "python -m engine.cli"
    return str(_relative(called.absolute()))


def _relative(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
