"""Plain-rule episodes: which hits of one rule make one alert.

Hits of one rule and group merge while the gaps between them stay within the rule's merge gap (1 h, or its ``suppress``). A run that lasts longer than
L = max(gap, 24 h) is divided at whole multiples of L since the epoch. The result depends on the set of hits alone, never on their order or batches.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from json.encoder import encode_basestring_ascii as _quote

import polars as pl

from engine.correlate import evidence, groups
from engine.model import Level
from engine.sigma import timespan
from engine.sigma.tree import Rule

MERGE_GAP = timedelta(hours=1)
LONGEST = timedelta(hours=24)
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_GROUP = pl.lit([], dtype=pl.List(pl.String())).alias("group")
_ORDER = ("time", "x.uid", "x.source", "x.object", "x.position")


def merge_gap(rule: Rule) -> timedelta:
    """The greatest gap between two hits of ``rule`` that one alert may hold: its ``suppress``, which loading has checked, else `MERGE_GAP`."""
    return MERGE_GAP if rule.suppress is None else timespan.parse(rule.suppress)


def raises_alerts(rule: Rule) -> bool:
    """Whether hits of ``rule`` become alerts: those of informational rules are only counted."""
    return Level.of(rule.level) > Level.INFORMATIONAL


def alert_uid(rule_uid: str, group: Sequence[str], micros: int, event_uid: str) -> str:
    """Identity of an alert: 32 hex digits over the rule, the folded group values and the least (time, event uid) of its hits.

    ``micros`` is that time in microseconds since the epoch. What is hashed is the JSON text of the list of these four.
    """
    text = f"[{_quote(rule_uid)}, [{', '.join(map(_quote, group))}], {micros}, {_quote(event_uid)}]"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def micros(moment: datetime) -> int:
    """Microseconds since the epoch."""
    return (moment - _EPOCH) // _MICROSECOND


def episodes(hits: pl.DataFrame, rules: Sequence[Rule]) -> pl.DataFrame:
    """The hits that alert, with the alert each belongs to.

    ``hits`` has ``rule`` (index into ``rules``), ``time``, ``x.uid``, ``x.source``, ``x.object``, ``x.position``, the columns of `DEFAULT_GROUP` and
    those its rules group by (String or List(String)); others pass through. A second hit of one rule on one ``x.uid`` is dropped, and so are hits of
    rules that raise no alerts. Adds ``group`` (List(String), folded values) and ``alert`` (uid); rows are sorted by (rule, group, time, x.uid).

    Raises EngineError for hits without a column a rule groups by.
    """
    marked = _marked(hits, rules)
    firsts = marked.group_by("run", "piece", maintain_order=True).agg(pl.col("rule", "group", "time", "x.uid").first())
    uids = [
        alert_uid(rules[rule].uid, group, time, uid)
        for rule, group, time, uid in zip(firsts["rule"], firsts["group"].to_list(), firsts["time"].cast(pl.Int64()), firsts["x.uid"], strict=True)
    ]
    nth = marked.select(pl.struct("run", "piece").rle_id()).to_series()
    return marked.drop("run", "piece").with_columns(pl.Series("alert", uids, dtype=pl.String).gather(nth))


def keep_first_raw(hits: pl.DataFrame, rules: Sequence[Rule]) -> pl.DataFrame:
    """``hits`` with the columns of `evidence.OPTIONAL` they have nulled wherever the hit cannot become the first of an alert: what bounds memory.

    Applied to any part of a run's hits it keeps the texts that the alerts over all hits show, whatever the other parts hold; applied again to parts
    put together it drops more. No row is dropped.
    """
    with_row = hits.with_row_index("row")
    texts = [name for name in evidence.OPTIONAL if name in hits.columns]
    marked = _marked(with_row.drop(texts), rules, divide=True)
    firsts = marked.group_by("run", "piece").agg(pl.col("row").first())["row"]
    kept = pl.col("row").is_in(firsts.implode())
    return with_row.with_columns(pl.when(kept).then(name).alias(name) for name in texts).drop("row")


def _marked(hits: pl.DataFrame, rules: Sequence[Rule], *, divide: bool = False) -> pl.DataFrame:
    """The alerting hits sorted, with ``group``, ``run`` (Int64, rising) and ``piece`` (Int64); ``divide`` divides short runs too."""
    present = hits["rule"].unique().sort().to_list()
    alerting = [index for index in present if raises_alerts(rules[index])]
    kept = hits.filter(pl.col("rule").is_in(alerting)).sort("rule", *_ORDER, nulls_last=True)
    kept = kept.unique(["rule", "x.uid"], keep="first", maintain_order=True)
    gaps = [merge_gap(rules[index]) // _MICROSECOND for index in alerting]
    bounds = pl.DataFrame(
        {"rule": alerting, "gap": gaps, "longest": [max(gap, LONGEST // _MICROSECOND) for gap in gaps]},
        schema={"rule": pl.UInt32(), "gap": pl.Int64(), "longest": pl.Int64()},
    )
    grouped = _with_group(kept, rules, alerting).join(bounds, on="rule", how="left", maintain_order="left")
    ordered = grouped.sort("rule", "key", *_ORDER, nulls_last=True)
    at = pl.col("time").to_physical()
    same = (pl.col("rule") == pl.col("rule").shift()) & (pl.col("key") == pl.col("key").shift())
    starts = (~same | (at - at.shift() > pl.col("gap"))).fill_null(True)
    runs = ordered.with_columns(starts.cum_sum().cast(pl.Int64).alias("run"))
    long = pl.lit(True) if divide else (at.max().over("run") - at.min().over("run")) > pl.col("longest")
    piece = pl.when(long).then(at.floordiv(pl.col("longest"))).otherwise(-1)
    return runs.with_columns(piece.cast(pl.Int64).alias("piece")).drop("gap", "longest", "key")


def _with_group(hits: pl.DataFrame, rules: Sequence[Rule], indexes: Sequence[int]) -> pl.DataFrame:
    """``hits`` with ``group`` and ``key``, an unambiguous text of it to sort and compare by. Rules that group alike are handled together."""
    alike: dict[tuple[str, ...] | None, list[int]] = {}
    for index in indexes:
        alike.setdefault(rules[index].group_by, []).append(index)
    done: list[pl.DataFrame] = []
    for group_by, members in alike.items():
        part = hits.filter(pl.col("rule").is_in(members))
        values = groups.keys(part, group_by, rules[members[0]])
        if values.width == 0:
            done.append(part.with_columns(_NO_GROUP, pl.lit("").alias("key")))
            continue
        lengths = [pl.format("{}:{}", pl.col(name).str.len_bytes(), pl.col(name)) for name in values.columns]
        marks = values.select(pl.concat_list(pl.all()).alias("group"), pl.concat_str(lengths).alias("key"))
        done.append(pl.concat([part, marks], how="horizontal"))
    return pl.concat(done) if done else hits.with_columns(_NO_GROUP, pl.lit("").alias("key"))
