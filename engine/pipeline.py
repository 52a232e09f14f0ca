"""Joins it all: the only file that sees connectors and engine together.

`scan` is the product in one function: paths in, alerts and an honest report out. `events` shows what was understood, `evaluate` runs rules on events
that are already in memory, `check_rule_tests` runs the tests that stand in rules. All go through the same normaliser, plan and kernel.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import polars as pl

from connectors.batches import Batch, Input, list_input
from connectors.normalize import NATIVE, Want, columns_of, normalize, understand
from connectors.shred import look_up
from connectors.sources import load_mappings
from connectors.transports.base import Limits
from engine import bundled, jsontext
from engine.correlate import evidence
from engine.correlate.alerts import alerts as make_alerts
from engine.correlate.episodes import keep_first_raw
from engine.detect.kernel import detect
from engine.detect.program import Program, compile_program
from engine.errors import UsageError
from engine.model import Alert, Evaluation, Level, Reject, RunReport, Skip
from engine.report.account import Totals, build_report
from engine.runners import local
from engine.runners.interrupts import heeded, until
from engine.schema import COLUMNS, Mapping
from engine.sigma.fields import OPEN, to_path
from engine.sigma.load import RuleSet, load
from engine.sigma.tree import Rule
from engine.store.memory import EventIndex, HitStore, Losers


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: objects and stored bytes done of all, records so far."""

    objects: int
    objects_total: int
    bytes: int
    bytes_total: int
    records: int


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run is asked to do, apart from where its input is. Times are UTC; ``end`` is exclusive. ``source`` narrows to one source."""

    now: datetime
    source: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    jobs: int | None = None
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if self.source is not None and self.source not in load_mappings():
            raise UsageError(f"no source {self.source!r}; `crosswind sources` lists them: {', '.join(load_mappings())}")
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise UsageError(f"--from {self.start.isoformat()} is not before --to {self.end.isoformat()}")


@dataclass(frozen=True, slots=True)
class ScanResult:
    """Alerts sorted by (first_time, uid), at or above the level asked for, the account of the run, and the highest level of all alerts."""

    alerts: list[Alert]
    report: RunReport
    highest: Level | None = None


def scan(
    paths: Sequence[str],
    settings: Settings,
    *,
    rules: Sequence[str | Path] = (),
    builtin: bool = True,
    min_level: Level = Level.LOW,
    stdin: BinaryIO | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> ScanResult:
    """Run rules over everything below ``paths``.

    ``rules`` are files, directories or YAML texts beside crosswind's own (``builtin``). A single bad object, record or rule stops nothing and stands
    in the report. Ctrl-C ends the run early with what was found so far and ``report.interrupted``. Raises UsageError for paths of rules that do not
    exist and for contradictory settings.
    """
    started = time.perf_counter()
    mappings = load_mappings()
    ruleset = load([*([bundled.detections()] if builtin else []), *rules])
    program = compile_program(ruleset, mappings)
    loaded = time.perf_counter()
    given = list_input(paths, settings.limits, stdin)
    totals = Totals(objects=len(given.objects))
    index, store = EventIndex(), HitStore(partial(keep_first_raw, rules=ruleset.rules))
    try:
        for found in _run(given, settings, partial(_work, program=program, mappings=mappings, settings=settings), totals, progress):
            for rows in found.index:
                index.add(rows)
            for hits in found.hits:
                store.add(hits)
        losers = index.resolve(partial(given.read_again, settings.limits))
    finally:
        index.close()
    matched = _without(store.collect(), losers)
    alerts = make_alerts(matched, ruleset.rules) if matched is not None else []
    shown = [alert for alert in alerts if alert.level >= min_level]
    counts = Counter(dict(matched["rule"].value_counts().iter_rows())) if matched is not None else Counter[int]()
    totals.losers(losers, tuple(mappings))
    totals.seconds_loading = loaded - started
    totals.seconds = time.perf_counter() - started
    report = build_report(totals, given.skips, given.rejects, program, mappings, counts, alerts, shown, settings.source)
    return ScanResult(shown, report, max((alert.level for alert in alerts), default=None))


def _run(
    given: Input,
    settings: Settings,
    work: Callable[[Batch], Found],
    totals: Totals,
    progress: Callable[[Progress], None] | None,
) -> Iterator[Found]:
    size = sum(obj.size for obj in given.objects)
    with heeded() as stopped:
        streams = until(stopped, (until(stopped, stream) for stream in given.streams(settings.limits)))
        for found in local.run(streams, work, settings.jobs or local.default_jobs()):
            totals.add(found)
            yield found
            if progress is not None:
                progress(Progress(totals.objects_done, len(given.objects), totals.stored, size, totals.records))
        totals.interrupted = stopped() and totals.objects_done < len(given.objects)


def _without(hits: pl.DataFrame | None, losers: Losers) -> pl.DataFrame | None:
    """The hits on records that are events; a record whose identity another one holds has none."""
    if hits is None:
        return None
    lost = losers.places.rename({"object": "object_index", "position": "x.position"}).with_columns(pl.col("x.position").cast(pl.Int64))
    return hits.join(lost, on=["object_index", "x.position"], how="anti", maintain_order="left").drop("object_index")


# --- the work of one batch ------------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Found:
    """What one batch gave: counts in records, hits with evidence, identities, and which record paths held anything."""

    batch: Batch
    records: int
    unknown: list[Skip] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    out_of_range: int = 0
    flagged: int = 0
    index: list[np.ndarray[Any, Any]] = field(default_factory=list)
    events: Counter[str] = field(default_factory=Counter)
    spans: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)
    hits: list[pl.DataFrame] = field(default_factory=list)
    seen_paths: dict[str, set[str]] = field(default_factory=dict)
    frames: list[pl.DataFrame] = field(default_factory=list)


def _work(batch: Batch, *, program: Program, mappings: AnyMapping[str, Mapping], settings: Settings) -> Found:
    wants = {name: Want(plan.columns, plan.paths) for name, plan in program.plans.items()}
    found = Found(batch, batch.records.height)
    for mapping, events, objects in _events(found, wants, mappings, settings):
        plan = program.plans[mapping.source]
        seen = found.seen_paths.setdefault(mapping.source, set())
        seen.update(path for path in plan.paths if events[NATIVE + path].null_count() < events.height)
        if plan.rules:
            hits = detect(events, plan)
            if hits.height:
                found.hits.append(_with_evidence(hits, events, objects, mapping, program, settings))
    return found


def _events(
    found: Found, wants: AnyMapping[str, Want], mappings: AnyMapping[str, Mapping], settings: Settings
) -> Iterator[tuple[Mapping, pl.DataFrame, pl.Series]]:
    """The events of a batch by source, with the object index of each; everything else is counted in ``found``."""
    batch = found.batch
    records, batch.records = batch.records, pl.DataFrame()
    understood = understand(records, mappings, wants, now=settings.now, parts=batch.parts)
    found.unknown.extend(understood.unknown)
    numbers = dict(records.select("object", "object_index").unique().iter_rows())
    codes = {name: code for code, name in enumerate(mappings)}
    for mapping, normalized in understood.parts:
        events = normalized.events
        if settings.source is not None and mapping.source != settings.source:
            reason = f"{mapping.source} records, left out by --source {settings.source}"
            counted = Counter([*events["x.object"].to_list(), *(reject.object for reject in normalized.rejects)])
            found.unknown.extend(Skip(uri, reason, count) for uri, count in counted.items())
            continue
        found.rejects.extend(normalized.rejects)
        events = _in_range(events, settings)
        found.out_of_range += normalized.events.height - events.height
        if not events.height:
            continue
        objects = events["x.object"].replace_strict(numbers, return_dtype=pl.UInt32)
        found.index.append(EventIndex.pack(events, objects, codes[mapping.source]))
        found.events[mapping.source] += events.height
        found.flagged += int(events["x.flags"].is_not_null().sum())
        found.spans[mapping.source] = _span(events["time"])
        yield mapping, events, objects


def _in_range(events: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    if settings.start is not None:
        events = events.filter(pl.col("time") >= settings.start)
    if settings.end is not None:
        events = events.filter(pl.col("time") < settings.end)
    return events


def _span(times: pl.Series) -> tuple[datetime, datetime]:
    low, high = times.min(), times.max()
    assert isinstance(low, datetime)
    assert isinstance(high, datetime)
    return low, high


_BASE = frozenset(("x.uid", "x.flags", "x.source", "x.object", "x.position", "time", "raw_data"))


def _with_evidence(
    hits: pl.DataFrame, events: pl.DataFrame, objects: pl.Series, mapping: Mapping, program: Program, settings: Settings
) -> pl.DataFrame:
    """Hits with the common columns alerts need, worked out for the rows that matched alone."""
    rows = hits["row"].unique().sort()
    matched = events[rows]
    groups = program.group_paths[mapping.source]
    native = tuple(dict.fromkeys(path for paths in groups.values() for path in paths))
    columns = tuple(name for name in (*evidence.COLUMNS, *evidence.OPTIONAL) if name not in _BASE)
    records = matched.select("raw_data", pl.col("x.object").alias("object"), pl.col("x.position").alias("position"), repaired=pl.lit(False))
    full = normalize(records, mapping, Want(columns, native), now=settings.now).events.with_columns(matched["x.uid"], matched["x.flags"])
    full = full.with_columns(_listed(full, paths, name) for name, paths in groups.items()).drop([NATIVE + path for path in native])
    full = full.with_columns(objects.gather(rows).alias("object_index"), rows.alias("row"))
    numbers = pl.Series(program.numbers[mapping.source], dtype=pl.UInt32)
    return hits.with_columns(numbers.gather(hits["rule"]).alias("rule")).join(full, on="row", how="left", maintain_order="left").drop("row")


def _listed(frame: pl.DataFrame, paths: Sequence[str], name: str) -> pl.Series:
    """Cells of several paths as one list of texts per row, null where there is none."""
    made: list[list[str] | None] = []
    for cells in zip(*(frame[NATIVE + path].to_list() for path in paths), strict=True):
        texts: list[str] = []
        for cell in cells:
            value = None if cell is None else jsontext.loads(cell)
            items = value if isinstance(value, list) else [value]
            texts.extend(item if isinstance(item, str) else jsontext.encode(item) for item in items if item is not None)
        made.append(texts or None)
    return pl.Series(name, made, dtype=pl.List(pl.String))


# --- events ---------------------------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class EventsRun:
    """A run that shows events: iterate ``frames`` to the end, then read ``report``."""

    frames: Iterator[pl.DataFrame]
    totals: Totals
    given: Input

    @property
    def report(self) -> RunReport:
        """The account of what was read so far."""
        empty = compile_program(load([]), {})
        return build_report(self.totals, self.given.skips, self.given.rejects, empty, load_mappings(), Counter(), [], [], None)


def events(
    paths: Sequence[str], settings: Settings, *, columns: Sequence[str] | None = None, limit: int | None = None, stdin: BinaryIO | None = None
) -> EventsRun:
    """Every event below ``paths`` as frames in the common schema, batch by batch and source by source, at most ``limit`` rows.

    ``columns``: common columns (None: all). Duplicates count once: over the whole input, or with ``limit`` over what was read for it.
    """
    mappings = load_mappings()
    if unknown := [name for name in columns or () if name not in COLUMNS]:
        near = get_close_matches(unknown[0], COLUMNS, n=3, cutoff=0.5)
        raise UsageError(f"no column {unknown[0]!r}; " + (f"did you mean {' or '.join(near)}?" if near else "docs/schema.md lists them"))
    given = list_input(paths, settings.limits, stdin)
    totals = Totals(objects=len(given.objects))
    return EventsRun(_event_frames(given, settings, mappings, columns, limit, totals), totals, given)


def _event_frames(
    given: Input, settings: Settings, mappings: AnyMapping[str, Mapping], columns: Sequence[str] | None, limit: int | None, totals: Totals
) -> Iterator[pl.DataFrame]:
    want = Want(None if columns is None else tuple(name for name in dict.fromkeys(columns) if name not in _BASE))
    wants = dict.fromkeys(mappings, want)
    lost = _losers(given, settings, mappings, totals) if limit is None else None
    if totals.interrupted:
        return
    again = totals if lost is None else Totals(objects=len(given.objects))
    seen: set[str] = set()
    left = limit

    def work(batch: Batch) -> Found:
        found = Found(batch, batch.records.height)
        found.frames = [part.with_columns(objects.alias("object_index")) for _, part, objects in _events(found, wants, mappings, settings)]
        return found

    for found in _run(given, replace(settings, jobs=1), work, again, None):
        for frame in found.frames:
            if lost is not None:
                kept = frame.join(lost, on=["object_index", "x.position"], how="anti", maintain_order="left")
            else:
                kept = frame.unique("x.uid", keep="first", maintain_order=True).filter(~pl.col("x.uid").is_in(list(seen)))
                seen.update(kept["x.uid"])
            kept = kept.drop("object_index")
            if left is not None:
                kept = kept.head(left)
                left -= kept.height
            if kept.height:
                yield kept
            if left == 0:
                return
    totals.interrupted = again.interrupted


def _losers(given: Input, settings: Settings, mappings: AnyMapping[str, Mapping], totals: Totals) -> pl.DataFrame:
    """Where the records stand that another record has the identity of."""
    wants = dict.fromkeys(mappings, Want(()))

    def work(batch: Batch) -> Found:
        found = Found(batch, batch.records.height)
        for _ in _events(found, wants, mappings, settings):
            pass
        return found

    index = EventIndex()
    try:
        for found in _run(given, settings, work, totals, None):
            for rows in found.index:
                index.add(rows)
        losers = index.resolve(partial(given.read_again, settings.limits))
    finally:
        index.close()
    totals.losers(losers, tuple(mappings))
    return losers.places.rename({"object": "object_index", "position": "x.position"}).with_columns(pl.col("x.position").cast(pl.Int64))


def sources() -> list[Mapping]:
    """Every source crosswind knows, in registry order."""
    return list(load_mappings().values())


# --- rules on events in memory --------------------------------------------------------------------------------------------------------------


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


# --- the tests in rules ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RuleTest:
    """One test of a rule and how it went; ``problem`` None is a pass."""

    rule: Rule
    name: str
    problem: str | None


def check_rule_tests(rules: Sequence[Rule]) -> list[RuleTest]:
    """Run the tests every rule carries (``tests``: name, match, event, optional source), through recognition, normalisation and detection."""
    mappings = load_mappings()
    cases = [(rule, case) for rule in rules for case in rule_tests(rule)]
    raw = [jsontext.encode(case.get("event") or {}) for _, case in cases]
    records = pl.DataFrame({"raw_data": raw}, schema={"raw_data": pl.String}).with_row_index("position")
    records = records.select("raw_data", pl.col("position").cast(pl.Int64), object=pl.lit("tests"), repaired=pl.lit(False))
    program = compile_program(RuleSet(tuple(rules), ()), mappings)
    understood = understand(records, mappings, {name: Want(p.columns, p.paths) for name, p in program.plans.items()}, now=datetime.now(UTC))
    found: dict[int, tuple[str, set[str]]] = {}
    for mapping, normalized in understood.parts:
        plan = program.plans[mapping.source]
        positions = normalized.events["x.position"].to_list()
        found.update((position, (mapping.source, set())) for position in positions)
        if plan.rules and positions:
            for row, rule in detect(normalized.events, plan).select("row", "rule").iter_rows():
                found[positions[row]][1].add(plan.rules[rule].uid)
    return [RuleTest(rule, str(case.get("name")), _verdict(rule, case, found.get(n), program)) for n, (rule, case) in enumerate(cases)]


def rule_tests(rule: Rule) -> list[dict[str, Any]]:
    """The tests ``rule`` carries, as they stand in its document."""
    tests = dict(rule.extra).get("tests")
    return [dict(case) for case in tests if isinstance(case, AnyMapping)] if isinstance(tests, (list, tuple)) else []


def _verdict(rule: Rule, case: AnyMapping[str, Any], found: tuple[str, set[str]] | None, program: Program) -> str | None:
    if rule.uid in program.refused:
        return f"the rule does not compile: {program.refused[rule.uid].message}"
    if found is None:
        return "the event is of no known source or has no time"
    source, matched = found
    expected = case.get("source")
    if expected is not None and expected != source:
        return f"the event was recognised as {source}, not {expected}"
    if bool(case.get("match")) != (rule.uid in matched):
        return "should match and does not" if case.get("match") else "should not match and does"
    return None
