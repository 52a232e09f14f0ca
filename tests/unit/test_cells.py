"""Whole columns of cells become the texts that single cells become."""

from __future__ import annotations

from random import Random

import polars as pl
import pytest

from connectors.cells import FEW, plain, unquoted

CELLS = (
    *(
        None,
        '""',
        '"-"',
        '" - "',
        '"null"',
        "null",
        "{}",
        "[]",
        '"{}"',
        '"a"',
        "12",
        "-3.5",
        "true",
        '{"a":"b\\\\c"}',
        '["x"]',
        '" "',
        '"\\n"',
        '"-a"',
    ),
    *(
        '"-a"',
        '"203.0.113.9"',
        '"abcdefghijk"',
        '"abcdefghijkl"',
        '"abcdefghijklm"',
        '"ä\\u00e9"',
        '"x\\"y"',
        '"\\\\"',
        '"' + "z" * 40 + '"',
        '"\\u002d"',
    ),
)


@pytest.mark.parametrize("seed", range(20))
def test_a_long_column_gives_what_its_short_pieces_give(seed: int) -> None:
    random = Random(seed)
    weights = [random.random() ** 4 for _ in CELLS]
    cells = pl.Series("c", random.choices(CELLS, weights, k=2 * FEW), dtype=pl.String).slice(random.randrange(9))
    if seed % 2:
        cells = pl.concat([cells, cells[:7]], rechunk=False)
    pieces = [cells.slice(at, FEW // 2) for at in range(0, len(cells), FEW // 2)]
    assert plain(cells).to_list() == [text for piece in pieces for text in plain(piece).to_list()]
    assert unquoted(cells).to_list() == [text for piece in pieces for text in unquoted(piece).to_list()]


def test_a_column_without_strings_is_its_own_text() -> None:
    assert plain(pl.Series("c", ["1", None, "{}"] * FEW)).to_list() == ["1", None, None] * FEW
