"""Bytes of an object → records, by shape, never by file name.

`split` takes the blocks of one object and gives frames of records, each the text its provider wrote: whatever stands around it (lists, pages, event
hub batches, subscriptions, CloudEvents, base64, OTLP, …, in any nesting) is taken off. A record that cannot be read is refused alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from connectors.jsonbytes import depth_of
from connectors.splitting import Splitter, Values
from connectors.texts import Buffer, joined
from connectors.transports.base import Limits
from connectors.unwrap import Opened, Refused, open_document, suspects
from engine.model import Reject, Skip

_LEVELS = 8
_NOTHING = "holds no records"


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


def split(blocks: Iterable[bytes], uri: str, limits: Limits, *, fast: bool = True) -> Iterator[Piece]:
    """The records of one object in pieces of about ``limits.chunk_bytes``.

    Raises what ``blocks`` raises, after the pieces of the bytes that came before. ``fast`` False goes value by value even where all is well.
    """
    splitter = Splitter(blocks, limits, fast=fast)
    position = reported = 0
    empty = True
    for values in splitter:
        flat = _flatten(values, limits, 0)
        piece = _piece(flat, uri, position, splitter.decompressed - reported)
        reported = splitter.decompressed
        position += flat.texts.len()
        empty = empty and not (flat.texts.len() or piece.skips or piece.rejects)
        if piece.records.height or piece.skips or piece.rejects:
            yield piece
    if splitter.error is not None:
        raise splitter.error
    if empty:
        yield _piece(_Flat(pl.Series("raw_data", [], dtype=pl.String), {}, set(), [], [_NOTHING]), uri, 0, splitter.decompressed - reported)


@dataclass(slots=True)
class _Flat:
    """Records and refusals in order; ``texts`` is null where ``reasons`` has the index."""

    texts: pl.Series
    reasons: dict[int, str]
    repaired: set[int]
    problems: list[str]
    skips: list[str]


def _piece(flat: _Flat, uri: str, position: int, decompressed: int) -> Piece:
    count = flat.texts.len()
    repaired = np.zeros(count, dtype=np.bool_)
    repaired[list(flat.repaired)] = True
    records = pl.DataFrame(
        {"raw_data": flat.texts, "position": pl.Series(np.arange(position, position + count, dtype=np.int64)), "repaired": pl.Series(repaired)}
    )
    rejects = [Reject(uri, reason, position + index) for index, reason in sorted(flat.reasons.items())]
    rejects += [Reject(uri, problem) for problem in flat.problems]
    if flat.reasons:
        records = records.filter(pl.col("raw_data").is_not_null())
    return Piece(records, [Skip(uri, reason) for reason in flat.skips], rejects, decompressed)


def _flatten(values: Values, limits: Limits, level: int) -> _Flat:
    """All wrapping taken off ``values``, and the limits of a record applied to what is left."""
    wrapped = suspects(values.texts).arg_true().to_list() if values.texts.len() else []
    opened: dict[int, Opened] = {}
    for row in wrapped:
        if level < _LEVELS:
            found = open_document(values.texts[row].encode(), limits)
        else:
            found = Opened([Refused(f"wrapped more than {_LEVELS} times")])
        if found is not None:
            opened[row] = found
    flat = _Flat(values.texts, dict(values.reasons), set(values.repaired), list(values.problems), [])
    plain = values.texts
    if opened:
        plain = _without(plain, opened)
    _apply_limits(flat, plain, limits)
    return _insert(flat, opened, limits, level) if opened else flat


def _without(texts: pl.Series, rows: Iterable[int]) -> pl.Series:
    keep = np.ones(texts.len(), dtype=np.bool_)
    keep[list(rows)] = False
    return texts.zip_with(pl.Series(keep), pl.Series([None], dtype=pl.String))


def _apply_limits(flat: _Flat, plain: pl.Series, limits: Limits) -> None:
    """Refuse records that are too long or too deep. Few brackets prove that a text is not deep; only the others are walked."""
    long = plain.len() and (plain.str.len_bytes() > limits.max_record_bytes).arg_true().to_list()
    for row in long or ():
        flat.reasons[row] = f"longer than {limits.max_record_bytes} bytes"
    deep = plain.len() and (plain.str.count_matches(r"[{\[]") > limits.max_depth).arg_true().to_list()
    for row in deep or ():
        if row not in flat.reasons and depth_of(plain[row].encode()) > limits.max_depth:
            flat.reasons[row] = f"nested deeper than {limits.max_depth}"
    if len(flat.reasons):
        flat.texts = _without(flat.texts, flat.reasons)


def _insert(flat: _Flat, opened: dict[int, Opened], limits: Limits, level: int) -> _Flat:
    """``flat`` with the rows that were opened replaced by what they held."""
    texts: list[Buffer] = []
    inner = Values(flat.texts)
    owners: list[int] = []
    for row, what in opened.items():
        for item in what.inner:
            if isinstance(item, Refused):
                inner.reasons[len(texts)] = item.reason
            if what.repaired or row in flat.repaired:
                inner.repaired.add(len(texts))
            texts.append(b"" if isinstance(item, Refused) else item)
            owners.append(row)
    inner.texts = _without(joined(texts), inner.reasons) if inner.reasons else joined(texts)
    below, origin = _flatten_rows(inner, limits, level + 1)
    owner = np.asarray(owners, dtype=np.int64)[origin]
    stays = np.setdiff1d(np.arange(flat.texts.len()), np.fromiter(opened, dtype=np.int64), assume_unique=True)
    order = np.argsort(np.concatenate((stays, owner)), kind="stable")
    target = np.empty(len(order), dtype=np.int64)
    target[order] = np.arange(len(order))
    moved = dict(zip(stays.tolist(), target[: len(stays)].tolist(), strict=True))
    lower = target[len(stays) :].tolist()
    return _Flat(
        pl.concat((flat.texts.gather(pl.Series(stays)), below.texts)).gather(pl.Series(order)),
        {moved[row]: why for row, why in flat.reasons.items()} | {lower[row]: why for row, why in below.reasons.items()},
        {moved[row] for row in flat.repaired if row in moved} | {lower[row] for row in below.repaired},
        flat.problems,
        [what.skip for what in opened.values() if what.skip] + below.skips,
    )
