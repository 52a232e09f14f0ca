"""What is known of assets, for people and as NDJSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, Protocol, TextIO

import polars as pl
from rich.console import Console
from rich.text import Text

from engine.documents.common import shown, timestamp
from engine.documents.escaping import safe_text
from engine.documents.output import json_line
from engine.posture.history import KNOWN, STALE, rows_of
from engine.posture.kinds import KINDS

_MOST = 12
"""So many members of a value are shown to people."""


class Missing(Protocol):
    """A kind of fact that no event told, and the log that would."""

    @property
    def fact(self) -> str: ...

    @property
    def source(self) -> str: ...

    @property
    def tier(self) -> str: ...

    @property
    def services(self) -> tuple[str, ...]: ...


def write_posture(known: pl.DataFrame, unseen: Sequence[Missing], form: str, stream: TextIO, *, show_content: bool = False) -> None:
    """Write what is known of assets (`engine.posture.history.AT`), then what no event told and which log would. ``form``: ``table``, ``ndjson``."""
    rows = rows_of(known)
    if form == "ndjson":
        for document in (*(_document(row, show_content) for row in rows), *map(_missing, unseen)):
            stream.write(json_line(document) + "\n")
        return
    console = Console(file=stream, highlight=False, soft_wrap=True)
    for _, told in groupby(rows, key=lambda row: row["asset"]):
        console.print(_block(list(told), show_content))
    if not rows:
        console.print("No event tells of an asset.\n")
    if unseen:
        console.print(_unseen(unseen))


def _document(row: dict[str, Any], show_content: bool) -> dict[str, Any]:
    effect = KINDS[row["fact"]].effect(row["value"]) if row["state"] == KNOWN else None
    return {
        "asset": shown(row["asset"], show_content),
        "fact": row["fact"],
        "title": KINDS[row["fact"]].title,
        "part": shown(row["part"], show_content),
        "value": _redacted(row["value"], show_content),
        "state": row["state"],
        "since": timestamp(row["since"]),
        "last_seen": timestamp(row["last_seen"]),
        "event_uid": shown(row["event_uid"], show_content),
        "source": row["source"],
        "tier": row["tier"],
        "why": row["why"],
        "effect": {"on": effect.about, "factor": effect.factor, "why": effect.why} if effect else None,
    }


def _missing(each: Missing) -> dict[str, Any]:
    empty = dict.fromkeys(("asset", "part", "value", "since", "last_seen", "event_uid", "effect"))
    told = {"fact": each.fact, "title": KINDS[each.fact].title, "state": "unknown", "source": each.source, "tier": each.tier}
    return {**empty, **told, "services": list(each.services), "why": "no event seen"}


def _redacted(value: Any, show_content: bool) -> Any:
    if isinstance(value, str):
        return shown(value, show_content)
    if isinstance(value, dict):
        return {shown(str(name), show_content): _redacted(item, show_content) for name, item in value.items()}
    return [_redacted(item, show_content) for item in value] if isinstance(value, list) else value


def _block(rows: list[dict[str, Any]], show_content: bool) -> Text:
    text = Text()
    text.append(safe_text(shown(rows[0]["asset"], show_content)) + "\n", style="bold")
    alike = groupby(rows, key=lambda row: (row["fact"], row["state"], str(row["value"]), row["since"], row["event_uid"], row["why"]))
    for _, same in alike:
        parts = list(same)
        told = _document(parts[0], show_content)
        named = ", ".join(shown(row["part"], show_content) for row in parts if row["part"])
        text.append(f"  {told['title']}{f' ({safe_text(named)})' if named else ''}: ")
        if told["value"] is not None:
            text.append(safe_text(words(told["value"])), style="yellow" if told["effect"] and told["effect"]["factor"] > 1 else "")
        if told["state"] != KNOWN:
            text.append(f"{'; ' if told['state'] == STALE else ''}{told['state']}", style="magenta")
            text.append(f", {safe_text(told['why'] or '')}")
        text.append("\n")
        text.append(
            f"    since {told['since'][:19].replace('T', ' ')}Z, {told['source']} {safe_text(told['event_uid'])}; {told['tier']}\n", style="dim"
        )
    return text


def words(value: dict[str, Any]) -> str:
    """A value as people read it: ``on no, to s3 and cloudwatch``."""
    said = list(_members(value))
    more = f", and {len(said) - _MOST:,} more" if len(said) > _MOST else ""
    return ", ".join(said[:_MOST]) + more


def _members(value: dict[str, Any]) -> Iterator[str]:
    for name, item in value.items():
        label = name.replace("_", " ")
        if isinstance(item, dict):
            yield from (f"{key} {_plain(inner)}" for key, inner in item.items()) if item else (f"{label} none",)
        else:
            yield f"{label} {_plain(item)}"


def _plain(item: Any) -> str:
    if isinstance(item, bool):
        return "yes" if item else "no"
    if isinstance(item, list):
        return " and ".join(map(str, item)) or "none"
    return str(item)


def _unseen(unseen: Iterable[Missing]) -> Text:
    text = Text()
    text.append("never seen\n", style="bold")
    for fact, each in groupby(unseen, key=lambda one: one.fact):
        needs = " or ".join(f"{one.tier}{f' of {_services(one.services)}' if one.services else ''}" for one in each)
        text.append(f"  {KINDS[fact].title}: no event seen; needs {needs}\n")
    return text


def _services(services: Sequence[str]) -> str:
    names = list(dict.fromkeys(service.partition(".")[0] for service in services))
    return " and ".join(names) if len(names) < 3 else f"{', '.join(names[:-1])} and {names[-1]}"
