"""Great objects in ranges, so that no one task has to read all of one: what each range holds is counted first, by tasks as well."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from connectors.batches import Group, Input, packed
from connectors.ranges import count, cut
from connectors.repeats import MEMORY
from connectors.transports.base import Limits, Object, Transport
from engine.pipeline.far.shared_folder import check_shared
from engine.runners.base import Runner, Stage

COUNTING = "counting records of great objects"
GREAT = 512 << 20
"""An object of so many stored bytes that cannot be divided is worth a word."""

Start = tuple[int, int]
"""Number of an object, and where in it a range begins."""


@dataclass(frozen=True, slots=True)
class ReadTask:
    """Objects that one task reads. ``before``: of ranges, the files with hashes of the records before them, the last file first."""

    group: Group
    before: Mapping[Start, tuple[str, ...]] = field(default_factory=dict)

    def remembered(self, folder: Path, index: int, obj: Object) -> pl.Series | None:
        """What `Before` asks for."""
        names = self.before.get((index, obj.start))
        if names is None:
            return None
        found: list[pl.Series] = []
        for name in names:
            found.insert(0, pl.read_parquet(folder / name, glob=False)["hash"])
            if sum(map(len, found)) >= MEMORY:
                break
        return pl.concat(found).tail(MEMORY)


@dataclass(frozen=True, slots=True)
class RangeCount:
    """What was counted of one range: `connectors.ranges.Counted` with the hashes in a file."""

    start: Start
    records: int
    sound: bool
    hashes: str


@dataclass(frozen=True, slots=True)
class Counting:
    """Counts the records of a range: work of a runner."""

    transport: Transport
    limits: Limits
    folder: Path

    def __call__(self, task: tuple[int, Object, bool]) -> RangeCount:
        index, obj, first = task
        found = count(self.transport, obj, self.limits, first=first)
        name = f"{uuid.uuid4().hex}.hashes"
        descriptor = os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            found.hashes.to_frame().write_parquet(stream, compression="uncompressed", statistics=False)
        return RangeCount((index, obj.start), found.records, found.sound, name)


@dataclass(frozen=True, slots=True)
class Tasks:
    """What is to be read, by task. ``ranges``: of every object that was divided (by its number), into how many."""

    tasks: Sequence[ReadTask]
    ranges: Mapping[int, int] = field(default_factory=dict)


def divided(given: Input, size: int, folder: Path, runner: Runner, limits: Limits, stopped: Callable[[], bool], stage: Stage) -> Tasks:
    """The objects in tasks of about ``size`` stored bytes; objects that are greater are divided where they can be."""
    cuts = {index: parts for index, obj in enumerate(given.objects) if len(parts := cut(given.transport, obj, size, limits)) > 1}
    for index, obj in enumerate(given.objects):
        if index not in cuts and obj.length > GREAT:
            runner.note(f"{obj.uri} ({obj.length:,} bytes) is read by one task: only plain text with one record a line can be divided")
    asked = [(index, part, number == 0) for index, parts in cuts.items() for number, part in enumerate(parts)]
    counts: dict[Start, RangeCount] = {}
    for found in runner.each(replace(stage, doing=COUNTING), Counting(given.transport, limits, folder), asked, stopped):
        check_shared(folder, [found.hashes])
        counts[found.start] = found
    if stopped():
        return Tasks(())
    cuts = {index: parts for index, parts in cuts.items() if all(counts[index, part.start].sound for part in parts[:-1])}
    items: list[tuple[int, Object]] = []
    before: dict[Start, tuple[str, ...]] = {}
    for index, obj in enumerate(given.objects):
        position, names = obj.first_position, list[str]()
        for part in cuts.get(index, [obj]):
            items.append((index, replace(part, first_position=position)))
            if index in cuts:
                if names:
                    before[index, part.start] = tuple(reversed(names))
                counted = counts[index, part.start]
                position += counted.records
                names.append(counted.hashes)
    tasks = [ReadTask(group, {at: before[at] for index, obj in group if (at := (index, obj.start)) in before}) for group in _apart(items, size)]
    return Tasks(tasks, {index: len(parts) for index, parts in cuts.items()})


def _apart(items: Sequence[tuple[int, Object]], size: int) -> Iterator[Group]:
    """Groups of about ``size`` bytes, none of which holds two ranges of one object."""
    for group in packed(items, size):
        begin = 0
        for at in range(1, len(group)):
            if group[at][0] == group[at - 1][0]:
                yield group[begin:at]
                begin = at
        yield group[begin:]
