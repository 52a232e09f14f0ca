"""What a responder is handed of one incident: Markdown to read, JSON to work with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from engine.documents.escaping import safe_text
from engine.documents.incident import certainty, incident_document
from engine.documents.incident_ocsf import describe
from engine.documents.native import to_native
from engine.model import Alert, Incident

ALERTS = 500
JOINS = 50
FACTORS = 30
_MARKS = re.compile(r"([\\`*_{}\[\]()<>#+!|~&$])")


def packet_document(incident: Incident, alerts: Mapping[str, Alert], *, show_content: bool = False) -> dict[str, Any]:
    """The incident and the first `ALERTS` of its alerts in full, as plain values."""
    members = [alerts[uid] for uid in incident.alert_uids[:ALERTS] if uid in alerts]
    return {
        "incident": incident_document(incident, show_content=show_content),
        "alerts": [to_native(alert, show_content=show_content) for alert in members],
        "alerts_left_out": len(incident.alert_uids) - len(members),
    }


def packet_markdown(incident: Incident, alerts: Mapping[str, Alert], *, show_content: bool = False) -> str:
    """The same for people. Values of logs are escaped: they make no markup, link, table or line of their own."""
    packet = packet_document(incident, alerts, show_content=show_content)
    told = packet["incident"]
    blast = told["blast"]
    lines = [
        f"# {escaped(told['title'])}",
        "",
        escaped(describe(told)),
        "",
        f"- Incident `{told['uid']}`, {told['level']}, score {told['score']}, status {escaped(told['status'])}, joins: {certainty(incident)}",
        f"- From {told['first_time']} to {told['last_time']}",
        f"- Sources: {escaped(', '.join(told['sources'])) or 'none'}",
        f"- Who must act: {escaped(', '.join(told['responsibility'])) or 'not known'}",
        *([f"- Continues `{told['continues']}`"] if told["continues"] else []),
        *([f"- Goes on in `{told['continued_by']}`"] if told["continued_by"] else []),
        *_section("Who", [f"{code(each['entity'])} ({each['strength']})" for each in told["principals"]]),
        *_section("Course", [f"{each['time']} {each['tactic']}" for each in told["tactics"]]),
        *_section("Alerts", [_alert(alert) for alert in packet["alerts"]], packet["alerts_left_out"]),
        *_section("Why they belong together", [_join(join) for join in told["joins"][:JOINS]], max(0, told["joins_total"] - JOINS)),
        *_section("Changed", [code(each) for each in blast["written"]]),
        *_section("Read", [code(each) for each in blast["read"]], blast["left_out"]),
        *_section("Models", [code(each) for each in blast["models"]]),
        *_section("Accounts", [code(each) for each in blast["accounts"]]),
        *_section(
            "Contain: commands to check and copy", [f"{each['provider']}, {each['what']}: {code(each['command'])}" for each in told["containment"]]
        ),
        *_section("Look next", [f"{code(each['command'])}: {each['why']}" for each in told["next_hunts"]]),
        *_section("How the score came about", [_factor(each) for each in _factors(told["factors"])]),
        *_section("Not used", [escaped(note) for note in told["notes"]]),
    ]
    return "\n".join(lines) + "\n"


def _factors(factors: list[dict[str, Any]]) -> list[dict[str, Any]]:
    alerts = [each for each in factors if each["name"] == "alert"]
    return [*alerts[:FACTORS], *(each for each in factors if each["name"] != "alert")]


def _section(title: str, lines: list[str], left_out: int = 0) -> list[str]:
    if not lines:
        return []
    return ["", f"## {title}", "", *(f"- {line}" for line in lines), *([f"- and {left_out:,} more"] if left_out else [])]


def _alert(alert: dict[str, Any]) -> str:
    return f"{alert['first_time']} {alert['level']}: {escaped(alert['rule']['title'])}. {escaped(alert['reason'])} (`{alert['uid']}`)"


def _join(join: dict[str, Any]) -> str:
    proof = ", ".join(code(each) for each in join["evidence"][:4])
    return f"`{join['a']}` and `{join['b']}`: {join['reason']}, {join['strength']}, {code(join['key'])}" + (f"; proof {proof}" if proof else "")


def _factor(factor: dict[str, Any]) -> str:
    return f"{factor['name']} {factor['value']:g} → {factor['points']:g}: {escaped(factor['why'])}"


def escaped(text: str) -> str:
    """``text`` on one line, with nothing in it that Markdown or HTML would obey."""
    return _MARKS.sub(r"\\\1", safe_text(text))


def code(text: str) -> str:
    """``text`` as code, whatever backticks it holds."""
    plain = safe_text(text)
    longest = max((len(run) for run in re.findall(r"`+", plain)), default=0)
    fence = "`" * (longest + 1)
    space = " " if longest else ""
    return f"{fence}{space}{plain}{space}{fence}"
