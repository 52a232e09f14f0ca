"""Records of one shape are those whose objects have the same keys, and of no other."""

from __future__ import annotations

import json

import polars as pl

from connectors.shapes import Wanted, shapes_of


def numbers(*records: str, paths: tuple[str, ...] = ("a.b", "c")) -> list[int]:
    codes: list[int] = shapes_of(pl.Series("raw_data", records, dtype=pl.String), Wanted(paths, ())).codes.tolist()
    return codes


def test_keys_that_read_alike_side_by_side_are_told_apart() -> None:
    records = ({"ab": 1, "c": 1}, {"a": 1, "bc": 1}, {"abc": 1}, {"a": {"b": 1}}, {"a": {}, "b": 1}, {"a": 1, "b": 1}, {"ab": 2, "c": 2})
    assert numbers(*map(json.dumps, records)) == [0, 1, 2, 3, 4, 4, 0]


def test_an_empty_object_and_what_is_no_object_are_one_shape_and_nothing_another() -> None:
    assert numbers('{"a":{"b":1}}', '{"a":{}}', '{"a":null}', "{}") == [0, 1, 1, 2]


def test_what_is_no_record_has_no_shape_and_takes_no_number() -> None:
    assert numbers("{bad", '{"c":1}', "[1", '{"c":2}', '{"d":1}') == [-1, 0, -1, 0, 1]
    assert numbers("{bad", "nul") == [-1, -1]
