"""The normalise kernel: records in, events in the common schema out.

Each common column is a pure function of a few record paths, so it is worked out once per distinct combination of their cells. Only what is asked for
is extracted: a scan asks for times, ids and the fields its rules read, and comes back for the rest of the rows that matched.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from types import MappingProxyType

import numpy as np
import polars as pl

from connectors import values
from connectors.codes import Codes
from connectors.columns import column
from connectors.exact import look_up
from connectors.recognise import owners, parse, recognise_record, telling, unknown_reason
from connectors.shred import cells_of, shred_shapes
from connectors.sources import usual_paths
from engine.model import Reject, Skip
from engine.schema import COLUMNS, ColumnRule, Mapping

FUTURE = timedelta(hours=1)
"""Events later than this after ``now`` are kept but flagged."""

Repeated = AnyMapping[tuple[str, int], int]
"""By (object, position), how many records equal to it the object holds before, where it holds any."""

NO_REPEATS: Repeated = MappingProxyType({})

_BASE = frozenset(("x.uid", "time", "x.source", "x.object", "x.position", "x.flags", "raw_data"))
"""Columns every events frame has."""

_HARMLESS = re.compile(r"[0-9TZ:.,+/ -]{0,40}|\w{0,12}")
"""What may stand in a message as it is: it looks like a time or is short, so it holds no secret."""

NATIVE = "native."
"""Prefix of the columns that hold provider fields as cells."""


@dataclass(frozen=True, slots=True)
class Want:
    """What is asked for of one source: common columns by name (None: all) and record paths as ``native.<path>`` cells."""

    columns: tuple[str, ...] | None = None
    native: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Normalized:
    """``events``: x.uid, time, x.source, x.object, x.position, x.flags, raw_data, then what was asked for. ``rejects``: records without a time."""

    events: pl.DataFrame
    rejects: list[Reject] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Understood:
    """All records of a frame: those of known sources, normalised, and those no source recognised, with the reason."""

    parts: list[tuple[Mapping, Normalized]]
    unknown: list[Skip]


def understand(
    records: pl.DataFrame,
    mappings: AnyMapping[str, Mapping],
    wants: AnyMapping[str, Want],
    *,
    now: datetime,
    repeats: Repeated = NO_REPEATS,
) -> Understood:
    """Recognise the source of every record (columns raw_data, object, position, repaired) and normalise it.

    ``wants`` says per source what to extract. Equal records of an object without an id of their own are different events: ``repeats`` counts those
    that stand outside the frame as well.
    """
    if not records.height:
        return Understood([], [])
    names = list(mappings)
    first = parse(records["raw_data"][0])
    guess = recognise_record(first, mappings)
    known = mappings.get(guess) if guess is not None else None
    wanted = _paths(known, wants[known.source], further=True) if known else []
    embedded = known.embedded if known else ()
    # What tells sources apart is extracted together with what is wanted: most batches hold one source.
    shredded = shred_shapes(records["raw_data"], [*wanted, *(telling(first, mappings) if known else ())], embedded)
    owner = owners(records["raw_data"], shredded.shape, mappings, shredded.cells, embedded)
    found: list[tuple[Mapping, Normalized]] = []
    for index in np.unique(owner).tolist():
        if index < 0:
            continue
        mapping = mappings[names[index]]
        rows = None if (owner == index).all() else np.flatnonzero(owner == index)
        mine = records if rows is None else records[rows]
        if mapping is known:
            cells, odd = (shredded.cells, shredded.odd) if rows is None else (shredded.cells[rows], shredded.odd[rows])
        else:
            theirs = shred_shapes(mine["raw_data"], _paths(mapping, wants[mapping.source], further=True), mapping.embedded)
            cells, odd = theirs.cells, theirs.odd
        found.append((mapping, _normalize(mine, Codes(cells, pl.Series(odd)), mapping, wants[mapping.source], now, repeats)))
    lost = records.filter(pl.Series(owner < 0))
    unknown = [Skip(uri, unknown_reason(text), 1, at) for uri, at, text in lost.select("object", "position", "raw_data").iter_rows()]
    return Understood(found, unknown)


def normalize(records: pl.DataFrame, mapping: Mapping, want: Want | None = None, *, now: datetime, repeats: Repeated = NO_REPEATS) -> Normalized:
    """Normalise records (raw_data, object, position, repaired) that are known to belong to ``mapping``'s source."""
    want = want or Want()
    cells = cells_of(records["raw_data"], _paths(mapping, want), mapping.embedded)
    return _normalize(records, Codes(cells), mapping, want, now, repeats)


def columns_of(raw: pl.Series, mapping: Mapping, want: Want) -> pl.DataFrame:
    """raw_data and what is asked for, of records that need neither id nor time (unless ``time`` is asked for): rows stay rows."""
    names = (*(("time",) if "time" in (want.columns or ()) else ()), *_wanted_columns(want, mapping))
    rules = {name: mapping.columns[name] for name in names if name in mapping.columns}
    paths = [*(path for rule in rules.values() for path in rule.paths), *want.native]
    cells = cells_of(raw, list(dict.fromkeys(paths)), mapping.embedded)
    made = [
        column(name, rules[name], raw.to_frame().hstack(cells) if cells.width else raw.to_frame(), mapping.source, {})
        if name in rules
        else pl.Series(name, [None] * raw.len(), COLUMNS[name].dtype)
        for name in names
    ]
    return pl.DataFrame([raw.alias("raw_data"), *made, *(cells[path].alias(NATIVE + path) for path in want.native)])


def _wanted_columns(want: Want, mapping: Mapping) -> tuple[str, ...]:
    if want.columns is None:
        return tuple(name for name in COLUMNS if name in mapping.columns and name != "time")
    return tuple(name for name in dict.fromkeys(want.columns) if name not in _BASE)


def _paths(mapping: Mapping, want: Want, *, further: bool = False) -> list[str]:
    """The record paths that are read. ``further``: with those that help to work out whole columns."""
    rules = [mapping.uid, mapping.columns["time"], *(mapping.columns[name] for name in _wanted_columns(want, mapping) if name in mapping.columns)]
    helping = usual_paths(mapping.source) if further else {}
    more = (path for rule in rules for path in helping.get(rule.function or "", ()))
    return list(dict.fromkeys([*(path for rule in rules for path in rule.paths), *want.native, *more]))


# --- events ---------------------------------------------------------------------------------------------------------------------------------


def _normalize(records: pl.DataFrame, codes: Codes, mapping: Mapping, want: Want, now: datetime, repeats: Repeated) -> Normalized:
    failures: dict[str, pl.Series] = {}
    cells = codes.cells
    time = column("time", mapping.columns["time"], cells, mapping.source, failures, codes)
    columns = [
        column(name, mapping.columns[name], cells, mapping.source, failures, codes)
        if name in mapping.columns
        else pl.Series(name, [None], COLUMNS[name].dtype)
        for name in _wanted_columns(want, mapping)
    ]
    base = records.select("raw_data", pl.col("object").alias("x.object"), pl.col("position").alias("x.position")).with_columns(
        _uids(mapping, codes, records, repeats),
        time,
        pl.lit(mapping.source).alias("x.source"),
        _flags(records, time, now, failures),
    )
    filled = [series if series.len() == records.height else series.new_from_index(0, records.height) for series in columns]
    native = [cells[path].alias(NATIVE + path) for path in want.native]
    events = base.select("x.uid", "time", "x.source", "x.object", "x.position", "x.flags", "raw_data").hstack(filled + native)
    bad = events.filter(pl.col("time").is_null())
    if not bad.height:
        return Normalized(events)
    rule = mapping.columns["time"]
    rows = bad.select("x.object", "x.position", "raw_data").iter_rows()
    rejects = [Reject(uri, _time_reason(rule, mapping, text), position) for uri, position, text in rows]
    return Normalized(events.filter(pl.col("time").is_not_null()), rejects)


def _time_reason(rule: ColumnRule, mapping: Mapping, text: str) -> str:
    for path, found in look_up(parse(text), rule.paths).items():
        if not values.is_empty(found):
            shown = repr(found) if _HARMLESS.fullmatch(str(found)) else f"{len(str(found))} characters"
            return f"{mapping.source}: {path} is not a time: {shown}"
    return f"{mapping.source}: no event time ({' or '.join(rule.paths[:3])})"


def _flags(records: pl.DataFrame, time: pl.Series, now: datetime, failures: AnyMapping[str, pl.Series]) -> pl.Series:
    marks = [
        pl.when(mask).then(pl.lit(word))
        for word, mask in (
            ("utf8_repaired", records["repaired"]),
            ("future_time", (time > now + FUTURE).fill_null(False)),
            *((f"unmapped:{name}", mask) for name, mask in failures.items()),
        )
        if mask.any()
    ]
    if not marks:
        return pl.Series("x.flags", [None], pl.List(pl.String)).new_from_index(0, records.height)
    frame = records.select(pl.concat_list(marks).list.drop_nulls().alias("x.flags"))
    return frame.select(pl.when(pl.col("x.flags").list.len() > 0).then(pl.col("x.flags")))["x.flags"]


def _uids(mapping: Mapping, codes: Codes, records: pl.DataFrame, repeats: Repeated) -> pl.Series:
    """x.uid: the mapping's key, else a hash of the record and how many equal ones the object held before it."""
    rule = mapping.uid
    if rule.function is None:
        texts = [codes.text(path).alias(f"u{index}") for index, path in enumerate(rule.paths)]
        frame = pl.DataFrame(texts).select(
            pl.when(pl.col("u0").is_not_null()).then(
                pl.concat_str([pl.col("u0"), *(pl.col(part.name).fill_null("") for part in texts[1:])], separator="|")
            )
        )
        uids = frame.to_series().alias("x.uid")
    else:
        uids = column("x.uid", rule, codes.cells, mapping.source, {}, codes)
    missing = uids.is_null()
    if not missing.any():
        return uids
    rows = missing.arg_true()
    seen: Counter[tuple[str, str]] = Counter()
    made: list[str] = []
    for uri, position, text in records[rows].select("object", "position", "raw_data").iter_rows():
        digest = sha256(text.encode()).hexdigest()[:32]
        nth = max(seen[uri, digest], repeats.get((uri, position), 0))
        made.append(f"{digest}|{nth}" if nth else digest)
        seen[uri, digest] += 1
    return uids.scatter(rows, pl.Series(made))
