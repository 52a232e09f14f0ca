"""Whether the workers write where this process reads: a machine that does not share the directory would have its results go missing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from engine.errors import StateError
from engine.store.lake_files import Part


def check_shared(folder: Path, names: Iterable[str]) -> None:
    """Raise StateError where a file that a task wrote below ``folder`` cannot be seen here."""
    for name in names:
        if not (folder / name).exists():
            raise StateError(
                f"the workers wrote files below {folder} that cannot be seen here: they and this machine must share the directory of the lake; "
                "for `scan` and `hunt sigma` set TMPDIR to a directory that all share"
            )


def one_of_each_folder(parts: Iterable[Part]) -> list[str]:
    """The first file of every folder."""
    found: dict[str, str] = {}
    for part in parts:
        found.setdefault(part.path.rpartition("/")[0], part.path)
    return list(found.values())
