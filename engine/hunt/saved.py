"""Saved hunts: questions with a name and parameters, kept as YAML beside the rules.

A hunt has ``title``, ``name``, ``description``, ``parameters`` (name → type, default, description), either ``sql`` or ``sigma``, the ``columns`` of
its answer, ``pivot`` (commands to go on with, ``{column}`` standing for a value of the first row) and ``tests``. DuckDB binds the values of
parameters; they are never pasted into SQL.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from engine.errors import UsageError
from engine.sigma.document import files
from engine.sigma.yamltext import Map, documents, plain

TYPES = ("text", "number", "time", "texts")
"""What a parameter may be; ``texts`` are several, separated by commas."""

_KEYS = frozenset({"title", "name", "description", "parameters", "sql", "sigma", "columns", "pivot", "tests"})
_PARAMETER_KEYS = frozenset({"type", "default", "description", "example"})
_NAME = re.compile(r"[a-z][a-z0-9-]*")
_USED = re.compile(r"\$([a-z][a-z0-9_]*)")
_SLOT = re.compile(r"\{([A-Za-z][\w.]*)\}")

ParseTime = Callable[[str], datetime]
"""What a time on the command line means."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One thing a hunt wants to know. Without a ``default`` it has to be given."""

    name: str
    type: str
    description: str
    default: Any = None
    required: bool = True

    def value_of(self, text: str, parse_time: ParseTime) -> Any:
        """``text`` as a value of this type. Raises UsageError."""
        if self.type == "number":
            try:
                return int(text) if re.fullmatch(r"[+-]?\d{1,18}", text.strip()) else float(text)
            except ValueError:
                raise UsageError(f"--param {self.name}: {text!r} is no number") from None
        if self.type == "time":
            return parse_time(text)
        return [part.strip() for part in text.split(",") if part.strip()] if self.type == "texts" else text


@dataclass(frozen=True, slots=True)
class Hunt:
    """One saved hunt; ``sql`` or ``sigma`` (a document as text) is set."""

    name: str
    title: str
    description: str
    parameters: tuple[Parameter, ...]
    sql: str | None
    sigma: str | None
    columns: Mapping[str, str]
    pivot: tuple[str, ...]
    tests: tuple[Mapping[str, Any], ...]
    path: str

    def bound(self, given: Mapping[str, Any], parse_time: ParseTime) -> dict[str, Any]:
        """A value for each parameter, texts read by its type. Raises UsageError for a name it does not have or a value it must have."""
        names = [parameter.name for parameter in self.parameters]
        for name in given:
            if name not in names:
                has = f"it has {', '.join(names)}" if names else "it has none"
                raise UsageError(f"hunt {self.name!r} has no parameter {name!r}; {has}")
        missing = [parameter for parameter in self.parameters if parameter.required and parameter.name not in given]
        if missing:
            first = missing[0]
            raise UsageError(f"hunt {self.name!r} needs --param {first.name}=…: {first.description}")
        made = {parameter.name: given.get(parameter.name, parameter.default) for parameter in self.parameters}
        by_name = {parameter.name: parameter for parameter in self.parameters}
        return {name: by_name[name].value_of(value, parse_time) if isinstance(value, str) else value for name, value in made.items()}


def next_steps(pivot: Sequence[str], row: Mapping[str, Any]) -> list[str]:
    """The commands of ``pivot`` for a row, values quoted for a shell; those that lack a value are left out."""
    steps = []
    for command in pivot:
        slots = {name: _one(row.get(name)) for name in _SLOT.findall(command)}
        if all(slots.values()):
            steps.append(_SLOT.sub(lambda match, slots=slots: shlex.quote(str(slots[match[1]])), command))  # type: ignore[misc]
    return steps


def _one(value: Any) -> Any:
    return next(iter(value), None) if isinstance(value, (list, tuple)) else value


def load_hunts(folders: Sequence[Path]) -> dict[str, Hunt]:
    """All hunts below ``folders`` by name; of two with one name the later stands. Raises UsageError for a hunt that cannot be read."""
    found: dict[str, Hunt] = {}
    for folder in folders:
        for path in files(folder):
            hunt = read_hunt(path.read_text(encoding="utf-8"), str(path))
            found[hunt.name] = hunt
    return dict(sorted(found.items()))


def hunt_of(hunts: Mapping[str, Hunt], name: str) -> Hunt:
    """The hunt called ``name``. Raises UsageError."""
    if name not in hunts:
        near = get_close_matches(name, hunts, n=2, cutoff=0.5)
        raise UsageError(f"no hunt {name!r}" + (f", did you mean {' or '.join(near)}?" if near else "") + "; `crosswind hunt list` shows them")
    return hunts[name]


def read_hunt(text: str, path: str) -> Hunt:
    """The hunt that stands in ``text``. Raises UsageError with the place of what is wrong."""
    found = list(documents(text, path))
    if len(found) != 1 or not isinstance(found[0], Map):
        raise UsageError(f"{path}: one hunt a file" if not found or isinstance(found[0], Map) else str(found[0]))
    content = found[0]
    for key in content:
        if key not in _KEYS:
            raise UsageError(f"{path}:{content.line_of(key)}: unknown key {key!r}; a hunt has {', '.join(sorted(_KEYS))}")
    made = plain(content)
    for key in ("title", "name", "description"):
        if not isinstance(made.get(key), str) or not made[key].strip():
            raise UsageError(f"{path}: {key!r} is missing")
    if not _NAME.fullmatch(made["name"]):
        raise UsageError(f"{path}: name {made['name']!r} is not made of lower-case letters, digits and dashes")
    if ("sql" in made) == ("sigma" in made):
        raise UsageError(f"{path}: a hunt has either sql or sigma")
    parameters = tuple(_parameter(name, about, path) for name, about in (made.get("parameters") or {}).items())
    sql = str(made["sql"]) if "sql" in made else None
    if sql is not None and (odd := {*_USED.findall(sql)} ^ {parameter.name for parameter in parameters}):
        raise UsageError(f"{path}: parameters and SQL do not agree on {', '.join(sorted(odd))}")
    return Hunt(
        name=made["name"],
        title=made["title"],
        description=" ".join(made["description"].split()),
        parameters=parameters,
        sql=sql,
        sigma=str(made["sigma"]) if "sigma" in made else None,
        columns={str(name): str(what) for name, what in (made.get("columns") or {}).items()},
        pivot=tuple(map(str, made.get("pivot") or ())),
        tests=tuple(made.get("tests") or ()),
        path=path,
    )


def _parameter(name: str, about: Any, path: str) -> Parameter:
    if not isinstance(about, dict) or not about.keys() <= _PARAMETER_KEYS or about.get("type") not in TYPES or not about.get("description"):
        raise UsageError(f"{path}: parameter {name!r} has a type ({', '.join(TYPES)}), a description and perhaps a default")
    return Parameter(name, about["type"], str(about["description"]), about.get("default"), "default" not in about)
