"""Bytes of an object → records, by shape, never by file name.

`split` takes the blocks of one object and gives frames of records, each the text its provider wrote: whatever stands around it (lists, pages, event
hub batches, subscriptions, CloudEvents, base64, OTLP, …, in any nesting) is taken off. A record that cannot be read is refused alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from connectors.splitting.jsonbytes import depth_of
from connectors.splitting.splitter import Splitter
from connectors.splitting.texts import Buffer, as_utf8, joined
from connectors.splitting.unwrap import Opened, Refused, open_document, record_start, suspects
from connectors.splitting.window import Values
from connectors.transports.base import Limits
from engine.model import Reject, Skip

Rows = np.ndarray[Any, np.dtype[np.int64]]

_LEVELS = 8
_NOTHING = "holds no records"
_OPENER = r"[{\[]"


@dataclass(frozen=True, slots=True)
class Piece:
    """Some records of an object, in order.

    ``records``: raw_data String (a valid JSON object), position Int64 (counts the object's records from 0, refused ones too), repaired Boolean.
    ``rejects`` with a position are records, without one they speak of the object; ``skips`` never have positions and stand for no record.
    ``decompressed``: bytes read since the piece before.
    """

    records: pl.DataFrame
    skips: list[Skip]
    rejects: list[Reject]
    decompressed: int


def end_of(piece: Piece) -> int:
    """The position after the last record of ``piece``, refused ones included; 0 where it has none."""
    last = piece.records["position"][-1] if piece.records.height else -1
    return 1 + max(last, max((reject.position for reject in piece.rejects if reject.position is not None), default=-1))


def split(blocks: Iterable[bytes], uri: str, limits: Limits, *, fast: bool = True, continued: bool = False) -> Iterator[Piece]:
    """The records of one object in pieces of about ``limits.chunk_bytes``.

    Raises what ``blocks`` raises, after the pieces of the bytes that came before. ``fast`` False goes value by value even where all is well.
    ``continued``: other bytes of the object came before these, so nothing is judged by how they begin.
    """
    splitter = Splitter(as_utf8(blocks), limits, fast=fast, continued=continued)
    position = reported = 0
    empty = True
    for values in splitter:
        flat = _flatten(values, limits)
        if flat.texts.len() or flat.problems or flat.skips:
            yield _piece(flat, uri, position, splitter.decompressed - reported)
            position += flat.texts.len()
            reported = splitter.decompressed
            empty = False
    if splitter.error is not None:
        raise splitter.error
    if empty or splitter.decompressed > reported:
        rest = _Flat(pl.Series("raw_data", [], dtype=pl.String), np.arange(0), skips=[_NOTHING] if empty and not continued else [])
        yield _piece(rest, uri, position, splitter.decompressed - reported)


@dataclass(slots=True)
class _Flat:
    """Records and refusals in order; ``texts`` is null where ``reasons`` has the index, ``origin`` says from which value each came."""

    texts: pl.Series
    origin: Rows
    reasons: dict[int, str] = field(default_factory=dict)
    repaired: set[int] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    skips: list[str] = field(default_factory=list)


def _piece(flat: _Flat, uri: str, position: int, decompressed: int) -> Piece:
    count = flat.texts.len()
    repaired = np.zeros(count, dtype=np.bool_)
    repaired[list(flat.repaired)] = True
    records = pl.DataFrame(
        {
            "raw_data": flat.texts,
            "position": pl.Series(np.arange(position, position + count, dtype=np.int64)),
            "repaired": pl.Series(repaired),
        }
    )
    rejects = [Reject(uri, reason, position + index) for index, reason in sorted(flat.reasons.items())]
    rejects += [Reject(uri, problem) for problem in flat.problems]
    if flat.reasons:
        records = records.filter(pl.col("raw_data").is_not_null())
    return Piece(records, [Skip(uri, reason) for reason in flat.skips], rejects, decompressed)


def _flatten(values: Values, limits: Limits, level: int = 0) -> _Flat:
    """All wrapping taken off ``values``, and the limits of a record applied to what is left."""
    texts = values.texts
    flat = _Flat(texts, np.arange(texts.len()), dict(values.reasons), set(values.repaired), list(values.problems))
    if not texts.len() or _plain(texts, limits):
        return flat
    opened = _open(texts, limits, level)
    _apply_limits(flat, _without(texts, opened) if opened else texts, limits)
    return _insert(flat, opened, limits, level) if opened else flat


def _plain(texts: pl.Series, limits: Limits) -> bool:
    """Whether all ``texts`` begin like one kind of record and keep the limits. Asked at once: there may be many objects of a few records each."""
    start = record_start(texts[0])
    if start is None or not (texts[-1] or "").startswith(start):
        return False
    text = pl.col("raw_data")
    looks = texts.to_frame("raw_data").select(
        text.str.starts_with(start).all(), longest=text.str.len_bytes().max(), openers=text.str.count_matches(_OPENER).max()
    )
    alike, longest, openers = looks.row(0)
    return bool(alike) and longest <= limits.max_record_bytes and openers <= limits.max_depth


def _open(texts: pl.Series, limits: Limits, level: int) -> dict[int, Opened]:
    opened: dict[int, Opened] = {}
    for row in suspects(texts):
        found = open_document(texts[row].encode(), limits) if level < _LEVELS else Opened([Refused(f"wrapped more than {_LEVELS} times")])
        if found is not None:
            opened[row] = found
    return opened


def _without(texts: pl.Series, rows: Iterable[int]) -> pl.Series:
    """``texts`` with null in ``rows``."""
    keep = np.ones(texts.len(), dtype=np.bool_)
    keep[list(rows)] = False
    return texts.zip_with(pl.Series(keep), pl.Series([None], dtype=pl.String))


def _apply_limits(flat: _Flat, records: pl.Series, limits: Limits) -> None:
    """Refuse records that are too long or too deep. Few brackets prove that a text is not deep; only the others are walked."""
    text = pl.col("raw_data")
    looks = records.to_frame().select(text.str.len_bytes() > limits.max_record_bytes, deep=text.str.count_matches(_OPENER) > limits.max_depth)
    refused = dict.fromkeys(_rows(looks["raw_data"]), f"longer than {limits.max_record_bytes:,} bytes")
    for row in _rows(looks["deep"]):
        if row not in refused and depth_of(records[row].encode()) > limits.max_depth:
            refused[row] = f"nested deeper than {limits.max_depth} levels"
    if refused:
        flat.reasons.update(refused)
        flat.texts = _without(flat.texts, refused)
        flat.repaired.difference_update(refused)


def _rows(mask: pl.Series) -> list[int]:
    """Where ``mask`` is true."""
    return mask.arg_true().to_list() if mask.any() else []


def _insert(flat: _Flat, opened: dict[int, Opened], limits: Limits, level: int) -> _Flat:
    """``flat`` with the values that were opened replaced by what they held."""
    texts: list[Buffer] = []
    owners: list[int] = []
    inner = Values(flat.texts)
    for row, what in opened.items():
        for item in what.inner:
            if isinstance(item, Refused):
                inner.reasons[len(texts)] = item.reason
            elif what.repaired or row in flat.repaired:
                inner.repaired.add(len(texts))
            texts.append(b"" if isinstance(item, Refused) else item)
            owners.append(row)
    inner.texts = _without(joined(texts), inner.reasons)
    below = _flatten(inner, limits, level + 1)
    stays = np.setdiff1d(np.arange(flat.texts.len()), np.fromiter(opened, dtype=np.int64), assume_unique=True)
    origin = np.concatenate((stays, np.asarray(owners, dtype=np.int64)[below.origin]))
    order = np.argsort(origin, kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    upper = dict(zip(stays.tolist(), place[: len(stays)].tolist(), strict=True))
    lower = place[len(stays) :].tolist()
    return _Flat(
        pl.concat((flat.texts.gather(pl.Series(stays)), below.texts)).gather(pl.Series(order)),
        origin[order],
        {upper[row]: why for row, why in flat.reasons.items()} | {lower[row]: why for row, why in below.reasons.items()},
        {upper[row] for row in flat.repaired if row in upper} | {lower[row] for row in below.repaired},
        flat.problems,
        [what.skip for what in opened.values() if what.skip] + below.skips,
    )
