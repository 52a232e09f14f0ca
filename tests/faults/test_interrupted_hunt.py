"""Ctrl-C while a rule looks at stored events: what was found by then, and a word that this is not all."""

from __future__ import annotations

import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from engine.pipeline.hunts.records import work_chunk
from engine.pipeline.hunts.sigma import INTERRUPTED, hunt_sigma
from tests.lakes import events_in, lake_of
from tests.logs import lines
from tests.running import call, rule

NOW = datetime(2026, 3, 8, tzinfo=UTC)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_hunt_that_is_interrupted_gives_what_was_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals) -> None:
    (tmp_path / "logs.json").write_bytes(lines(*(call(each, each) for each in range(12))))
    lake = lake_of(events_in([tmp_path / "logs.json"]), tmp_path / "lake")
    monkeypatch.setattr("engine.pipeline.hunts.records._ROWS", 3)
    real, chunks = work_chunk, 0

    def pressed(*given: Any, **more: Any) -> Any:
        nonlocal chunks
        chunks += 1
        if chunks == 2:
            signal.raise_signal(number)
        return real(*given, **more)

    monkeypatch.setattr("engine.pipeline.hunts.sigma.work_chunk", pressed)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        found = hunt_sigma(lake, rule(1), now=NOW, jobs=1)
        assert (found.failures, found.hits, sum(alert.count for alert in found.alerts)) == ((INTERRUPTED,), 6, 6)
        assert found.events == {"aws.cloudtrail": 6}
        whole = hunt_sigma(lake, rule(1), now=NOW, jobs=1)
        assert (whole.failures, whole.hits) == ((), 12)
    finally:
        signal.signal(signal.SIGINT, before)
