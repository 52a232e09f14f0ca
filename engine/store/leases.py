"""Leases: what only one process may hold at a time, for a time."""

from __future__ import annotations

import os
import platform
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import and_, delete, or_, select, update

from engine.errors import LeaseError, StateError
from engine.store.database import Database, insert
from engine.store.tables import leases

WRITER = "writer"
"""The lease of the one process that may write to a lake and empty the outbox."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease that is held. Whoever holds it renews it before it ends."""

    name: str
    holder: str
    ttl: timedelta
    token: str
    database: Database

    def renew(self, now: datetime) -> None:
        """Hold it for another ``ttl`` from ``now``. Raises LeaseError where somebody else took it over."""
        ours = and_(leases.c.name == self.name, leases.c.token == self.token)
        with self.database.write() as connection:
            if connection.execute(update(leases).where(ours).values(until=now + self.ttl)).rowcount != 1:
                raise LeaseError(f"the lease {self.name!r} was taken over by another process because it had run out; stop and start again")

    def release(self) -> None:
        """Give it back; nothing where it is somebody else's by now."""
        with self.database.write() as connection:
            connection.execute(delete(leases).where(leases.c.name == self.name, leases.c.token == self.token))


@contextmanager
def held(database: Database, name: str, holder: str, ttl: timedelta, now: datetime) -> Iterator[Lease]:
    """Hold the lease ``name`` while the block runs. Raises LeaseError while another holder has it and has neither let it run out nor died here."""
    lease = Lease(name, holder, ttl, secrets.token_hex(16), database)
    _take(lease, now)
    try:
        yield lease
    finally:
        with suppress(StateError):  # it runs out by itself
            lease.release()


def _take(lease: Lease, now: datetime) -> None:
    with lease.database.read() as connection:
        row = connection.execute(select(leases.c.holder, leases.c.token).where(leases.c.name == lease.name)).first()
    free = leases.c.until <= now
    if row is not None and gone(row.holder):
        free = or_(free, leases.c.token == row.token)
    values = {"holder": lease.holder, "token": lease.token, "until": now + lease.ttl}
    with lease.database.write() as connection:
        statement = insert(connection, leases).values(name=lease.name, **values)
        taking = statement.on_conflict_do_update(index_elements=[leases.c.name], set_=values, where=free)
        if connection.execute(taking.returning(leases.c.token)).first() is None:
            other = connection.execute(select(leases.c.holder, leases.c.until).where(leases.c.name == lease.name)).first()
            if other is None:
                raise LeaseError(f"another process gave {lease.name!r} back just now; try again")
            raise LeaseError(
                f"another process is at work: {other.holder} holds {lease.name!r} until {other.until:%Y-%m-%d %H:%M:%S} UTC;"
                " wait for it to end, or for that time if it was killed"
            )


def this_process() -> str:
    """A holder's name for this process: others on the same machine can tell from it when the process is no more."""
    return f"process {os.getpid()} on {platform.node()} [{_space()} {_started(os.getpid())}]"


def gone(holder: str) -> bool:
    """Whether ``holder``, named by `this_process`, was a process of this machine that is no more. False where that cannot be known."""
    head, _, rest = holder.partition(" on ")
    node, _, tail = rest.rpartition(" [")
    space, _, started = tail.rstrip("]").partition(" ")
    number = head.removeprefix("process ")
    if not number.isdecimal() or node != platform.node() or not space or space != _space():
        return False
    return _started(int(number)) != started


def _space() -> str:
    """Which machine, since which start, and which numbering of processes; "" where the system does not say."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot[:8]}-{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return ""


def _started(process: int) -> str:
    """When a process began, in ticks since the machine did; "" where there is none. A zombie is none."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in ("Z", "X") else fields[19]
