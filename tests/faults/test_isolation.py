"""A record that breaks the work on a batch is rejected alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from engine.pipeline import Settings, batch, scan
from engine.pipeline.batch import Found
from engine.report.summary import as_json, exit_code_of
from tests.logs import ALERT, adds_up, delivered, event, quiet


@pytest.mark.parametrize("jobs", [1, 2])
def test_only_the_record_at_fault_is_lost(tmp_path: Any, monkeypatch: pytest.MonkeyPatch, jobs: int) -> None:
    (tmp_path / "a.json").write_bytes(delivered(*(quiet(number) for number in range(20)), event()))
    (tmp_path / "b.json").write_bytes(delivered(*(quiet(number) for number in range(20, 30)), event(99, eventName="Poison")))
    real = batch.events_of

    def fragile(found: Found, *others: Any) -> Any:
        if found.batch.records["raw_data"].str.contains("Poison").any():
            raise ZeroDivisionError("a defect")
        return real(found, *others)

    monkeypatch.setattr(batch, "events_of", fragile)
    result = scan([str(tmp_path)], Settings(now=datetime(2026, 3, 2, tzinfo=UTC), jobs=jobs))
    report = as_json(result.report)
    assert [alert.rule.title for alert in result.alerts] == [ALERT]
    assert adds_up(report)
    assert (report["records"], report["rejected"]) == (32, 1)
    assert "could not process this record (ZeroDivisionError)" in report["failures"][0]
    assert "a defect" not in report["failures"][0]
    assert exit_code_of(result.report) == 3
