"""The shapes of records: which keys their objects have. Records of one shape are judged together.

DuckDB knows only exact nested look-ups, so the shape decides, once per distinct shape, whether records need the exact reader: a literal dotted key,
another spelling of a key, a duplicate key, an object that may be written as a string. It also says which paths no record can have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from connectors import duck
from connectors.exact import Segments, parsed

_SAMPLE = 64
"""So many records are looked at first, to ask the others only for objects that occur."""

Codes = np.ndarray[Any, np.dtype[np.int32]]
Keys = Mapping[Segments, list[str] | None]
"""Keys by object: None where there is nothing, empty where there is something that is no object."""


class Wanted:
    """The paths that are asked for, and the objects they pass through, the record itself first. ``opened`` are objects that may be texts."""

    __slots__ = ("embedded", "opened", "parents", "paths", "segments")

    def __init__(self, paths: tuple[str, ...], embedded: tuple[str, ...]) -> None:
        self.paths = paths
        self.segments, self.embedded = parsed(paths, embedded)
        prefixes = {segments[:depth] for segments in self.segments for depth in range(1, len(segments))}
        self.parents: tuple[Segments, ...] = ((), *sorted(prefixes))
        self.opened = frozenset(parent for parent in prefixes if tuple(part.lower() for part in parent) in self.embedded)


@dataclass(frozen=True, slots=True)
class Shapes:
    """``codes``: the number of each record's shape, -1 where it cannot be told. ``keys``: by number; None where not even one record could be read."""

    codes: Codes
    keys: list[Keys | None]


def shapes_of(raw: pl.Series, wanted: Wanted) -> Shapes:
    """The shapes of all records, as far as the paths that are asked for go."""
    asked = wanted.parents
    if raw.len() > _SAMPLE:
        some = _keys(raw.gather_every(-(-raw.len() // _SAMPLE)), wanted.parents)
        asked = tuple(parent for parent in wanted.parents if parent == () or any(keys is not None and keys[parent] is not None for keys in some))
    codes, keys = _told_apart(raw, asked, wanted.parents)
    unasked = [parent for parent in wanted.parents if parent not in asked]
    late = [number for number, each in enumerate(keys) if each is not None and any(each[parent] is not None for parent in unasked)]
    if late:
        # An object that no record of the sample had: whoever has it is asked for all of them. The others cannot have it, or their keys would differ.
        rows = np.flatnonzero(np.isin(codes, late))
        more, theirs = _told_apart(raw.gather(rows), wanted.parents, wanted.parents)
        codes[rows] = np.where(more < 0, -1, more + len(keys))
        keys += theirs
    return Shapes(codes, keys)


def _told_apart(raw: pl.Series, asked: Sequence[Segments], parents: Sequence[Segments]) -> tuple[Codes, list[Keys | None]]:
    """Each record's number by the keys of ``asked``, and by number the keys of ``parents`` in the first record of it."""
    codes = _numbered(duck.tried(raw, _question(asked)))
    firsts = np.empty(int(codes.max()) + 1, dtype=np.int64)
    known = np.flatnonzero(codes >= 0)[::-1]
    firsts[codes[known]] = known
    return codes, _keys(raw.gather(firsts), parents)


def _numbered(found: pa.ListArray) -> Codes:
    """Rows of lists of keys by their content, in the order in which it first occurs; -1 where there is no row.

    Keys lie side by side in Arrow's buffers. So lists are alike where the bytes of all their keys together, the lengths of the keys and the lengths
    of the lists are: three comparisons of bytes as they lie, and no text has to be made of lists.
    """
    lists = found.values
    rows, ends = _offsets(found), _offsets(lists)
    sizes = np.diff(ends)
    sizes[lists.is_null().to_numpy(zero_copy_only=False)] = -1
    keys = lists.values
    bounds = _offsets(keys)
    parts = ((bounds[ends[rows]], keys.buffers()[2] or b""), (ends[rows] * 4, np.diff(bounds)), (rows * 4, sizes))
    codes = np.zeros(len(found), dtype=np.int64)
    for starts, data in parts:
        pieces = pa.Array.from_buffers(pa.large_binary(), len(found), [None, pa.py_buffer(starts.astype(np.int64)), pa.py_buffer(data)])
        alike = pieces.dictionary_encode()
        codes = codes * len(alike.dictionary) + alike.indices.to_numpy()
    numbers: Codes = pa.array(codes).dictionary_encode().indices.to_numpy().astype(np.int32)
    there = found.is_valid().to_numpy(zero_copy_only=False)
    if not there.all():
        numbers[~there] = -1
        numbers[there] = pa.array(numbers[there]).dictionary_encode().indices.to_numpy()
    return numbers


def _offsets(array: pa.Array) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Where the items of a list, or the bytes of a text, begin; one more at the end."""
    return np.frombuffer(array.buffers()[1], dtype=np.int32)[array.offset : array.offset + len(array) + 1]


def _keys(raw: pl.Series, parents: Sequence[Segments]) -> list[Keys | None]:
    if not raw.len():
        return []
    found = duck.query(raw, f"try({_question(parents)}) as found").column("found").to_pylist()
    return [None if keys is None else dict(zip(parents, keys, strict=True)) for keys in found]


def _question(parents: Sequence[Segments]) -> str:
    return f"json_keys(raw_data, [{duck.literals([duck.json_path(parent) for parent in parents])}])"


def odd_shape(keys: Keys | None, wanted: Wanted) -> bool:
    """Whether exact look-ups do not find in records of this shape what is meant."""
    if keys is None:
        return True
    folded = {parent: [key.lower() for key in names or ()] for parent, names in keys.items()}
    for segments in wanted.segments:
        for depth in range(len(segments)):
            parent = segments[:depth]
            names = keys[parent]
            if not names:
                break
            name, rest = segments[depth], ".".join(segments[depth:]).lower()
            same = folded[parent].count(name.lower())
            if same > 1 or (same == 1 and name not in names) or (depth + 1 < len(segments) and rest in folded[parent]) or '"' in name:
                return True
    return False


class Judged:
    """What the shapes of a batch say of its records.

    ``odd``: records that DuckDB cannot be trusted with, by their shape. ``there``: indices of the paths that the others may have. ``keyless``: the
    objects that show no keys in some of them (empty, null, a scalar, a list, an object written as a string), with the rows where that is so.
    """

    __slots__ = ("keyless", "odd", "there")

    def __init__(self, shapes: Shapes, wanted: Wanted) -> None:
        bad = np.array([odd_shape(keys, wanted) for keys in shapes.keys] + [True], dtype=bool)
        self.odd: np.ndarray[Any, np.dtype[np.bool_]] = bad[shapes.codes]
        names: dict[Segments, set[str]] = {parent: set() for parent in wanted.parents}
        empty: dict[Segments, list[int]] = {}
        for number, keys in enumerate(shapes.keys):
            if keys is None or bad[number]:
                continue
            for parent, there in keys.items():
                if there:
                    names[parent].update(there)
                elif there is not None and parent:
                    empty.setdefault(parent, []).append(number)
        self.there = [
            index
            for index, segments in enumerate(wanted.segments)
            if all(segments[depth] in names[segments[:depth]] for depth in range(len(segments)))
        ]
        self.keyless = {parent: np.flatnonzero(np.isin(shapes.codes, numbers)) for parent, numbers in empty.items()}
