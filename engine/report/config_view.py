"""The configuration and what is wrong with it, for people and for machines. Nothing secret is in what is written here: `Setting` has none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any, TextIO

from engine.config.reading import Setting
from engine.documents.escaping import safe_json, safe_text
from engine.report.findings import Severity

_BARE = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class ConfigFinding:
    """One thing to say about the configuration; ``place`` is a file:line or a variable where it stands in one."""

    severity: Severity
    message: str
    place: str | None = None


def write_settings(settings: Sequence[Setting], form: str, stream: TextIO) -> None:
    """Write effective settings as TOML with where each comes from (``form`` toml), or as one JSON document with both."""
    if form == "json":
        document: dict[str, Any] = {"settings": {}, "origins": {}}
        for setting in settings:
            at = document["settings"]
            for part in setting.path[:-1]:
                at = at.setdefault(part, {})
            at[setting.path[-1]] = setting.shown
            document["origins"][".".join(setting.path)] = setting.origin
        stream.write(safe_json(json.dumps(document, ensure_ascii=False)) + "\n")
        return
    stream.write("\n".join(safe_json(line) for line in _toml(settings)) + "\n")


def write_config_findings(findings: Sequence[ConfigFinding], form: str, stream: TextIO) -> None:
    """Write a line a finding and a summary (``form`` table), or one JSON document."""
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    warnings = len(findings) - errors
    if form == "json":
        document = {"errors": errors, "warnings": warnings, "findings": [asdict(finding) for finding in findings]}
        stream.write(safe_json(json.dumps(document, ensure_ascii=False)) + "\n")
        return
    lines = [f"{f'{finding.place}: ' if finding.place else ''}{finding.severity}: {finding.message}" for finding in findings]
    counts = [f"{count:,} {word}{'s' if count != 1 else ''}" for count, word in ((errors, "error"), (warnings, "warning")) if count]
    lines.append(f"configuration: {', '.join(counts) or 'nothing to say'}")
    stream.write("".join(f"{safe_text(line)}\n" for line in lines))


def _toml(settings: Iterable[Setting]) -> Iterator[str]:
    for number, (section, members) in enumerate(groupby(settings, key=lambda setting: setting.path[:-1])):
        if number:
            yield ""
        yield f"[{'.'.join(map(_key, section))}]"
        lines = [(f"{_key(setting.path[-1])} = {_value(setting.shown)}", setting.origin) for setting in members]
        width = min(max(len(line) for line, _ in lines), 60)
        yield from (f"{line:<{width}}  # {origin}" for line, origin in lines)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _value(name)


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(str(name))} = {_value(each)}" for name, each in value.items()) + " }" if value else "{}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
