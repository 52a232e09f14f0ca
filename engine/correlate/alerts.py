"""Episodes of hits to alerts: `alerts` is the whole kernel for plain rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from engine import schema
from engine.correlate import evidence, groups
from engine.correlate.episodes import episodes
from engine.correlate.reason import reason
from engine.correlate.summary import summarise
from engine.model import Alert, AlertKind, CloudAccount, Contribution, Entity, EventRef, Level, RuleRef, State
from engine.sigma.tree import Correlation, Rule

ENTITIES = 50
"""Most entities an alert lists."""

_ENTITY_TRAITS: tuple[tuple[str, str], ...] = (
    ("user", "actor"),
    ("user", "target"),
    ("credential", "credential"),
    ("credential", "api_key"),
    ("session", "session"),
    ("ip", "ip"),
    ("account", "account"),
    ("email", "email"),
    ("model", "model"),
    ("resource", "resource"),
    ("user_agent", "user_agent"),
)
"""Entity type and the trait it comes from, the ones that must not be crowded out first."""

_EVIDENCE = (*evidence.COLUMNS, *evidence.OPTIONAL)


@dataclass(frozen=True, slots=True)
class Raised:
    """What the hits of a run amount to: alerts sorted by (first_time, uid), and sentences on hits that took no part."""

    alerts: list[Alert] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def alerts(hits: pl.DataFrame, rules: Sequence[Rule]) -> list[Alert]:
    """The alerts that ``hits`` of ``rules`` amount to, sorted by (first_time, uid); a pure function of the set of hits.

    ``hits`` has ``rule`` (UInt32 index into ``rules``), the columns of `evidence.COLUMNS` (missing ones count as null), those rules group by, and
    where available those of `evidence.OPTIONAL`. Raises EngineError as `episodes.episodes` does.
    """
    if hits.is_empty():
        return []
    found = episodes(evidence.complete(hits), rules)
    if found.is_empty():
        return []
    references = {index: rule_ref(rules[index]) for index in found["rule"].unique()}
    summaries = summarise(found)
    firsts = found.filter(pl.col("alert").is_first_distinct())
    made = [
        _alert(summary, first, rules[summary["rule"]], references[summary["rule"]])
        for summary, first in zip(rows_of(summaries), schema.rows(firsts), strict=True)
    ]
    return sorted(made, key=lambda alert: (alert.first_time, alert.uid))


def rows_of(frame: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """The rows of ``frame`` as dicts; by column, because `pl.DataFrame.iter_rows` takes ten times as long over lists."""
    columns = frame.to_dict(as_series=False)
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))


def rule_ref(rule: Rule | Correlation) -> RuleRef:
    """What alerts keep of ``rule``."""
    return RuleRef(
        uid=rule.uid,
        title=rule.title,
        level=rule.level,
        tags=rule.tags,
        path=rule.path,
        description=rule.description,
        references=rule.references,
        falsepositives=rule.falsepositives,
        author=rule.author,
        content_hash=rule.content_hash,
        response=_texts(dict(rule.extra).get("response")),
    )


def _texts(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(str(item) for item in value) if isinstance(value, (list, tuple)) else (str(value),)


def _alert(summary: Mapping[str, Any], first: dict[str, Any], rule: Rule, reference: RuleRef) -> Alert:
    return make_alert(summary, first, reference, reason=reason(summary, first), group=groups.shown(first, rule.group_by))


def make_alert(
    summary: Mapping[str, Any],
    first: dict[str, Any],
    reference: RuleRef,
    *,
    reason: str,
    group: tuple[tuple[str, str], ...],
    state: State = State.LIVE,
    kind: AlertKind = AlertKind.RULE,
    contributions: tuple[Contribution, ...] = (),
) -> Alert:
    """The alert over what a row of `summary.summarise` counted and its ``first`` hit (columns without nulls)."""
    return Alert(
        uid=summary["alert"],
        state=state,
        kind=kind,
        rule=reference,
        level=Level.of(reference.level),
        first_time=summary["first_time"],
        last_time=summary["last_time"],
        count=summary["count"],
        sources=tuple(summary["sources"]),
        cloud=_clouds(summary["clouds"]),
        entities=entities((kind, value) for kind, trait in _ENTITY_TRAITS for value in summary[trait]),
        events=_events(summary),
        event_uids=tuple(summary["event_uids"]),
        reason=reason,
        group=group,
        evidence={name: first[name] for name in _EVIDENCE if name in first},
        contributions=contributions,
    )


def _events(summary: Mapping[str, Any]) -> tuple[EventRef, ...]:
    columns = (summary[name] for name in ("event_uids", "time", "x.source", "x.object", "x.position", "trait.operation"))
    return tuple(EventRef(*values) for values in zip(*columns, strict=False))


def _clouds(found: Iterable[Mapping[str, str | None]]) -> tuple[CloudAccount, ...]:
    pairs = {(cloud["provider"], cloud["account"]) for cloud in found}
    known = sorted((pair for pair in pairs if any(pair)), key=lambda pair: (pair[0] or "", pair[1] or ""))
    return tuple(CloudAccount(provider, account) for provider, account in known[:ENTITIES])


def entities(found: Iterable[tuple[str, str]]) -> tuple[Entity, ...]:
    """The first `ENTITIES` distinct (type, value) pairs, sorted."""
    distinct = list(dict.fromkeys(found))[:ENTITIES]
    return tuple(Entity(kind, value) for kind, value in sorted(distinct))
