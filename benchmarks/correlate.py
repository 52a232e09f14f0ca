"""How fast correlations are, against the cost of merely sorting their hits.

    python benchmarks/correlate.py [--hits 5000000] [--groups 200000] [--correlations 50]

Makes hits from a seed, runs the correlation kernel on them, and measures in the same process the unit: one Polars sort of these hits by (correlation,
group, time), three rounds of both, the best of each. Prints one line of JSON; ``ratio`` is the kernel's seconds over the unit and compares between
machines, seconds do not. All types occur, sessions and extended conditions among them; each correlation has groups of its own, and a fifth of the
groups have bursts.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from datetime import timedelta

import numpy as np
import polars as pl

from engine.correlate.correlations import correlate
from engine.sigma.tree import And, Bound, BoundOperator, Correlation, CorrelationType, LogSource, Rule, Term

SEED = 7
START = 1_772_323_200_000_000
DAY = 86_400_000_000
ROUNDS = 3
KINDS = tuple(CorrelationType)


def made_hits(hits: int, groups: int, rules: int) -> pl.DataFrame:
    """Hits over thirty days: users with bursts, addresses, numbers and texts to count."""
    rng = np.random.default_rng(SEED)
    rule = rng.integers(0, rules, hits)
    share = groups // (rules // 2)
    # Each correlation sees groups of its own, some more often than others.
    user = rule // 2 * share + np.minimum(rng.integers(0, share, hits), rng.integers(0, share, hits))
    burst = user % 5 == 0
    at = np.where(burst, user * 7_919_000_003 % (29 * DAY) + rng.integers(0, DAY // 8, hits), rng.integers(0, 30 * DAY, hits))
    names = pl.Series([f"arn:aws:iam::111122223333:user/User-{number}" for number in range(groups)])
    addresses = pl.Series([f"10.{number // 65_536}.{number // 256 % 256}.{number % 256}" for number in range(50_000)])
    numbers = pl.Series([str(number) for number in range(1_000)] + [f"{number}.25" for number in range(24)])
    return pl.DataFrame(
        {
            "rule": pl.Series(rule).cast(pl.UInt32),
            "time": pl.Series(START + at // 1_000_000 * 1_000_000).cast(pl.Datetime("us", "UTC")),
            "x.uid": pl.Series(rng.permutation(hits)).cast(pl.String).str.zfill(8),
            "x.source": pl.Series(["aws.cloudtrail"]).new_from_index(0, hits),
            "actor.user.uid": names.gather(user),
            "src_endpoint.ip": addresses.gather(rng.integers(0, len(addresses), hits)),
            "native.bytes": numbers.gather(rng.integers(0, 1_000, hits)).reshape((hits, 1)).arr.to_list(),
            "native.cost": numbers.gather(rng.integers(0, len(numbers), hits)),
        }
    )


def made_correlations(number: int, rules: list[Rule]) -> list[Correlation]:
    """Correlations of all types in turn, each of two rules of its own."""
    made: list[Correlation] = []
    for index in range(number):
        kind = KINDS[index % len(KINDS)]
        uids = (rules[2 * index].uid, rules[2 * index + 1].uid)
        temporal = kind in (CorrelationType.TEMPORAL, CorrelationType.TEMPORAL_ORDERED)
        extended = temporal and index // len(KINDS) % 2 == 1
        session = not temporal and index // len(KINDS) % 3 == 2
        least = {CorrelationType.EVENT_COUNT: 6, CorrelationType.VALUE_COUNT: 5, CorrelationType.VALUE_SUM: 4_000}.get(kind, 970)
        bounds = (Bound(BoundOperator.GTE, least), *((Bound(BoundOperator.LT, 3 * least),) if session else ()))
        fields = {CorrelationType.VALUE_COUNT: ("src_endpoint.ip",), CorrelationType.VALUE_SUM: ("cost",)}.get(kind, ("bytes",))
        made.append(
            Correlation(
                f"correlation-{index}",
                f"Correlation {index}",
                "high",
                kind,
                uids,
                timedelta(hours=1 + index % 6),
                "",
                group_by=("actor.user.uid",),
                bounds=bounds if not temporal else () if extended else (Bound(BoundOperator.GTE, 2),),
                terms=(Term(uids[:1], uids[1:]),) if extended else (),
                fields=() if temporal or kind is CorrelationType.EVENT_COUNT else fields,
                percentile=95.0,
            )
        )
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description="Correlations against one sort of their hits.")
    parser.add_argument("--hits", type=int, default=5_000_000)
    parser.add_argument("--groups", type=int, default=200_000)
    parser.add_argument("--correlations", type=int, default=50)
    options = parser.parse_args()
    rules = [Rule(f"rule-{n}", f"Rule {n}", "low", LogSource(product="aws"), And(()), "") for n in range(2 * options.correlations)]
    hits = made_hits(options.hits, options.groups, len(rules))
    correlations = made_correlations(options.correlations, rules)
    gc.disable()
    units: list[float] = []
    times: list[float] = []
    for _ in range(ROUNDS):
        keyed = hits.select((pl.col("rule") // 2).alias("correlation"), "actor.user.uid", "time")
        start = time.perf_counter()
        keyed.sort("correlation", "actor.user.uid", "time")
        units.append(time.perf_counter() - start)
        start = time.perf_counter()
        found = correlate(hits, rules, correlations)
        times.append(time.perf_counter() - start)
    result = {
        "hits": options.hits,
        "groups": options.groups,
        "correlations": options.correlations,
        "alerts": found.alerts.height,
        "members": found.members.height,
        "seconds": round(min(times), 2),
        "unit": round(min(units), 2),
        "ratio": round(min(times) / min(units), 2),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
