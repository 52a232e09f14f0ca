"""Extraction: the fast path agrees with the exact reader, and odd shapes go to it."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.exact import exact_cells, open_embedded
from connectors.shred import cells_of, shred, shred_shapes
from engine.schema import split_path


@pytest.mark.parametrize(
    ("record", "path", "cell"),
    [
        ('{"a":{"b":1}}', "a.b", "1"),
        ('{"a":{"b":null}}', "a.b", "null"),
        ('{"a":{}}', "a.b", None),
        ('{"a":null}', "a.b", None),
        ('{"A":{"B":"x"}}', "a.b", '"x"'),
        ('{"a":{"b":"lower"},"A":{"b":"upper"}}', "a.b", '"lower"'),
        ('{"a.b":5,"a":{"b":6}}', "a.b", "5"),
        ('{"x":{"a.b":5}}', "x.a.b", "5"),
        ('{"a":[{"b":1},{"b":[2,3]},{"c":4},5]}', "a.b", "[1,2,3]"),
        ('{"a":[{"c":1}]}', "a.b", None),
        ('{"a":{"b":1},"a":{"b":2}}', "a.b", "2"),
        ('{"a":{"b":1.50}}', "a.b", "1.50"),
        ('{"a":{"b":1e5}}', "a.b", "1e5"),
        ('{"a":{"b":{"z":0.10,"y":[1E2]}}}', "a.b", '{"z":0.10,"y":[1E2]}'),
        ('{"a":{"b":[1.50,"x"]}}', "a.b", '[1.50,"x"]'),
        ('{"a":{"b":{"z":-7e+3}}}', "a.b", '{"z":-7e+3}'),
        ('{"a":{"b":[1,2.50E-3]}}', "a.b", "[1,2.50E-3]"),
        ('{"a":{"b":["v 1.50, 2.50e3]",1]}}', "a.b", '["v 1.50, 2.50e3]",1]'),
        ('{"a":{"b":12345678901234567890123}}', "a.b", "12345678901234567890123"),
        ('{"a":{"b":"\\u0041\\/\\n"}}', "a.b", '"A/\\n"'),
        ('{"a":{"b":"é\\u00e9"}}', "a.b", '"éé"'),
        ('{"p":"{\\"b\\":7}"}', "p.b", "7"),
        ("{\"p\":\"{'b': None, 'c': True}\"}", "p.c", "true"),
        ('{"p":"not json"}', "p.b", None),
        ('{"q":"{\\"b\\":7}"}', "q.b", None),
        ('{"http://a.b/upn":"me"}', '"http://a.b/upn"', '"me"'),
        ('{"a":{"x y":1}}', "a.x y", "1"),
    ],
)
def test_look_up(record: str, path: str, cell: str | None) -> None:
    assert shred(pl.Series([record, "{}"]), [path], ["p"])[path].to_list() == [cell, None]


def test_a_whole_record_is_the_text_itself() -> None:
    assert shred(pl.Series(['{"a": 1.0}']), ["$", "a"])["$"].to_list() == ['{"a": 1.0}']


def test_no_records_and_no_paths_are_fine() -> None:
    assert shred(pl.Series([], dtype=pl.String), ["a.b", "$"]).shape == (0, 2)
    assert shred_shapes(pl.Series(['{"a":1}', '{"b":1}', '{"a":2}']), []).shape.n_unique() == 2


def test_a_python_literal_is_opened_and_nothing_is_run() -> None:
    assert open_embedded("{'a': [1, 'b', None]}") == {"a": [1, "b", None]}
    assert open_embedded("{'a': __import__('os')}") == "{'a': __import__('os')}"
    assert open_embedded("[" * 100_000) == "[" * 100_000


NAMES = st.sampled_from(["a", "b", "A", "a.b", "c d", "é", "B"])
SCALARS: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4)
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.dictionaries(NAMES, VALUES, max_size=5), min_size=1, max_size=6))
def test_fast_extraction_equals_the_exact_reader(records: list[dict[str, Any]]) -> None:
    paths = ["a", "a.b", "b.a.b", "c d.a", "é", "a.b.a"]
    texts = [json.dumps(record, ensure_ascii=bool(index % 2)) for index, record in enumerate(records)]
    fast = shred(pl.Series(texts), paths, ["a"])
    segments = [split_path(path) for path in paths]
    for row, text in zip(fast.iter_rows(), texts, strict=True):
        exact = exact_cells(text, segments, frozenset([("a",)]))
        assert [None if c is None else json.loads(c) for c in row] == [None if c is None else json.loads(c) for c in exact]
        assert [(c or "")[:1] for c in row] == [(c or "")[:1] for c in exact]


@pytest.mark.parametrize(
    ("record", "cell"),
    [
        ('{"p":"{\\"b\\":0.10}"}', "0.10"),
        ("{\"p\":\"{1: 'a', 'b': {2}}\"}", None),
        ("{\"p\":\"{'b': b'x'}\"}", '"x"'),
        ('{"p":"{\\"b\\":\\"\\\\ud800\\"}"}', '"�"'),
        ('{"p":{"b":-0}}', "-0"),
    ],
)
def test_hostile_embedded_text(record: str, cell: str | None) -> None:
    found = shred(pl.Series([record, "{}"]), ["p.b"], ["p"])["p.b"][0]
    assert found == cell or (cell is None and (found is None or found.startswith("[")))


def test_few_records_are_read_as_many_are() -> None:
    texts = ['{"a":{"b":1.50},"p":"{\\"b\\":7}"}', '{"A":[{"b":1},{"b":"x"}]}', '{"a.b":null}', "{}"]
    few = cells_of(pl.Series("raw_data", texts), ["a.b", "p.b", "$"], ["p"])
    many = cells_of(pl.Series("raw_data", texts * 60), ["a.b", "p.b", "$"], ["p"])
    assert few.equals(shred(pl.Series("raw_data", texts), ["a.b", "p.b", "$"], ["p"]))
    assert few.equals(many[:4])


@pytest.mark.parametrize("there", ['[{"b":1}]', '"{\\"b\\":1}"', "[]", "null", '{"b":1}'])
def test_a_list_where_an_object_may_be_written_as_text_is_read_exactly(there: str) -> None:
    text = f'{{"p":{there}}}'
    assert shred(pl.Series("raw_data", [text]), ["p.b"], ["p"])["p.b"].to_list() == exact_cells(text, [("p", "b")], frozenset({("p",)}))


REFUSED = '{"x":"\\ud800","a":{"b":3}}'
"""A lone surrogate is JSON by the grammar; DuckDB refuses it, as it would any record that is none."""


def test_a_record_that_the_fast_reader_refuses_leaves_the_others_as_they_are() -> None:
    texts = ['{"a":{"b":1}}', REFUSED, '{"A":{"b":2}}', '{"a":{"b":1.50}}']
    found = shred_shapes(pl.Series("raw_data", texts), ["a.b"])
    assert found.cells["a.b"].to_list() == [cell for text in texts for cell in exact_cells(text, [("a", "b")])]
    assert found.shape.is_null().to_list() == [False, True, False, False]


@pytest.mark.parametrize("length", [1, 2_000, 500_000])
def test_records_of_any_length_and_number_keep_their_order(length: int) -> None:
    texts = [f'{{"n":{row},"x":"{"x" * (length if row % 7 == 3 else 1)}"}}' for row in range(5_000 if length < 500_000 else 20)]
    parts = pl.concat([pl.Series("raw_data", texts[:9]), pl.Series("raw_data", texts[9:])])
    found = shred_shapes(parts, ["n", "x"])
    assert found.cells["n"].to_list() == [str(row) for row in range(len(texts))]
    assert found.cells["x"].str.len_bytes().to_list() == [len(text.partition('"x":')[2]) - 1 for text in texts]
    assert found.shape.n_unique() == 1


def test_objects_that_few_records_have_are_found_in_all_of_them() -> None:
    odd = [
        '{"a":{"b":{"c":1}}}',
        '{"a":{"B":{"c":2}}}',
        '{"a":{"b":[{"c":3}]}}',
        '{"x":{"y":"text"}}',
        '{"x":"{\\"y\\":4}"}',
        '{"a":{"b.c":5}}',
        '{"a":[]}',
        "5",
    ]
    texts = ['{"a":1,"n":null}'] * 1000
    for number, text in enumerate(odd):
        texts[7 + 101 * number] = text  # none of them is in the sample
    paths = ["a", "a.b.c", "n", "x.y", "nowhere.at.all"]
    found = shred_shapes(pl.Series(texts), paths, ("x",))
    expected = [exact_cells(text, [split_path(path) for path in paths], frozenset([("x",)])) for text in texts]
    assert [list(row) for row in found.cells.iter_rows()] == expected
    assert found.odd[[108, 209, 0]].tolist() == [True, True, False]
    assert found.shape.n_unique() > 4
