"""`sigma convert -t crosswind`: the pySigma backend that prints hunting queries.

Rules are read from their files by crosswind's own loader, so that they mean what they mean in a scan; what pySigma made of them only says which
files and rules are asked for. pySigma finds the backend by `engine.pipeline.authoring.sigma_plugin`.
"""

from __future__ import annotations

import re
from abc import update_abstractmethods
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar, NoReturn

from sigma.collection import SigmaCollection
from sigma.conversion import base as pysigma
from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaError, SigmaFeatureNotSupportedByBackendError
from sigma.processing.pipeline import ProcessingPipeline
from sigma.rule import SigmaRule

from connectors.sources import load_mappings
from engine.errors import RuleError, UsageError
from engine.hunt.macros import prelude
from engine.hunt.sql import compile_sql
from engine.sigma.load import load
from engine.sigma.ruleset import RuleSet
from engine.sigma.tree import Rule

Callback = Callable[..., Any]

_TABLE = re.compile(r'(?:\w+|"[^"]+")(?:\.(?:\w+|"[^"]+"))*')


_Backend: Any = pysigma.Backend
"""Its methods for single conditions are abstract, and not ours: see the end of the file."""


class CrosswindBackend(_Backend):  # type: ignore[misc]
    """Sigma rules → DuckDB SQL over a table of crosswind events. ``table`` names it."""

    name: ClassVar[str] = "crosswind: DuckDB SQL over kept events"
    identifier: ClassVar[str] = "crosswind"
    formats: ClassVar[dict[str, str]] = {
        "default": "temporary macros, then one query a rule; runs as it is",
        "queries": "the queries alone",
    }

    def __init__(
        self,
        processing_pipeline: ProcessingPipeline | None = None,
        collect_errors: bool = False,
        table: str = "events",
        **backend_options: Any,
    ) -> None:
        super().__init__(processing_pipeline, collect_errors, **backend_options)
        if not _TABLE.fullmatch(table):
            raise SigmaError(f"{table!r} is not the name of a table")
        self._table = table

    def convert(
        self,
        rule_collection: SigmaCollection,
        output_format: str | None = None,
        correlation_method: str | None = None,
        callback: Callback | None = None,
    ) -> str:
        """The SQL text of all rules. ``callback`` gets each query with the macros before it and returns what to print instead, None for nothing."""
        if self.processing_pipeline is not None and self.processing_pipeline.items:
            raise SigmaError("crosswind applies no processing pipeline: it knows the fields of each source itself; leave out -p")
        ruleset = self._load([*rule_collection.rules, *rule_collection.filters])
        queries: list[str] = []
        for index, rule in enumerate(rule_collection.rules):
            try:
                query = self._query(rule, ruleset)
            except SigmaError as error:
                if not self.collect_errors:
                    raise
                self.errors.append((rule, error))
                continue
            if query is not None and callback is not None:
                query = callback(rule, output_format, index, None, f"{prelude()}\n\n{query}")
            if query is not None:
                queries.append(query)
        return "\n\n".join(queries if output_format == "queries" or not queries else [prelude(), *queries])

    def _load(self, documents: Iterable[Any]) -> RuleSet:
        paths: dict[str | Path, None] = {}
        for document in documents:
            if document.source is None:
                raise SigmaError(f"rule {document.title!r} comes from no file; crosswind reads rules itself, so give it files instead of '-'")
            paths[Path(document.source.path)] = None
        try:
            return load(list(paths))
        except UsageError as error:
            raise SigmaError(str(error)) from error

    def _query(self, wanted: SigmaRule | SigmaCorrelationRule, ruleset: RuleSet) -> str | None:
        if isinstance(wanted, SigmaCorrelationRule):
            raise SigmaFeatureNotSupportedByBackendError(
                f"correlation {wanted.title!r} ({wanted.type.name.lower()}) has no query: SQL finds the events of single rules; "
                "run correlations with crosswind scan",
                source=wanted.source,
            )
        if not wanted._output:  # a correlation speaks for it
            return None
        rule = _same(wanted, ruleset)
        try:
            query = compile_sql(rule, load_mappings().values(), self._table)
        except RuleError as error:
            raise SigmaFeatureNotSupportedByBackendError(str(error)) from error
        return f"-- {' '.join(rule.title.split())} ({rule.uid})\n{query};"


def _same(wanted: SigmaRule, ruleset: RuleSet) -> Rule:
    """What crosswind's loader made of the rule. Raises SigmaError with its reason where it refused it."""
    for rule in ruleset.rules:
        if rule.uid == str(wanted.id) if wanted.id is not None else (rule.title == wanted.title and _is_at(wanted, rule.path)):
            return rule
    names = (wanted.title, str(wanted.id))
    for error in ruleset.errors:
        if _is_at(wanted, error.path) and (error.rule is None or error.rule in names):
            raise SigmaError(str(error))
    raise SigmaError(f"rule {wanted.title!r} is not in its file any more", source=wanted.source)


def _is_at(wanted: SigmaRule, path: str | None) -> bool:
    return path is not None and wanted.source is not None and Path(path).resolve() == Path(wanted.source.path).resolve()


def _whole_rules_only(self: object, *_: object, **__: object) -> NoReturn:
    raise SigmaFeatureNotSupportedByBackendError("crosswind converts whole rules; call convert()")


for _name in pysigma.Backend.__abstractmethods__:
    setattr(CrosswindBackend, _name, _whole_rules_only)
update_abstractmethods(CrosswindBackend)
