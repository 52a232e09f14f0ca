"""`rules new`: a rule to begin with, which loads and passes its own tests as it is."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import polars as pl
import yaml

from connectors.exact import look_up
from connectors.normalize import Want, normalize
from connectors.sources import load_mappings
from engine import bundled, jsontext
from engine.errors import UsageError
from engine.pipeline.authoring.checks import check_rule_tests, rule_tests
from engine.report.rule_files import near
from engine.schema import Mapping
from engine.sigma.fields import Scope, applies
from engine.sigma.load import load
from engine.sigma.tree import LogSource

MOST = 40
"""Examples of one source that are tried."""

_TEMPLATE = """\
title: {title}
id: {uid}
status: experimental
description: >-
  Say in two sentences what happened when this matches, and why somebody should care.
author: your name
date: {today}
tags:
  - attack.execution  # tactic and technique; `crosswind rules check` knows them all
logsource:
{logsource}
detection:
  selection:
    {field}: {value}
  condition: selection
falsepositives:
  - Say who does this for a good reason
level: medium
log_tier: Say which logging must be switched on to see this
response:
  - Say what to do first
tests:
{tests}"""


def template(logsource: str, today: date) -> str:
    """The YAML text of a rule for ``logsource`` (``product/service``, ``ai``, ``cloud``). Raises UsageError for one no source has."""
    product, _, rest = logsource.strip().lower().partition("/")
    mappings = load_mappings()
    wanted = _wanted(product, rest)
    feeding = [(mapping, scope) for mapping in mappings.values() if (scope := applies(wanted, mapping)) is not None]
    if not product or not feeding:
        known = dict.fromkeys("/".join(part for part in triple if part) for mapping in mappings.values() for triple in mapping.logsources)
        raise UsageError(f"no source has logs of {logsource!r}{near(logsource, [*known, 'cloud'])} Known: {', '.join([*known, 'cloud'])}")
    for mapping, scope in feeding:
        for example in _examples(mapping):
            chosen = _selection(example, mapping, scope)
            text = _filled(wanted, mapping, example, chosen, today) if chosen is not None else None
            if text is not None and all(test.problem is None for test in check_rule_tests(load([text]).rules)):
                return text
    raise UsageError(f"there is no example record for {logsource!r}; take another log source of the product")


def _wanted(product: str, rest: str) -> LogSource:
    if product == "ai":
        return LogSource("llm_inference", product, rest if rest and rest != "llm_inference" else None)
    if product == "cloud":
        return LogSource(rest or None, product)
    return LogSource(None, product or None, rest.partition("/")[0] or None)


def _examples(mapping: Mapping) -> list[dict[str, Any]]:
    """Records of this source that tests of built-in rules match, the shortest first."""
    cases = [case for rule in load([bundled.detections()]).rules for case in rule_tests(rule) if case.get("source") == mapping.source]
    events = [case["event"] for case in cases if case.get("match") is True and isinstance(case.get("event"), dict)]
    return sorted(events, key=lambda event: len(jsontext.encode(event)))[:MOST]


def _selection(event: dict[str, Any], mapping: Mapping, scope: Scope) -> tuple[str, str] | None:
    """A field and its value in ``event`` that a first rule may ask for: the operation."""
    if scope is Scope.COMMON:
        column = "x.ai.operation" if mapping.ai else "api.operation"
        frame = pl.DataFrame({"raw_data": [jsontext.encode(event)], "object": ["example"], "position": [0], "repaired": [False]})
        values = normalize(frame, mapping, Want((column,)), now=datetime.now(UTC)).events[column].to_list()
        return (column, str(values[0])) if values and values[0] else None
    paths = [*mapping.columns["api.operation"].paths, *mapping.fields]
    found = look_up(event, tuple(paths), mapping.embedded)
    return next(((path, value) for path in paths if isinstance(value := found.get(path), str) and value and '"' not in path), None)


def _filled(wanted: LogSource, mapping: Mapping, event: dict[str, Any], chosen: tuple[str, str], today: date) -> str:
    field, value = chosen
    parts = (("product", wanted.product), ("service", wanted.service), ("category", wanted.category))
    other = "crosswind-example-of-something-else"
    tests = [
        {"name": "what it is for", "match": True, "source": mapping.source, "event": event},
        {"name": "something close that is harmless", "match": False, "source": mapping.source, "event": _changed(event, value, other)},
    ]
    return _TEMPLATE.format(
        title=f"New rule for {'/'.join(part for _, part in parts if part)}",
        uid=uuid4(),
        today=today.isoformat(),
        logsource="\n".join(f"  {name}: {part}" for name, part in parts if part),
        field=field,
        value=jsontext.encode(value),
        tests=_indented(yaml.safe_dump(tests, sort_keys=False, allow_unicode=True, width=140)),
    )


def _changed(value: Any, old: str, new: str) -> Any:
    """``value`` with every text equal to ``old`` made ``new``."""
    if isinstance(value, dict):
        return {key: _changed(item, old, new) for key, item in value.items()}
    if isinstance(value, list):
        return [_changed(item, old, new) for item in value]
    return new if value == old else value


def _indented(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.splitlines())
