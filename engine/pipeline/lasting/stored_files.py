"""Stored events as tasks: the files of a lake, packed by their size."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from connectors.batches import STREAM_BYTES
from engine.runners.base import Runner
from engine.store.lake import Lake


@dataclass(frozen=True, slots=True)
class StoredFiles:
    """Some files with events of one source."""

    source: str
    paths: tuple[Path, ...]


def file_groups(lake: Lake, sources: Collection[str], start: datetime | None, end: datetime | None, runner: Runner) -> Iterator[StoredFiles]:
    """The files that may hold events of ``sources`` from ``start`` up to before ``end``, packed by their size."""
    files = {source: lake.files("events", sources=[source], start=start, end=end) for source in sources}
    sizes = {path: path.stat().st_size for paths in files.values() for path in paths}
    most = max(sum(sizes.values()) // runner.tasks, 1) if runner.tasks else STREAM_BYTES
    for source, paths in files.items():
        group: list[Path] = []
        for path in paths:
            if group and sum(sizes[each] for each in group) + sizes[path] > most:
                yield StoredFiles(source, tuple(group))
                group = []
            group.append(path)
        if group:
            yield StoredFiles(source, tuple(group))
