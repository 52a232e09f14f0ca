"""The sources crosswind knows: one mapping file each, read once.

The file name is the source's name with ``.`` written ``_``; a Python file of the same name beside it holds value functions only that source needs.
Order matters where a record could belong to two: the first source that recognises it wins.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import polars as pl
import yaml

from connectors.cells import USUAL, Decided
from connectors.values import FUNCTIONS
from engine.errors import MappingError
from engine.schema import COLUMNS, ColumnRule, Mapping, Recognition, split_path

SOURCES: tuple[str, ...] = (
    "aws.bedrock_invocation",
    "azure.openai",
    "gcp.vertex_ai",
    "ai.litellm",
    "ai.otel",
    "ai.gateway",
    "aws.cloudtrail",
    "entra.signin",
    "entra.risk",
    "entra.audit",
    "azure.activity",
    "gcp.audit",
)
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The C one is ten times as fast; some builds of PyYAML lack it."""
_HERE = Path(__file__).parent
_KEYS = frozenset(
    (
        *("source", "title", "version", "provider", "ai", "tier", "lateness_minutes", "delivery", "recognise", "logsources"),
        *("closed", "fields", "aliases", "embedded", "uid", "columns"),
    )
)


@cache
def load_mappings() -> MappingProxyType[str, Mapping]:
    """Every mapping by source name, in registry order. Raises MappingError where a file contradicts itself."""
    return MappingProxyType({source: _load(source) for source in SOURCES})


@cache
def functions(source: str) -> MappingProxyType[str, Callable[..., Any]]:
    """The value functions mapping files of ``source`` may name: the shared ones and its own."""
    return MappingProxyType({**FUNCTIONS, **_own(source, "FUNCTIONS")})


@cache
def usual_functions(source: str) -> MappingProxyType[str, Callable[..., pl.Series | Decided]]:
    """Those of `functions` that also exist for whole columns: given a column of cells per path, they answer for all rows in their usual form. Rows
    with null, or those not among the `Decided`, are worked out one by one.
    """
    return MappingProxyType({**USUAL, **_own(source, "USUAL")})


@cache
def usual_paths(source: str) -> MappingProxyType[str, tuple[str, ...]]:
    """Further paths that some of `usual_functions` are given, after those of the column."""
    paths: dict[str, tuple[str, ...]] = _own(source, "USUAL_PATHS")
    return MappingProxyType(paths)


def _own(source: str, name: str) -> dict[str, Any]:
    if not (_HERE / f"{file_stem(source)}.py").exists():
        return {}
    return getattr(importlib.import_module(f"connectors.sources.{file_stem(source)}"), name, {})


def file_stem(source: str) -> str:
    """The file name of a source, without its ending."""
    return source.replace(".", "_")


def _load(source: str) -> Mapping:
    path = _HERE / f"{file_stem(source)}.yml"
    document = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506 a safe loader
    try:
        return _mapping(source, document)
    except (KeyError, TypeError, ValueError) as error:
        raise MappingError(f"{path.name}: {error}") from error


def _mapping(source: str, document: dict[str, Any]) -> Mapping:
    if document["source"] != source:
        raise ValueError(f"names source {document['source']!r}, the file name says {source!r}")
    if unknown := set(document) - _KEYS:
        raise ValueError(f"unknown keys {sorted(unknown)}")
    known = functions(source)
    columns = {name: _column_rule(name, spec, known) for name, spec in document["columns"].items()}
    if unknown := set(columns) - set(COLUMNS):
        raise ValueError(f"unknown columns {sorted(unknown)}")
    if "time" not in columns:
        raise ValueError("no column 'time'")
    if document.get("provider") is not None:
        columns.setdefault("cloud.provider", ColumnRule(constant=document["provider"]))
    return Mapping(
        source=source,
        title=document["title"],
        version=int(document["version"]),
        provider=document.get("provider"),
        ai=bool(document.get("ai", False)),
        tier=document["tier"],
        delivery=tuple(document["delivery"]),
        recognise=tuple(_recognition(spec) for spec in document["recognise"]),
        logsources=tuple((a, b, c) for a, b, c in document["logsources"]),
        closed=tuple(document.get("closed", ())),
        fields=tuple(map(str, document.get("fields", ()))),
        aliases=MappingProxyType({str(name).lower(): _paths(paths) for name, paths in (document.get("aliases") or {}).items()}),
        embedded=_paths(document.get("embedded") or []),
        uid=_column_rule("x.uid", document["uid"] if isinstance(document["uid"], dict) else {"every": document["uid"], "as": None}, known),
        columns=MappingProxyType(columns),
        lateness_minutes=int(document.get("lateness_minutes", 15)),
    )


def _paths(value: str | Iterable[str]) -> tuple[str, ...]:
    paths = (value,) if isinstance(value, str) else tuple(value)
    for path in paths:
        split_path(path)
    return paths


def _recognition(spec: dict[str, Any]) -> Recognition:
    if unknown := set(spec) - {"has", "lacks", "equals", "matches"}:
        raise ValueError(f"recognise: unknown conditions {sorted(unknown)}")
    return Recognition(
        has=_paths(spec.get("has", ())),
        lacks=_paths(spec.get("lacks", ())),
        equals=tuple(
            (path, tuple(str(v).lower() for v in ([values] if isinstance(values, (str, bool)) else values)))
            for path, values in spec.get("equals", {}).items()
        ),
        matches=tuple((path, str(pattern)) for path, pattern in spec.get("matches", {}).items()),
    )


def _column_rule(name: str, spec: Any, known: MappingProxyType[str, Callable[..., Any]]) -> ColumnRule:
    if isinstance(spec, (str, list)):
        return ColumnRule(paths=_paths(spec))
    if unknown := set(spec) - {"const", "from", "every", "as", "table", "default"}:
        raise ValueError(f"{name}: unknown keys {sorted(unknown)}")
    if "const" in spec:
        return ColumnRule(constant=spec["const"])
    function = spec.get("as")
    if function is not None and function not in known:
        raise ValueError(f"{name}: no value function {function!r}")
    every = "every" in spec
    return ColumnRule(
        paths=_paths(spec["every"] if every else spec["from"]),
        function=function,
        every=every,
        table=tuple((str(key).lower(), value) for key, value in (spec.get("table") or {}).items()),
        default=spec.get("default"),
    )
