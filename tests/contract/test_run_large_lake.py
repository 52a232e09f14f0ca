"""A lake that lists 100 million events in many small files, or in fewer large ones: a run without news and `status` do not feel them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from deltalake import CommitProperties, Transaction

from engine.store.lake import Lake
from engine.store.lake_files import Part, add_action, load
from engine.store.lake_tables import EVENTS
from tests.conftest import Ran
from tests.running import Place, call

EVENTS_LISTED = 100_000_000
DAY = date(2026, 1, 1)
COMMITS = 6


def listed(lake: Lake, files: int) -> None:
    """Let the log name so many files that hold the events, none of which exists: whoever reads one fails."""
    made = 0
    for commit in range(COMMITS):
        actions = []
        while made < files * (commit + 1) // COMMITS:
            day = DAY + timedelta(days=made * 30 // files)
            bounds = {"time": f"{day}T00:00:00.000Z", "x.batch": 1, "x.mapping_version": 1, "api.operation": "GetObject", "actor.user.uid": "someone"}
            told = {"numRecords": EVENTS_LISTED // files, "minValues": bounds, "maxValues": bounds, "nullCount": dict.fromkeys(bounds, 0)}
            name = f"x.source=aws.cloudtrail/x.day={day}/batch-00000001-{made:032x}.parquet"
            part = Part(name, ("aws.cloudtrail", day.isoformat()), 300_000, EVENTS_LISTED // files, json.dumps(told), 1_772_000_000_000)
            actions.append(add_action(EVENTS, part))
            made += 1
        table = load(lake.path, EVENTS)
        signed = {"crosswind.batch": 1, "crosswind.plan": lake.batch_of("events")[1] or "", "crosswind.writer": "other"} if commit % 2 else {}
        properties = CommitProperties(custom_metadata=signed, app_transactions=[Transaction(EVENTS.application, 1)])
        table.create_write_transaction(actions, "append", table.schema(), list(EVENTS.partition), commit_properties=properties)
        if commit == COMMITS - 2:
            load(lake.path, EVENTS).create_checkpoint()


@pytest.mark.parametrize("files", [20_000, 1_000])
def test_a_hundred_million_listed_events_cost_a_run_without_news_nothing(cli: Callable[..., Ran], tmp_path: Path, files: int) -> None:
    place = Place(tmp_path / "place")
    place.put("a.json", call(1, 0))
    assert cli("run", "--config", place.config).code == 0
    listed(place.lake(), files)
    began = time.process_time()
    ran = cli("run", "--config", place.config)
    spent = time.process_time() - began
    assert ran.code == 0, ran.err
    assert "nothing new in trail" in ran.err
    assert spent < 2, "seconds of all threads, loading of libraries aside"
    began = time.process_time()
    assert cli("status", "--config", place.config, "--silent-after", "-9000d").code == 0
    assert time.process_time() - began < 2
    assert place.lake().extent("events").rows == EVENTS_LISTED + 1
