"""A configured crosswind in a folder, for tests of `run` and what belongs to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from engine.model import Alert, Incident, State
from engine.store.alert_rows import AlertQuery
from engine.store.incident_rows import IncidentQuery
from engine.store.lake import Lake
from engine.store.lake_tables import HITS
from engine.store.state import State as Store
from tests.logs import event, lines

RULE = """
title: {title}
id: 00000000-0000-4000-8000-00000000000{number}
name: rule{number}
level: {level}
logsource: {{product: aws, service: cloudtrail}}
detection: {{selection: {{eventName: {operation}}}, condition: selection}}
"""
COUNT = """
title: Many
id: 00000000-0000-4000-8000-0000000000{number}
level: high
correlation: {{type: event_count, rules: [rule{rule}], group-by: [userIdentity.arn], timespan: {timespan}, condition: {{gte: {count}}}{more}}}
"""


def rule(number: int, operation: str = "StopLogging", level: str = "high", title: str = "Stopped") -> str:
    return RULE.format(number=number, operation=operation, level=level, title=title)


def many(of: int, count: int = 3, timespan: str = "1h", number: int = 11, more: str = "") -> str:
    """A correlation over rule ``of``."""
    return COUNT.format(rule=of, count=count, timespan=timespan, number=number, more=more)


def at(minute: int, day: int = 1) -> str:
    """A time of March 2026, so many minutes after 8 in the morning."""
    return f"2026-03-{day + (8 * 60 + minute) // 1440:02}T{(8 * 60 + minute) // 60 % 24:02}:{minute % 60:02}:00Z"


def call(number: int, minute: int, name: str = "StopLogging", **changes: Any) -> dict[str, Any]:
    """Event ``number`` at ``minute``."""
    return event(number, name, eventTime=at(minute), **changes)


@dataclass
class Place:
    """``logs`` and ``rules`` are folders; the lake, the state and what the file sink wrote stand beside them."""

    root: Path
    settings: str = ""
    texts: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.logs.mkdir(parents=True)
        (self.root / "rules").mkdir()
        self.rules(rule(1))
        self.configure()

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def config(self) -> Path:
        return self.root / "crosswind.toml"

    def configure(self, settings: str = "", sources: str = '[source.trail]\npath = "logs"\n') -> None:
        sink = '[sink.out]\ntype = "file"\npath = "alerts.ndjson"\n'
        self.config.write_text(f'{settings}[rules]\nbuiltin = false\npaths = ["rules"]\n{sources}{sink}')

    def rules(self, *texts: str) -> None:
        (self.root / "rules" / "rules.yml").write_text("---".join(texts))

    def put(self, name: str, *events: Mapping[str, Any]) -> Path:
        path = self.logs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(lines(*map(dict, events)))
        return path

    def state(self) -> Store:
        return Store.open(next(self.root.glob("*.db")), create=False)

    def lake(self) -> Lake:
        return Lake.open(self.root / "lake", create=False)

    def alerts(self) -> dict[str, Alert]:
        """Those that stand."""
        with self.state() as state:
            return {each.alert.uid: each.alert for each in state.alerts(AlertQuery(states=(State.LIVE, State.OPEN)))}

    def ended(self) -> dict[str, tuple[str, str | None]]:
        """Those that do not, and why."""
        with self.state() as state:
            query = AlertQuery(states=(State.SUPERSEDED, State.RETRACTED))
            return {each.alert.uid: (each.alert.state.value, each.why) for each in state.alerts(query)}

    def events(self) -> pl.DataFrame:
        """What the lake holds, without which batch brought it."""
        return self.lake().scan("events").select("x.uid", "x.source", "time", "raw_data", "x.object", "x.position").collect().sort(pl.all())

    def hits(self) -> pl.DataFrame:
        names = [name for name in HITS.columns if name not in ("x.batch", "x.object", "x.position")]
        return self.lake().scan("hits").select(names).collect().sort("rule", "x.uid", "x.rule_hash")

    def told(self) -> list[dict[str, Any]]:
        """Everything the file sink wrote."""
        path = self.root / "alerts.ndjson"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def delivered(self) -> list[dict[str, Any]]:
        """What it wrote of alerts."""
        return [document for document in self.told() if document["kind"] != "incident"]

    def incidents(self) -> dict[str, Incident]:
        """Those that stand."""
        with self.state() as state:
            return {each.incident.uid: each.incident for each in state.incidents(IncidentQuery(states=(State.LIVE,)))}
