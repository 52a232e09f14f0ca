"""What `crosswind rules check` found, for people and for machines."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TextIO

from engine.documents.escaping import safe_json, safe_text


class Severity(StrEnum):
    """An `ERROR` keeps a document from running, a `WARNING` says that it does less than it seems to, a `HINT` costs nothing to heed."""

    ERROR = "error"
    WARNING = "warning"
    HINT = "hint"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to say about one document. ``check`` names the check that found it, ``rule`` is the document's title where it has one."""

    path: str
    line: int
    severity: Severity
    check: str
    message: str
    rule: str | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """Findings in order of place. ``documents``: path and first line of everything that was read."""

    documents: tuple[tuple[str, int], ...]
    findings: tuple[Finding, ...]
    failing: frozenset[tuple[str, int]]
    """Documents with an error."""
    warned: frozenset[tuple[str, int]]
    """Documents with a warning and no error."""

    @property
    def counts(self) -> dict[str, int]:
        """Documents, those without error and warning, and findings by severity."""
        found = Counter(finding.severity for finding in self.findings)
        total = len(self.documents)
        return {
            "documents": total,
            "ok": total - len(self.failing) - len(self.warned),
            "failing": len(self.failing),
            "errors": found[Severity.ERROR],
            "warnings": found[Severity.WARNING],
            "hints": found[Severity.HINT],
        }

    @property
    def exit_code(self) -> int:
        """3 where some document has an error."""
        return 3 if self.counts["errors"] else 0


def write_findings(checked: Checked, form: str, stream: TextIO) -> None:
    """Write a line a finding and a summary (``form`` table), or one JSON document."""
    if form == "json":
        document = {**checked.counts, "findings": [asdict(finding) for finding in checked.findings]}
        stream.write(safe_json(json.dumps(document, ensure_ascii=False)) + "\n")
        return
    stream.write("".join(f"{safe_text(line)}\n" for line in _lines(checked)))


def _lines(checked: Checked) -> Iterator[str]:
    for finding in checked.findings:
        name = f"{finding.rule!r}: " if finding.rule else ""
        yield f"{finding.path}:{finding.line}: {finding.severity}: {name}{finding.message} [{finding.check}]"
    counts = checked.counts
    parts = [f"{count:,} {word if count != 1 else word[:-1]}" for word in ("errors", "warnings", "hints") if (count := counts[word])]
    documents = counts["documents"]
    yield f"{documents:,} document{'s' if documents != 1 else ''}, {counts['ok']:,} ok; {', '.join(parts) or 'nothing to say'}"
