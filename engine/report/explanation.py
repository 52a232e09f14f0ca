"""Why a rule matched events, or did not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TextIO

from engine.documents.escaping import safe_json, safe_text
from engine.report.conditions import Branch, lines


@dataclass(frozen=True, slots=True)
class Explained:
    """One record. ``matched`` None: the rule was not run on it, ``reason`` says why."""

    place: str
    source: str | None
    matched: bool | None
    reason: str | None = None
    tree: Branch | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """What became of every record of some input. ``problems``: what could not be read; ``left_out``: records beyond the limit."""

    rule: str
    uid: str
    records: tuple[Explained, ...]
    problems: tuple[str, ...] = ()
    left_out: int = 0

    @property
    def exit_code(self) -> int:
        """3 where something could not be read."""
        return 3 if self.problems else 0


def write_explanation(explanation: Explanation, form: str, stream: TextIO) -> None:
    """Write the condition once for each record with what it saw, or one JSON document."""
    if form == "json":
        stream.write(safe_json(json.dumps(asdict(explanation), ensure_ascii=False)) + "\n")
    else:
        stream.write("".join(f"{safe_text(line)}\n" for line in _lines(explanation)))


def _lines(explanation: Explanation) -> Iterator[str]:
    yield f"{explanation.rule} ({explanation.uid})"
    for record in explanation.records:
        yield ""
        verdict = "not run" if record.matched is None else "MATCHES" if record.matched else "does not match"
        yield f"{record.place}  {record.source or 'unknown source'}: {verdict}" + (f": {record.reason}" if record.reason else "")
        if record.tree is not None:
            yield from lines(record.tree, "  ")
    if not explanation.records:
        yield "no records to look at"
    if explanation.left_out:
        yield f"… and {explanation.left_out:,} more records (--limit)"
