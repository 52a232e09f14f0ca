"""`python -m engine.report.sigma_support` prints docs/sigma-support.md: what of Sigma works, found out by loading a small rule for each feature."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from importlib.resources import files

from engine.sigma.load import load
from engine.sigma.modifiers import MODIFIERS
from engine.sigma.tree import BoundOperator, CorrelationType

_HEAD = """# What of Sigma works

This page is generated (`make docs`): every row was found out by loading a small document that uses the feature. What each does in detail is in
[semantics.md](semantics.md). "refused" means that a document that uses it is named as failed, with the reason; nothing is ignored in silence.
"""
_VALUES = {"cidr": "10.0.0.0/8", "exists": "true", "fieldref": "g", "expand": "'%names%'", "re": "a+", "i": "a", "m": "a", "s": "a"}
_BEFORE = {"i": "re|", "m": "re|", "s": "re|", "ignorecase": "re|", "multiline": "re|", "dotall": "re|"}
_CONDITIONS = {
    "a": "a detection by name",
    "a and b": "all",
    "a or b": "any",
    "not a": "not",
    "a and (b or c1)": "parentheses",
    "1 of c*": "one of those whose name fits",
    "any of c*": "the same",
    "all of c*": "every one of those whose name fits",
    "1 of them": "one of all, names that begin with _ left out",
    "all of them": "every one",
    "2 of c*": "a number other than 1",
    "1 of nothing*": "a pattern that fits no name",
    "a | count() > 5": "aggregation of Sigma 1",
    "A AND b": "operators in upper case",
}


def support_page() -> str:
    """The page as Markdown."""
    bounds = [(each.value, _status(_correlation("event_count", f"{{{each.value}: 5}}"))) for each in BoundOperator]
    extended = [(text, _status(_correlation("temporal", f"'{text}'"))) for text in ("r1 and not r2", "not r1")]
    sections = (
        ("Modifiers", "modifier", [(name, _status(_rule(_field(name)))) for name in sorted(MODIFIERS)]),
        ("Conditions", "condition", [(text, f"{meaning}: {_status(_rule(condition=text))}") for text, meaning in _CONDITIONS.items()]),
        ("Correlations", "type", [(kind.value, _status(_correlation(kind.value))) for kind in CorrelationType]),
        ("Correlation conditions", "operator", bounds),
        ("Extended correlation conditions", "condition", extended),
        ("Other documents and keys", "feature", list(_others())),
    )
    return _HEAD + "".join(f"\n## {title}\n\n{_table(head, rows)}" for title, head, rows in sections) + _public()


def exceptions() -> list[dict[str, str]]:
    """Rules of the public SigmaHQ collection for clouds that do not run as they are: ``title``, ``id``, ``reason``."""
    text = files(__package__).joinpath("data", "sigmahq.tsv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))


def _field(name: str) -> str:
    value = _VALUES.get(name, "5" if name in ("lt", "lte", "gt", "gte", "minute", "hour", "day", "week", "month", "year") else "abc")
    return f"f|{_BEFORE.get(name, '')}{name}: {value}"


def _rule(test: str = "f: x", condition: str = "a", head: str = "") -> str:
    detections = f"  a: {{'{test.partition(': ')[0]}': {test.partition(': ')[2]}}}\n  b: {{f: y}}\n  c1: {{f: z}}\n  c2: {{f: z}}\n"
    return f"title: r\n{head}logsource: {{product: aws}}\ndetection:\n{detections}  condition: {condition}\n"


def _correlation(kind: str, condition: str | None = None) -> str:
    named = "".join("---\n" + _rule(head=f"name: r{number}\nid: r{number}\n").replace("title: r\n", f"title: r{number}\n") for number in (1, 2))
    asked = "" if kind.startswith("temporal") else "{gte: 5}" if not kind.startswith("value_") else "{field: f, gte: 5}"
    chosen = condition or asked
    line = f"  condition: {chosen}\n" if chosen else ""
    return f"title: c\nid: c\ncorrelation:\n  type: {kind}\n  rules: [r1, r2]\n  group-by: [g]\n  timespan: 5m\n{line}{named}"


def _others() -> Iterator[tuple[str, str]]:
    a_filter = "title: f\nlogsource: {product: aws}\nfilter:\n  rules: [r]\n  a: {f: y}\n  condition: not a\n"
    yield "filter", _status(f"{a_filter}---\n{_rule()}")
    yield "filter with expires", _status(f"{a_filter}expires: 2026-01-01\n---\n{_rule()}")
    for action in ("global", "reset", "repeat"):
        yield f"action: {action}", _status(f"{_rule()}---\naction: {action}\ntitle: r2\n---\n{_rule()}")
    yield "timeframe in a detection", _status(_rule() + "  timeframe: 5m\n")
    yield "re with look-around", _status(_rule("f|re: '(?=x)y'"))


def _status(text: str) -> str:
    found = load([text], placeholders={"names": ["x"]})
    if found.errors:
        return f"refused: {found.errors[0].message}"
    return f"{found.others[0].kind} documents are read and not run yet" if found.others else "works"


def _table(head: str, rows: list[tuple[str, str]]) -> str:
    cells = [f"| `{name.replace('|', chr(92) + '|')}` | {status.replace('|', chr(92) + '|')} |" for name, status in rows]
    return "\n".join([f"| {head} | |", "|---|---|", *cells]) + "\n"


def _public() -> str:
    by_reason: dict[str, list[str]] = {}
    for row in exceptions():
        by_reason.setdefault(row["reason"], []).append(f"{row['title']} (`{row['id']}`)")
    parts = [f"\n### {reason}\n\n" + "".join(f"- {rule}\n" for rule in sorted(rules)) for reason, rules in sorted(by_reason.items())]
    head = "\n## Public rules that do not run as they are\n\nOf SigmaHQ's rules for clouds, applications and identity. All others"
    return f"{head} load, compile, and find each of their fields.\n{''.join(parts)}"


if __name__ == "__main__":
    sys.stdout.write(support_page())
