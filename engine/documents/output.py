"""Alerts as text on a stream: NDJSON, CSV, ECS and OCSF."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, TextIO

from engine.documents.common import clean, shown, timestamp
from engine.documents.ecs import to_ecs
from engine.documents.escaping import csv_cell, safe_json
from engine.documents.native import to_native
from engine.documents.ocsf import to_ocsf
from engine.model import Alert


class Format(StrEnum):
    """The formats `write` knows."""

    NDJSON = "ndjson"
    CSV = "csv"
    ECS = "ecs"
    OCSF = "ocsf"


CSV_COLUMNS = (
    "first_time", "last_time", "level", "rule_title", "count", "reason", "users", "credentials", "ips", "resources", "models", "accounts", "sources",
    "state", "kind", "rule_uid", "rule_path", "tags", "uid", "first_event_uid", "first_object", "first_position",
)  # fmt: skip
_ENTITY_COLUMNS = (("user", "users"), ("credential", "credentials"), ("ip", "ips"), ("resource", "resources"), ("model", "models"))


def write(alerts: Iterable[Alert], layout: Format | str, stream: TextIO, *, show_content: bool = False) -> int:
    """Writes ``alerts`` one a line in ``layout`` and gives their number. CSV starts with a line of names.

    Raises ValueError for a format that is not one of `Format`.
    """
    chosen = Format(layout)
    if chosen is Format.CSV:
        return _write_csv(alerts, stream, show_content)
    convert = {Format.NDJSON: to_native, Format.ECS: to_ecs, Format.OCSF: to_ocsf}[chosen]
    number = 0
    for alert in alerts:
        number += 1
        stream.write(json_line(convert(alert, show_content=show_content)) + "\n")
    return number


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def json_line(document: dict[str, Any]) -> str:
    """``document`` as one line of JSON that a terminal may show: no control or direction-changing character stands bare."""
    return safe_json(_encode(document))


def _write_csv(alerts: Iterable[Alert], stream: TextIO, show_content: bool) -> int:
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    number = 0
    for alert in alerts:
        number += 1
        row = csv_row(alert, show_content=show_content)
        writer.writerow([csv_cell(row[name]) for name in CSV_COLUMNS])
    return number


def csv_row(alert: Alert, *, show_content: bool = False) -> dict[str, str]:
    """The alert as flat texts, not yet escaped; several values of a column are joined with ``; ``."""
    alert = clean(alert, show_content)
    first = alert.events[0] if alert.events else None
    row = {
        "first_time": timestamp(alert.first_time),
        "last_time": timestamp(alert.last_time),
        "level": alert.level.word,
        "rule_title": alert.rule.title,
        "count": str(alert.count),
        "reason": shown(alert.reason, show_content),
        "accounts": "; ".join(" ".join(part for part in (cloud.provider, cloud.account) if part) for cloud in alert.cloud),
        "sources": "; ".join(alert.sources),
        "state": alert.state.value,
        "kind": alert.kind.value,
        "rule_uid": alert.rule.uid,
        "rule_path": alert.rule.path or "",
        "tags": "; ".join(alert.rule.tags),
        "uid": alert.uid,
        "first_event_uid": first.uid if first else "",
        "first_object": first.object if first else "",
        "first_position": str(first.position) if first else "",
    }
    for kind, column in _ENTITY_COLUMNS:
        row[column] = "; ".join(shown(entity.value, show_content) for entity in alert.entities if entity.type == kind)
    return row
