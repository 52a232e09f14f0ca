"""`crosswind state`: a backup, and a way back from one."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Ran
from tests.killing import child, ended
from tests.running import Place, call, many, rule

Run = Callable[..., Ran]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    found = Place(tmp_path / "place")
    found.rules(rule(1), rule(2, "Other"), many(2, 2))
    found.put("a.json", call(1, 30), call(2, 400, "Other"))
    return found


@pytest.fixture
def state(cli: Run, place: Place) -> Run:
    return lambda *arguments: cli("state", *arguments, "--config", place.config)


def news(place: Place) -> None:
    """A late event, a growing file, and alerts that change."""
    place.put("a.json", call(1, 30), call(2, 400, "Other"), call(3, 410, "Other"))
    place.put("b.json", call(4, 0), call(5, 900))


def put_back(place: Place, backup: Path) -> None:
    for path in place.root.glob("state.db*"):
        path.unlink()
    shutil.copy(backup, place.root / "state.db")


def outcome(place: Place) -> tuple[Any, ...]:
    return place.events().to_dicts(), place.hits().to_dicts(), place.alerts()


def test_a_backup_that_was_put_back_catches_up(cli: Run, state: Run, place: Place, tmp_path: Path) -> None:
    run: Run = lambda: cli("run", "--config", place.config)  # noqa: E731
    assert run().code == 0
    assert state("backup", tmp_path / "backup.db").code == 0
    assert state("backup", tmp_path / "backup.db").code == 3, "nothing is overwritten"
    news(place)
    assert run().code == 0
    wanted = outcome(place)
    assert state("check").code == 0
    put_back(place, tmp_path / "backup.db")
    for said in (run(), state("check")):
        assert said.code == 3
        assert "crosswind state repair" in said.err
    repaired = state("repair")
    assert repaired.code == 0, repaired.err
    assert outcome(place) == wanted, "from the lake alone"
    assert run().code == 0
    assert outcome(place) == wanted
    told = {document["uid"]: document for document in place.delivered()}
    assert {uid for uid, document in told.items() if document["state"] == "live"} == set(wanted[2])
    assert "nothing to repair" in state("repair").err
    place.put("c.json", call(6, 901))
    assert run().code == 0
    assert place.events().height == len(wanted[0]) + 1


def test_what_could_not_be_read_stands_once_however_often_it_is_read(cli: Run, state: Run, place: Place, tmp_path: Path) -> None:
    assert cli("run", "--config", place.config).code == 0
    assert state("backup", tmp_path / "backup.db").code == 0
    path = place.put("b.json", call(4, 0))
    with path.open("ab") as file:
        file.write(b'{"eventVersion": "1.08", "eventSource": broken}\n' * 2)
    (place.logs / "c.json.gz").write_bytes(gzip.compress(path.read_bytes())[:-12])
    os.utime(place.logs / "c.json.gz", (1_770_000_000,) * 2)
    assert cli("run", "--config", place.config).code == 3
    wanted = place.lake().scan("rejects").select("object", "position", "reason", "source").collect().sort("object", "position")
    assert wanted["position"].null_count() == 1
    assert wanted.height >= 3
    put_back(place, tmp_path / "backup.db")
    assert state("repair").code == 0
    again = cli("run", "--config", place.config)
    assert again.code == 3
    assert "b.json" in again.err, "it is named again all the same"
    got = place.lake().scan("rejects").select("object", "position", "reason", "source").collect().sort("object", "position")
    assert got.equals(wanted)


@pytest.mark.parametrize("number", [1, 2])
def test_batches_that_were_half_done_are_done_again(cli: Run, state: Run, place: Place, tmp_path: Path, number: int) -> None:
    """The lost batch had committed its rejects, or its hits too, and not its events."""
    assert cli("run", "--config", place.config).code == 0
    assert state("backup", tmp_path / "backup.db").code == 0
    news(place)
    ended(child(place.config, "lake", number, "after"))
    put_back(place, tmp_path / "backup.db")
    assert cli("run", "--config", place.config).code == 3
    assert state("repair").code == 0
    assert cli("run", "--config", place.config).code == 0
    got = outcome(place)
    other = Place(tmp_path / "other")
    other.rules(rule(1), rule(2, "Other"), many(2, 2))
    news(other)
    assert cli("run", "--config", other.config).code == 0
    names = ["x.uid", "time", "raw_data"]
    assert place.events().select(names).equals(other.events().select(names))
    assert place.hits().equals(other.hits())
    assert set(got[2]) == set(other.alerts())


def test_an_empty_state_beside_a_lake_learns_all(cli: Run, state: Run, place: Place) -> None:
    news(place)
    assert cli("run", "--config", place.config).code == 0
    wanted = outcome(place)
    for path in place.root.glob("state.db*"):
        path.unlink()
    assert cli("run", "--config", place.config).code == 3
    assert state("repair").code == 0
    assert outcome(place) == wanted
    assert cli("run", "--config", place.config).code == 0
    assert outcome(place) == wanted


def test_an_older_lake_cannot_be_repaired(cli: Run, state: Run, place: Place) -> None:
    assert cli("run", "--config", place.config).code == 0
    (place.root / "lake").rename(place.root / "elsewhere")
    ran = state("repair")
    assert ran.code == 3
    assert "older than the state" in ran.err
