"""A rule → the DuckDB query that finds the events a scan would find, in a table of events.

The table has ``raw_data``, ``x.source`` and the common columns the rule reads, named and typed as in `engine.schema`. Run
`engine.hunt.macros.prelude` once before. What DuckDB cannot decide exactly as the kernel does is refused when the query is made; a record that only a
scan can read (a key that stands twice where the text of an object is searched, an object written as a Python literal) makes the query fail with a
message that says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from engine.detect.plan import CLASSES
from engine.errors import RuleError, UnknownField, UnsupportedFeature
from engine.hunt.conditions import Place, condition, quote
from engine.schema import CHANGE_COLUMNS, COLUMNS, Mapping, split_path
from engine.sigma.fields import Resolution, Scope, applies, resolve
from engine.sigma.tree import And, Leaf, Node, Not, Number, Or, Rule, SameAs

_RECORD = '"cw.record"'


def compile_sql(rule: Rule, mappings: Iterable[Mapping], table: str = "events") -> str:
    """The query of ``rule`` over the sources of ``mappings``, without a semicolon. ``table`` is SQL, quoted where need be.

    Where a field does not exist in one source the rule runs on the others, as in a scan. Raises RuleError for a rule that runs on none, and
    UnsupportedFeature for one DuckDB cannot run exactly.
    """
    parts: dict[tuple[tuple[str, ...], str], list[str]] = {}
    refused: list[UnknownField] = []
    for mapping in mappings:
        scope = applies(rule.logsource, mapping)
        if scope is None:
            continue
        try:
            fields, where = _compiled(rule, scope, mapping)
        except UnknownField as error:
            refused.append(error)
        except UnsupportedFeature as error:
            raise _named(error, rule) from error
        else:
            parts.setdefault((fields, where), []).append(mapping.source)
    if not parts:
        raise _named(refused[0], rule) if refused else _named(RuleError(f"no source has logs of {rule.logsource}"), rule)
    return "\nunion all\n".join(_select(fields, where, sources, table) for (fields, where), sources in parts.items())


def _named(error: RuleError, rule: Rule) -> RuleError:
    return type(error)(error.message, rule=rule.title, path=error.path or rule.path, line=error.line if error.line is not None else rule.line)


def _select(fields: tuple[str, ...], where: str, sources: list[str], table: str) -> str:
    named = ", ".join(quote(source) for source in sources if source)
    events = f'{table} where "x.source" in ({named})' if named else table
    elements = [f'{expression} as "cw.{index}"' for index, expression in enumerate(fields)]
    folded = [f'list_transform("cw.{index}", lambda e: cw_fold(e)) as "cw.{index}f"' for index in range(len(fields)) if f'"cw.{index}f"' in where]
    made = [item.rpartition(" as ")[2] for item in elements + folded]
    if any(_RECORD in expression for expression in fields):
        events = f"select *, cw_read(raw_data) as {_RECORD} from {events}"
        made.append(_RECORD)
    else:
        events = f"select * from {events}"
    for columns in filter(None, (elements, folded)):
        events = f"select *, {', '.join(columns)} from (\n  {events}\n)"
    return f"select * exclude ({', '.join(made)}) from (\n  {events}\n)\nwhere {where}"


def _compiled(rule: Rule, scope: Scope, mapping: Mapping) -> tuple[tuple[str, ...], str]:
    """(columns with the elements of the fields, condition) for one source."""
    node = rule.condition
    wanted = CLASSES.get(rule.logsource.category or "") if rule.logsource.product == "cloud" and scope is Scope.COMMON else None
    if wanted is not None:
        node = And((Leaf("class_uid", Number(wanted)), node))
    compiler = _Compiler(scope, mapping)
    where = compiler.node(node)
    return tuple(compiler.columns), where


@dataclass
class _Compiler:
    """One rule on one source: collects the columns its condition needs."""

    scope: Scope
    mapping: Mapping
    columns: list[str] = field(default_factory=list)
    places: dict[Resolution | None, Place] = field(default_factory=dict)

    def node(self, node: Node) -> str:
        match node:
            case Leaf(name, predicate):
                other = self._place(predicate.field) if isinstance(predicate, SameAs) else None
                return condition(self._place(name), predicate, other)
            case Not(arg):
                return f"not {self.node(arg)}"
            case And(args):
                return f"({' and '.join(map(self.node, args))})" if args else "true"
            case Or(args):
                return f"({' or '.join(map(self.node, args))})" if args else "false"

    def _place(self, name: str | None) -> Place:
        where = None if name is None else resolve(name, self.scope, self.mapping)
        if where not in self.places:
            if where is not None and where.column in CHANGE_COLUMNS:
                raise UnsupportedFeature(f"SQL cannot read {name!r}: changes of facts are no part of stored events; use `crosswind hunt sigma`")
            plain, folded = f'"cw.{len(self.places)}"', f'"cw.{len(self.places)}f"'
            self.columns.append(f"cw_leaves({_RECORD})" if where is None else self._elements(where))
            column = None if where is None or where.column is None else COLUMNS[where.column]
            self.places[where] = Place(plain, folded, column is not None and column.kind == "float")
        return self.places[where]

    def _elements(self, where: Resolution) -> str:
        if where.column is None:
            found = [_found(_RECORD, split_path(path), self._embedded()) for path in where.paths]
            return f"cw_elements({_joined(found)})"
        if where.subpath is not None:
            inside = _found(f"cw_read({_quoted(where.column)})", split_path(where.subpath), frozenset())
            return f"case when {_quoted(where.column)} is not null then cw_elements({inside}) end"
        return _column(where.column)

    def _embedded(self) -> frozenset[tuple[str, ...]]:
        return frozenset(tuple(part.lower() for part in split_path(path)) for path in self.mapping.embedded)


def _joined(found: list[str]) -> str:
    return found[0] if len(found) == 1 else f"flatten([{', '.join(found)}])"


def _found(record: str, segments: tuple[str, ...], embedded: frozenset[tuple[str, ...]]) -> str:
    """SQL for the list of values at a path: at each level the whole rest as one key first, then one level down; lists fan out."""
    if not all(segment.isascii() for segment in segments):
        raise UnsupportedFeature(f"SQL cannot look up the field {'.'.join(segments)!r} in any case: its name is not ASCII")
    if not segments:
        return f"[{record}]"
    found: list[str] = []
    objects = f"cw_objects([{record}])"
    for depth, segment in enumerate(segments):
        whole = quote(".".join(segments[depth:]))
        found.append(f"cw_find({objects}, {whole})")
        if depth + 1 < len(segments):
            inner = f"cw_walk({objects}, {whole}, {quote(segment)})"
            if tuple(part.lower() for part in segments[: depth + 1]) in embedded:
                inner = f"list_transform({inner}, lambda v: cw_open(v))"
            objects = f"cw_objects({inner})"
    return _joined(found)


def _quoted(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _column(name: str) -> str:
    """The elements of a common column."""
    column, kind = _quoted(name), COLUMNS[name].kind
    if kind == "list":
        return f"list_transform({column}, lambda v: coalesce('s' || v, 'z'))"
    if kind == "json":
        return f"case when {column} is not null then cw_elements([cw_read({column})]) end"
    text = {
        "string": f"'s' || {column}",
        "int": f"'n' || {column}::varchar",
        "bool": f"'b' || {column}::varchar",
        "float": f"'n' || {column}::varchar",
        "time": f"'s' || cw_time(epoch_us({column}))",
    }[kind]
    there = f"isfinite({column})" if kind == "float" else f"{column} is not null"
    return f"case when {there} then [{text}] end"
