"""`evaluate`: rules on events that are already in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as AnyMapping
from pathlib import Path
from typing import Any

import polars as pl

from connectors.normalize import Want, columns_of
from connectors.shred import look_up
from connectors.sources import load_mappings
from engine import jsontext
from engine.detect.kernel import detect
from engine.detect.program import compile_program
from engine.errors import UsageError
from engine.model import Evaluation
from engine.schema import Mapping
from engine.sigma.fields import OPEN, to_path
from engine.sigma.load import load


def evaluate(
    rules: str | Path | Sequence[str | Path],
    events: Iterable[AnyMapping[str, Any]],
    *,
    source: str | None = None,
    time_field: str | None = None,
    uid_field: str | None = None,
    placeholders: AnyMapping[str, Sequence[str]] | None = None,
) -> Evaluation:
    """Which rules match which events, with the compiler and kernel of `scan`.

    ``rules``: YAML text, a file, a directory, or a list of these. ``events``: dicts as a provider's JSON would parse. With ``source`` None rules are
    matched on the events' own field names and the log source is ignored; with a source name its aliases, mapping and log sources hold.
    ``uid_field`` makes events with an equal value there count once, the first of them. ``time_field`` names the event time for correlations, which
    need one. ``placeholders`` are the values of ``|expand``. Raises UsageError for an unknown source or a path that does not exist.
    """
    mapping = OPEN if source is None else load_mappings().get(source)
    if mapping is None:
        raise UsageError(f"no source {source!r}; the sources are {', '.join(load_mappings())}")
    ruleset = load([rules] if isinstance(rules, (str, Path)) else list(rules), placeholders=placeholders)
    program = compile_program(ruleset, {mapping.source: mapping})
    errors = [(error.rule or error.path or "", str(error)) for error in ruleset.errors]
    titles = {rule.uid: rule.title for rule in ruleset.rules}
    errors.extend((titles.get(uid, uid), str(why)) for uid, why in program.refused.items())
    plan = program.plans[mapping.source]
    indexes, raw = _distinct(events, uid_field)
    frame = _cells(raw, mapping, Want(plan.columns, plan.paths)) if raw else None
    hits = detect(frame, plan) if frame is not None and plan.rules else None
    pairs = [] if hits is None else sorted((indexes[row], plan.rules[rule].uid) for row, rule in hits.select("row", "rule").iter_rows())
    return Evaluation([(uid, index) for index, uid in pairs], [], errors)


def _distinct(events: Iterable[AnyMapping[str, Any]], uid_field: str | None) -> tuple[list[int], list[str]]:
    paths = () if uid_field is None else (to_path(uid_field),)
    indexes: list[int] = []
    raw: list[str] = []
    seen: set[str | tuple[str]] = set()
    for index, event in enumerate(events):
        uid = next(iter(look_up(dict(event), paths).values()), None)
        if uid is not None:
            key = uid if isinstance(uid, str) else (jsontext.encode(uid),)
            if key in seen:
                continue
            seen.add(key)
        indexes.append(index)
        raw.append(jsontext.encode(event))
    return indexes, raw


def _cells(raw: Sequence[str], mapping: Mapping, want: Want) -> pl.DataFrame:
    """An events frame of records whose source is given: what rules read, whether or not the record would be recognised or has a time."""
    return columns_of(pl.Series("raw_data", raw, dtype=pl.String), mapping, want)
