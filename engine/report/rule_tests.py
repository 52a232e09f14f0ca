"""How the tests of rules went: lines for people, JUnit XML for build servers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO
from xml.etree import ElementTree

from engine.documents.destination import open_output
from engine.documents.escaping import safe_text


@dataclass(frozen=True, slots=True)
class Case:
    """One test; ``problem`` None is a pass. ``path`` and ``line`` are those of the rule."""

    rule: str
    name: str
    path: str
    line: int
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Tested:
    """``refused``: what did not load or compile, a sentence each; ``untested``: titles of rules without any test."""

    rules: int
    cases: tuple[Case, ...]
    refused: tuple[str, ...]
    untested: tuple[str, ...]

    @property
    def failed(self) -> tuple[Case, ...]:
        return tuple(case for case in self.cases if case.problem is not None)

    @property
    def exit_code(self) -> int:
        """3 where a test failed or a rule was refused."""
        return 3 if self.failed or self.refused else 0


def write_tested(tested: Tested, stream: TextIO) -> None:
    """Write a line for each failure and one that counts."""
    stream.write("".join(f"{safe_text(line)}\n" for line in _lines(tested)))


def _lines(tested: Tested) -> Iterator[str]:
    yield from (f"refused: {text}" for text in tested.refused)
    yield from (f"{case.path}:{case.line}: FAILED {case.rule!r}: {case.name}: {case.problem}" for case in tested.failed)
    passed, failed = len(tested.cases) - len(tested.failed), len(tested.failed)
    counts = f"{_count(tested.rules, 'rule')}, {_count(len(tested.cases), 'test')}: {passed:,} passed, {failed:,} failed"
    refused = f"; {_count(len(tested.refused), 'document')} refused" if tested.refused else ""
    untested = f"; {_count(len(tested.untested), 'rule')} without tests" if tested.untested else ""
    yield counts + refused + untested


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def write_junit(tested: Tested, path: Path) -> None:
    """Write the tests as JUnit XML, one suite a rule. Raises SinkError where the file cannot be written."""
    suites = ElementTree.Element("testsuites", name="crosswind rules", tests=str(len(tested.cases) + len(tested.refused)))
    suites.set("failures", str(len(tested.failed)))
    suites.set("errors", str(len(tested.refused)))
    by_rule: dict[tuple[str, str], list[Case]] = {}
    for case in tested.cases:
        by_rule.setdefault((case.path, case.rule), []).append(case)
    for (file, rule), cases in by_rule.items():
        failures = sum(case.problem is not None for case in cases)
        suite = _element(suites, "testsuite", name=rule, tests=str(len(cases)), failures=str(failures), errors="0")
        for case in cases:
            item = _element(suite, "testcase", name=case.name, classname=rule, file=file, line=str(case.line))
            if case.problem is not None:
                _element(item, "failure", message=case.problem)
    _add_refused(suites, tested.refused)
    with open_output(path) as stream:
        stream.write('<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n")


def _add_refused(suites: ElementTree.Element, refused: Sequence[str]) -> None:
    if refused:
        suite = _element(suites, "testsuite", name="refused", tests=str(len(refused)), failures="0", errors=str(len(refused)))
        for number, text in enumerate(refused, 1):
            _element(_element(suite, "testcase", name=f"document {number}", classname="refused"), "error", message=text)


def _element(parent: ElementTree.Element, tag: str, **attributes: str) -> ElementTree.Element:
    """XML 1.0 has no words for control characters, so they are written out as on a terminal."""
    return ElementTree.SubElement(parent, tag, {name: safe_text(value) for name, value in attributes.items()})
