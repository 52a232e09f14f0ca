"""Files, directories and YAML text → single Sigma documents, each with its place; ``action: global / reset / repeat`` resolved as pySigma does."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import RuleError, UsageError
from engine.sigma.yamltext import Map, documents

MAX_FILE_BYTES = 64 * 1024 * 1024
HUNTS = "hunts"
"""Folders of this name hold saved hunts, not rules."""

LONGEST_SHOWN = 200
"""Characters of a path in a message that there is no such path."""

TEXT = "<text>"
"""The path of documents that were given as text."""


@dataclass(frozen=True, slots=True)
class Source:
    """One document as written: ``path`` of its file, ``line`` where it begins."""

    content: Map
    path: str
    line: int


def read(sources: Sequence[str | Path]) -> Iterator[Source | RuleError]:
    """Every document below ``sources`` in order, or the error that stands in its place.

    A source is YAML text (a str with a newline), a file, or a directory (recursively its ``*.yml`` and ``*.yaml``, sorted). A file reached twice is
    read once. Raises UsageError for a path that does not exist.
    """
    seen: set[Path] = set()
    for source in sources:
        if isinstance(source, str) and "\n" in source:
            yield from _documents(source, TEXT)
            continue
        for path in files(Path(source)):
            identity = path.resolve()
            if identity in seen:
                continue
            seen.add(identity)
            try:
                text = _text(path)
            except RuleError as error:
                yield error
                continue
            yield from _documents(text, str(path))


def files(path: Path) -> list[Path]:
    """The rule files at or below ``path``, in the order they are read. Raises UsageError where there is none such."""
    return sorted(map(Path, names(path)))


def names(path: Path) -> Iterator[str]:
    """The names of `files` in no order."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:  # also what is no path at all: rule text on one line, a NUL byte
        raise UsageError(_missing(os.fspath(path))) from error
    if not stat.S_ISDIR(mode):
        yield os.fspath(path)
        return
    for folder, folders, found in os.walk(path):
        folders[:] = [name for name in folders if name != HUNTS]
        yield from (os.path.join(folder, name) for name in found if name.lower().endswith((".yml", ".yaml")))


def _missing(name: str) -> str:
    shown = name if len(name) <= LONGEST_SHOWN else f"{name[:LONGEST_SHOWN]}…"
    return f"{shown}: no such rule file or directory" + ("; rules given as text have more than one line" if ": " in name else "")


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise RuleError(f"cannot be read: {error.strerror or error}", path=str(path)) from None
    if len(data) > MAX_FILE_BYTES:
        raise RuleError(f"larger than {MAX_FILE_BYTES // 1024 // 1024} MiB; split the file", path=str(path))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise RuleError(f"not UTF-8: byte 0x{data[error.start]:02x}", path=str(path), line=line) from None


def _documents(text: str, path: str) -> Iterator[Source | RuleError]:
    template = previous = Map(1)
    for content in documents(text, path):
        if isinstance(content, RuleError):
            yield content
            continue
        action = content.get("action")
        if action is None:
            if "detection" in content or not {"correlation", "filter", "analytic"} & content.keys():
                content = previous = _merged(content, template)
            yield Source(content, path, content.line)
        elif action == "global":
            template = previous = _without_action(content)
        elif action == "reset":
            template = Map(content.line)
        elif action == "repeat":
            previous = _merged(previous, _without_action(content), line=content.line)
            yield Source(previous, path, content.line)
        else:
            yield RuleError(f"unknown action {action!r}: global, reset or repeat", path=path, line=content.line_of("action"))


def _without_action(content: Map) -> Map:
    result = Map(content.line)
    for key, value in content.items():
        if key != "action":
            result.set(key, value, content.line_of(key))
    return result


def _merged(base: Map, over: Map, line: int | None = None) -> Map:
    """``base`` with every key of ``over`` on top, maps merged to any depth; neither is changed."""
    result = Map(base.line if line is None else line)
    for key, value in base.items():
        result.set(key, value, base.line_of(key))
    for key, value in over.items():
        below: Any = base.get(key)
        result.set(key, _merged(below, value) if isinstance(value, Map) and isinstance(below, Map) else value, over.line_of(key))
    return result
