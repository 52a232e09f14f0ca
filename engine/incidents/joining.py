"""The links of each group → its joins, with reasons and evidence."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from engine.incidents.clock import Ordered
from engine.incidents.grouping import Groups
from engine.model import Join, Strength

JOINS = 1_000
"""Joins an incident tells."""
PROOF = 20
_BEHIND = ("chain", "trust")


@dataclass(frozen=True, slots=True)
class Ties:
    """``joins`` by (strength, a, b), at most `JOINS` of ``total``; ``trust``: whether a proven chain of identities joins alerts of two clouds."""

    joins: tuple[Join, ...] = ()
    total: int = 0
    trust: bool = False


def ties(groups: Groups, ordered: Ordered, joining: pl.DataFrame) -> list[Ties]:
    """What ties each group together: of two alerts the best key they share. ``joining`` are the keys that were let to join."""
    found = [Ties()] * len(groups.members)
    best = groups.links.sort("group", "a", "b", "rank", "key").unique(["group", "a", "b"], keep="first", maintain_order=True)
    if best.is_empty():
        return found
    order = {strength.value: number for number, strength in enumerate(Strength)}
    best = best.with_columns(pl.col("strength").replace_strict(order, return_dtype=pl.Int64).alias("grade")).sort("group", "grade", "a", "b")
    totals = dict(best.group_by("group").len().iter_rows())
    crossing = groups.links.filter((pl.col("strength") != "weak") & ((pl.col("role_a") == "trust") | (pl.col("role_b") == "trust")))
    trusted = {int(number) for number, a, b in crossing.select("group", "a", "b").iter_rows() if _providers(ordered, a) != _providers(ordered, b)}
    shown = best.filter(pl.int_range(pl.len()).over("group") < JOINS)
    proofs = joining.filter(pl.col("role").is_in(_BEHIND)).select("alert", "key", "proof")
    for side in ("a", "b"):
        shown = shown.join(proofs.rename({"alert": side, "proof": f"proof_{side}"}), on=[side, "key"], how="left", maintain_order="left")
    made: dict[int, list[Join]] = {}
    columns = ("group", "a", "b", "strength", "key", "role_a", "role_b", "proof_a", "proof_b")
    for number, a, b, strength, key, role_a, role_b, proof_a, proof_b in shown.select(columns).iter_rows():
        earlier, later = ordered.alerts[a], ordered.alerts[b]
        events = (*earlier.event_uids[:1], *(proof_a or ()), *(proof_b or ()), *later.event_uids[:1])
        evidence = (key.partition(":")[2],) if key.startswith("event:") else tuple(dict.fromkeys(events))[:PROOF]
        made.setdefault(number, []).append(Join(earlier.uid, later.uid, reason(key, role_a, role_b), Strength(strength), key, evidence))
    for number, joins in made.items():
        found[number] = Ties(tuple(joins), totals[number], number in trusted)
    return found


def reason(key: str, role_a: str, role_b: str) -> str:
    """Why a shared key joins, in Defender's words."""
    roles = {role_a, role_b}
    if key.startswith(("ip:", "asn_agent:")):
        return "sharedIndicators"
    if key.startswith("prompt:"):
        return "similarArtifacts"
    if key.startswith(("event:", "request:")) or roles & {"leaked", "made"}:
        return "eventSequence"
    if roles <= {"resource", "target"}:
        return "sameTargetedAsset"
    return "eventSequence" if roles & {"resource", "target"} else "sameActor"


def _providers(ordered: Ordered, alert: int) -> frozenset[str | None]:
    return frozenset(cloud.provider for cloud in ordered.alerts[alert].cloud if cloud.provider)
