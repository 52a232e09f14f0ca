"""What sinks said, delivered and still owe, for people and for machines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TextIO

from engine.documents.common import timestamp
from engine.documents.escaping import safe_json, safe_text

if TYPE_CHECKING:
    from engine.pipeline.lasting.delivering import Standing, Tried
    from engine.sinks.drain import Drained


def write_tried(tried: Sequence[Tried], form: str, stream: TextIO) -> None:
    """What each sink said, a line each (``form`` table), or one JSON document."""
    if form == "json":
        _write_json([asdict(each) for each in tried], stream)
        return
    for each in tried:
        for line in each.lines:
            stream.write(f"{each.sink}: {safe_text(line)}\n")
        if each.error is not None:
            stream.write(f"{each.sink}: FAILED: {safe_text(each.error)}\n")


def write_drained(again: int, reports: Sequence[Drained], form: str, stream: TextIO) -> None:
    """What became of the outbox; ``again`` dead letters were tried once more."""
    if form == "json":
        _write_json({"replayed": again, "sinks": [asdict(each) for each in reports]}, stream)
        return
    stream.write(f"{again:,} dead letters are tried again\n")
    for each in reports:
        stream.write(f"{drained_line(each)}\n")


def drained_line(report: Drained) -> str:
    """One line for a sink: what it took, what waits, what was refused, and why."""
    parts = [f"{report.delivered:,} delivered"]
    if report.retry:
        parts.append(f"{report.retry:,} wait for another run")
    if report.dead:
        parts.append(f"{report.dead:,} refused for good (`crosswind sinks status`)")
    why = report.stopped or report.reason
    return f"{report.sink}: {', '.join(parts)}" + (f": {safe_text(why)}" if why else "")


def write_standing(sinks: Sequence[Standing], form: str, stream: TextIO) -> None:
    """How every sink stands, with its dead letters and what the servers said of them."""
    if form == "json":
        _write_json([_standing(each) for each in sinks], stream)
        return
    if not sinks:
        stream.write("No sinks are configured: add a [sink.NAME] to crosswind.toml.\n")
    for each in sinks:
        found = _standing(each)
        since = f" since {found['oldest']}" if found["oldest"] else ""
        stream.write(f"{each.sink} ({each.type or 'not configured any more'}): {found['waiting']:,} waiting{since}, {found['failing']:,} failing, ")
        stream.write(f"{found['dead']:,} refused for good\n")
        for letter in each.dead:
            stream.write(f"  {letter.id}  alert {letter.uid} revision {letter.revision}: {safe_text(letter.reason)}\n")
        if found["dead"] > len(each.dead):
            stream.write(f"  … and {found['dead'] - len(each.dead):,} more\n")
        if each.dead:
            stream.write(f"  repair what the server says, then `crosswind sinks replay {each.sink}`\n")


def _standing(sink: Standing) -> dict[str, Any]:
    depth = sink.depth
    return {
        "sink": sink.sink,
        "type": sink.type,
        "waiting": depth.waiting if depth else 0,
        "oldest": timestamp(depth.oldest) if depth and depth.oldest else None,
        "failing": depth.failing if depth else 0,
        "dead": depth.dead if depth else 0,
        "letters": [{"id": each.id, "uid": each.uid, "revision": each.revision, "reason": each.reason} for each in sink.dead],
    }


def _write_json(document: Any, stream: TextIO) -> None:
    stream.write(safe_json(json.dumps(document, ensure_ascii=False)) + "\n")
