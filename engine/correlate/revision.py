"""What becomes of earlier alerts when records come late or rules change: which are replaced by others, which are taken back."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

LATE_DATA = "late data"
RULE_CHANGED = "rule changed"


def revise(previous: pl.DataFrame, current: pl.DataFrame, hashes: Mapping[str, str]) -> pl.DataFrame:
    """The alerts of ``previous`` that differ from those of ``current``, and what became of them.

    Both frames hold the alerts of the same rules and the same time range, one row an alert: ``alert`` (String, its uid), ``rule`` (String, uid of its
    rule or correlation), ``rule_hash`` (String, content hash of that) and ``events`` (List(String), x.uid of its evidence). ``hashes``: uid → content
    hash of the rules that are loaded now; a rule that is gone has none.

    Result, by ``alert``: ``alert``, ``status``, ``reason`` and ``by`` (List(String)). An alert whose uid is still there while its events or hash are
    others is ``revised``. One whose uid is gone is ``superseded`` where alerts of the same rule now hold some of its events, and ``by`` names them
    in ascending order, else ``retracted``. ``reason`` is `RULE_CHANGED` where its rule has another hash now or none, else `LATE_DATA`. What did not
    change is left out.
    """
    events = pl.col("events").list.unique().list.sort()
    old, new = (
        frame.select(pl.col("alert", "rule", "rule_hash").cast(pl.String()), events.cast(pl.List(pl.String())).alias("events"))
        for frame in (previous, current)
    )
    same = old.join(new, on=["alert", "rule_hash", "events"], how="semi")
    changed = old.join(same, on="alert", how="anti")
    heirs = _heirs(changed, new)
    present = pl.Series(list(hashes), dtype=pl.String)
    now = pl.DataFrame({"rule": present, "now": pl.Series(list(hashes.values()), dtype=pl.String)})
    told = changed.join(now, on="rule", how="left").join(heirs, on="alert", how="left").join(new.select("alert", still=True), on="alert", how="left")
    kept = pl.col("still").fill_null(False)
    status = pl.when(kept).then(pl.lit("revised")).when(pl.col("by").is_not_null()).then(pl.lit("superseded")).otherwise(pl.lit("retracted"))
    unchanged = (pl.col("now") == pl.col("rule_hash")).fill_null(False)
    nobody = pl.lit([], dtype=pl.List(pl.String()))
    return told.select(
        "alert",
        status=status,
        reason=pl.when(unchanged).then(pl.lit(LATE_DATA)).otherwise(pl.lit(RULE_CHANGED)),
        by=pl.when(kept).then(nobody).otherwise(pl.col("by").fill_null(nobody)),
    ).sort("alert")


def _heirs(old: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """Per alert of ``old`` the alerts of ``new`` of the same rule that share an event (``by``, sorted); those without any are left out."""
    before = old.select("alert", "rule", "events").explode("events", empty_as_null=True, keep_nulls=True).drop_nulls("events")
    after = new.select("rule", "events", by="alert").explode("events", empty_as_null=True, keep_nulls=True).drop_nulls("events")
    return before.join(after, on=["rule", "events"]).group_by("alert").agg(pl.col("by").unique().sort())
