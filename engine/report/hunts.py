"""Hunts for people: the list of saved ones, what to ask next, the fields of a source, one event."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, TextIO

from rich.console import Console
from rich.table import Table

from engine.documents.escaping import safe_text
from engine.documents.output import json_line
from engine.documents.redaction import redact_text
from engine.documents.rows import WIDTH, plain_value
from engine.hunt.saved import Hunt, next_steps
from engine.model import Alert
from engine.report.summary import SHOWN

STEPS = 3
"""Most commands a pivot line names."""

_PIVOTS = (
    (("x.uid", "event", "event_uid"), "crosswind hunt show {}"),
    (("actor.user.credential_uid", "key", "credential"), "crosswind hunt run key-use --param key={}"),
    (("actor.user.uid", "actor"), "crosswind hunt run actor-trail --param actor={}"),
    (("src_endpoint.ip", "ip"), "crosswind hunt run ip-trail --param ip={}"),
    (("ai_model.name", "model"), "crosswind hunt run model-first-use --param model={}"),
    (("x.source", "source"), "crosswind hunt fields {}"),
)
"""Columns of any answer, and the command that goes on from a value of them."""


class Use(Protocol):
    """How full a field is."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def filled(self) -> int: ...

    @property
    def of(self) -> int: ...

    @property
    def top(self) -> tuple[tuple[str, int], ...]: ...


def pivot_line(rows: Sequence[Mapping[str, Any]], pivot: Sequence[str] = ()) -> str | None:
    """What to ask next of an answer: the commands of its hunt, else those its columns suggest. ``rows`` are redacted already."""
    if not rows:
        return None
    steps = next_steps(pivot, rows[0])
    if not pivot:
        for names, command in _PIVOTS:
            value = next((rows[0][name] for name in names if isinstance(rows[0].get(name), str) and rows[0][name]), None)
            if value is not None and "[redacted" not in value:
                steps.append(command.format(shlex.quote(value)))
    return safe_text("next: " + "  ·  ".join(steps[:STEPS])) if steps else None


def write_hunts(hunts: Iterable[Hunt], layout: str, stream: TextIO) -> None:
    """The saved hunts as a table or NDJSON."""
    if layout == "ndjson":
        for hunt in hunts:
            stream.write(json_line(_as_json(hunt)) + "\n")
        return
    table = Table(highlight=False, box=None, pad_edge=False)
    for name in ("hunt", "parameters", "what it answers"):
        table.add_column(name, overflow="fold", no_wrap=name == "hunt")
    for hunt in hunts:
        asked = ", ".join(parameter.name if parameter.required else f"[{parameter.name}]" for parameter in hunt.parameters)
        table.add_row(safe_text(hunt.name), safe_text(asked), safe_text(hunt.title))
    console = Console(file=stream, highlight=False, markup=False, width=None if stream.isatty() else WIDTH)
    console.print(table)


def _as_json(hunt: Hunt) -> dict[str, Any]:
    return {
        "name": hunt.name,
        "title": hunt.title,
        "description": hunt.description,
        "parameters": [
            {"name": each.name, "type": each.type, "description": each.description, "required": each.required}
            | ({} if each.default is None else {"default": plain_value(each.default)})
            for each in hunt.parameters
        ],
        "columns": dict(hunt.columns),
        "pivot": list(hunt.pivot),
    }


def write_fields(source: str, total: int, uses: Sequence[Use], layout: str, stream: TextIO) -> None:
    """How full the fields of a source are, as a table or NDJSON."""
    if layout == "ndjson":
        for use in uses:
            share = round(use.filled / use.of, 4) if use.of else 0.0
            top = [{"value": value, "count": count} for value, count in use.top]
            stream.write(json_line({"field": use.name, "kind": use.kind, "filled": share, "events": use.of, "top": top}) + "\n")
        return
    console = Console(file=stream, highlight=False, markup=False, width=None if stream.isatty() else WIDTH)
    looked = uses[0].of if uses else 0
    sampled = f", {looked:,} of them looked at" if looked and looked < total else ""
    console.print(f"{source}: {total:,} events{sampled}")
    for kind, title in (("column", "common columns"), ("native", "fields of its records, for Sigma rules and field(raw_data, '…')")):
        table = Table(highlight=False, box=None, pad_edge=False)
        for name in (title, "filled", "most frequent values"):
            table.add_column(name, overflow="fold", justify="right" if name == "filled" else "left")
        for use in uses:
            if use.kind == kind:
                values = "; ".join(f"{value} ×{count:,}" for value, count in use.top)
                table.add_row(safe_text(use.name), f"{100 * use.filled / use.of:.0f} %", safe_text(values))
        if table.row_count:
            console.print()
            console.print(table)


def write_event(columns: Mapping[str, Any], record: Any, layout: str, stream: TextIO) -> None:
    """One event: where it came from, its columns and its record."""
    plain = {name: plain_value(value) for name, value in columns.items()}
    if layout == "ndjson":
        stream.write(json_line({**plain, "record": record}) + "\n")
        return
    lines = [f"{plain['x.source']}  {plain['time']}  {plain['x.uid']}", f"from {plain['x.object']}, record {plain['x.position']}", ""]
    shown = {name: value for name, value in plain.items() if name not in ("x.source", "time", "x.uid", "x.object", "x.position")}
    width = max(map(len, shown), default=0)
    lines += [f"{name:<{width}}  {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}" for name, value in shown.items()]
    lines += ["", *json.dumps(record, indent=2, ensure_ascii=False).splitlines()]
    stream.write("".join(f"{safe_text(line)}\n" for line in lines))


class Found(Protocol):
    """What a Sigma document found among stored events."""

    @property
    def alerts(self) -> list[Alert]: ...

    @property
    def events(self) -> Mapping[str, int]: ...

    @property
    def hits(self) -> int: ...

    @property
    def failures(self) -> tuple[str, ...]: ...

    @property
    def notes(self) -> tuple[str, ...]: ...

    @property
    def seconds(self) -> float: ...


def told(found: Found) -> list[str]:
    """The account of a hunt with a rule: what was looked at, what came of it, what failed."""
    looked = ", ".join(f"{count:,} of {source}" for source, count in found.events.items()) or "none: no stored event is of a source it runs on"
    lines = [f"looked at {looked} in {found.seconds:.1f} s; {found.hits:,} hits, {len(found.alerts):,} alerts"]
    lines += [f"note: {note}" for note in found.notes[:SHOWN]]
    lines += [f"failed: {failure}" for failure in found.failures[:SHOWN]]
    return [safe_text(redact_text(line)) for line in lines]


def alerts_pivot(alerts: Sequence[Alert]) -> str | None:
    """What to ask next of alerts: the first event of the most severe one, and who did it."""
    if not alerts:
        return None
    worst = min(alerts, key=lambda alert: (-alert.level, alert.first_time, alert.uid))
    row = {"x.uid": worst.events[0].uid if worst.events else None}
    names = {"credential": "credential", "ip": "ip", "model": "model"}
    for entity in worst.entities:
        if entity.type in names:
            row.setdefault(names[entity.type], entity.value)
    return pivot_line([{name: redact_text(value) for name, value in row.items() if value}])
