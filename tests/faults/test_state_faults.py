"""The state database under bad luck: what cannot be used is named with the way out, and nothing that is there is overwritten."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect, text

from engine.errors import LeaseError, StateError
from engine.store import migrations
from engine.store.migrations import migrate
from engine.store.records import BatchResult
from engine.store.state import State
from tests.alert_samples import NOON, alert
from tests.states import KINDS, Taken, commit, later, new_place, plan

ROOT = Path(__file__).resolve().parents[2]
A, B = "a" * 32, "b" * 32


def filled(path: Path) -> Path:
    with State.open(path) as state:
        commit(state, 1, alerts=[alert()])
    return path


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with State.open(tmp_path / "state.db") as state:
            commit(state, 1, alerts=[alert()])
            state.backup(tmp_path / "copy.db")
            files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert files.keys() >= {"state.db", "state.db-wal", "copy.db"}
    assert set(files.values()) == {0o600}


def test_the_file_is_written_as_safely_as_can_be(tmp_path: Path) -> None:
    with State.open(tmp_path / "state.db") as state, state._database.read() as connection:
        asked = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous", "foreign_keys")}
    assert asked == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


@pytest.mark.parametrize("create", [True, False])
def test_places_where_no_state_can_be(tmp_path: Path, create: bool) -> None:
    with pytest.raises(StateError, match=r"is a directory; name a file in it"):
        State.open(tmp_path, create=create)
    with pytest.raises(StateError, match=r"there is no folder .*; make it"):
        State.open(tmp_path / "not" / "there.db", create=create)
    with pytest.raises(StateError, match=r"cannot live in mysql; write postgresql"):
        State.open("mysql://somebody:hidden@host/db", create=create)
    with pytest.raises(StateError, match=r"URL of the state cannot be read; write postgresql"):
        State.open("postgresql://host:port/db", create=create)
    assert list(tmp_path.iterdir()) == []


def test_a_state_that_must_be_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"there is no state at .*`crosswind run` makes it"):
        State.open(tmp_path / "state.db", create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_password_is_never_shown() -> None:
    with pytest.raises(StateError, match=r"cannot be reached") as caught:
        State.open("postgresql://somebody:hidden-word@127.0.0.1:9/db", timeout=2)
    assert "hidden-word" not in str(caught.value)


@pytest.mark.parametrize("content", [b"not a database, but a letter\n" * 100, b"\0" * 4096, b"PK\x03\x04" + bytes(2000)])
def test_a_file_of_something_else_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "letter.txt"
    path.write_bytes(content)
    with pytest.raises(StateError, match=r"is no database of crosswind .* name another file"):
        State.open(path)
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_the_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE songs (title TEXT)")
    other.close()
    with pytest.raises(StateError, match=r"tables of something else \(songs\)"):
        State.open(path)
    with sqlite3.connect(path) as other:
        assert other.execute("SELECT name FROM sqlite_schema").fetchall() == [("songs",)]
    other.close()


def test_a_damaged_file_is_named_and_left_alone(tmp_path: Path) -> None:
    path = filled(tmp_path / "state.db")
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(StateError, match=r"is damaged .* put a backup of `crosswind state backup` in its place"):
        State.open(path)
    assert path.read_bytes()[4096:] == content[4096:]


def test_a_cut_off_file_is_named(tmp_path: Path) -> None:
    path = filled(tmp_path / "state.db")
    path.write_bytes(path.read_bytes()[:8192])
    with pytest.raises(StateError, match=r"is damaged"):
        State.open(path)


def test_a_state_in_use_for_too_long(tmp_path: Path) -> None:
    path = filled(tmp_path / "state.db")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with State.open(path, timeout=0.1) as state:
        assert state.last_batch() == 1  # to look is always possible
        with pytest.raises(LeaseError, match=r"in use by another process for more than 0.1 s"):
            state.write_plan(plan(2))
    other.execute("COMMIT")
    other.close()
    with State.open(path, timeout=0.1) as state:
        state.write_plan(plan(2))


@pytest.mark.xdist_group("postgresql")
def test_a_server_in_use_for_too_long(tmp_path: Path) -> None:
    place = new_place("postgresql", tmp_path)
    with State.open(place) as first, State.open(place, timeout=0.2) as second, first._database.write() as connection:
        connection.execute(text("LOCK TABLE plans"))
        second._database.engine.dispose()
        with pytest.raises(LeaseError, match=r"in use by another process for more than 0.2 s"):
            second.write_plan(plan(1))


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without root's power to write anywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def readable(tmp_path: Path) -> Iterator[Path]:
    """A folder anybody may look into."""
    opened = [folder for folder in (tmp_path, *tmp_path.parents) if folder.stat().st_uid == os.geteuid() and folder != Path("/tmp")][:4]
    modes = {folder: folder.stat().st_mode for folder in opened}
    for folder in opened:
        folder.chmod(0o755)
    yield tmp_path
    for folder, mode in modes.items():
        folder.chmod(mode)


def test_a_state_that_may_only_be_read(readable: Path) -> None:
    path = filled(readable / "state.db")
    path.chmod(0o444)
    readable.chmod(0o555)
    with as_nobody():
        for place in (path, readable / "new.db"):
            with pytest.raises(StateError, match=r"is read-only; give this user write permission"):
                State.open(place)


def test_a_file_that_vanishes_is_not_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with State.open(path) as state:
        state.close()
        for file in tmp_path.iterdir():
            file.unlink()
        with pytest.raises(StateError, match=r"cannot be reached"):
            state.last_batch()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_newer_state_asks_for_an_upgrade(kind: str, tmp_path: Path) -> None:
    place = new_place(kind, tmp_path)
    with State.open(place) as state, state._database.write() as connection:
        connection.execute(text("UPDATE schema_version SET version = 99"))
    with pytest.raises(StateError, match=r"has version 99 and this crosswind knows 3: upgrade crosswind"):
        State.open(place)


@pytest.mark.parametrize("kind", KINDS)
def test_an_older_state_is_brought_forward_or_left_as_it_was(kind: str, tmp_path: Path) -> None:
    def second(connection: Connection) -> None:
        connection.execute(text("ALTER TABLE meta ADD COLUMN extra TEXT"))

    def third(connection: Connection) -> None:
        connection.execute(text("UPDATE meta SET extra = 'x'"))

    def broken(connection: Connection) -> None:
        connection.execute(text("ALTER TABLE meta ADD COLUMN more TEXT"))
        raise StateError("no")

    released = migrations.MIGRATIONS
    with State.open(new_place(kind, tmp_path)) as state:
        commit(state, 1, alerts=[alert()])
        with pytest.raises(StateError, match="no"), state._database.write() as connection:
            migrate(connection, (*released, second, broken))
        for steps in ((second,), (second, third), (second, third)):
            with state._database.write() as connection:
                migrate(connection, (*released, *steps))
        with state._database.read() as connection:
            assert set(connection.execute(text("SELECT extra FROM meta")).scalars()) == {"x"}
            assert connection.execute(text("SELECT version FROM schema_version")).scalar() == len(released) + 3
        with pytest.raises(StateError, match=f"version {len(released) + 3}"), state._database.write() as connection:
            migrate(connection)
        assert len(state.alerts()) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_of_the_first_version_is_brought_to_this_one(kind: str, tmp_path: Path) -> None:
    place = new_place(kind, tmp_path)
    with State.open(place) as state:
        commit(state, 1, alerts=[alert()], seen={"trail": [Taken("a")]})
        with state._database.write() as connection:
            for index in ("seen_by_batch", "runs_by_batch", "alerts_by_batch"):
                connection.execute(text(f"DROP INDEX {index}"))
            connection.execute(text("ALTER TABLE seen DROP COLUMN gone"))
            for table in ("swept", "incidents", "last_looks"):
                connection.execute(text(f"DROP TABLE {table}"))
            connection.execute(text("CREATE TABLE looks (who TEXT NOT NULL PRIMARY KEY, sequence BIGINT NOT NULL)"))
            connection.execute(text("INSERT INTO looks VALUES ('ann', 7)"))
            connection.execute(text("UPDATE schema_version SET version = 1"))
    with State.open(place) as state:
        state.sweep("trail", [], later(1))
        assert list(state.seen("trail", ["a"])) == ["a"]
        assert len(state.alerts()) == 1
        assert (state.last_look("alert", "ann"), state.last_look("incident", "ann"), state.incidents()) == (7, 0, [])
        commit(state, 2)
        with state._database.read() as connection:
            inspector = inspect(connection)
            assert {index["name"] for table in ("seen", "runs", "alerts") for index in inspector.get_indexes(table)} >= {
                "seen_by_batch",
                "runs_by_batch",
                "alerts_by_batch",
            }


def test_a_backup_is_a_state_and_replaces_nothing(tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    with State.open(tmp_path / "state.db") as state:
        commit(state, 1, alerts=[alert()])
        state.write_plan(plan(2))
        state.backup(copy)
        state.commit(BatchResult(2), NOON)
        kept = copy.read_bytes()
        with pytest.raises(StateError, match=r"exists already and was left as it is"):
            state.backup(copy)
        with pytest.raises(StateError, match=r"there is no folder"):
            state.backup(tmp_path / "no" / "copy.db")
        assert copy.read_bytes() == kept
        assert not list(tmp_path.glob(".copy*"))
    with State.open(copy, create=False) as again:
        assert (again.last_batch(), again.open_plan(), again.alerts()[0].alert) == (1, plan(2), alert())


@pytest.mark.xdist_group("postgresql")
def test_a_server_is_backed_up_by_its_own_tool(tmp_path: Path) -> None:
    with State.open(new_place("postgresql", tmp_path)) as state, pytest.raises(StateError, match="pg_dump"):
        state.backup(tmp_path / "copy.db")
    assert list(tmp_path.iterdir()) == []


CHILD = """
import sys
from engine.store.records import BatchResult
from engine.store.state import State
from tests.alert_samples import alert
from tests.states import Taken, later, plan

with State.open(sys.argv[1]) as state:
    batch = state.last_batch()
    while True:
        print(batch, flush=True)
        batch += 1
        state.write_plan(state.open_plan() or plan(batch))
        alerts = [alert(uid=f"{n:032x}", count=batch) for n in range(40)]
        taken = {"trail": [Taken(f"{batch}-{n}") for n in range(40)]}
        state.commit(BatchResult(batch, alerts=alerts, seen=taken, sinks=("siem",)), later(batch))
"""


@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_any_instant_it_holds_whole_batches(kind: str, tmp_path: Path) -> None:
    place = new_place(kind, tmp_path)
    chance = random.Random(7)
    done = 0
    for _ in range(6):
        child = subprocess.Popen([sys.executable, "-c", CHILD, place], cwd=ROOT, stdout=subprocess.PIPE)
        assert child.stdout is not None
        for _ in range(chance.randint(1, 3)):
            assert child.stdout.readline().strip().isdigit()
        time.sleep(chance.uniform(0.0, 0.03))
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        with State.open(place, create=False) as state:
            last = state.last_batch()
            assert last >= done
            done = last
            alerts = state.alerts()
            assert {each.alert.count for each in alerts} == ({last} if last else set())
            assert {each.revision for each in alerts} == ({last} if last else set())
            assert [run.batch for run in state.runs(10_000)] == list(range(last, 0, -1))
            assert len(state.seen("trail", [f"{batch}-{n}" for batch in range(1, last + 2) for n in range(40)])) == last * 40
            assert len(state.outbox("siem", 1000)) == len(alerts)
            plan_left = state.open_plan()
            assert plan_left is None or plan_left.batch == last + 1
    assert done > 0


def test_one_of_two_that_do_the_same_batch_wins(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with State.open(path) as first, State.open(path) as second:
        first.write_plan(plan(1))
        result = BatchResult(1, alerts=[alert(uid=A), alert(uid=B)], seen={"trail": [Taken("a")]}, sinks=("siem",))
        outcomes = [state.commit(result, NOON).already for state in (first, second)]
        assert outcomes == [False, True]
        assert (len(first.outbox("siem", 10)), len(second.alerts())) == (2, 2)
