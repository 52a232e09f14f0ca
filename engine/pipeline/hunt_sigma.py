"""A Sigma document over the events of a lake: their records are read again, by the kernels of a scan."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path

import polars as pl

from connectors.batches import Batch, Place
from connectors.normalize import FUTURE, NATIVE, Want, normalize
from connectors.sources import load_mappings
from engine.correlate.alerts import Raised
from engine.correlate.episodes import keep_first_raw
from engine.detect.kernel import detect
from engine.detect.program import Program, compile_program
from engine.model import Alert, Level, Reject, State
from engine.pipeline.batch import Found, Settings, isolated, with_evidence
from engine.pipeline.correlating import raise_alerts
from engine.pipeline.identity_edges import told_by_hits
from engine.pipeline.origins import edges_behind
from engine.pipeline.run import portable
from engine.runners import local
from engine.schema import Mapping as SourceMapping
from engine.sigma.cache import load_cached
from engine.sigma.document import TEXT
from engine.sigma.ruleset import RuleSet
from engine.sigma.tree import Correlation, Rule
from engine.store.lake import Lake
from engine.store.memory import HitStore

_ROWS = 20_000
"""Records worked on at a time."""
_COLUMNS = ("x.uid", "x.source", "x.object", "x.position", "x.flags", "time", "raw_data")


@dataclass(frozen=True, slots=True)
class SigmaHunt:
    """What a document found: alerts by (first_time, uid), events looked at and hits by source, and what failed or was left out."""

    alerts: list[Alert]
    highest: Level | None
    events: Mapping[str, int]
    hits: int
    failures: tuple[str, ...]
    notes: tuple[str, ...]
    seconds: float


@dataclass(slots=True)
class _Seen:
    """What the chunks so far had."""

    events: Counter[str] = field(default_factory=Counter)
    latest: dict[str, datetime] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)
    hits: int = 0

    def add(self, found: Found) -> None:
        self.events.update(found.events)
        self.rejects.extend(found.rejects)
        for source, moment in found.latest.items():
            self.latest[source] = max(self.latest.get(source, moment), moment)
        self.hits += sum(frame.height for frame in found.hits)


def hunt_sigma(
    lake: Lake,
    rule: str | Path,
    *,
    now: datetime,
    start: datetime | None = None,
    end: datetime | None = None,
    others: Sequence[str | Path] = (),
    placeholders: Mapping[str, Sequence[str]] | None = None,
    pipelines: Sequence[str | Path] = (),
    min_level: Level = Level.INFORMATIONAL,
    jobs: int | None = None,
) -> SigmaHunt:
    """Run the rules and correlations of ``rule`` (a file, a directory, or YAML text) over the stored events from ``start`` up to before ``end``.

    ``others`` are searched for what its correlations refer to. Only sources the rules run on are read. Raises UsageError for a path that does not
    exist, and the RuleError of a single document that does not load.
    """
    began = time.perf_counter()
    mappings = load_mappings()
    ruleset, own = _loaded(rule, others, placeholders, pipelines)
    if ruleset.errors and not own:
        raise ruleset.errors[0]
    program = compile_program(portable(ruleset), mappings)
    settings = Settings(now=now, start=start, end=end, jobs=jobs)
    sources = [name for name, plan in program.plans.items() if plan.rules]
    objects = Objects()
    seen, store = _Seen(), HitStore(partial(keep_first_raw, rules=program.ruleset.rules))
    step = partial(_work, program=program, mappings=mappings, settings=settings)
    edges: list[pl.DataFrame] = []
    streams = (_chunks(lake, source, settings, objects) for source in sources)
    for found in local.run(streams, lambda each: _isolated(each, step), jobs or local.default_jobs()):
        seen.add(found)
        for hits in found.hits:
            store.add(hits)
        edges += found.edges
    matched = store.collect()
    again = partial(_read_again, lake, sources, settings, objects)
    raised = Raised()
    if matched is not None:
        raised = raise_alerts(matched, program, mappings, seen.latest, now, again, edges_behind(matched, lake, mappings, edges))
    alerts = [alert for alert in raised.alerts if alert.rule.uid in own]
    shown = [alert for alert in alerts if alert.level >= min_level]
    failures = [*map(str, ruleset.errors), *map(str, program.refused.values())]
    failures += [f"{reject.object}, record {reject.position}: {reject.reason}" for reject in seen.rejects]
    notes = [*ruleset.notes, *program.partly, *raised.notes]
    highest = max((alert.level for alert in alerts if alert.state is State.LIVE), default=None)
    return SigmaHunt(shown, highest, dict(seen.events), seen.hits, tuple(failures), tuple(notes), time.perf_counter() - began)


# --- rules --------------------------------------------------------------------------------------------------------------------------------------


def _loaded(
    rule: str | Path, others: Sequence[str | Path], placeholders: Mapping[str, Sequence[str]] | None, pipelines: Sequence[str | Path]
) -> tuple[RuleSet, frozenset[str]]:
    """The documents of ``rule`` with those they refer to, and the uids that may raise alerts."""
    alone = load_cached([rule], placeholders=placeholders, pipelines=pipelines)
    own = frozenset(each.uid for each in _all(alone))
    if not alone.errors or not others:
        return alone, own
    whole = load_cached([rule, *others], placeholders=placeholders, pipelines=pipelines)
    place = TEXT if isinstance(rule, str) and "\n" in rule else str(rule)
    here = [each for each in _all(whole) if (each.path or "").startswith(place)]
    own = frozenset(each.uid for each in here)
    wanted, correlations = set(own), {each.uid: each for each in whole.correlations}
    waiting = [uid for uid in own if uid in correlations]
    while waiting:
        for uid in correlations[waiting.pop()].rules:
            if uid not in wanted:
                wanted.add(uid)
                waiting.extend([uid] if uid in correlations else [])
    errors = tuple(error for error in whole.errors if (error.path or "").startswith(place))
    kept = replace(
        whole,
        rules=tuple(each for each in whole.rules if each.uid in wanted),
        correlations=tuple(each for each in whole.correlations if each.uid in wanted),
        errors=errors,
        others=(),
        notes=(),
    )
    return kept, own


def _all(ruleset: RuleSet) -> list[Rule | Correlation]:
    return [*ruleset.rules, *ruleset.correlations]


# --- events -------------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Stored events of one source, and the number of the object each was read from."""

    source: str
    events: pl.DataFrame


class Objects:
    """Numbers for the objects events were read from; threads may ask for them."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._uris: list[str] = []
        self._lock = threading.Lock()

    def numbers(self, uris: pl.Series) -> pl.Series:
        """The number of each."""
        with self._lock:
            for uri in uris.unique().to_list():
                if uri not in self._numbers:
                    self._numbers[uri] = len(self._uris)
                    self._uris.append(uri)
            return uris.replace_strict(self._numbers, return_dtype=pl.UInt32)

    def uri(self, number: int) -> str:
        """The object with a number."""
        return self._uris[number]


def _chunks(lake: Lake, source: str, settings: Settings, objects: Objects) -> Iterator[_Chunk]:
    found = lake.events_between([source], settings.start, settings.end, _COLUMNS)
    for events in found.collect_batches(chunk_size=_ROWS, maintain_order=False, engine="streaming"):
        if not events.height:
            continue
        yield _Chunk(source, events.with_columns(objects.numbers(events["x.object"]).alias("object_index")))


def _isolated(chunk: _Chunk, step: partial[Found]) -> Found:
    """`isolated` for stored events: one that cannot be worked on takes no other with it."""
    records = chunk.events.select(pl.col("x.object").alias("object"), pl.col("x.position").alias("position"))
    records = records.with_columns(pl.int_range(pl.len()).alias("row"))
    return isolated(Batch(records), lambda batch: step(_Chunk(chunk.source, chunk.events[batch.records["row"]])))


def _work(chunk: _Chunk, *, program: Program, mappings: Mapping[str, SourceMapping], settings: Settings) -> Found:
    stored, mapping, plan = chunk.events, mappings[chunk.source], program.plans[chunk.source]
    found = Found(Batch(pl.DataFrame()), stored.height)
    events, found.rejects = _shredded(stored, mapping, Want(plan.columns, plan.paths), settings.now)
    found.events[chunk.source] += events.height
    seen = found.seen_paths.setdefault(chunk.source, set())
    seen.update(path for path in plan.paths if events[NATIVE + path].null_count() < events.height)
    latest = stored.filter(pl.col("time") <= settings.now + FUTURE)["time"].max()
    if isinstance(latest, datetime):
        found.latest[chunk.source] = latest
    hits = detect(events, plan)
    if hits.height:
        found.hits.append(with_evidence(hits, events, events["object_index"], mapping, program, settings))
        found.edges.append(told_by_hits(hits, events, mapping))
    return found


def _shredded(stored: pl.DataFrame, mapping: SourceMapping, want: Want, now: datetime) -> tuple[pl.DataFrame, list[Reject]]:
    """The events a scan would make of stored records, with the identity, place and flags they were stored with, and those it would reject."""
    records = stored.select("raw_data", pl.lit("").alias("object"), pl.int_range(pl.len()).alias("position"), pl.lit(False).alias("repaired"))
    made = normalize(records, mapping, want, now=now)
    kept = stored[made.events["x.position"]]
    places = stored.select("x.object", "x.position").rows()
    rejects = [replace(reject, object=places[at][0], position=places[at][1]) for reject in made.rejects if (at := reject.position) is not None]
    return made.events.with_columns(kept["x.uid"], kept["x.object"], kept["x.position"], kept["x.flags"], kept["object_index"]), rejects


def _read_again(lake: Lake, sources: Sequence[str], settings: Settings, objects: Objects, places: Sequence[Place]) -> dict[Place, str]:
    """The records at some places, from the lake."""
    wanted = pl.DataFrame(
        {
            "x.object": [objects.uri(index) for index, _ in places],
            "x.position": [position for _, position in places],
            "index": [index for index, _ in places],
        },
        schema_overrides={"x.position": pl.Int64},
    )
    found = lake.events_between(sources, settings.start, settings.end, ["x.object", "x.position", "raw_data"])
    rows = found.join(wanted.lazy(), on=["x.object", "x.position"]).select("index", "x.position", "raw_data").collect(engine="streaming")
    return {(index, position): raw for index, position, raw in rows.iter_rows()}
