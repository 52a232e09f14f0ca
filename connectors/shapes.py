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
    texts = duck.tried(raw, _question(asked), "::varchar").dictionary_encode()
    codes: Codes = texts.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
    firsts = np.empty(len(texts.dictionary), dtype=np.int64)
    known = np.flatnonzero(codes >= 0)[::-1]
    firsts[codes[known]] = known
    return codes, _keys(raw.gather(firsts), parents)


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
