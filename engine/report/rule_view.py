"""One rule or correlation, laid open."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TextIO

from engine.documents.escaping import safe_json, safe_text
from engine.documents.taxonomy import resolve
from engine.report.conditions import Branch, lines


@dataclass(frozen=True, slots=True)
class Read:
    """Where a field stands in one source. ``vouched``: the mapping knows it; what it does not know may be a typo."""

    field: str
    source: str
    places: tuple[str, ...]
    vouched: bool


@dataclass(frozen=True, slots=True)
class View:
    """``sources``: those that feed it; ``refused``: sources whose records it is for and cannot read, with the reason; ``related``: a line each."""

    uid: str
    title: str
    kind: str
    level: str
    place: str
    name: str | None
    status: str | None
    description: str | None
    logsource: str | None
    sources: tuple[str, ...]
    refused: tuple[tuple[str, str], ...]
    reads: tuple[Read, ...]
    tree: Branch | None
    anchors: tuple[str, ...]
    tags: tuple[str, ...]
    related: tuple[str, ...]
    tests: int


def write_views(views: Sequence[View], form: str, stream: TextIO) -> None:
    """Write each of ``views``, or one JSON list."""
    if form == "json":
        stream.write(safe_json(json.dumps([asdict(view) for view in views], ensure_ascii=False)) + "\n")
        return
    stream.write("\n".join("".join(f"{safe_text(line)}\n" for line in _lines(view)) for view in views))


def _lines(view: View) -> Iterator[str]:
    yield view.title
    yield f"  {view.kind}, {view.level}" + (f", {view.status}" if view.status else "")
    yield f"  id {view.uid}" + (f", name {view.name}" if view.name else "")
    yield f"  {view.place}"
    if view.description:
        yield f"  {' '.join(view.description.split())}"
    if view.logsource is not None:
        yield from ("", f"log source {view.logsource}")
        yield from (f"  {source}" for source in view.sources)
        yield from (f"  not {source}: {reason}" for source, reason in view.refused)
        if not view.sources and not view.refused:
            yield "  no source has such logs: the rule cannot fire"
    if view.reads:
        yield from ("", "reads")
        yield from _reads(view)
    if view.tree is not None:
        yield from ("", "condition", *lines(view.tree, "  "))
        yield from ("", "found by (one of these must hold; the rest is only looked at there)" if view.anchors else "found by looking at every event")
        yield from (f"  {anchor}" for anchor in view.anchors)
    if view.related:
        yield from ("", "correlation" if view.kind == "correlation" else "correlations", *(f"  {line}" for line in view.related))
    named = list(tag_names(view.tags))
    if named:
        yield from ("", "tags", *(f"  {line}" for line in named))
    if view.kind == "rule":
        yield from ("", f"{view.tests} test{'' if view.tests == 1 else 's'}")


def _reads(view: View) -> Iterator[str]:
    """A line for a field, or one for each source that has it elsewhere."""
    places: dict[tuple[str, tuple[str, ...], bool], list[str]] = {}
    for read in view.reads:
        places.setdefault((read.field, read.places, read.vouched), []).append(read.source)
    for (field, paths, vouched), sources in places.items():
        where = f"{', '.join(sources)}: " if len(sources) < len(view.sources) or len(sources) == 1 else ""
        doubt = "" if vouched else "  (depends on the call; nobody can vouch for the name)"
        yield f"  {field}  ←  {where}{', '.join(paths)}{doubt}"


def tag_names(tags: Sequence[str]) -> Iterator[str]:
    """What ``tags`` mean, a line each; tags of other taxonomies as they stand."""
    threats = resolve(tags)
    for tactic in threats.tactics:
        yield f"{tactic.uid}  {tactic.name} ({tactic.framework} tactic)"
    for technique in threats.techniques:
        name = f"{technique.parent.name}: {technique.name}" if technique.parent else technique.name
        yield f"{technique.uid}  {name} ({technique.framework})" + (f", tagged {technique.tagged}" if technique.tagged != technique.uid else "")
    for risk in threats.risks:
        yield f"{risk.uid}  {risk.name} (OWASP)"
    yield from (tag for tag in tags if tag.partition(".")[0].lower() not in ("attack", "atlas", "owasp"))
