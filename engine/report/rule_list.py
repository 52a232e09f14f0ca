"""The list of rules, read from their files without compiling anything."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TextIO

from engine.documents.escaping import safe_json, safe_text
from engine.errors import RuleError
from engine.report.rule_files import RuleFiles, read_files, shown_path
from engine.sigma.document import Source


@dataclass(frozen=True, slots=True)
class Listed:
    """One document as its file has it; "" where it says nothing."""

    uid: str
    title: str
    kind: str
    level: str
    product: str
    service: str
    category: str
    tags: tuple[str, ...]
    path: str
    line: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which documents to list; None wants all. ``tag`` is a tag, one without its namespace, or what a tag begins with up to a dot."""

    product: str | None = None
    service: str | None = None
    level: str | None = None
    tag: str | None = None

    def accepts(self, listed: Listed) -> bool:
        asked = ((self.product, listed.product), (self.service, listed.service), (self.level, listed.level))
        return all(want is None or want.lower() == have for want, have in asked) and (self.tag is None or self._tagged(listed.tags, self.tag.lower()))

    @staticmethod
    def _tagged(tags: Sequence[str], want: str) -> bool:
        names = [name for tag in tags for name in (tag.lower(), tag.lower().partition(".")[2])]
        return any(name == want or name.startswith(f"{want}.") for name in names)


def list_rules(files: RuleFiles, wanted: Wanted) -> tuple[list[Listed], list[RuleError]]:
    """The documents of ``files`` that are ``wanted``, in order of path, and what could not be read."""
    documents, errors = read_files(files)
    listed = [_listed(document) for document in documents]
    return [each for each in listed if wanted.accepts(each)], errors


def _listed(document: Source) -> Listed:
    content = document.content
    logsource = content.get("logsource")
    parts = logsource if isinstance(logsource, dict) else {}
    kind = next((kind for kind in ("correlation", "filter", "analytic") if kind in content), "rule")
    return Listed(
        uid=_text(content.get("id")),
        title=_text(content.get("title")) or "(no title)",
        kind=kind,
        level=(_text(content.get("level")) or "medium").lower() if kind != "filter" else "",
        product=_text(parts.get("product")).lower(),
        service=_text(parts.get("service")).lower(),
        category=_text(parts.get("category")).lower(),
        tags=tuple(_texts(content.get("tags"))),
        path=shown_path(document.path),
        line=document.line,
    )


def _text(value: object) -> str:
    return "" if value is None or isinstance(value, (dict, list)) else str(value)


def _texts(value: object) -> Sequence[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def write_list(listed: Sequence[Listed], form: str, stream: TextIO) -> None:
    """Write a line a document, or one JSON list."""
    if form == "json":
        stream.write(safe_json(json.dumps([asdict(each) for each in listed], ensure_ascii=False)) + "\n")
        return
    rows = [
        (
            each.level or "-",
            each.kind if each.kind != "rule" else "/".join(part for part in (each.product, each.service or each.category) if part) or "-",
            safe_text(each.title),
            safe_text(each.uid or "-"),
            safe_text(each.path),
        )
        for each in listed
    ]
    widths = [min(max((len(row[column]) for row in rows), default=0), 70) for column in range(4)]
    for row in rows:
        stream.write("  ".join([*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[-1]]) + "\n")
    stream.write(f"{len(rows):,} document{'s' if len(rows) != 1 else ''}\n" if rows else "No rules like that.\n")
