"""Hunting over a lake: SQL, saved hunts and rules, for the command line and for notebooks."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from connectors.shred import cells_of
from connectors.sources import load_mappings
from engine import bundled, jsontext
from engine.config import load_config
from engine.errors import ConfigError, UsageError
from engine.hunt.alert_table import COLUMNS as ALERT_COLUMNS
from engine.hunt.alert_table import alert_table
from engine.hunt.incident_table import COLUMNS as INCIDENT_COLUMNS
from engine.hunt.incident_table import incident_table
from engine.hunt.saved import Hunt, hunt_of, load_hunts
from engine.hunt.session import Answer, Bounds, Session, Tables
from engine.schema import split_path
from engine.sigma.document import HUNTS
from engine.store.lake import Lake
from engine.store.lake_tables import CONTENT, TABLES, UID_HIGH, UID_LOW

if TYPE_CHECKING:
    from engine.pipeline.hunts.sigma import SigmaHunt

_VIEWS = ("events", "hits")
_NUMBERS = (UID_HIGH, UID_LOW, CONTENT)
"""Columns that only dedupe reads."""

Moment = datetime | None


class OpenLake:
    """A lake to ask. ``state`` is where its alerts are, ``rules`` what runs beside crosswind's own (``builtin``)."""

    def __init__(self, lake: Lake, state: str | Path | None = None, rules: Sequence[Path] = (), builtin: bool = True) -> None:
        self.lake = lake
        self._state = state
        self._rules = tuple(rules)
        self._builtin = builtin

    def events(self) -> pl.LazyFrame:
        """All events. Filters on ``x.day``, ``x.source`` and ``time`` skip files."""
        return self.lake.scan("events")

    def hits(self) -> pl.LazyFrame:
        """What rules matched, by the rule's uid."""
        return self.lake.scan("hits")

    def alerts(self) -> pl.LazyFrame:
        """The alerts as they stand now; without a row where there is no state."""
        return self._alerts().lazy()

    def incidents(self) -> pl.LazyFrame:
        """The incidents as they stand now; without a row where there is no state."""
        return self._incidents().lazy()

    def sql(
        self, sql: str, parameters: Mapping[str, Any] | None = None, *, start: Moment = None, end: Moment = None, bounds: Bounds | None = None
    ) -> Answer:
        """The answer to one SELECT over events, hits, alerts, incidents and a view a source. ``$name`` in it takes its value from ``parameters``.

        Values are as they were stored: nothing is redacted. Raises UsageError for what DuckDB cannot run or what takes too much.
        """
        with self.session(start=start, end=end, bounds=bounds) as session:
            return session.query(sql, parameters)

    def hunt(self, name: str, *, start: Moment = None, end: Moment = None, bounds: Bounds | None = None, **parameters: Any) -> pl.DataFrame:
        """The answer of a saved hunt. Raises UsageError for a hunt or parameter that is not there."""
        hunt = hunt_of(self.hunts(), name)
        if hunt.sql is None:
            raise UsageError(f"hunt {name!r} is a Sigma rule: .sigma() runs it")
        return self.sql(hunt.sql, hunt.bound(parameters, _time), start=start, end=end, bounds=bounds).rows

    def hunts(self) -> dict[str, Hunt]:
        """The saved hunts by name: crosswind's own, and those in a folder ``hunts`` of a configured folder of rules."""
        return _hunts(self._rules, self._builtin)

    def sigma(self, rule: str | Path, *, now: Moment = None, start: Moment = None, end: Moment = None, **options: Any) -> SigmaHunt:
        """What a Sigma document (a file, or YAML text) finds among the stored events; see `engine.pipeline.hunts.sigma.hunt_sigma`."""
        from engine.pipeline.hunts.sigma import hunt_sigma

        others = [*([bundled.detections()] if self._builtin else []), *self._rules]
        return hunt_sigma(self.lake, rule, now=_utc(now) or datetime.now(UTC), start=_utc(start), end=_utc(end), others=others, **options)

    def session(self, *, start: Moment = None, end: Moment = None, bounds: Bounds | None = None) -> Session:
        """A connection for several queries; to be closed."""
        tables = Tables(
            files=lambda table, low, high: self.lake.files(table, start=low, end=high),
            columns={name: {each: dtype for each, dtype in TABLES[name].columns.items() if each not in _NUMBERS} for name in _VIEWS},
            partition={name: TABLES[name].partition for name in _VIEWS},
            folders=[self.lake.path / name for name in _VIEWS],
            sources=list(load_mappings()),
            stored={"alerts": self._alerts, "incidents": self._incidents},
            functions={"field": (_field, pl.String()), "field_list": (_field_list, pl.List(pl.String()))},
        )
        return Session(tables, bounds, start=_utc(start), end=_utc(end))

    def _alerts(self) -> pl.DataFrame:
        if self._state is None:
            return pl.DataFrame(schema=ALERT_COLUMNS)
        from engine.store.state import State

        with State.open(self._state, create=False) as state:
            return alert_table(state.alerts())

    def _incidents(self) -> pl.DataFrame:
        if self._state is None:
            return pl.DataFrame(schema=INCIDENT_COLUMNS)
        from engine.store.state import State

        with State.open(self._state, create=False) as state:
            return incident_table(state.incidents())


def open_lake(path: str | Path | None = None, *, state: str | Path | None = None, config: str | Path | None = None) -> OpenLake:
    """The lake at ``path`` with the alerts in ``state``, or, without a path, those that crosswind.toml (``config``) names.

    Raises StateError where there is none.
    """
    if path is not None:
        return OpenLake(Lake.open(Path(path), create=False), state)
    found = load_config(Path(config) if config is not None else None, os.environ)
    lake = Lake.open(found.lake, create=False)
    return OpenLake(lake, state if state is not None else _existing(found.state), found.rules, found.builtin)


def saved_hunts(config: str | Path | None = None) -> dict[str, Hunt]:
    """The saved hunts by name, without a lake: crosswind's own, and those of the configuration where there is one."""
    try:
        found = load_config(Path(config) if config is not None else None, os.environ)
    except ConfigError:
        if config is not None or "CROSSWIND_CONFIG" in os.environ:
            raise
        return _hunts((), True)
    return _hunts(found.rules, found.builtin)


def _hunts(rules: Sequence[Path], builtin: bool) -> dict[str, Hunt]:
    own = [bundled.detections() / HUNTS] if builtin else []
    return load_hunts([*own, *(path / HUNTS for path in rules if (path / HUNTS).is_dir())])


def _existing(state: str) -> str | None:
    """The state, unless it is a file that is not there yet."""
    return state if "://" in state or Path(state).exists() else None


def _utc(moment: Moment) -> Moment:
    if moment is not None and moment.tzinfo is None:
        raise UsageError(f"{moment.isoformat()} has no time zone: datetime(2026, 3, 1, tzinfo=UTC)")
    return moment


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"not a time: {text!r}") from error


# --- look-ups in records ----------------------------------------------------------------------------------------------------------------------


@cache
def _embedded() -> tuple[str, ...]:
    """Where any source writes an object as a text."""
    return tuple(dict.fromkeys(path for mapping in load_mappings().values() for path in mapping.embedded))


def _cells(records: pl.Series, path: str) -> list[str | None]:
    split_path(path)
    return cells_of(records.rename("raw_data"), [path], _embedded())[path].to_list()


def _field(records: pl.Series, path: str) -> pl.Series:
    """The value at ``path`` of every record as text: of texts themselves, of everything else its JSON."""
    return pl.Series("value", [_text(cell) for cell in _cells(records, path)], dtype=pl.String)


def _field_list(records: pl.Series, path: str) -> pl.Series:
    """All values at ``path`` of every record: those of a list, or the one."""
    made = []
    for cell in _cells(records, path):
        value = None if cell is None else jsontext.loads(cell)
        items = value if isinstance(value, list) else [value]
        made.append([item if isinstance(item, str) else jsontext.encode(item) for item in items if item is not None] or None)
    return pl.Series("value", made, dtype=pl.List(pl.String))


def _text(cell: str | None) -> str | None:
    if cell is None or cell == "null":
        return None
    return str(jsontext.loads(cell)) if cell.startswith('"') else cell
