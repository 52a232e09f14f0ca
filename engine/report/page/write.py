"""The page as one file: template, style and script in it, and a policy that lets nothing else run or load."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from engine.documents.destination import open_output
from engine.documents.escaping import safe_lines
from engine.model import Alert, Incident, RunReport
from engine.report.page.view import Page, page

_FOLDER = Path(__file__).with_name("data")


def write_page(
    incidents: Sequence[Incident],
    alerts: Sequence[Alert],
    report: RunReport,
    now: datetime,
    path: Path,
    *,
    show_content: bool = False,
) -> None:
    """Write the page to ``path``, readable by its owner alone: logs are private. Raises SinkError where that cannot be done."""
    text = render(page(incidents, alerts, report, now, show_content=show_content))
    with open_output(path, private=True) as stream:
        stream.write(text)


def render(shown: Page) -> str:
    """The whole page as text. Every value in it is escaped for where it stands, and nothing but the script whose digest the policy names can run."""
    style, script = _part("style.css"), _part("script.js")
    return str(_template().render(page=shown, style=style, script=script, style_digest=_digest(style), script_digest=_digest(script)))


@cache
def _template() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, finalize=_visible, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["thousands"] = lambda number: f"{number:,}"
    return environment.get_template("page.html")


def _visible(value: Any) -> Any:
    """What turns the direction of text or cannot be seen is written out; markup of the template itself stays as it is."""
    return safe_lines(value) if type(value) is str else value


@cache
def _part(name: str) -> Any:
    from markupsafe import Markup

    return Markup((_FOLDER / name).read_text(encoding="utf-8"))  # noqa: S704 a file of ours, not a value of a log


def _digest(part: str) -> str:
    return f"sha256-{base64.b64encode(sha256(str(part).encode()).digest()).decode()}"
