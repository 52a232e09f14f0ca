"""`crosswind lake`: what it prints, how it exits."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
import typer

from engine.cli.lake import lake as commands
from engine.errors import StateError, UsageError
from engine.store.lake import Lake
from tests.unit.test_lake import events, put


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "crosswind.toml"
    path.write_text('[lake]\npath = "lake"\n[limits]\nhit_retention = "30d"\n')
    return path


@pytest.fixture
def stored(config: Path) -> Lake:
    made = Lake.open(config.parent / "lake", create=True)
    today = datetime.now(UTC)
    old = events(4).with_columns(at(today - timedelta(days=60)))
    put(made, 1, old, events(6, start=10).with_columns(at(today)))
    put(made, 2, events(5, start=20).with_columns(at(today)))
    return made


def at(moment: datetime) -> pl.Expr:
    return pl.lit(moment).cast(pl.Datetime("us", "UTC")).alias("time")


def crosswind(*arguments: str | Path) -> int:
    code = typer.main.get_command(commands).main([str(argument) for argument in arguments], standalone_mode=False)
    return int(code or 0)


def test_status_says_what_is_there(config: Path, stored: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    assert crosswind("status", "--config", config) == 0
    tables = {row["table"]: row for row in json.loads(capsys.readouterr().out)}
    assert list(tables) == ["events", "hits", "edges", "facts", "rejects"]
    assert (tables["events"]["files"], tables["events"]["rows"], tables["events"]["last_batch"]) == (3, 15, 2)
    assert tables["events"]["sources"] == ["aws.cloudtrail"]
    assert tables["events"]["on_disk"] > tables["events"]["bytes"] > 0
    assert crosswind("status", "--config", config, "--format", "table") == 0
    assert "aws.cloudtrail" in capsys.readouterr().out


def test_care_changes_files_not_rows(config: Path, stored: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    assert crosswind("compact", "--config", config) == 0
    assert json.loads(capsys.readouterr().out)[0]["files_after"] == 2
    assert crosswind("vacuum", "--config", config) == 0
    assert json.loads(capsys.readouterr().out)[0]["files"] == 0
    assert crosswind("verify", "--config", config) == 0
    assert stored.extent("events").rows == 15


def test_events_without_a_mapping_version_are_made_again_or_kept(config: Path, stored: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    put(stored, 3, events(2, start=50).with_columns(pl.lit(0, pl.Int64()).alias("x.mapping_version")))
    assert crosswind("renormalize", "--config", config) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["source"], row["rows"], row["kept"]) for row in rows] == [("aws.cloudtrail", 0, 2)]


def test_retention_forgets_days(config: Path, stored: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    assert crosswind("retain", "--days", "30", "--config", config) == 0
    assert json.loads(capsys.readouterr().out)[0]["rows"] == 4
    assert stored.extent("events").rows == 11
    with pytest.raises(UsageError, match="horizon"):
        crosswind("retain", "--days", "3", "--config", config)
    with pytest.raises(UsageError, match="horizon"):
        crosswind("retain", "--days", "30", "--hit-days", "3", "--config", config)
    assert stored.extent("events").rows == 11


def test_a_damaged_file_is_named_and_exits_with_3(config: Path, stored: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    lost = stored.files("events")[0]
    lost.unlink()
    assert crosswind("verify", "--config", config) == 3
    assert lost.name in capsys.readouterr().out


def test_where_there_is_no_lake_yet(config: Path) -> None:
    with pytest.raises(StateError, match="there is no lake at"):
        crosswind("status", "--config", config)
    assert not (config.parent / "lake").exists()
