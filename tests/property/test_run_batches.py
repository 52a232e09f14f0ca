"""However logs are cut into batches, and in whatever order and how often they come, lake and state hold the same in the end."""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.config import load_config
from engine.pipeline.watch.scheduled import run
from tests.examples import examples
from tests.logs import event, lines
from tests.property.test_batches import RULES
from tests.running import Place

START = datetime(2026, 3, 1, 22, tzinfo=UTC)
NOW = datetime(2026, 3, 9, tzinfo=UTC)

Event = tuple[int, str, str, int, int]
"""Minute, operation, user, address, and a number that several may share: two records with one identity."""

events = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 300), st.integers(0, 60 * 24 * 6)),
        st.sampled_from(["ListUsers", "ListUsers", "CreateUser", "DeleteUser"]),
        st.sampled_from(["eve", "bob"]),
        st.integers(1, 4),
        st.sampled_from([*[None] * 5, 1, 2]),
    ),
    min_size=1,
    max_size=20,
)


def records(found: list[Event]) -> list[dict[str, Any]]:
    """Events that share a number share their identity, as records of one event do, and differ in the rest, even in time: by up to 12 hours."""
    made = []
    for index, (minute, operation, user, address, shared) in enumerate(found):
        number = 1000 + shared if shared else index
        moment = START + timedelta(minutes=shared * 100 + minute % 720 if shared else minute)
        who = {"type": "IAMUser", "arn": f"arn:aws:iam::111122223333:user/{user}", "accountId": "111122223333"}
        changes = {"userIdentity": who, "eventTime": moment.strftime("%Y-%m-%dT%H:%M:%SZ"), "sourceIPAddress": f"192.0.2.{address}"}
        made.append(event(number, operation, eventSource="iam.amazonaws.com", **changes))
    return made


@cache
def root() -> Path:
    return Path(tempfile.mkdtemp())


def outcome(batches: list[list[dict[str, Any]]]) -> dict[str, Any]:
    """What stands after these batches, each a run over one new file."""
    folder = root() / "place"
    shutil.rmtree(folder, ignore_errors=True)
    place = Place(folder)
    place.rules(RULES)
    config = load_config(place.config, {})
    for number, batch in enumerate(batches):
        (place.logs / f"{number}.json").write_bytes(lines(*batch))
        run(config, lambda: NOW)
    return {
        "events": place.events().select("x.uid", "time", "raw_data").to_dicts(),
        "hits": place.hits().to_dicts(),
        "alerts": {uid: (alert.state, alert.event_uids, alert.level, alert.reason) for uid, alert in place.alerts().items()},
        "incidents": place.incidents(),
        "delivered": {document["uid"] for document in place.delivered()} >= set(place.alerts()),
    }


@given(events, st.data())
@examples(6)
def test_a_week_in_any_batches(found: list[Event], data: st.DataObject) -> None:
    made = records(found)
    shuffled = data.draw(st.permutations(made))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(made)), min_size=1, max_size=3)))
    parts = [shuffled[low:high] for low, high in zip([0, *cuts], [*cuts, len(made)], strict=True) if high > low]
    parts += data.draw(st.lists(st.sampled_from(parts), max_size=1))
    whole = outcome([made])
    assert outcome(parts) == whole
    assert whole["delivered"]
