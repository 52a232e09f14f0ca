"""The state: everything crosswind remembers between runs but the events themselves. Each method is one transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import select

from engine.model import Level
from engine.store import (
    alert_changes,
    alert_rows,
    collecting,
    human_state,
    incident_changes,
    incident_rows,
    leases,
    looking,
    outbox,
    plans,
    pruning,
    runs,
)
from engine.store import backup as backups
from engine.store.alert_rows import AlertQuery
from engine.store.database import Database, connect
from engine.store.incident_rows import Around, IncidentQuery
from engine.store.migrations import current, migrate
from engine.store.records import (
    ALERT,
    INCIDENT,
    BatchResult,
    Committed,
    DeadLetter,
    Depth,
    HumanChange,
    OutboxRow,
    Plan,
    Run,
    StoredAlert,
    StoredIncident,
)
from engine.store.tables import meta

_TIMEOUT = 15.0
_ALL = AlertQuery()
_ALL_INCIDENTS = IncidentQuery()


class State:
    """Batch plans, cursors, alerts, incidents, what people make of them, the outbox, runs and leases. Threads and processes may share one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, place: str | Path, *, create: bool = True, timeout: float = _TIMEOUT) -> State:
        """The state at ``place``, a path of a SQLite file or a URL, brought to the current version. ``timeout``: seconds to wait for others.

        Raises StateError where it cannot be used, LeaseError where others use it for too long; nothing that is there is overwritten.
        """
        database = connect(place, create=create, timeout=timeout)
        try:
            with database.read() as connection:
                ready = current(connection)  # who only looks need not wait for who writes
            if not ready:
                with database.write() as connection:
                    migrate(connection)
        except BaseException:
            database.close()
            raise
        return cls(database)

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def place(self) -> str:
        """Where it is, without a password."""
        return self._database.place

    @property
    def file(self) -> Path | None:
        """The SQLite file; None on a server."""
        return self._database.file

    @property
    def database(self) -> Database:
        """For what other files of the store do in transactions of their own."""
        return self._database

    @property
    def created(self) -> datetime:
        """When it was made."""
        with self._database.read() as connection:
            return datetime.fromisoformat(connection.execute(select(meta.c.value).where(meta.c.key == "created")).scalar_one())

    def backup(self, path: Path) -> None:
        """Copy it to a new file while others may use it. Raises StateError where ``path`` exists, and on PostgreSQL."""
        backups.backup(self._database, path)

    def lease(self, name: str, holder: str, ttl: timedelta, now: datetime) -> AbstractContextManager[leases.Lease]:
        """Hold the lease ``name`` in a `with` block. Raises LeaseError while another has it, unless it ran out or its process is known to be gone."""
        return leases.held(self._database, name, holder, ttl, now)

    # Batches

    def open_plan(self) -> Plan | None:
        """The plan of the batch that is not done."""
        with self._database.read() as connection:
            return plans.open_plan(connection)

    def last_batch(self) -> int:
        """The number of the last batch that is done; 0 before the first."""
        with self._database.read() as connection:
            return plans.last_batch(connection)

    def batch_digest(self, batch: int) -> str | None:
        """The digest of the plan of ``batch``; None where there was none."""
        with self._database.read() as connection:
            return plans.batch_digest(connection, batch)

    def write_plan(self, plan: Plan) -> None:
        """Store the plan of the next batch. Raises StateError beside another open plan, and for a number that was used."""
        with self._database.write() as connection:
            plans.write_plan(connection, plan)

    def commit(self, result: BatchResult, now: datetime) -> Committed:
        """Everything a batch changes, in one transaction; a batch that is done already changes nothing. Raises StateError."""
        with self._database.write() as connection:
            if not plans.close(connection, result.batch, now):
                return Committed(result.batch, already=True)
            found = alert_changes.apply(connection, result.alerts, result.ended, result.batch, now)
            grouped = incident_changes.apply(connection, result.incidents, result.components, result.batch, now)
            queued = outbox.put(connection, result.sinks, ALERT, found.changes, now, result.min_level)
            queued += outbox.put(connection, result.sinks, INCIDENT, grouped.changes, now, result.min_level)
            for source, objects in result.seen.items():
                collecting.remember(connection, source, objects, result.batch)
            collecting.looked_through(connection, result.seen, now)
            collecting.reached(connection, result.latest)
            collecting.rules_ran(connection, result.rule_hashes)
            runs.record(
                connection,
                batch=result.batch,
                started=plans.created(connection, result.batch),
                finished=now,
                outcome=runs.DONE,
                counts=result.report,
                errors=[str(error) for error in result.report.get("failures", ())],
            )
        return Committed(result.batch, False, found.created, found.changed, found.ended, found.unchanged, queued, grouped.counts)

    # Sources

    def seen(self, source: str, uris: Sequence[str]) -> dict[str, dict[str, Any]]:
        """What was taken of those of ``uris`` that were seen: uri, version, size, end, prefix and tail by name."""
        with self._database.read() as connection:
            return collecting.seen_of(connection, source, uris)

    def looked_through(self, sources: Iterable[str], now: datetime) -> None:
        """Each of ``sources`` was listed to its end and had nothing new."""
        with self._database.write() as connection:
            collecting.looked_through(connection, sources, now)

    def sweep_due(self, source: str, now: datetime) -> bool:
        """Whether `sweep` was not called for ``source`` for a day."""
        with self._database.read() as connection:
            return pruning.due(connection, source, now)

    def sweep(self, source: str, uris: Collection[str], now: datetime) -> None:
        """Forget objects of ``source`` that are long gone, old runs and plans. ``uris``: all that its listing has now."""
        with self._database.write() as connection:
            pruning.sweep(connection, source, uris, now)

    def removed(self, configured: Collection[str]) -> list[pruning.Removed]:
        """The sources beside those ``configured`` that something is remembered of."""
        with self._database.read() as connection:
            return pruning.removed(connection, configured)

    def sweep_removed(self, configured: Collection[str], now: datetime) -> None:
        """Forget, once a day, objects of sources beside those ``configured`` as if no listing had them: 30 days later they are gone."""
        with self._database.read() as connection:
            names = pruning.overdue(connection, configured, now)
        for name in names:
            with self._database.write() as connection:
                pruning.sweep_removed(connection, name, now)

    def sources(self) -> dict[str, datetime]:
        """When each configured source was last looked through."""
        with self._database.read() as connection:
            return collecting.last_collected(connection)

    def latest(self) -> dict[str, datetime]:
        """The greatest event time of each ``x.source``."""
        with self._database.read() as connection:
            return collecting.latest_times(connection)

    def rule_hashes(self) -> Mapping[str, str]:
        """The content hash of each rule of the last batch that is done, by uid."""
        with self._database.read() as connection:
            return collecting.rules_of(connection)

    # Alerts

    def alerts(self, query: AlertQuery = _ALL) -> list[StoredAlert]:
        """The alerts asked for, in the order of their last change."""
        with self._database.read() as connection:
            return alert_rows.find(connection, query)

    def alert_uid(self, prefix: str) -> str:
        """The uid of the one alert that begins with ``prefix``. Raises UsageError where there is none or more than one."""
        with self._database.read() as connection:
            return alert_rows.uid_of(connection, prefix)

    def last_sequence(self) -> int:
        """The number of the last change of an alert; 0 before the first."""
        with self._database.read() as connection:
            return alert_rows.last_sequence(connection)

    def last_look(self, kind: str, who: str) -> int:
        """Up to which change ``who`` has seen the alerts, or the incidents."""
        with self._database.read() as connection:
            return looking.last(connection, kind, who)

    def look(self, kind: str, who: str, sequence: int) -> None:
        """``who`` has seen the alerts, or the incidents, up to the change ``sequence``."""
        with self._database.write() as connection:
            looking.looked(connection, kind, who, sequence)

    # Incidents

    def incidents(self, query: IncidentQuery = _ALL_INCIDENTS) -> list[StoredIncident]:
        """The incidents asked for, in the order of their last change."""
        with self._database.read() as connection:
            return incident_rows.find(connection, query)

    def incident_uid(self, prefix: str) -> str:
        """The uid of the one incident that begins with ``prefix``. Raises UsageError where there is none or more than one."""
        with self._database.read() as connection:
            return incident_rows.uid_of(connection, prefix)

    def incidents_around(self, since: datetime) -> Around:
        """The incidents that alerts at ``since`` or later may touch, with all that hangs together with them."""
        with self._database.read() as connection:
            return incident_rows.around(connection, since)

    def open_incidents(self) -> dict[Level, int]:
        """How many incidents stand that nobody has closed, by level, highest first."""
        with self._database.read() as connection:
            return incident_rows.open_by_level(connection)

    # What people say

    def set_human(
        self,
        kind: str,
        uid: str,
        who: str,
        now: datetime,
        *,
        status: str | None = None,
        verdict: str | None = None,
        reason: str | None = None,
        assignee: str | None = None,
        note: str | None = None,
    ) -> None:
        """What a person makes of an alert or an incident; None leaves alone, "" takes away. Raises UsageError for an unknown one or word."""
        values = {"status": status, "assignee": assignee, "verdict": verdict, "reason": reason}
        with self._database.write() as connection:
            human_state.change(connection, kind, uid, who, now, values, note)

    def history(self, kind: str, uid: str) -> list[HumanChange]:
        """Every change somebody made to it, oldest first."""
        with self._database.read() as connection:
            return human_state.history(connection, kind, uid)

    # Outbox

    def outbox(self, sink: str, limit: int, after: int = 0) -> list[OutboxRow]:
        """The next rows for ``sink`` with an id above ``after``: one an alert or incident, with it as it stands now."""
        with self._database.read() as connection:
            return outbox.waiting(connection, sink, limit, after)

    def introduce(self, sink: str, now: datetime, least: Level) -> int:
        """Let a sink that never heard of anything be told of every alert that stands at or above ``least``; how many."""
        with self._database.read() as connection:
            if not outbox.is_new(connection, sink):
                return 0
        with self._database.write() as connection:
            return outbox.introduce(connection, sink, now, least)

    def delivered(self, sink: str, ids: Collection[int], now: datetime) -> None:
        """The sink was told these."""
        with self._database.write() as connection:
            outbox.delivered(connection, sink, ids, now)

    def failed(self, sink: str, failures: Sequence[tuple[int, str]], *, dead: bool, now: datetime) -> None:
        """These (id, reason) could not be delivered; ``dead``: they become dead letters."""
        with self._database.write() as connection:
            outbox.failed(connection, sink, failures, dead=dead, now=now)

    def dead_letters(self, sink: str | None = None, limit: int | None = None) -> list[DeadLetter]:
        """What servers refused for good, oldest first."""
        with self._database.read() as connection:
            return outbox.dead_letters(connection, sink, limit)

    def replay(self, sink: str, ids: Collection[int] | None = None) -> int:
        """Let dead letters (None: all of the sink) wait for delivery again; how many."""
        with self._database.write() as connection:
            return outbox.replay(connection, sink, ids)

    def depths(self) -> list[Depth]:
        """How much waits for each sink that has anything in the outbox, and since when."""
        with self._database.read() as connection:
            return outbox.depths(connection)

    # Runs

    def record_run(self, *, started: datetime, finished: datetime, outcome: str, counts: Mapping[str, Any], errors: Sequence[str]) -> int:
        """Record a run that closed no batch: it failed, or there was nothing new. Its id."""
        with self._database.write() as connection:
            return runs.record(connection, batch=None, started=started, finished=finished, outcome=outcome, counts=counts, errors=errors)

    def runs(self, limit: int = 20) -> list[Run]:
        """The last runs, newest first."""
        with self._database.read() as connection:
            return runs.last(connection, limit)
