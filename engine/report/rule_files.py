"""The rule files a `crosswind rules` command is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from engine import bundled
from engine.errors import RuleError, UsageError
from engine.sigma.document import Source, read
from engine.sigma.variables import parse


@dataclass(frozen=True, slots=True)
class RuleFiles:
    """Where documents are (no ``paths``: the built-in ones), the pySigma pipelines they go through, and the values of ``|expand``."""

    paths: tuple[Path, ...] = ()
    pipelines: tuple[str | Path, ...] = ()
    placeholders: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def sources(self) -> tuple[Path, ...]:
        return self.paths or (bundled.detections(),)


def rule_files(paths: Sequence[Path] | None, pipelines: Sequence[str] | None = None, variables: Sequence[str] | None = None) -> RuleFiles:
    """What a command line says; ``variables`` as `engine.sigma.variables.parse` reads them, which raises UsageError for what it cannot read."""
    return RuleFiles(tuple(paths or ()), tuple(pipelines or ()), parse(variables or ()))


def read_files(files: RuleFiles) -> tuple[list[Source], list[RuleError]]:
    """Every document as written, and what could not be read as YAML. Raises UsageError where there is none at all."""
    documents: list[Source] = []
    errors: list[RuleError] = []
    for found in read(files.sources):
        if isinstance(found, Source):
            documents.append(found)
        else:
            errors.append(found)
    if not documents and not errors:
        raise UsageError(f"no Sigma documents (*.yml, *.yaml) in {', '.join(map(str, files.sources))}")
    return documents, errors


def shown_path(path: str | None) -> str:
    """``path`` as people are shown it: one that is the same everywhere for a built-in rule."""
    if path is None:
        return "<text>"
    folder = bundled.detections()
    return f"detections/{Path(path).relative_to(folder).as_posix()}" if Path(path).is_relative_to(folder) else path


def near(word: str, known: Sequence[str], cutoff: float = 0.6) -> str:
    """``; did you mean …?`` with the known words most like ``word``, "" where none is."""
    spelled = {each.lower(): each for each in known}
    found = get_close_matches(word.lower(), spelled, n=3, cutoff=cutoff)
    return f"; did you mean {' or '.join(repr(spelled[each]) for each in found)}?" if found else ""
