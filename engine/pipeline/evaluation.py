"""`evaluate`: rules on events that are already in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as AnyMapping
from pathlib import Path
from typing import Any

import polars as pl

from connectors.exact import look_up
from connectors.normalize import NATIVE, Want, columns_of
from connectors.sources import load_mappings
from connectors.values import micros
from engine import jsontext
from engine.correlate.correlations import Correlated, correlate
from engine.correlate.principals import behind, with_principal
from engine.detect.kernel import detect
from engine.detect.program import Program, compile_program
from engine.errors import UsageError
from engine.identity.actors import columns as actor_columns
from engine.identity.edges import together
from engine.model import CorrelationAlert, Evaluation
from engine.pipeline.batch import listed
from engine.pipeline.changes import changed_in, reads, with_changes
from engine.pipeline.identity_edges import actors_by_source, issued, paths_for_edges, told
from engine.schema import Mapping
from engine.sigma.correlation import silenced
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
    titles = {rule.uid: rule.title for rule in ruleset.rules} | {each.uid: each.title for each in ruleset.correlations}
    errors.extend((titles.get(uid, uid), str(why)) for uid, why in program.refused.items())
    indexes, raw = _distinct(events, uid_field)
    hits = _hits(raw, program, mapping) if raw else None
    alerts, complaints = _correlated(hits, raw, indexes, program, mapping, time_field) if program.correlations else ([], [])
    rules_of = ruleset.rules
    pairs = [] if hits is None else sorted((indexes[row], rules_of[rule].uid) for row, rule in hits.select("row", "rule").iter_rows())
    return Evaluation([(uid, index) for index, uid in pairs], alerts, [*errors, *complaints])


def _hits(raw: Sequence[str], program: Program, mapping: Mapping) -> pl.DataFrame | None:
    """(row, rule: index into the rule set) of all hits; those of diff rules by the facts of these events."""
    found = []
    plan, diff = program.plans[mapping.source], program.diff()
    if plan.rules:
        found.append((program, detect(_cells(raw, mapping, Want(plan.columns, plan.paths)), plan)))
    if later := diff.plans.get(mapping.source):
        events = _cells(raw, mapping, reads(later)).with_row_index("row").filter(pl.col("time").is_not_null())
        events = events.with_columns(pl.col("row").cast(pl.String).str.zfill(12).alias("x.uid"))
        hits = detect(with_changes(events, changed_in([(mapping, events)])), later)
        found.append((diff, hits.with_columns(events["row"].gather(hits["row"]).alias("row"))))
    numbers = [pl.Series(of.numbers[mapping.source], dtype=pl.UInt32).gather(hits["rule"]).alias("rule") for of, hits in found]
    return pl.concat([hits.with_columns(rule) for (_, hits), rule in zip(found, numbers, strict=True)]).sort("row", "rule") if found else None


def _correlated(
    hits: pl.DataFrame | None, raw: Sequence[str], indexes: Sequence[int], program: Program, mapping: Mapping, time_field: str | None
) -> tuple[list[CorrelationAlert], list[tuple[str, str]]]:
    """What the correlations of ``program`` say, and what they could not be told."""
    if time_field is None and mapping is OPEN:
        why = "a correlation needs the time of events: pass time_field= (or source=)"
        return [], [(each.title, why) for each in program.correlations]
    named = {uid for each in program.correlations for uid in each.rules}
    asked = [index for index, rule in enumerate(program.ruleset.rules) if rule.uid in named]
    hits = hits.filter(pl.col("rule").is_in(asked)) if hits is not None else None
    if hits is None or hits.is_empty():
        return [], []
    groups = program.group_paths[mapping.source]
    paths = dict.fromkeys(path for each in groups.values() for path in each)
    time_paths = () if time_field is None else (to_path(time_field),)
    by_principal = mapping is not OPEN and bool(program.by_principal())
    actors = actor_columns({mapping.source: mapping.identities.actors}) if by_principal else ()
    columns = (*program.columns, *actors, *(() if time_field is not None or "time" in program.columns else ("time",)))
    rows = hits["row"].unique().sort()
    frame = _cells([raw[row] for row in rows], mapping, Want(columns, tuple(dict.fromkeys((*paths, *time_paths)))))
    fields = [listed(frame, of, NATIVE + name) for name, of in groups.items()]
    times = frame["time"] if time_field is None else _times(frame[NATIVE + to_path(time_field)])
    kept = frame.select(name for name in dict.fromkeys(columns) if name in frame.columns and name != "time")
    events = pl.DataFrame([rows.alias("row"), times.alias("time"), *fields, *kept])
    matched = hits.join(events, on="row", how="left", maintain_order="left")
    uids = pl.Series("x.uid", [f"{indexes[row]:012}" for row in matched["row"]], dtype=pl.String)
    matched = matched.with_columns(uids, pl.lit(mapping.source).alias("x.source"))
    timed = matched.filter(pl.col("time").is_not_null())
    if by_principal:
        timed = with_principal(timed, behind(timed, actors_by_source({mapping.source: mapping}), _edges(raw, mapping)))
    late = matched["row"].n_unique() - timed["row"].n_unique()
    complaints = [("correlations", f"{late} matching events have no readable time and take no part")] if late else []
    found = correlate(timed, program.ruleset.rules, program.correlations)
    return _alerts(found, timed, indexes, program), complaints


def _edges(raw: Sequence[str], mapping: Mapping) -> pl.DataFrame:
    """What all events tell of identities."""
    events = _cells(raw, mapping, Want(("time",), paths_for_edges(mapping))).with_row_index("x.uid").with_columns(pl.col("x.uid").cast(pl.String()))
    events = events.filter(pl.col("time").is_not_null())
    return together([issued(events, mapping), told(events, mapping)])


def _times(cells: pl.Series) -> pl.Series:
    """JSON cells as times, null where there is none to be read."""
    made = [None if cell is None else micros(jsontext.loads(cell)) for cell in cells]
    return pl.Series("time", made, dtype=pl.Int64).cast(pl.Datetime("us", "UTC"))


def _alerts(found: Correlated, hits: pl.DataFrame, indexes: Sequence[int], program: Program) -> list[CorrelationAlert]:
    quiet = silenced(program.correlations)
    of: dict[str, list[int]] = {}
    members = found.members.with_columns(hits["row"].gather(found.members["hit"]).alias("row"))
    for alert, row in members.unique(["alert", "row"], keep="first", maintain_order=True).select("alert", "row").iter_rows():
        of.setdefault(alert, []).append(indexes[row])
    made = []
    for row in found.alerts.iter_rows(named=True):
        correlation = program.correlations[row["correlation"]]
        if correlation.uid not in quiet:
            group = dict(zip(correlation.group_by, row["shown"], strict=True))
            span = (row["first_time"], row["last_time"])
            made.append(CorrelationAlert(row["alert"], correlation.uid, correlation.title, group, *span, tuple(of[row["alert"]]), row["value"]))
    return sorted(made, key=lambda alert: (alert.first_time, alert.uid))


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
