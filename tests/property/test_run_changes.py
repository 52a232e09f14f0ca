"""Diff rules: however logs are cut into batches, and in whatever order and how often they come, hits and alerts are those of one scan."""

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
from engine.pipeline import Settings, scan
from engine.pipeline.watch.scheduled import run
from tests.examples import examples
from tests.logs import event, lines
from tests.running import Place

START = datetime(2026, 3, 1, 22, tzinfo=UTC)
NOW = datetime(2026, 3, 9, tzinfo=UTC)
WEAKER = """
title: Logging weaker
id: 00000000-0000-4000-8000-000000000001
name: weaker
level: high
logsource: {product: aws, service: cloudtrail}
detection: {selection: {x.change.known: true, x.change.weaker: ai.logging}, condition: selection}
"""
OPENED = """
title: Training data opened
id: 00000000-0000-4000-8000-000000000002
level: high
logsource: {product: cloud}
group_by: [x.change.asset]
detection:
  opened: {x.change.known: true, x.change.weaker|startswith: 'bucket.policy.', x.change.about: bucket.use.in_use}
  condition: opened
"""
SAME = """
title: Nothing changed
id: 00000000-0000-4000-8000-000000000003
level: low
logsource: {product: aws, service: cloudtrail}
detection: {known: {x.change.known: true}, differs: {x.change.fact|exists: true}, condition: known and not differs}
"""
AGAIN = """
title: Logging weaker again and again
id: 00000000-0000-4000-8000-000000000011
level: critical
correlation: {type: event_count, rules: [weaker], group-by: [x.change.asset], timespan: 6h, condition: {gte: 2}, generate: true}
"""
RULES = (WEAKER, OPENED, SAME, AGAIN)

Told = tuple[int, str, int, bool, int | None]
"""Minute, what is told, which value, whether it succeeded, and a number that several may share: two records with one identity."""

told = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 20), st.integers(0, 60 * 24 * 5)),
        st.sampled_from(["logging", "logging", "policy", "use", "other"]),
        st.integers(0, 3),
        st.sampled_from([True, True, True, False]),
        st.sampled_from([*[None] * 6, 1]),
    ),
    min_size=1,
    max_size=12,
)


def record(index: int, each: Told) -> dict[str, Any]:
    minute, what, which, fine, shared = each
    moment = START + timedelta(minutes=shared * 100 + minute % 300 if shared else minute)
    changes: dict[str, Any] = {"eventTime": moment.strftime("%Y-%m-%dT%H:%M:%SZ"), "awsRegion": "us-east-1", "recipientAccountId": "111122223333"}
    changes |= {} if fine else {"errorCode": "AccessDenied"}
    number = 1000 + shared if shared else index
    if what == "logging":
        given = {"s3Config": {"bucketName": "logs"}, "textDataDeliveryEnabled": which == 0, "imageDataDeliveryEnabled": which == 1}
        config = None if which == 3 else given
        name = "PutModelInvocationLoggingConfiguration" if which != 2 else "DeleteModelInvocationLoggingConfiguration"
        return event(number, name, eventSource="bedrock.amazonaws.com", requestParameters={"loggingConfig": config}, **changes)
    if what == "policy":
        who = ["arn:aws:iam::111122223333:root", "arn:aws:iam::444455556666:root", "*", "arn:aws:iam::444455556666:root"][which]
        policy = {"Statement": [{"Effect": "Allow", "Principal": {"AWS": who}, "Action": "s3:GetObject", "Resource": "*"}]}
        asked = {"bucketName": "data" if which < 3 else "other", "bucketPolicy": policy}
        return event(number, "PutBucketPolicy", eventSource="s3.amazonaws.com", requestParameters=asked, **changes)
    if what == "use":
        place = {"s3DataSource": {"s3Uri": f"s3://{'data' if which < 3 else 'other'}/x"}}
        job = {"trainingJobName": "t", "inputDataConfig": [{"dataSource": place}]}
        return event(number, "CreateTrainingJob", eventSource="sagemaker.amazonaws.com", requestParameters=job, **changes)
    return event(number, "ListBuckets", eventSource="s3.amazonaws.com", **changes)


@cache
def root() -> Path:
    return Path(tempfile.mkdtemp())


def shown(alerts: Any) -> dict[str, Any]:
    fields = ("x.change.weaker", "x.change.lost", "x.change.before", "x.change.after", "x.change.about")
    return {
        each.uid: (each.rule.title, each.state, each.event_uids, each.group, {name: each.evidence.get(name) for name in fields}) for each in alerts
    }


def place_of(batches: list[list[dict[str, Any]]], rules: tuple[str, ...], first: tuple[str, ...]) -> Place:
    """What stands after these batches, each a run over one new file; the ``first`` run with other rules."""
    folder = root() / "place"
    shutil.rmtree(folder, ignore_errors=True)
    place = Place(folder)
    for number, batch in enumerate(batches):
        place.rules(*(rules if number else first))
        (place.logs / f"{number}.json").write_bytes(lines(*batch))
        run(load_config(place.config, {}), lambda: NOW)
    return place


@given(told, st.data())
@examples(12)
def test_diff_rules_say_the_same_in_any_batches(found: list[Told], data: st.DataObject) -> None:
    made = [record(index, each) for index, each in enumerate(found)]
    shuffled = data.draw(st.permutations(made))
    cuts = sorted(data.draw(st.sets(st.integers(1, max(len(made) - 1, 1)), min_size=1, max_size=3)))
    parts = [shuffled[low:high] for low, high in zip([0, *cuts], [*cuts, len(made)], strict=True) if high > low]
    parts += data.draw(st.lists(st.sampled_from(parts), max_size=1))
    whole = place_of([made], RULES, RULES)
    alerts, hits = shown(whole.alerts().values()), whole.hits().to_dicts()
    first = data.draw(st.sampled_from([RULES, RULES, (SAME,)])) if len(parts) > 1 else RULES
    place = place_of(parts, RULES, first)
    assert shown(place.alerts().values()) == alerts
    assert place.hits().to_dicts() == hits
    logs = place.logs.parent / "again.json"
    logs.write_bytes(lines(*shuffled))
    assert shown(scan([str(logs)], Settings(NOW), rules=RULES, builtin=False).raised) == alerts
