"""`crosswind sinks`: install, test, status and replay over a configuration, a state and a server's double."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from engine.cli.sinks import sinks
from engine.config import load_config
from engine.errors import UsageError
from engine.pipeline.lasting.delivering import deliver
from engine.store.records import BatchResult, Plan
from engine.store.state import State
from tests.alert_samples import alert
from tests.elasticsearch_double import Double, elasticsearch_double
from tests.outbox import NOW

CONFIG = """
[lake]
path = "lake"
[sink.siem]
type = "elasticsearch"
hosts = "{url}"
[sink.copy]
type = "file"
path = "out/alerts.ndjson"
"""
Call = Callable[..., tuple[int, str]]


@pytest.fixture
def double() -> Iterator[Double]:
    with elasticsearch_double() as made:
        yield made


@pytest.fixture
def config(tmp_path: Path, double: Double) -> Path:
    path = tmp_path / "crosswind.toml"
    path.write_text(CONFIG.format(url=double.url))
    with State.open(tmp_path / "state.db") as state:
        state.write_plan(Plan(1, ("trail",), "[]", "digest", NOW, "rules"))
        alerts = [alert(uid=f"{number:032x}") for number in range(3)]
        state.commit(BatchResult(1, alerts=alerts, sinks=("siem", "copy")), NOW)
    return path


@pytest.fixture
def call(config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    app = typer.Typer()
    app.add_typer(sinks, name="sinks")

    def run(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        code = app(["sinks", *arguments, "--config", str(config)], standalone_mode=False)
        return code, capsys.readouterr().out

    return run


def deliver_all(config: Path) -> list[tuple[str, int, int]]:
    loaded = load_config(config, {})
    with State.open(loaded.state) as state:
        return [(each.sink, each.delivered, each.dead) for each in deliver(loaded, state, NOW)]


def test_from_install_to_delivery(call: Call, config: Path, double: Double) -> None:
    code, out = call("test")
    assert code == 3
    assert "siem: FAILED: sink siem: the templates are not installed; run `crosswind sinks install siem` first" in out
    assert call("install")[0] == 0
    code, out = call("test")
    assert (code, "FAILED" in out) == (0, False)
    code, out = call("status")
    assert code == 0
    assert "siem (elasticsearch): 3 waiting since 2026-03-02T08:00:00.000000Z, 0 failing, 0 refused for good" in out
    assert deliver_all(config) == [("siem", 3, 0), ("copy", 3, 0)]
    assert deliver_all(config) == [("siem", 0, 0), ("copy", 0, 0)]
    assert len(double.stream("logs-crosswind.alert-default")) == 3
    assert len((config.parent / "out/alerts.ndjson").read_text().splitlines()) == 3
    code, out = call("status", "--format", "json")
    assert [(each["sink"], each["waiting"]) for each in json.loads(out)] == [("copy", 0), ("siem", 0)]


def test_dead_letters_are_shown_and_replayed(call: Call, config: Path, double: Double) -> None:
    call("install")

    def refuse(kind: str, index: str, document: dict[str, Any]) -> tuple[int, Any] | None:
        bad = {"type": "document_parsing_exception", "reason": "a field is odd\x1b[2J"}
        return (400, bad) if document["event"]["id"].endswith("1") else None

    double.reject = refuse
    assert deliver_all(config) == [("siem", 2, 1), ("copy", 3, 0)]
    code, out = call("status")
    assert code == 3
    assert "400 document_parsing_exception: a field is odd" in out
    assert "\x1b" not in out
    assert "sinks replay siem" in out
    code, out = call("replay", "siem")
    assert (code, "1 refused for good" in out) == (3, True)
    double.reject = lambda kind, index, document: None
    assert call("replay", "siem", "--id", "999")[1].startswith("0 dead letters")
    code, out = call("replay")
    assert code == 0
    assert "1 dead letters are tried again" in out
    assert "siem: 1 delivered" in out
    assert call("status")[0] == 0


def test_a_sink_that_cannot_be_made_keeps_nothing_from_the_others(config: Path) -> None:
    config.write_text(config.read_text().replace('type = "elasticsearch"', 'type = "elasticsearch"\napi_key = { env = "NOT_THERE" }'))
    (config.parent / "out").mkdir()
    loaded = load_config(config, {})
    with State.open(loaded.state) as state:
        siem, copy = deliver(loaded, state, NOW)
    assert "NOT_THERE" in (siem.stopped or "")
    assert copy.delivered == 3


def test_unknown_names_and_a_kibana_nobody_has_are_usage_errors(call: Call) -> None:
    with pytest.raises(UsageError, match="did you mean 'siem'"):
        call("test", "seim")
    with pytest.raises(UsageError, match="--kibana"):
        call("install", "copy", "--kibana")
    code, out = call("install", "siem", "--kibana")
    assert code == 3
    assert "has no kibana" in out


def test_a_sink_that_is_configured_no_more_is_shown_while_it_has_rows(call: Call, config: Path) -> None:
    config.write_text(config.read_text().partition("[sink.copy]")[0])
    assert "copy (not configured any more): 3 waiting" in call("status")[1]
