"""`incidents`: the whole kernel, from alerts, identity edges and facts to incidents."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

import numpy as np
import polars as pl

from engine.identity import edges as identity_edges
from engine.incidents.advice import containment, next_hunts
from engine.incidents.blast import blast
from engine.incidents.clock import Ordered, in_order
from engine.incidents.grouping import Groups, group
from engine.incidents.hubs import hubs
from engine.incidents.joining import Ties, ties
from engine.incidents.keys import begun, contested, keys
from engine.incidents.links import links
from engine.incidents.mixed import mixed
from engine.incidents.participants import participants
from engine.incidents.rules import RANK, RuleFacts
from engine.incidents.score import Circumstance, score
from engine.incidents.sides import ways
from engine.incidents.sightings import SIGHTINGS
from engine.incidents.windows import RANKS, WINDOWS
from engine.model import Alert, Incident, Principal, Strength, TacticStep

EVENT_UIDS = 1_000
PRINCIPALS = 20
NOTES = 10
LEAKED = Circumstance("leaked", 1.5, "acts with a key that stood in a prompt")
"""What a key is worth that others could read: the most a circumstance may be."""
_WORDS = {strength.value: strength for strength in Strength}

Named = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Given:
    """What incidents are made of beside alerts; a pure function of all of it.

    ``rules`` by rule uid; ``edges`` in the form of `identity.edges.EDGES`; ``sightings`` of addresses (`sightings.SIGHTINGS`), without which none is
    shown to be rare and weak joins do not happen, and ``totals`` (`sightings.TOTALS`) where they are of some entities alone; ``circumstances`` by
    alert uid: what facts about assets make of an alert.
    """

    rules: Mapping[str, RuleFacts] = field(default_factory=dict)
    edges: pl.DataFrame = field(default_factory=identity_edges.empty)
    sightings: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SIGHTINGS))
    circumstances: Mapping[str, tuple[Circumstance, ...]] = field(default_factory=dict)
    totals: pl.DataFrame | None = None


def incidents(alerts: Iterable[Alert], given: Given | None = None) -> list[Incident]:
    """The incidents that ``alerts`` amount to, worst first (score, then first time, then uid). Every alert that stands is in exactly one.

    Order and repetition of alerts and edges change nothing. Alerts that share no key, directly or over others, do not affect each other, apart from
    what they tell about hubs: so it may be called with the alerts of touched incidents alone, if those that the counts of `hubs` need are among them.
    """
    given = given or Given()
    ordered = in_order(alerts)
    if not ordered.alerts:
        return []
    loose = mixed(ordered, given.sightings)
    parts = participants(ordered.alerts, loose)
    keyed, origins = keys(parts, ordered, given.edges)
    left_out = hubs(keyed, ordered, given.sightings, contested(parts, given.edges), begun(keyed, given.edges), given.totals)
    joining = keyed.join(left_out, on=["alert", "key"], how="anti")
    groups = group(links(joining, ordered, ways(parts, ordered, given.sightings)), ordered, given.rules)
    given = replace(given, circumstances=_leaks(joining, ordered, given.circumstances))
    told = _Told(ordered, given, _named(parts, ordered), _main_keys(joining, parts, ordered), _behind(origins), _why_not(left_out, loose))
    held = ties(groups, ordered, joining)
    made = [_incident(number, groups, told, held[number]) for number in range(len(groups.members))]
    return sorted(_linked(made, groups), key=lambda each: (-each.score, each.first_time, each.uid))


@dataclass(frozen=True, slots=True)
class _Told:
    ordered: Ordered
    given: Given
    named: list[Named]
    main: list[str]
    behind: list[list[tuple[str, str, list[str]]]]
    why_not: list[list[str]]


def _by_alert(frame: pl.DataFrame, size: int) -> list[tuple[int, int]]:
    """Where the rows of each alert are in ``frame``, which is sorted by ``alert``: (start, stop)."""
    bounds = np.searchsorted(frame["alert"].to_numpy(), np.arange(size + 1))
    return list(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True))


def _leaks(joining: pl.DataFrame, ordered: Ordered, known: Mapping[str, tuple[Circumstance, ...]]) -> Mapping[str, tuple[Circumstance, ...]]:
    """``known`` circumstances, and that of alerts in which somebody acts with a key, or a session of it, that stood in a prompt before."""
    leaked = joining.filter(pl.col("role") == "leaked").group_by("key").agg(pl.col("alert").min().alias("shown"))
    used = joining.filter(pl.col("role").is_in(["actor", "chain"])).join(leaked, on="key").filter(pl.col("alert") > pl.col("shown"))
    near = (ordered.alerts[index] for index, shown in used.select("alert", "shown").unique().iter_rows() if _within_reach(ordered, shown, index))
    return {**known, **{alert.uid: (*known.get(alert.uid, ()), LEAKED) for alert in near}}


def _within_reach(ordered: Ordered, shown: int, index: int) -> bool:
    return ordered.alerts[index].first_time - ordered.alerts[shown].last_time <= WINDOWS[Strength.STRONG]


def _named(parts: pl.DataFrame, ordered: Ordered) -> list[Named]:
    shown = parts.filter(pl.col("role") != "event").sort("alert", "role", "entity")
    pairs = list(zip(shown["role"].to_list(), shown["entity"].to_list(), strict=True))
    return [pairs[start:stop] for start, stop in _by_alert(shown, len(ordered.alerts))]


def _main_keys(joining: pl.DataFrame, parts: pl.DataFrame, ordered: Ordered) -> list[str]:
    """What each alert is mainly about: its best key, else its first participant, else nothing."""
    direct = joining.filter(~pl.col("role").is_in(["chain", "trust", "event", "request", "agent", "prompt"])).sort("alert", "rank", "key")
    best = direct.unique("alert", keep="first", maintain_order=True)
    found = [""] * len(ordered.alerts)
    rest = parts.filter(pl.col("role") != "event").unique("alert", keep="first", maintain_order=True)
    for frame, column in ((rest, "entity"), (best, "key")):
        for index, value in frame.select("alert", column).iter_rows():
            found[index] = value
    return found


def _behind(origins: pl.DataFrame) -> list[list[tuple[str, str, list[str]]]]:
    size = int(origins["alert"].max() or 0) + 1 if origins.height else 0  # type: ignore[arg-type]
    found: list[list[tuple[str, str, list[str]]]] = [[] for _ in range(size)]
    for alert, principal, strength, proof in origins.select("alert", "principal", "strength", "proof").iter_rows():
        found[alert].append((principal, strength, proof))
    return found


def _why_not(left_out: pl.DataFrame, loose: Mapping[int, str]) -> list[list[str]]:
    found: defaultdict[int, list[str]] = defaultdict(list, {index: [note] for index, note in loose.items()})
    for alert, key, why in left_out.filter(~pl.col("key").str.contains("^(request|asn_agent):")).select("alert", "key", "why").iter_rows():
        found[alert].append(f"{key} joined nothing: it {why}")
    return [found.get(index, []) for index in range(max(found, default=-1) + 1)]


def _incident(number: int, groups: Groups, told: _Told, held: Ties) -> Incident:
    rows = groups.members[number].tolist()
    alerts = [told.ordered.alerts[row] for row in rows]
    rules = told.given.rules
    clouds = sorted(
        {cloud for alert in alerts for cloud in alert.cloud if cloud.provider}, key=lambda each: (each.provider or "", each.account or "")
    )
    providers = sorted({cloud.provider for cloud in clouds if cloud.provider})
    main = [told.main[row] for row in rows]
    scored = score(alerts, main, rules, trust=held.trust, circumstances=told.given.circumstances)
    members = [(alert, told.named[row]) for row, alert in zip(rows, alerts, strict=True)]
    named = list(dict.fromkeys(pair for _, pairs in members for pair in pairs))
    tactics = _tactics(alerts, rules)
    events = list(dict.fromkeys(uid for alert in alerts for uid in alert.event_uids))
    touched = blast(members)
    return Incident(
        uid=_uid(alerts[0], main[0]),
        level=scored.level,
        score=scored.score,
        title=_title(alerts, providers),
        first_time=alerts[0].first_time,
        last_time=max(alert.last_time for alert in alerts),
        confidence=groups.confidence[number],
        principals=_principals(rows, told),
        clouds=tuple(clouds),
        sources=tuple(sorted({source for alert in alerts for source in alert.sources})),
        tactics=tactics,
        alert_uids=tuple(alert.uid for alert in alerts),
        event_uids=tuple(events[:EVENT_UIDS]),
        events=len(events),
        joins=held.joins,
        joins_total=held.total,
        factors=scored.factors,
        blast=touched,
        responsibility=tuple(sorted({facts.responsibility for alert in alerts if (facts := rules.get(alert.rule.uid)) and facts.responsibility})),
        next_hunts=next_hunts(named, (step.tactic for step in tactics), bool(touched.models)),
        containment=containment(members),
        notes=_notes(rows, groups.notes[number], told),
        component=told.ordered.alerts[groups.components[number]].uid,
        held=groups.held[number],
    )


def _uid(first: Alert, key: str) -> str:
    return sha256(f"incident\n{first.uid}\n{key}".encode(errors="replace")).hexdigest()[:32]


def _title(alerts: Sequence[Alert], providers: Sequence[str]) -> str:
    """The gravest alert, of equals a correlation, of these the earliest; how many stand beside it, and where."""
    head = min(alerts, key=lambda alert: (-alert.level, alert.kind.value != "correlation", alert.first_time, alert.uid))
    more = f", with {len(alerts) - 1:,} more alert{'s' if len(alerts) > 2 else ''}" if len(alerts) > 1 else ""
    where = f" in {', '.join(providers[:-1])} and {providers[-1]}" if len(providers) > 1 else f" in {providers[0]}" if providers else ""
    return f"{head.rule.title}{more}{where}"


def _tactics(alerts: Sequence[Alert], rules: Mapping[str, RuleFacts]) -> tuple[TacticStep, ...]:
    first: dict[str, TacticStep] = {}
    for alert in alerts:
        for tactic in sorted(rules.get(alert.rule.uid, RuleFacts()).tactics, key=RANK.__getitem__):
            first.setdefault(tactic, TacticStep(tactic, alert.first_time, alert.uid))
    return tuple(first.values())


def _principals(rows: Sequence[int], told: _Told) -> tuple[Principal, ...]:
    order = list(_WORDS)
    seen: Counter[str] = Counter()
    best: dict[str, tuple[int, list[str]]] = {}
    for row in rows:
        for principal, strength, proof in told.behind[row] if row < len(told.behind) else ():
            seen[principal] += 1
            best[principal] = min(best.get(principal, (len(order), [])), (order.index(strength), proof))
    ranked = sorted(best, key=lambda each: (best[each][0], -seen[each], RANKS.get(each.partition(":")[0], len(RANKS)), each))
    return tuple(Principal(each, _WORDS[order[best[each][0]]], tuple(best[each][1])) for each in ranked[:PRINCIPALS])


def _notes(rows: Sequence[int], cut: Sequence[str], told: _Told) -> tuple[str, ...]:
    hubs_met = Counter(note for row in rows if row < len(told.why_not) for note in told.why_not[row])
    ranked = sorted(hubs_met, key=lambda note: (-hubs_met[note], note))
    more = [f"{len(ranked) - NOTES:,} more entities joined nothing"] if len(ranked) > NOTES else []
    return (*cut, *ranked[:NOTES], *more)


def _linked(made: list[Incident], groups: Groups) -> list[Incident]:
    """Incidents that were cut from one, linked both ways."""
    after = {before: number for number, before in enumerate(groups.before) if before >= 0}
    return [
        replace(
            incident,
            continues=made[groups.before[number]].uid if groups.before[number] >= 0 else None,
            continued_by=made[after[number]].uid if number in after else None,
        )
        if groups.before[number] >= 0 or number in after
        else incident
        for number, incident in enumerate(made)
    ]
