"""One stored alert, laid open: what happened, by which rule, the evidence, what to do, what to ask next, who did what about it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TextIO

from engine.documents.common import shown, timestamp
from engine.documents.escaping import safe_text
from engine.documents.output import json_line
from engine.report.alert_list import SHORT, document
from engine.report.rule_view import tag_names
from engine.store.records import HumanChange, StoredAlert

_EVENTS = 20
_PIVOTS = ("actor.user.uid", "actor.user.credential_uid", "x.ai.api_key_uid", "actor.app_uid", "src_endpoint.ip")
"""Columns of the first event that are worth a question, in the order in which to ask."""
_QUESTIONS = 3
_COLUMNS = 'time, "x.source", "api.operation", "actor.user.uid", "src_endpoint.ip", "x.uid"'


def write_view(stored: StoredAlert, history: Sequence[HumanChange], form: str, stream: TextIO, *, show_content: bool = False) -> None:
    """Write the alert with the ``history`` of what people did about it. Values are redacted unless ``show_content``."""
    shown_as = document(stored, show_content=show_content)
    hunts = next_hunts(shown_as)
    if form == "ndjson":
        changes = [change_document(each, show_content) for each in history]
        stream.write(json_line({**shown_as, "history": changes, "next_hunts": hunts}) + "\n")
        return
    lines = [*_head(shown_as), *_rule(shown_as), *_events(shown_as), *_evidence(shown_as)]
    lines += section("what to do", shown_as["rule"]["response"], numbered=True)
    lines += section("what to ask next", hunts)
    lines += section("what people did", [told_change(each, show_content) for each in history])
    stream.write("".join(f"{safe_text(line)}\n" for line in lines))


def next_hunts(alert: Mapping[str, Any]) -> list[str]:
    """Commands that show more: the first event as it was recorded, and what else the same actor, key and address did."""
    asked = [f"crosswind hunt show {shlex.quote(event['uid'])}" for event in alert["events"][:1]]
    pivots: dict[str, str] = {}
    for column in _PIVOTS:
        value = alert["evidence"].get(column)
        if isinstance(value, str) and "[redacted" not in value:
            pivots.setdefault(value, column)
    for value, column in list(pivots.items())[:_QUESTIONS]:
        quoted = value.replace("'", "''")
        sql = f"""select {_COLUMNS} from events where "{column}" = '{quoted}' order by time"""
        asked.append(f"crosswind hunt sql {shlex.quote(sql)}")
    return asked


def _head(alert: Mapping[str, Any]) -> Iterator[str]:
    yield f"{alert['level'].upper()}  {alert['rule']['title']}"
    yield f"  {alert['uid']}, revision {alert['revision']}, change {alert['sequence']}"
    yield f"  {_state(alert)}"
    span = alert["first_time"] if alert["first_time"] == alert["last_time"] else f"{alert['first_time']} to {alert['last_time']}"
    yield f"  {span}, {alert['count']:,} event{'s' if alert['count'] != 1 else ''}, {', '.join(alert['sources'])}"
    for cloud in alert["cloud"]:
        if any(cloud.values()):
            yield f"  {' '.join(part for part in (cloud['provider'], cloud['account']) if part)}"
    yield f"  {alert['reason']}"
    yield from section("who and what", [f"{entity['type']:<11} {entity['value']}" for entity in alert["entities"]])
    yield from section("who stands behind it", [_principal(each) for each in alert.get("principals", ())])
    yield from section("one alert for each", [f"{name} = {value}" for name, value in alert["group"].items()])


def _principal(found: Mapping[str, Any]) -> str:
    doubt = ", spoofable" if found["spoofable"] else ""
    return f"{found['uid']} ({found['strength']}{doubt})" + (", but its evidence leads to different identities" if found["contested"] else "")


def _state(alert: Mapping[str, Any]) -> str:
    if alert["state"] == "open":
        told = "open: later records could still undo this"
    else:
        told = alert["state"] + (f" by {', '.join(uid[:SHORT] for uid in alert['superseded_by'])}" if alert["superseded_by"] else "")
        told += f": {alert['why']}" if alert["why"] else ""
    person = [alert["status"] if alert["status"] != "open" else "nobody has taken it" if not alert["assignee"] else "open"]
    person += [f"assigned to {alert['assignee']}"] if alert["assignee"] else []
    person += [f"{alert['verdict']}" + (f": {alert['verdict_reason']}" if alert["verdict_reason"] else "")] if alert["verdict"] else []
    return f"{told}; {', '.join(person)}"


def _rule(alert: Mapping[str, Any]) -> Iterator[str]:
    rule = alert["rule"]
    lines = [f"{alert['kind']} {rule['uid']}" + (f", {rule['path']}" if rule["path"] else "")]
    if rule["description"]:
        lines.append(" ".join(rule["description"].split()))
    lines += tag_names(rule["tags"])
    lines += [f"may be harmless: {each}" for each in rule["falsepositives"]]
    lines += [f"more: {each}" for each in rule["references"]]
    lines += [f"from {each['title']} ×{each['events']:,}" for each in alert.get("rules", ())]
    yield from section("rule", lines)


def _events(alert: Mapping[str, Any]) -> Iterator[str]:
    events = alert["events"]
    lines = [f"{each['time']}  {each['operation'] or '-'}  {each['source']}  {each['object']}:{each['position']}" for each in events[:_EVENTS]]
    if (more := alert["count"] - len(lines)) > 0:
        lines.append(f"and {more:,} more")
    yield from section("events", lines)


def _evidence(alert: Mapping[str, Any]) -> Iterator[str]:
    columns = {name: value for name, value in alert["evidence"].items() if name != "raw_data"}
    width = min(max(map(len, columns), default=0), 40)
    lines = [f"{name:<{width}}  {', '.join(map(str, value)) if isinstance(value, list) else value}" for name, value in columns.items()]
    if "raw_data" in alert["evidence"]:
        lines.append(str(alert["evidence"]["raw_data"]))
    yield from section("evidence: its first event", lines)


def section(title: str, lines: Sequence[str], *, numbered: bool = False) -> Iterator[str]:
    """``lines`` below ``title``, after an empty line; nothing where there are none."""
    if lines:
        yield from ("", title)
        yield from (f"  {number}. {line}" if numbered else f"  {line}" for number, line in enumerate(lines, 1))


def change_document(change: HumanChange, show_content: bool) -> dict[str, str]:
    """What somebody did, as plain values."""
    return {"who": change.who, "at": timestamp(change.at), **{name: shown(value, show_content) for name, value in _said(change).items()}}


def _said(change: HumanChange) -> dict[str, str]:
    named = {"status": change.status, "assignee": change.assignee, "verdict": change.verdict, "reason": change.reason, "note": change.note}
    return {name: value for name, value in named.items() if value is not None}


def told_change(change: HumanChange, show_content: bool) -> str:
    """What somebody did, on one line."""
    said = [f"{name}: {value or 'none'}" for name, value in _said(change).items()]
    return f"{timestamp(change.at)}  {change.who}  {shown('; '.join(said), show_content)}"
