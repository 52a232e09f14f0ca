"""What a rule reads of each source, as a digest: hits that were found under another reading of their rule count no more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as AnyMapping
from hashlib import sha256
from typing import Any

from engine.errors import RuleError
from engine.schema import CHANGE_COLUMNS, COLUMNS, Mapping, split_path
from engine.sigma.fields import Scope, applies, resolve
from engine.sigma.tree import DEFAULT_GROUP, Rule, fields, has_keywords


def readings(
    rules: Iterable[Rule], plans: AnyMapping[str, Sequence[Rule]], asked: AnyMapping[str, Iterable[str]], mappings: AnyMapping[str, Mapping]
) -> dict[str, str]:
    """Rule uid → digest of where its fields stand in every source it runs on: those of its condition, of its group, and those ``asked`` of its hits.

    ``plans``: source → the rules that run on it. A mapping that is changed elsewhere, and fields that only other rules need, change no digest. The
    meaning of a column that a function makes is the mapping's ``version``.
    """
    found: dict[str, list[Any]] = {rule.uid: [] for rule in rules}
    for source, running in plans.items():
        reader = _Reader(mappings[source])
        for rule in running:
            found[rule.uid].append((source, reader.of(rule, asked.get(rule.uid, ()))))
    return {uid: sha256(repr(sorted(read)).encode()).hexdigest()[:16] for uid, read in found.items()}


class _Reader:
    """Where fields stand in one source, each looked up once."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        self._facts = sha256(repr(mapping.facts).encode()).hexdigest()
        self._known: dict[tuple[str, Scope], str] = {}

    def of(self, rule: Rule, asked: Iterable[str]) -> list[str]:
        scope = applies(rule.logsource, self._mapping)
        assert scope is not None
        read = {self._field(name, scope) for name in fields(rule.condition)}
        read |= {self._carried(name, scope) for name in asked}
        if rule.group_by is None:
            read |= {self._column(name) for names in DEFAULT_GROUP for name in names}
        else:
            read |= {self._carried(name, scope) for name in rule.group_by}
        if scope is Scope.COMMON:
            read.add(self._column("class_uid"))
        if has_keywords(rule.condition):
            read.add(repr(self._mapping.embedded))
        return sorted(read)

    def _carried(self, name: str, scope: Scope) -> str:
        """Of what hits carry a common column is always meant where there is one of that name."""
        return self._column(name) if name in COLUMNS else self._field(name, scope)

    def _field(self, name: str, scope: Scope) -> str:
        if (name, scope) not in self._known:
            self._known[name, scope] = self._looked_up(name, scope)
        return self._known[name, scope]

    def _looked_up(self, name: str, scope: Scope) -> str:
        try:
            place = resolve(name, scope, self._mapping)
        except RuleError:
            return f"{name}: nowhere"
        if place.column is not None:
            return f"{self._column(place.column)} {place.subpath}"
        return repr((name, place.paths, [path for path in self._mapping.embedded if any(_within(one, path) for one in place.paths)]))

    def _column(self, name: str) -> str:
        if name in CHANGE_COLUMNS:
            return repr((name, self._facts, self._mapping.version))
        rule = self._mapping.columns.get(name)
        version = self._mapping.version if rule is not None and rule.function is not None else 0
        return repr((name, rule, version))


def _within(path: str, root: str) -> bool:
    above = split_path(root)
    return split_path(path)[: len(above)] == above
