"""`rules check`: everything that can be said about rules without a single event."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as AnyMapping
from difflib import get_close_matches

from connectors.sources import load_mappings
from engine.detect.program import compile_program, reads_changes
from engine.documents.tagging import examine
from engine.errors import RuleError, UnknownField, UnsupportedFeature
from engine.pipeline.authoring.checks import malformed
from engine.pipeline.authoring.loading import load_files
from engine.report.findings import Checked, Finding, Severity
from engine.report.rule_files import RuleFiles, near, read_files
from engine.schema import COLUMNS, Mapping
from engine.sigma.document import Source
from engine.sigma.fields import applies, resolve
from engine.sigma.ruleset import RuleSet
from engine.sigma.tree import Boolean, Leaf, Node, Not, Or, Rule, fields
from engine.sigma.yamltext import Map

Place = tuple[str, int]
"""Path and first line of a document."""

KEYS = (
    *("title", "id", "name", "related", "taxonomy", "status", "description", "license", "references", "tags", "author", "date", "modified"),
    *("logsource", "detection", "fields", "falsepositives", "level", "scope", "group_by", "suppress", "correlation", "filter", "analytic", "action"),
    *("log_tier", "layer", "responsibility", "certain", "response", "tests"),
)
"""Keys a document may have at its top."""

_PLACED = re.compile(r"(?P<path>.+?):(?P<line>\d+): (?P<message>.*)", re.DOTALL)


def check(files: RuleFiles) -> Checked:
    """Findings about every document of ``files``. Raises UsageError for a path that does not exist or holds no document."""
    documents, unread = read_files(files)
    by_place = {(document.path, document.line): document for document in documents}
    ruleset = load_files(files)
    found = [*map(_of_error, ruleset.errors), *_of_notes(ruleset.notes)]
    found += _of_program(ruleset, load_mappings(), by_place)
    for document in documents:
        found += _of_document(document)
    found += _of_names(documents)
    found += (
        Finding(other.path, other.line, Severity.WARNING, "kind", f"{other.kind} documents are not run yet", other.title) for other in ruleset.others
    )
    return _checked([*by_place, *((error.path or "", error.line or 1) for error in unread)], found)


def _checked(places: Sequence[Place], findings: Sequence[Finding]) -> Checked:
    """The findings in order, every document counted once with the worst that is said of it."""
    starts = sorted(places)
    worst: dict[Place, set[Severity]] = {}
    for finding in findings:
        before = [place for place in starts if place[0] == finding.path and place[1] <= finding.line]
        worst.setdefault(before[-1] if before else (finding.path, finding.line), set()).add(finding.severity)
    failing = frozenset(place for place, severities in worst.items() if Severity.ERROR in severities)
    warned = frozenset(place for place, severities in worst.items() if Severity.WARNING in severities) - failing
    order = list(Severity)
    ordered = sorted(dict.fromkeys(findings), key=lambda each: (each.path, each.line, order.index(each.severity), each.message))
    return Checked(tuple(starts), tuple(ordered), failing, warned)


def _of_error(error: RuleError) -> Finding:
    kind = "unsupported" if isinstance(error, UnsupportedFeature) else "field" if isinstance(error, UnknownField) else "load"
    return Finding(error.path or "", error.line or 1, Severity.ERROR, kind, error.message, error.rule)


def _of_notes(notes: Sequence[str]) -> Iterator[Finding]:
    for note in notes:
        placed = _PLACED.fullmatch(note)
        path, line, message = (placed["path"], int(placed["line"]), placed["message"]) if placed else ("", 1, note)
        yield Finding(path, line, Severity.WARNING, "reference", message)


# What compiling says.


def _of_program(ruleset: RuleSet, mappings: AnyMapping[str, Mapping], documents: AnyMapping[Place, Source]) -> Iterator[Finding]:
    program = compile_program(ruleset, mappings)
    said: set[str] = set()
    for rule in ruleset.rules:
        fed = [mapping for mapping in mappings.values() if applies(rule.logsource, mapping) is not None]
        source = documents.get((rule.path or "", rule.line or 1))
        if not fed:
            known = ["/".join(part for part in triple if part) for mapping in mappings.values() for triple in mapping.logsources]
            message = f"no source has logs of {rule.logsource}, so the rule cannot fire{near(str(rule.logsource), known)}"
            yield Finding(rule.path or "", _line(source, "logsource"), Severity.WARNING, "logsource", message, rule.title)
        if reads_changes(rule) and not asks_whether_known(rule.condition):
            message = "reads x.change.* without asking for `x.change.known: true`: of the first event of an asset nobody knows what it changed"
            yield Finding(rule.path or "", _line(source, "detection"), Severity.WARNING, "change", message, rule.title)
        for field, (sources, reason) in unresolved(rule, fed).items():
            everywhere = len(sources) == len(fed)
            if everywhere:
                said.add(rule.uid)
            message = reason if everywhere else f"not run on {', '.join(sources)}: {reason}"
            severity = Severity.ERROR if everywhere else Severity.WARNING
            yield Finding(rule.path or "", _field_line(source, field), severity, "field", message, rule.title)
    for uid, error in program.refused.items():
        if uid not in said:
            yield _of_error(error)
    yield from (finding for finding in _of_notes(program.partly) if finding.path)


def unresolved(rule: Rule, mappings: Sequence[Mapping]) -> dict[str, tuple[list[str], str]]:
    """Fields ``rule`` reads or groups by that can hold no value: field → the sources that say so, and the first one's reason."""
    found: dict[str, tuple[list[str], str]] = {}
    names = [*sorted(fields(rule.condition)), *(name for name in rule.group_by or () if name not in COLUMNS)]
    for mapping in mappings:
        scope = applies(rule.logsource, mapping)
        for name in names if scope is not None else ():
            assert scope is not None
            try:
                resolve(name, scope, mapping)
            except RuleError as error:
                found.setdefault(name, ([], error.message))[0].append(mapping.source)
    return found


def asks_whether_known(node: Node) -> bool:
    """Whether a condition that reads ``x.change.*`` holds only where the difference is known."""
    return _unless_known(node) is False


def _unless_known(node: Node) -> bool | None:
    """What a condition is where ``x.change.known`` is false, None where that depends on the event."""
    match node:
        case Leaf("x.change.known", Boolean(value)):
            return not value
        case Leaf():
            return None
        case Not(arg):
            inner = _unless_known(arg)
            return None if inner is None else not inner
        case _:
            values = [_unless_known(arg) for arg in node.args]
            deciding = isinstance(node, Or)
            return deciding if deciding in values else None if None in values else not deciding


def _line(source: Source | None, key: str) -> int:
    return source.content.line_of(key) if source is not None else 1


def _field_line(source: Source | None, field: str) -> int:
    """The line of the key that names ``field``, else that of the document."""
    if source is None:
        return 1
    stack: list[object] = [source.content.get("detection")]
    while stack:
        item = stack.pop()
        if isinstance(item, Map):
            for key, value in item.items():
                if str(key).partition("|")[0] == field:
                    return item.line_of(key)
                stack.append(value)
        elif isinstance(item, list):
            stack += item
    return source.content.line_of("group_by") if field in (source.content.get("group_by") or ()) else source.line


# What the documents say of themselves.


def _of_document(source: Source) -> Iterator[Finding]:
    content, path = source.content, source.path
    title = str(content["title"]) if content.get("title") is not None else None
    for key in content:
        close = get_close_matches(str(key).lower(), KEYS, n=1, cutoff=0.8) if str(key) not in KEYS else []
        if close:
            yield Finding(path, content.line_of(key), Severity.WARNING, "key", f"key {str(key)!r} is ignored; did you mean {close[0]!r}?", title)
    if content.get("id") is None and "filter" not in content:
        message = "no id: alerts, filters and correlations will know this document by its meaning, which changes with every edit"
        yield Finding(path, source.line, Severity.HINT, "id", message, title)
    tags = content.get("tags")
    for tag in tags if isinstance(tags, list) else ():
        problem = examine(str(tag))
        if problem is not None:
            yield Finding(path, content.line_of("tags"), Severity.WARNING if problem.unknown else Severity.HINT, "tag", problem.message, title)
    for problem_ in malformed(content.get("tests")):
        yield Finding(path, content.line_of("tests"), Severity.ERROR, "test", problem_, title)


def _of_names(documents: Sequence[Source]) -> Iterator[Finding]:
    """Documents that others would mistake for each other."""
    seen: dict[tuple[str, str], Source] = {}
    for source in documents:
        for key in ("id", "name", "title"):
            value = source.content.get(key)
            if value is None or isinstance(value, (dict, list)):
                continue
            first = seen.setdefault((key, str(value).lower()), source)
            if first is source or (key != "id" and first.content.get("id") == source.content.get("id")):
                continue
            place = f"{first.path}:{first.line}"
            if key == "id":
                yield Finding(
                    source.path, source.content.line_of("id"), Severity.WARNING, "id", f"id {value} stands at {place} already", _title(source)
                )
            else:
                severity = Severity.WARNING if key == "name" else Severity.HINT
                message = f"{key} {str(value)!r} belongs to the document at {place} as well; filters and correlations that say it mean both"
                yield Finding(source.path, source.content.line_of(key), severity, key, message, _title(source))


def _title(source: Source) -> str | None:
    title = source.content.get("title")
    return None if title is None else str(title)
