"""Histories of facts, and what they make of alerts, are functions of the set of events: order, repetition and batches change nothing."""

from __future__ import annotations

import json
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from engine.config import load_config
from engine.pipeline import Settings
from engine.pipeline.lasting.lake_identities import facts_of_lake
from engine.pipeline.posture import posture_of
from engine.pipeline.watch.scheduled import run
from engine.posture.facts import FACTS, together
from engine.posture.history import HISTORY, at, history
from tests.examples import examples
from tests.logs import lines
from tests.posture_samples import START, aws, facts
from tests.running import Place, rule

NOW = datetime(2026, 3, 9, tzinfo=UTC)
VALUES = (None, {"on": False}, {"on": True}, {"on": True, "text": False}, {"on": True, "text": False, "image": True}, {"on": True, "text": True})
rows = st.lists(
    st.tuples(st.sampled_from(("a", "b")), st.sampled_from(("", "x")), st.integers(0, 6), st.integers(0, 3), st.sampled_from(VALUES)), max_size=14
)
Row = tuple[str, str, int, int, dict[str, Any] | None]


def frame(found: list[Row]) -> pl.DataFrame:
    """Facts of (asset, part, hour, event number, value): events of one number and hour are one event."""
    parts = [facts(("ai.logging", f"aws.region:{asset}", hour, f"{hour}-{number}", value), part=part) for asset, part, hour, number, value in found]
    return pl.concat(parts) if parts else pl.DataFrame(schema=FACTS)


Slow = dict[tuple[str, str], list[dict[str, Any]]]


def slowly(found: list[Row]) -> Slow:
    """The history as one would write it down: per asset and part, event after event."""
    events: dict[tuple[str, str], dict[tuple[datetime, str], str | None]] = {}
    for asset, part, hour, number, given_value in found:
        text = None if given_value is None else json.dumps(given_value, sort_keys=True, separators=(",", ":"))
        own = events.setdefault((f"aws.region:{asset}", part), {})
        event = (START + timedelta(hours=hour), f"{hour}-{number}")
        own[event] = max(own.get(event) or "", text or "") or None
    told: Slow = {}
    for key, own in events.items():
        last: str | None = None
        before: dict[str, Any] | None = None
        for (time, uid), text in sorted(own.items()):
            state = "known" if text is not None else "stale" if last is not None else "unknown"
            known = state == "known" and before is not None and before["state"] == "known"
            row = {"time": time, "event_uid": uid, "value": text, "state": state, "known": known, "before": last}
            row |= {"before_uid": before["event_uid"] if before else None, "change": meaning(last, text) if known else None}
            told.setdefault(key, []).append(row)
            last, before = text or last, row
    return told


def meaning(before: str | None, after: str | None) -> str:
    one, other = json.loads(before or "{}"), json.loads(after or "{}")
    if one == other:
        return "same"
    protections = [[each["on"]] + [each["on"] and each.get(name) is not False for name in ("text", "image")] for each in (one, other)]
    pairs = list(zip(*protections, strict=True))
    if any(was and not now for was, now in pairs):
        return "weaker"
    return "stronger" if any(now and not was for was, now in pairs) else "other"


@given(rows, st.randoms(use_true_random=False))
@examples(150)
def test_a_history_is_what_one_would_write_down(found: list[Row], random: Any) -> None:
    shuffled = [*found, *random.sample(found, random.randint(0, len(found)))]
    random.shuffle(shuffled)
    made = history(frame(shuffled))
    assert dict(made.schema) == HISTORY
    wanted = slowly(found)
    assert made.height == sum(map(len, wanted.values()))
    for (asset, part), own in wanted.items():
        mine = made.filter((pl.col("asset") == asset) & (pl.col("part") == part))
        assert mine.select(list(own[0])).to_dicts() == own
    cut = random.randint(0, len(shuffled))
    assert history(together([frame(shuffled[cut:]), frame(shuffled[:cut])])).equals(made)


@given(rows, st.integers(-1, 7))
@examples(60)
def test_what_is_known_at_a_time_is_the_last_fact_up_to_it(found: list[Row], hour: int) -> None:
    moment = START + timedelta(hours=hour)
    known = {(row["asset"], row["part"]): row for row in at(frame(found), moment).to_dicts()}
    wanted = {}
    for key, own in slowly(found).items():
        if up_to := [row for row in own if row["time"] <= moment]:
            wanted[key] = up_to
    assert known.keys() == wanted.keys()
    for key, own in wanted.items():
        said = [(row["state"], row["value"] or row["before"]) for row in own]
        first = max((index + 1 for index in range(len(said)) if said[index] != said[-1]), default=0)
        assert (known[key]["state"], known[key]["value"]) == said[-1]
        assert (known[key]["since"], known[key]["event_uid"], known[key]["last_seen"]) == (
            own[first]["time"],
            own[first]["event_uid"],
            own[-1]["time"],
        )


@given(rows, st.tuples(st.just("a"), st.just(""), st.integers(0, 6), st.just(9), st.sampled_from(VALUES[1:])))
@examples(60)
def test_a_late_fact_with_a_value_changes_the_next_one_alone(found: list[Row], late: Row) -> None:
    names = [name for name in HISTORY if name not in ("tier", "why")]
    before = {
        row["event_uid"]: row
        for row in history(frame(found)).filter(pl.col("asset") == "aws.region:a", pl.col("part") == "").select(names).to_dicts()
    }
    after = history(frame([*found, late])).filter(pl.col("asset") == "aws.region:a", pl.col("part") == "").select(names).to_dicts()
    changed = [index for index, row in enumerate(after) if before.get(row["event_uid"]) != row]
    place = next(index for index, row in enumerate(after) if row["event_uid"] == f"{late[2]}-9")
    reached = next((index for index in range(place + 1, len(after)) if after[index]["value"] is not None), len(after) - 1)
    assert set(changed) <= set(range(place, reached + 1))


# --- in a lake ------------------------------------------------------------------------------------------------------------------------------

ON = {"loggingConfig": {"textDataDeliveryEnabled": True, "s3Config": {"bucketName": "example-logs"}}}
CALLS: tuple[tuple[str, Any], ...] = (
    ("PutModelInvocationLoggingConfiguration", ON),
    ("PutModelInvocationLoggingConfiguration", None),
    ("DeleteModelInvocationLoggingConfiguration", None),
    ("DeleteGuardrail", {"guardrailIdentifier": "gr1"}),
    ("InvokeModel", {"modelId": "m"}),
    ("InvokeModel", {"modelId": "m"}),
)
calls = st.lists(st.tuples(st.integers(0, 60 * 24 * 5), st.integers(0, len(CALLS) - 1)), min_size=1, max_size=14)


@cache
def root() -> Path:
    return Path(tempfile.mkdtemp())


def outcome(batches: list[list[dict[str, Any]]]) -> dict[str, Any]:
    folder = root() / "place"
    shutil.rmtree(folder, ignore_errors=True)
    place = Place(folder)
    place.rules(rule(1, "InvokeModel", title="Model called"))
    config = load_config(place.config, {})
    for number, batch in enumerate(batches):
        (place.logs / f"{number}.json").write_bytes(lines(*batch))
        run(config, lambda: NOW)
    stored = facts_of_lake(place.lake())
    read = posture_of(None, None, Settings(now=NOW), paths=[str(place.logs)])
    kept = posture_of(None, None, Settings(now=NOW), config=place.config)
    assert kept.known.equals(read.known)
    assert kept.unseen == read.unseen
    return {"facts": stored.to_dicts(), "posture": kept.known.to_dicts(), "incidents": place.incidents()}


@given(calls, st.data())
@examples(5)
def test_facts_and_scores_in_any_batches(found: list[tuple[int, int]], data: st.DataObject) -> None:
    made = []
    for number, (minute, which) in enumerate(found):
        name, request = CALLS[which]
        time = (START + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ")
        made.append(aws("bedrock", name, request, number=number, eventTime=time))
    shuffled = data.draw(st.permutations(made))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(made)), min_size=1, max_size=2)))
    parts = [shuffled[low:high] for low, high in zip([0, *cuts], [*cuts, len(made)], strict=True) if high > low]
    parts += data.draw(st.lists(st.sampled_from(parts), max_size=1))
    assert outcome(parts) == outcome([made])
