"""Sigma documents → a `RuleSet`: rules as trees with filters applied, what was refused and why, and the other documents for those who read them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import Enum
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any, TypeVar

from sigma.exceptions import SigmaError

from engine.errors import RuleError
from engine.model import Level
from engine.sigma import timespan
from engine.sigma.condition import parse
from engine.sigma.detection import Placeholders, build
from engine.sigma.document import Source, read
from engine.sigma.filters import Filter, filtered, load_filter
from engine.sigma.tree import LogSource, Node, Rule
from engine.sigma.yamltext import Map, plain

DEFAULT_LEVEL = "medium"
"""Level of a rule that states none."""

STATUSES = ("stable", "test", "experimental", "deprecated", "unsupported")
OTHER_KINDS = ("correlation", "analytic")

_STANDARD_KEYS = frozenset(
    {
        *("title", "id", "name", "related", "taxonomy", "status", "description", "license", "references", "tags", "author", "date", "modified"),
        *("logsource", "detection", "fields", "falsepositives", "level", "scope", "group_by", "suppress"),
    }
)
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True)
class Document:
    """A document that is no detection rule, kept as written: ``kind`` is ``correlation`` or ``analytic``, ``content`` all of it as plain values."""

    kind: str
    uid: str
    title: str
    content: Mapping[str, Any]
    path: str
    line: int
    name: str | None = None


@dataclass(frozen=True, slots=True)
class RuleSet:
    """What `load` found. ``notes`` are sentences about what had no effect, such as a filter that names a rule that is not loaded."""

    rules: tuple[Rule, ...]
    errors: tuple[RuleError, ...]
    others: tuple[Document, ...] = ()
    notes: tuple[str, ...] = ()


_T = TypeVar("_T", Rule, Document)


def load(sources: Sequence[str | Path], *, placeholders: Mapping[str, Sequence[str]] | None = None) -> RuleSet:
    """The Sigma documents below ``sources``: YAML text (a str with a newline), files, or directories (recursively).

    ``placeholders`` are the values of ``|expand`` by name. A broken document becomes a RuleError with path and line and stops no other. An id that
    stands twice is refused the second time, unless the content is the same: then it counts once. Raises UsageError for a path that does not exist.
    """
    drafts: list[Rule] = []
    filters: list[Filter] = []
    others: list[Document] = []
    errors: list[RuleError] = []
    for source in read(sources):
        if isinstance(source, RuleError):
            errors.append(source)
            continue
        try:
            loaded = _load(source, placeholders or {})
        except RuleError as error:
            errors.append(_placed(error, source))
        except (SigmaError, ValueError, TypeError, AttributeError, RecursionError) as error:
            errors.append(_placed(RuleError(f"cannot be read as Sigma: {error}"), source))
        else:
            if isinstance(loaded, Rule):
                drafts.append(loaded)
            elif isinstance(loaded, Filter):
                filters.append(loaded)
            else:
                others.append(loaded)
    rules = [_finished(draft, filters) for draft in drafts]
    seen: dict[str, tuple[str, str]] = {}
    kept = tuple(_unique(rules, lambda rule: rule.content_hash, seen, errors))
    documents = tuple(_unique(others, lambda other: _digest(dict(other.content)), seen, errors))
    return RuleSet(kept, tuple(errors), documents, tuple(_notes(filters, kept)))


def _placed(error: RuleError, source: Source) -> RuleError:
    content = source.content
    name = content.get("title") or content.get("id")
    error.rule = error.rule or (str(name) if name is not None else None)
    error.path = source.path
    error.line = error.line or source.line
    return error


def _load(source: Source, placeholders: Placeholders) -> Rule | Filter | Document:
    content = source.content
    title = _title(content)
    kind = next((kind for kind in OTHER_KINDS if kind in content), None)
    if kind is not None:
        whole = plain(content)
        return Document(kind, _id(content) or _digest(whole), title, whole, source.path, source.line, _optional_text(content, "name"))
    logsource = _logsource(content)
    if "filter" in content:
        return load_filter(source, title, logsource, placeholders)
    return _draft(source, title, logsource, _condition(content, placeholders))


def _condition(content: Map, placeholders: Placeholders) -> Node:
    section = content.get("detection")
    if not isinstance(section, Map):
        raise RuleError("no 'detection' section; it is a map of named detections and a condition", line=content.line_of("detection"))
    if "condition" not in section:
        raise RuleError("the detection section has no 'condition'", line=content.line_of("detection"))
    condition = section["condition"]
    detections = build(section, placeholders, reserved=frozenset({"condition"}))
    try:
        return parse(condition if isinstance(condition, list) else [condition], detections)
    except RuleError as error:
        error.line = error.line or section.line_of("condition")
        raise


def _draft(source: Source, title: str, logsource: LogSource, condition: Node) -> Rule:
    """The rule before filters, still without a content hash (and without a uid where it states no id)."""
    content = source.content
    return Rule(
        uid=_id(content) or "",
        title=title,
        level=_word(content, "level", [level.word for level in Level]) or DEFAULT_LEVEL,
        logsource=logsource,
        condition=condition,
        content_hash="",
        name=_optional_text(content, "name"),
        status=_word(content, "status", STATUSES),
        description=_optional_text(content, "description"),
        author=_optional_text(content, "author"),
        date=_optional_text(content, "date"),
        references=_texts(content, "references"),
        tags=_texts(content, "tags"),
        falsepositives=_texts(content, "falsepositives"),
        path=source.path,
        line=source.line,
        group_by=_group_by(content),
        suppress=_suppress(content),
        extra=tuple((str(key), plain(value)) for key, value in content.items() if key not in _STANDARD_KEYS),
    )


def _finished(draft: Rule, filters: Sequence[Filter]) -> Rule:
    """The rule with its filters, content hash and uid."""
    names = _names(draft)
    condition = filtered(draft.condition, [each for each in filters if each.applies(draft.logsource, names)])
    meaning = [draft.logsource, condition, draft.group_by, draft.suppress, draft.level]
    return replace(draft, condition=condition, uid=draft.uid or _digest([draft.title, *meaning]), content_hash=_digest(meaning))


def _names(rule: Rule) -> set[str]:
    """What a filter may call the rule, in lower case."""
    return {name.lower() for name in (rule.uid, rule.name, rule.title) if name}


# Parts of a document.


def _title(content: Map) -> str:
    title = content.get("title")
    if title is None or isinstance(title, (dict, list)) or not str(title).strip():
        raise RuleError("a document needs a title", line=content.line_of("title"))
    return str(title)


def _id(content: Map) -> str | None:
    value = content.get("id")
    if value is None:
        return None
    text = str(value).strip()
    if isinstance(value, (dict, list, bool)) or not text:
        raise RuleError("'id' is a text, best a UUID", line=content.line_of("id"))
    return text.lower() if _UUID.fullmatch(text) else text


def _optional_text(content: Map, key: str) -> str | None:
    value = content.get(key)
    if isinstance(value, dict):
        raise RuleError(f"{key!r} is a text", line=content.line_of(key))
    if isinstance(value, list):
        return ", ".join(map(str, value)) or None
    return None if value is None else str(value)


def _texts(content: Map, key: str) -> tuple[str, ...]:
    value = content.get(key)
    listed = value if isinstance(value, list) else [] if value is None else [value]
    return tuple(str(item) for item in listed if item is not None)


def _word(content: Map, key: str, words: Sequence[str]) -> str | None:
    value = content.get(key)
    if value is None:
        return None
    word = str(value).lower()
    if word not in words:
        raise RuleError(f"{key} {value!r} is none of {', '.join(words)}", line=content.line_of(key))
    return word


def _logsource(content: Map) -> LogSource:
    section = content.get("logsource")
    line = content.line_of("logsource")
    if not isinstance(section, dict):
        raise RuleError("no 'logsource'; it is a map with product, service or category", line=line)
    parts = {}
    for key in ("category", "product", "service"):
        value = section.get(key)
        if isinstance(value, (dict, list)):
            raise RuleError(f"logsource.{key} is a text", line=line)
        parts[key] = str(value).lower() if value is not None else None
    if not any(parts.values()):
        raise RuleError("'logsource' names neither product nor service nor category", line=line)
    return LogSource(**parts)


def _group_by(content: Map) -> tuple[str, ...] | None:
    if content.get("group_by") is None:
        return None
    value = content["group_by"]
    names = value if isinstance(value, list) else [value]
    if not all(isinstance(name, str) and name.strip() for name in names):
        raise RuleError("'group_by' is a list of field names", line=content.line_of("group_by"))
    return tuple(names)


def _suppress(content: Map) -> str | None:
    value = content.get("suppress")
    if value is None:
        return None
    try:
        timespan.parse(str(value))
    except ValueError as error:
        raise RuleError(f"'suppress': {error}", line=content.line_of("suppress")) from error
    return str(value)


# Identity.


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(_canonical(value), separators=(",", ":"), sort_keys=True).encode()).hexdigest()


def _canonical(value: Any) -> Any:
    """``value`` as JSON that two values share only when they mean the same."""
    if is_dataclass(value):
        return {type(value).__name__: [_canonical(getattr(value, each.name)) for each in fields(value)]}
    if isinstance(value, Enum):
        return {type(value).__name__: value.value}
    if isinstance(value, (IPv4Network, IPv6Network)):
        return {"network": str(value)}
    if isinstance(value, (list, tuple)):
        return [_canonical(each) for each in value]
    if isinstance(value, dict):
        return {str(key): _canonical(each) for key, each in value.items()}
    return value


def _unique(items: Sequence[_T], digest: Callable[[_T], str], seen: dict[str, tuple[str, str]], errors: list[RuleError]) -> list[_T]:
    kept = []
    for item in items:
        key, content = item.uid.lower(), digest(item)
        if key not in seen:
            seen[key] = (content, f"{item.path}:{item.line}")
            kept.append(item)
        elif seen[key][0] != content:
            message = f"id {item.uid} already belongs to the document at {seen[key][1]}; give this one its own"
            errors.append(RuleError(message, rule=item.title, path=item.path, line=item.line))
    return kept


def _notes(filters: Sequence[Filter], rules: Sequence[Rule]) -> list[str]:
    known: set[str] = set().union(*map(_names, rules))
    notes = []
    for each in filters:
        missing = [name for name in each.rules or () if name not in known]
        if missing:
            notes.append(f"{each.path}:{each.line}: filter {each.title!r} names rules that are not loaded: {', '.join(missing)}")
        elif not any(each.applies(rule.logsource, _names(rule)) for rule in rules):
            notes.append(f"{each.path}:{each.line}: filter {each.title!r} applies to no loaded rule")
    return notes
