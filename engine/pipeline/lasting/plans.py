"""Plans of batches: what is written down before any work, and what a batch is worked on with.

Most runs find nothing to plan. What it takes to work on batches is loaded only where there is one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from connectors.cursors import Planned, planned_to_json
from engine.config import Config
from engine.detect.program import Program
from engine.model import Alert, Incident, RunReport
from engine.pipeline.configured import mappings_of
from engine.runners.base import Runner
from engine.runners.local import LocalRunner
from engine.schema import Mapping as SourceMapping
from engine.sigma.correlation import silenced
from engine.store.lake import Lake
from engine.store.records import Committed, Plan
from engine.store.state import State

if TYPE_CHECKING:
    from engine.pipeline.batch import Settings

TABLES = ("rejects", "edges", "facts", "hits", "events")
"""The order of commits: who sees events sees their hits."""
RULES_CHANGED, BACKFILL, REPAIR = "rules changed", "backfill", "repair"
"""Why stored events are looked at again."""


@dataclass(frozen=True, slots=True)
class Done:
    """What one batch did. ``source`` is the configured source, None for a batch that ran changed rules over what is stored."""

    source: str | None
    batch: int
    report: RunReport
    committed: Committed
    alerts: tuple[Alert, ...] = field(repr=False, default=())
    incidents: tuple[Incident, ...] = field(repr=False, default=())
    """Those that are new or changed, in the order of their changes."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What batches are worked on with."""

    config: Config
    lake: Lake
    state: State
    program: Program
    now: datetime
    stopped: Callable[[], bool]
    runner: Runner = field(default_factory=LocalRunner)

    @property
    def mappings(self) -> Mapping[str, SourceMapping]:
        return mappings_of(self.config)

    @property
    def settings(self) -> Settings:
        from engine.pipeline.batch import Settings

        return Settings(self.now, jobs=self.config.jobs_threads)


def collect_plan(source: str, planned: Planned, batch: int, now: datetime, rules: str) -> Plan:
    """The plan of a batch that reads what was found new in a configured source."""
    return _plan({"source": source, "planned": planned_to_json(planned)}, (source,), batch, now, rules)


def again_plan(source: str, planned: Planned, span: tuple[datetime | None, datetime | None], batch: int, now: datetime, rules: str) -> Plan:
    """The plan of a batch that reads a configured source once more for its events from the one time up to before the other. Cursors stay."""
    told = {"source": source, "planned": planned_to_json(planned), "again": {"start": _text(span[0]), "end": _text(span[1])}}
    return _plan(told, (source,), batch, now, rules)


def redetect_plan(rules: Sequence[str], start: datetime | None, end: datetime | None, reason: str, batch: int, now: datetime, digest: str) -> Plan:
    """The plan of a batch that runs rules over stored events from ``start`` up to before ``end``."""
    told = {"rules": sorted(rules), "start": _text(start), "end": _text(end), "reason": reason}
    return _plan(told, (), batch, now, digest)


def _plan(told: Mapping[str, Any], sources: tuple[str, ...], batch: int, now: datetime, rules: str) -> Plan:
    text = json.dumps(told, sort_keys=True, ensure_ascii=True)
    return Plan(batch, sources, text, sha256(f"{batch}\n{rules}\n{text}".encode()).hexdigest(), now, rules)


def rule_hashes(program: Program) -> dict[str, str]:
    """Rule uid → what its stored hits depend on: the content of the rule, and where the fields it reads, groups by or is asked for stand."""
    return {rule.uid: f"{rule.content_hash}:{program.readings[rule.uid]}" for rule in program.ruleset.rules}


def rules_digest(program: Program) -> str:
    """Names the rules and correlations that run, by content."""
    return sha256(json.dumps(sorted(all_hashes(program).items())).encode()).hexdigest()


def all_hashes(program: Program) -> dict[str, str]:
    """Uid of every rule and running correlation → hash of what its alerts depend on beside the events; whether others silence it is part of that."""
    found = rule_hashes(program) | {each.uid: each.content_hash for each in program.correlations}
    quiet = silenced(program.correlations)
    return {uid: f"{content}:quiet" if uid in quiet else content for uid, content in found.items()}


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
