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

from connectors import identities
from connectors.cells import USUAL, Decided
from connectors.posture import FUNCTIONS as POSTURE
from connectors.values import FUNCTIONS, Then
from engine.errors import MappingError
from engine.schema import STORED, ColumnRule, EdgeRule, FactRule, Identities, Mapping, Recognition, split_path

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
        *("closed", "fields", "aliases", "embedded", "uid", "columns", "identity", "posture"),
    )
)


@cache
def load_mappings() -> MappingProxyType[str, Mapping]:
    """Every mapping by source name, in registry order. Raises MappingError where a file contradicts itself."""
    return MappingProxyType({source: _load(source) for source in SOURCES})


@cache
def functions(source: str) -> MappingProxyType[str, Callable[..., Any]]:
    """The value functions mapping files of ``source`` may name: the shared ones and its own."""
    return MappingProxyType({**FUNCTIONS, **identities.FUNCTIONS, **POSTURE, **_own(source, "FUNCTIONS")})


@cache
def shared_functions(source: str) -> frozenset[Callable[..., Any]]:
    """Those of `functions`, or of their first halves, whose results several columns start from."""
    return frozenset(each.first for each in functions(source).values() if isinstance(each, Then))


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
    if unknown := set(columns) - set(STORED):
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
        identities=_identities(document.get("identity") or {}, known),
        facts=_facts(document.get("posture") or {}, known),
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


def _identities(spec: dict[str, Any], known: MappingProxyType[str, Callable[..., Any]]) -> Identities:
    if unknown := set(spec) - {"operations", "issuing", "acting", "actors"}:
        raise ValueError(f"identity: unknown keys {sorted(unknown)}")
    operations = spec.get("operations") or {"from": (), "are": ()}
    actors = tuple((_before(str(kind)), str(name)) for each in spec.get("actors", ()) for kind, name in each.items())
    if unknown := {name for _, name in actors} - set(STORED):
        raise ValueError(f"identity: unknown columns {sorted(unknown)}")
    return Identities(
        operation_paths=_paths(operations["from"]),
        operations=tuple(map(str, operations["are"])),
        issuing=tuple(_edge(each, known) for each in spec.get("issuing", ())),
        acting=tuple(_edge(each, known) for each in spec.get("acting", ())),
        actors=actors,
    )


def _before(kind: str) -> str:
    """What stands before the value of an entity: its type, with the first part of the value where the mapping says that too."""
    return "" if kind == "entity" else kind if ":" in kind else f"{kind}:"


def _edge(spec: dict[str, Any], known: MappingProxyType[str, Callable[..., Any]]) -> EdgeRule:
    if unknown := set(spec) - {"kind", "child", "parent", "until"}:
        raise ValueError(f"identity: unknown keys {sorted(unknown)}")
    ends = []
    for name in ("child", "parent"):
        ((kind, rule),) = spec[name].items()
        ends.append((_before(kind), _column_rule(f"identity {spec['kind']}", rule, known)))
    until = _column_rule("identity until", spec["until"], known) if "until" in spec else None
    return EdgeRule(str(spec["kind"]), ends[0][0], ends[0][1], ends[1][0], ends[1][1], until)


def _facts(spec: dict[str, Any], known: MappingProxyType[str, Callable[..., Any]]) -> MappingProxyType[str, tuple[FactRule, ...]]:
    if unknown := set(spec) - {"tier", "unknown", "facts"}:
        raise ValueError(f"posture: unknown keys {sorted(unknown)}")
    by_operation: dict[str, tuple[FactRule, ...]] = {}
    for each in spec.get("facts", ()):
        rule = _fact({"tier": spec["tier"], "unknown": spec["unknown"]} | each, known)
        by_operation |= {operation: (*by_operation.get(operation, ()), rule) for operation in rule.operations}
    return MappingProxyType(by_operation)


def _fact(spec: dict[str, Any], known: MappingProxyType[str, Callable[..., Any]]) -> FactRule:
    fact = str(spec["fact"])
    if unknown := set(spec) - {"fact", "when", "of", "asset", "part", "parts", "value", "unknown", "tier"}:
        raise ValueError(f"posture {fact}: unknown keys {sorted(unknown)}")
    if "part" in spec and "parts" in spec:
        raise ValueError(f"posture {fact}: part or parts, not both")
    ((kind, asset),) = spec["asset"].items()
    name = f"posture {fact}"
    return FactRule(
        fact,
        tuple(str(operation).lower() for operation in spec["when"]),
        _before(str(kind)),
        _column_rule(name, asset, known),
        _column_rule(name, spec["value"], known),
        tuple(str(service).lower() for service in spec.get("of", ())),
        _column_rule(name, spec["part"], known) if "part" in spec else None,
        tuple(map(str, spec.get("parts", ("",)))),
        " ".join(str(spec["unknown"]).split()),
        " ".join(str(spec["tier"]).split()),
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
