"""What loading rules gives: plain values, free of pySigma, so that a set of rules that was loaded before needs no parser."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from engine.errors import RuleError
from engine.sigma.tree import Correlation, Rule


@dataclass(frozen=True, slots=True)
class Document:
    """A document that is neither rule, filter nor correlation, kept as written: ``kind`` says which, ``content`` is all of it as plain values."""

    kind: str
    uid: str
    title: str
    content: Mapping[str, Any]
    path: str
    line: int
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Expiring:
    """A filter that holds only for events before ``expires`` (UTC); ``place`` is where it stands, as path:line."""

    title: str
    place: str
    expires: datetime
    owner: str | None = None

    def note(self) -> str:
        """What to say of it once it has expired."""
        whose = f" of {self.owner}" if self.owner else ""
        return f"{self.place}: filter {self.title!r}{whose} expired at {self.expires:%Y-%m-%dT%H:%M:%SZ}; it holds for older events only"


@dataclass(frozen=True, slots=True)
class RuleSet:
    """What `load` found. ``notes`` are sentences about what had no effect, such as a filter that names a rule that is not loaded.

    ``correlations``: referenced ones stand before those that refer to them. ``expiring``: filters with an end.
    """

    rules: tuple[Rule, ...]
    errors: tuple[RuleError, ...]
    others: tuple[Document, ...] = ()
    notes: tuple[str, ...] = ()
    correlations: tuple[Correlation, ...] = ()
    expiring: tuple[Expiring, ...] = ()

    def as_of(self, now: datetime) -> RuleSet:
        """The same set, with a note on each filter that has expired at ``now``."""
        return replace(self, notes=(*self.notes, *(each.note() for each in self.expiring if each.expires <= now)))
