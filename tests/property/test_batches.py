"""However events are cut into batches, and in whatever order these come, the alerts that stand in the end are the same."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from connectors.batches import Batch
from connectors.sources import load_mappings
from engine.correlate.evidence import COLUMNS, OPTIONAL
from engine.detect.program import Program, compile_program
from engine.model import Alert, State
from engine.pipeline.batch import Settings, work
from engine.pipeline.correlating import watermarks
from engine.pipeline.lasting.lake_hits import from_lake, to_lake
from engine.pipeline.lasting.revising import Span, at_once, revision
from engine.sigma.load import load
from engine.store.lake_tables import HITS
from tests.examples import examples

START = datetime(2026, 3, 1, 22, tzinfo=UTC)
NOW = datetime(2026, 4, 1, tzinfo=UTC)
LOGSOURCE = "logsource: {product: aws, service: cloudtrail}"
RULES = f"""
title: Listed
id: 00000000-0000-4000-8000-000000000001
name: listed
level: low
{LOGSOURCE}
detection: {{selection: {{eventName: ListUsers}}, condition: selection}}
---
title: Made
id: 00000000-0000-4000-8000-000000000002
name: made
level: low
{LOGSOURCE}
detection: {{selection: {{eventName: CreateUser}}, condition: selection}}
---
title: Alone
id: 00000000-0000-4000-8000-000000000003
level: medium
{LOGSOURCE}
detection: {{selection: {{eventName: DeleteUser}}, condition: selection}}
---
title: Many lists
id: 00000000-0000-4000-8000-000000000011
name: many
level: high
correlation: {{type: event_count, rules: [listed], group-by: [userIdentity.arn], timespan: 30m, condition: {{gte: 3}}, generate: true}}
---
title: Few lists
id: 00000000-0000-4000-8000-000000000012
level: high
correlation: {{type: event_count, rules: [listed], group-by: [userIdentity.arn], timespan: 2h, condition: {{lte: 2}}}}
---
title: Listed, then made
id: 00000000-0000-4000-8000-000000000013
level: high
correlation: {{type: temporal_ordered, rules: [listed, made], group-by: [userIdentity.arn], timespan: 1h}}
---
title: Made and not listed
id: 00000000-0000-4000-8000-000000000014
level: high
correlation: {{type: temporal, rules: [listed, made], group-by: [userIdentity.arn], timespan: 1h, condition: made and not listed}}
---
title: Many lists, then made
id: 00000000-0000-4000-8000-000000000015
level: critical
correlation: {{type: temporal, rules: [many, made], group-by: [userIdentity.arn], timespan: 3h}}
---
title: Many addresses
id: 00000000-0000-4000-8000-000000000016
level: high
correlation: {{type: value_count, rules: [listed, made], group-by: [userIdentity.arn], timespan: 20h, condition: {{field: sourceIPAddress, gte: 3}}}}
"""

Event = tuple[int, str, str, int]
"""Minute, operation, user, address."""

events = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 300), st.integers(0, 60 * 24 * 5)),
        st.sampled_from(["ListUsers", "ListUsers", "CreateUser", "DeleteUser"]),
        st.sampled_from(["eve", "bob"]),
        st.integers(1, 4),
    ),
    min_size=1,
    max_size=24,
)


@cache
def program() -> Program:
    return compile_program(load([RULES]), load_mappings())


def record(number: int, event: Event) -> str:
    minute, operation, user, address = event
    return json.dumps(
        {
            "eventVersion": "1.09",
            "userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::111122223333:user/{user}", "accountId": "111122223333"},
            "eventTime": (START + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "eventSource": "iam.amazonaws.com",
            "eventName": operation,
            "awsRegion": "us-east-1",
            "sourceIPAddress": f"192.0.2.{address}",
            "eventID": f"e{number}",
            "eventType": "AwsApiCall",
            "recipientAccountId": "111122223333",
        }
    )


class Store:
    """What a lake and a state remember, in memory."""

    def __init__(self) -> None:
        self.hits = pl.DataFrame(schema={name: kind for name, kind in HITS.columns.items() if name != "x.day"})
        self.alerts: dict[str, Alert] = {}
        self.latest: dict[str, datetime] = {}
        self.batch = 0

    def take(self, numbered: Sequence[tuple[int, Event]]) -> None:
        """One batch: detect, keep the hits, revise."""
        self.batch += 1
        texts = [record(number, event) for number, event in numbered]
        records = pl.DataFrame(
            {"raw_data": texts, "position": [number for number, _ in numbered]}, schema={"raw_data": pl.String(), "position": pl.Int64()}
        ).with_columns(repaired=pl.lit(False), object=pl.lit("log"), object_index=pl.lit(0, pl.UInt32()))
        found = work(Batch(records), program=program(), mappings=load_mappings(), settings=Settings(NOW))
        for source, moment in found.latest.items():
            self.latest[source] = max(self.latest.get(source, moment), moment)
        touched: dict[str, Span] = {}
        for hits in found.hits:
            rows = to_lake(hits, program()).with_columns(pl.lit(self.batch, pl.Int64()).alias("x.batch"))
            self.hits = pl.concat([self.hits, rows.select(self.hits.columns)])
            for rule, low, high in rows.group_by("rule").agg(pl.col("time").min(), pl.col("time").max().alias("high")).iter_rows():
                touched[rule] = (min(low, touched.get(rule, (low, high))[0]), max(high, touched.get(rule, (low, high))[1]))
        for alert in self.alerts.values():
            if alert.state is State.OPEN:
                low, high = touched.get(alert.rule.uid, (alert.first_time, alert.last_time))
                touched[alert.rule.uid] = (min(low, alert.first_time), max(high, alert.last_time))
        marks = watermarks(self.latest, load_mappings(), NOW)
        told = revision(
            program(),
            touched,
            marks,
            lambda work, reads: at_once(work, reads, self.read),
            lambda uids, low, high: [a for a in self.alerts.values() if a.rule.uid in uids],
        )
        for alert in told.alerts:
            self.alerts[alert.uid] = alert
        for ended in told.ended:
            del self.alerts[ended.uid]

    def read(self, rules: Sequence[str], low: datetime, high: datetime) -> pl.DataFrame:
        return from_lake(self.hits.filter(pl.col("rule").is_in(rules) & pl.col("time").is_between(low, high)), program())


def test_hits_come_back_from_the_lake_as_they_went() -> None:
    store = Store()
    store.take([(0, (0, "ListUsers", "eve", 1)), (1, (1, "CreateUser", "bob", 2))])
    back = from_lake(store.hits, program())
    assert set(back.columns) >= {"rule", "native.userIdentity.arn", "native.sourceIPAddress", *COLUMNS, *OPTIONAL}
    assert back.sort("time")["native.userIdentity.arn"].to_list()[0] == ["arn:aws:iam::111122223333:user/eve"]
    kept = store.hits.drop("x.batch", "x.fields")
    assert to_lake(back, program()).select(kept.columns).equals(kept)


@given(events, st.data())
@examples(30)
def test_alerts_do_not_depend_on_batches(found: list[Event], data: st.DataObject) -> None:
    numbered = list(enumerate(found))
    shuffled = data.draw(st.permutations(numbered))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(found)), max_size=5)))
    whole, split = Store(), Store()
    whole.take(numbered)
    for low, high in zip([0, *cuts], [*cuts, len(found)], strict=True):
        if high > low:
            split.take(shuffled[low:high])
    assert split.alerts == whole.alerts
