"""Upper bounds look at the whole of a session, however long it goes on: what comes at its end decides about what was said of its beginning."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from engine.config import load_config
from engine.pipeline.watch.scheduled import run as work
from tests.running import Place, call, rule

NOW = datetime(2026, 4, 20, tzinfo=UTC)
FEW = """
title: Few
id: 00000000-0000-4000-8000-000000000011
name: few
level: high
correlation: {type: event_count, rules: [rule1], group-by: [userIdentity.arn], timespan: 24h, condition: {lte: 3}}
"""
OVER = """
title: Few, then again
id: 00000000-0000-4000-8000-000000000012
level: high
correlation: {type: temporal, rules: [few, rule2], group-by: [userIdentity.arn], timespan: 24h}
"""
EVERY = 20 * 60


def alone(number: int, minute: int, **changes: Any) -> dict[str, Any]:
    return call(number, minute, **changes)


DAYS = [alone(n, EVERY * n) for n in range(15)]
"""One call every 20 hours, for 12 days: one session of at most two calls in 24 hours."""
BURST = [alone(100 + n, EVERY * 14 + 10 * n) for n in range(5)]
"""Five calls at its end."""
BEFORE = [alone(200 + n, 10 * n - 4 * 60) for n in range(5)]
"""Five calls just before its beginning."""


@pytest.mark.parametrize(
    ("batches", "texts"),
    [
        ([DAYS, BURST], (FEW,)),
        ([DAYS, BEFORE], (FEW,)),
        ([DAYS[:7] + DAYS[8:] + BURST, DAYS[7:8]], (FEW, OVER)),
    ],
)
def test_a_session_longer_than_any_window_is_judged_as_a_whole(tmp_path: Path, batches: list[list[dict[str, Any]]], texts: tuple[str, ...]) -> None:
    extra = [call(300, EVERY * 2 + 30, "DeleteTrail")]
    found = []
    for name, parts in (("parts", [batches[0] + extra, *batches[1:]]), ("whole", [sum(batches, extra)])):
        place = Place(tmp_path / name, settings="")
        place.configure('[limits]\nhorizon = "30d"\n')
        place.rules(rule(1), rule(2, "DeleteTrail"), *texts)
        for number, part in enumerate(parts):
            place.put(f"{number}.json", *part)
            work(load_config(place.config, {}), lambda: NOW)
        found.append({uid: alert.event_uids for uid, alert in place.alerts().items()})
    assert found[0] == found[1]
