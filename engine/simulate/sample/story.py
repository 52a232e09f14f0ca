"""What the sample writes down about itself: which records belong to which step of the attack."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from engine.simulate.native.entries import Entry


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an attack: what was done, seen in which source, by which events, and why a defender cares. ``cloud`` is AWS,
    Azure, GCP or in-house (gateway, agent), ``tags`` are Sigma tags.
    """

    step: int
    title: str
    time: datetime
    cloud: str
    source: str
    event_uids: tuple[str, ...]
    why: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Truth:
    """The ground truth of one simulation.

    ``records`` counts the records delivered per source (duplicates included), ``steps`` stand in the order of their first event.
    """

    story: str
    seed: int
    start: datetime
    days: int
    scale: float
    records: dict[str, int]
    steps: tuple[Step, ...]

    @property
    def events(self) -> dict[str, int]:
        """Event uid → number of its attack step."""
        return {uid: step.step for step in self.steps for uid in step.event_uids}


@dataclass(slots=True)
class Storyteller:
    """Collects steps while an attack is played."""

    drafts: list[Step] = field(default_factory=list)

    def step(self, title: str, cloud: str, entries: Iterable[Entry], why: str, *tags: str) -> None:
        """Declare that ``entries`` (of one source) are one step."""
        found = sorted(entries, key=lambda entry: entry.time)
        sources = {entry.source for entry in found}
        if len(sources) != 1:
            raise ValueError(f"step {title!r} must have the entries of exactly one source, not {sorted(sources)}")
        uids = tuple(dict.fromkeys(entry.uid for entry in found))
        self.drafts.append(Step(0, title, found[0].time, cloud, found[0].source, uids, why, tags))

    def steps(self) -> tuple[Step, ...]:
        """All steps in the order of their first event, numbered from 1."""
        ordered = sorted(self.drafts, key=lambda step: step.time)
        return tuple(Step(n, s.title, s.time, s.cloud, s.source, s.event_uids, s.why, s.tags) for n, s in enumerate(ordered, 1))
