"""Time and memory of incidents over alerts and identity edges, and how both grow. Seeded; needs no input.

    python benchmarks/incidents_speed.py [--alerts 10000,30000,100000] [--edges-per-alert 10]

A tenth of the alerts belong to campaigns of 5 to 60 that go over keys, sessions and addresses; the rest is what single identities trip over.
``growth`` is the cost an alert over that of the first line: near 1 means that time grows with the number of alerts. Asked for: 100,000 alerts and
1,000,000 edges in less than a minute on two cores and 1.5 GB, growth near 1. ``peak MB`` is of the whole process, the benchmark's own input included.
"""

from __future__ import annotations

import argparse
import random
import resource
import time
from datetime import UTC, datetime, timedelta

import polars as pl

from engine.identity.edges import described, together
from engine.incidents.kernel import Given, incidents
from engine.incidents.rules import TACTICS, RuleFacts
from engine.incidents.sightings import SIGHTINGS
from engine.model import Alert, AlertKind, CloudAccount, Entity, EventRef, Level, RuleRef, State

START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 60
RULES = {f"rule-{n}": RuleFacts((TACTICS[n % len(TACTICS)],), f"t{1000 + n // 3}", "paas") for n in range(200)}
LEVELS = (Level.LOW, Level.LOW, Level.MEDIUM, Level.MEDIUM, Level.HIGH, Level.CRITICAL)


def key(number: int) -> str:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    text = ""
    for _ in range(16):
        number, rest = divmod(number, 32)
        text += letters[rest]
    return "ASIA" + text


def alert(chance: random.Random, number: int, who: int, when: float, key_number: int, ip: str) -> Alert:
    rule = f"rule-{chance.randrange(200)}"
    first = START + timedelta(seconds=when)
    events = tuple(f"event-{number}-{n}" for n in range(chance.randint(1, 5)))
    user = f"arn:aws:iam::111122223333:user/user-{who}"
    entities = (
        Entity("credential", key(key_number)),
        Entity("user", user),
        Entity("ip", ip),
        Entity("resource", f"arn:aws:s3:::bucket-{chance.randrange(5_000)}"),
        Entity("account", "111122223333"),
    )
    level = chance.choice(LEVELS)
    return Alert(
        uid=f"{chance.getrandbits(128):032x}",
        state=State.LIVE,
        kind=AlertKind.RULE,
        rule=RuleRef(rule, rule, level.word),
        level=level,
        first_time=first,
        last_time=first + timedelta(seconds=chance.randrange(1_800)),
        count=len(events),
        sources=("aws.cloudtrail",),
        cloud=(CloudAccount(("AWS", "GCP", "Azure")[who % 3], "111122223333"),),
        entities=entities,
        events=tuple(EventRef(uid, first, "aws.cloudtrail", "a.json.gz", n) for n, uid in enumerate(events)),
        event_uids=events,
        reason="",
        evidence={"time": first, "x.read_only": chance.random() < 0.5, "api.request.uid": f"request-{number}", "cloud.provider": "AWS"},
    )


def world(size: int, seed: int) -> list[Alert]:
    chance = random.Random(seed)
    made: list[Alert] = []
    while len(made) < size:
        campaign = chance.random() < 0.1 / 30
        who, when, ip = chance.randrange(size), chance.random() * DAYS * 86_400, f"203.{chance.randrange(1, 255)}.{chance.randrange(255)}.7"
        for _ in range(chance.randint(5, 60) if campaign else 1):
            made.append(alert(chance, len(made), who, when, chance.randrange(size * 2) if not campaign else who * 7 + chance.randrange(3), ip))
            when += chance.random() * 7_200
    return made[:size]


def identity(alerts: list[Alert], number: int, seed: int) -> pl.DataFrame:
    """Half of the edges lead from keys of the alerts, over two sessions, to users; the other half is what everybody else did."""
    chance = random.Random(seed)
    parts = [_edges(alerts, chance, range(begin, min(begin + 50_000, number))) for begin in range(0, number, 50_000)]
    return together(parts)


def _edges(alerts: list[Alert], chance: random.Random, numbers: range) -> pl.DataFrame:
    rows: list[tuple[str, str, str, datetime, str]] = []
    for index in numbers:
        own = alerts[chance.randrange(len(alerts))] if index % 2 else None
        child = own.entities[0].value if own else key(10_000_000 + index)
        began = (own.first_time if own else START) - timedelta(minutes=30)
        role = f"arn:aws:sts::111122223333:assumed-role/role-{index % 500}/session-{index}"
        kind, parent = (("issued_key", f"aws.arn:{role}"), ("key_of", own.entities[1].value if own else "u"))[index % 3 == 0]
        rows.append((kind, f"aws.key:{child}", parent if kind == "issued_key" else f"aws.user:{parent}", began, f"proof-{index}"))
    frame = pl.DataFrame(rows, schema=["kind", "child", "parent", "time", "event_uid"], orient="row")
    frame = frame.with_columns(pl.lit(None, pl.Datetime("us", "UTC")).alias("until"), pl.lit("aws.cloudtrail").alias("source"))
    return described(frame)


def seen(alerts: list[Alert]) -> pl.DataFrame:
    """Addresses by hour; every 20th of the alerts was seen the day before from an address."""
    hours = [24 * (20_400 + day) + hour for day in range(DAYS + 60) for hour in range(24)]
    rows = [(f"ip:198.51.100.{n}", "somebody", hour) for n in range(20) for hour in hours]
    rows += [(f"ip:{each.entities[2].value}", "somebody", 24 * (each.first_time.toordinal() - 719_164)) for each in alerts[::20]]
    return pl.DataFrame(rows, schema=SIGHTINGS, orient="row")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--alerts", default="10000,30000,100000")
    parser.add_argument("--edges-per-alert", type=int, default=10)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    first: float | None = None
    print(
        f"{'alerts':>8} {'edges':>9} {'incidents':>9} {'largest':>8} {'wall s':>7} {'CPU s':>7} {'peak MB':>8} {'CPU µs an alert':>16} {'growth':>7}"
    )
    for size in map(int, options.alerts.split(",")):
        alerts = world(size, options.seed)
        edges = identity(alerts, size * options.edges_per_alert, options.seed)
        given = Given(RULES, edges, seen(alerts))
        wall, cpu = time.perf_counter(), time.process_time()
        found = incidents(alerts, given)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        each = cpu / size * 1e6
        first = first or each
        largest = max(len(incident.alert_uids) for incident in found)
        line = (
            f"{size:>8,} {edges.height:>9,} {len(found):>9,} {largest:>8,} {wall:>7.1f} {cpu:>7.1f} {peak:>8,.0f} {each:>16.0f} {each / first:>7.2f}"
        )
        print(line, flush=True)


if __name__ == "__main__":
    main()
