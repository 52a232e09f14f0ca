"""From hits to the rows a correlation looks at: which hits take part, in which groups, with which values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from engine.correlate import columns
from engine.correlate.columns import Bools, Ints, Numbers, Values
from engine.correlate.groups import NATIVE
from engine.errors import EngineError
from engine.sigma.tree import Correlation

GROUP_VALUES = 100
"""Most values of one list that a hit is grouped by."""

_TACTIC = re.compile(r"attack\.(?![tgsmc][0-9]{4})([a-z][a-z_-]*|ta[0-9]{4})", re.IGNORECASE)


@dataclass(slots=True)
class Source:
    """Rows that take part in correlations: the hits of plain rules, or the alerts of one correlation.

    ``rows``: uid of a rule → its rows. ``time``: microseconds since the epoch. ``rank``: per row the place of its rule among all, to sort by.
    ``frame``: the columns fields are read from. ``plain``: whether these are hits of plain rules.
    """

    rows: Mapping[str, Ints]
    time: Ints
    uid: pl.Series
    rank: Ints
    frame: pl.DataFrame
    plain: bool
    _values: dict[str, Values] = field(default_factory=dict)
    _numbers: dict[str, Numbers] = field(default_factory=dict)

    def values(self, name: str) -> Values | None:
        """The values of field ``name``, None where no row has any."""
        column = self._column(name)
        if column is None:
            return None
        if column not in self._values:
            self._values[column] = columns.values(self.frame[column])
        return self._values[column]

    def numbers(self, name: str) -> Numbers | None:
        """The numbers in field ``name``, None where no row has any."""
        column = self._column(name)
        if column is None:
            return None
        if column not in self._numbers:
            self._numbers[column] = columns.numbers(self.frame[column])
        return self._numbers[column]

    def _column(self, name: str) -> str | None:
        return next((column for column in (NATIVE + name, name) if column in self.frame.columns), None)


def tactics(tags: Sequence[str]) -> list[str]:
    """The ATT&CK tactics among the tags of a rule, sorted."""
    found = (_TACTIC.fullmatch(tag) for tag in tags)
    return sorted({match[1].lower().replace("_", "-") for match in found if match})


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of one rule in `Entries`: from which source, and which."""

    source: Source
    uid: str
    rows: Ints


class Entries:
    """All hits of the rules of a correlation, one rule after the other; ``rule`` is the index into ``names``, its distinct rules."""

    def __init__(self, correlation: Correlation, sources: Mapping[str, Source]) -> None:
        self.correlation = correlation
        self.names = tuple(dict.fromkeys(correlation.rules))
        for name in self.names:
            if name not in sources:
                raise EngineError(
                    f"correlation {correlation.title!r} ({correlation.path or correlation.uid}) names {name!r}, which is not loaded before it"
                )
        self.parts = [Part(sources[name], name, sources[name].rows[name]) for name in self.names]
        ends = np.cumsum([len(part.rows) for part in self.parts]).tolist()
        self.extents = [slice(end - len(part.rows), end) for part, end in zip(self.parts, ends, strict=True)]
        self.rule = np.repeat(np.arange(len(self.names)), [len(part.rows) for part in self.parts])
        self.row = np.concatenate([part.rows for part in self.parts])
        self.time = np.concatenate([part.source.time[part.rows] for part in self.parts])

    def uids(self, chosen: Ints) -> pl.Series:
        """``x.uid`` of the chosen entries."""
        return self._from_sources(chosen, [part.source.uid for part in self.parts])

    def ranks(self, chosen: Ints) -> Ints:
        """Where the rules of the chosen entries stand among all."""
        return self._from_sources(chosen, [pl.Series(part.source.rank) for part in self.parts]).to_numpy()

    def _from_sources(self, chosen: Ints, series: Sequence[pl.Series]) -> pl.Series:
        distinct = {id(part.source): one for part, one in zip(self.parts, series, strict=True)}
        if len(distinct) == 1:
            return series[0].gather(self.row[chosen])
        offsets = dict(zip(distinct, np.cumsum([0] + [len(one) for one in distinct.values()]).tolist(), strict=False))
        offset = np.array([offsets[id(part.source)] for part in self.parts])
        return pl.concat(list(distinct.values())).gather(self.row[chosen] + offset[self.rule[chosen]])

    def values(self, name: str) -> Values:
        """The values of field ``name`` of the correlation, per entry."""
        first = np.zeros(len(self.row), dtype=np.int64)
        count = np.zeros(len(self.row), dtype=np.int64)
        offsets: dict[int, int] = {}
        parts: list[Values] = []
        end = 0
        for here, part in zip(self.extents, self.parts, strict=True):
            called = self.correlation.field_of(name, part.uid)
            found = None if called is None else part.source.values(called)
            if found is None:
                continue
            if id(found) not in offsets:
                offsets[id(found)] = end
                parts.append(found)
                end += len(found.codes)
            first[here] = found.first[part.rows] + offsets[id(found)]
            count[here] = found.count[part.rows]
        if not parts:
            return Values(first, count, np.zeros(0, dtype=np.int64), pl.Series([], dtype=pl.String), pl.Series([], dtype=pl.String))
        return Values(first, count, *columns.together(parts))

    def numbers(self, name: str) -> Numbers:
        """The numbers in field ``name`` of the correlation, per entry."""
        first = np.zeros(len(self.row), dtype=np.int64)
        count = np.zeros(len(self.row), dtype=np.int64)
        other = np.zeros(len(self.row), dtype=np.bool_)
        flat = [np.zeros(0)]
        end = 0
        for here, part in zip(self.extents, self.parts, strict=True):
            called = self.correlation.field_of(name, part.uid)
            found = None if called is None else part.source.numbers(called)
            if found is None:
                continue
            counts = found.count[part.rows]
            first[here] = np.cumsum(counts) - counts + end
            count[here] = counts
            other[here] = found.other[part.rows]
            flat.append(found.numbers[columns.spread(found.first[part.rows], counts)])
            end += len(flat[-1])
        return Numbers(first, count, np.concatenate(flat), other)


@dataclass(frozen=True, slots=True)
class Grouped:
    """Entries in their groups: row i is entry ``entry[i]`` in group ``group[i]`` of ``groups``; an entry may be in several.

    ``places``: per group-by field where in ``fields`` the value of each row stands. ``nowhere``: entries without a group.
    ``beyond``: entries with more values than are looked at.
    """

    entry: Ints
    group: Ints
    groups: int
    places: list[Ints]
    fields: list[Values]
    nowhere: Ints
    beyond: Ints


def grouped(entries: Entries) -> Grouped:
    """The groups of ``entries``."""
    fields = [entries.values(name) for name in entries.correlation.group_by]
    total = len(entries.row)
    entry = np.arange(total, dtype=np.int64)
    there = np.ones(total, dtype=np.bool_)
    beyond = np.zeros(total, dtype=np.bool_)
    for one in fields:
        there &= one.count > 0
        beyond |= one.count > GROUP_VALUES
    places: list[Ints] = []
    group = np.zeros(0, dtype=np.int64)
    groups = 1
    if not there.all():
        entry = entry[there]
    group = np.zeros(len(entry), dtype=np.int64)
    for one in fields:
        count = np.minimum(one.count[entry], GROUP_VALUES)
        place = columns.spread(one.first[entry], count)
        if len(place) != len(entry):
            again = np.repeat(np.arange(len(entry)), count)
            entry, group, places = entry[again], group[again], [earlier[again] for earlier in places]
        places.append(place)
        group, groups = columns.dense(group * max(len(one.known), 1) + one.codes[place])
    return Grouped(entry, group, groups, places, fields, np.flatnonzero(~there), np.flatnonzero(beyond & there))


def combinations(entries: Entries, entry: Ints, names: Sequence[str]) -> tuple[Ints, Ints]:
    """The distinct values of the fields ``names``, combined where there are several: rising positions in ``entry``, and a number for each value."""
    row = np.arange(len(entry), dtype=np.int64)
    code = np.zeros(len(entry), dtype=np.int64)
    for name in names:
        found = entries.values(name)
        count = found.count[entry[row]]
        place = columns.spread(found.first[entry[row]], count)
        row, code = np.repeat(row, count), np.repeat(code, count)
        code, _ = columns.dense(code * max(len(found.known), 1) + found.codes[place])
    return row, code


def tied(key: Ints) -> Bools:
    """Which of the rising keys stand more than once."""
    same = np.diff(key) == 0
    found: Bools = np.concatenate([[False], same]) | np.concatenate([same, [False]])
    return found
