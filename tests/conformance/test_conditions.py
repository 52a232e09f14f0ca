"""Every form of a condition and of a detection: rows that match, rows that do not, rows at the edge between."""

from __future__ import annotations

import pytest

from tests.conformance_tables import Row, refused, wrong

pytestmark = pytest.mark.usefixtures("on_a_cluster_too")

AB = "a: {f: 1}\nb: {g: 1}\n"
ABC = AB + "c: {h: 1}\n"
NUMBERED = "sel_one: {f: 1}\nsel_two: {g: 1}\n_hidden: {h: 1}\nother: {i: 1}\n"

TABLES: dict[str, list[Row]] = {
    "and": [
        (AB + "condition: a and b", {"f": 1, "g": 1}, True),
        (AB + "condition: a and b", {"f": 1}, False),
        (AB + "condition: a and b", {}, False),
    ],
    "or": [
        (AB + "condition: a or b", {"g": 1}, True),
        (AB + "condition: a or b", {"f": 1, "g": 1}, True),
        (AB + "condition: a or b", {"f": 2}, False),
    ],
    "not": [
        (AB + "condition: a and not b", {"f": 1}, True),
        (AB + "condition: a and not b", {"f": 1, "g": 1}, False),
        (AB + "condition: not a and not b", {}, True),
        (AB + "condition: not (a or b)", {"g": 1}, False),
        (AB + "condition: not (a and b)", {"g": 1}, True),
        (AB + "condition: not not a and not b", {"f": 1}, True),
        ("a: {f: null}\ncondition: not a", {}, False),
        ("a: {f: null}\ncondition: not a", {"f": ""}, True),
    ],
    "precedence": [
        (ABC + "condition: a or b and c", {"f": 1}, True),
        (ABC + "condition: (a or b) and c", {"f": 1}, False),
        (ABC + "condition: a and b or c", {"h": 1}, True),
        (ABC + "condition: not a and b or c", {"f": 1, "h": 1}, True),
        (ABC + "condition: not (a and b or c)", {"f": 1}, True),
        (ABC + "condition: not a or b and c", {"f": 1, "g": 1}, False),
        (ABC + "condition: ((a)) and ((b) or c)", {"f": 1, "h": 1}, True),
    ],
    "1 of them": [
        (NUMBERED + "condition: 1 of them", {"i": 1}, True),
        (NUMBERED + "condition: 1 of them", {"f": 1, "g": 1}, True),
        (NUMBERED + "condition: 1 of them", {"h": 1}, False),
        (NUMBERED + "condition: any of them", {"g": 1}, True),
        (NUMBERED + "condition: any of them", {}, False),
    ],
    "all of them": [
        (NUMBERED + "condition: all of them", {"f": 1, "g": 1, "i": 1}, True),
        (NUMBERED + "condition: all of them", {"f": 1, "g": 1, "h": 1}, False),
    ],
    "patterns": [
        (NUMBERED + "condition: 1 of sel_*", {"g": 1}, True),
        (NUMBERED + "condition: 1 of sel_*", {"i": 1}, False),
        (NUMBERED + "condition: all of sel_*", {"f": 1, "g": 1}, True),
        (NUMBERED + "condition: all of sel_*", {"f": 1, "i": 1}, False),
        (NUMBERED + "condition: any of *_one", {"f": 1}, True),
        (NUMBERED + "condition: 1 of s*_t*", {"g": 1}, True),
        (NUMBERED + "condition: 1 of _*", {"h": 1}, True),
        (NUMBERED + "condition: other and not 1 of sel_*", {"i": 1}, True),
        (NUMBERED + "condition: other and not 1 of sel_*", {"i": 1, "g": 1}, False),
        (NUMBERED + "condition: not all of sel_*", {"f": 1}, True),
        (NUMBERED + "condition: 1 of other", {"i": 1}, True),
    ],
    "a list of conditions": [
        (AB + "condition: [a, b]", {"g": 1}, True),
        (AB + "condition: [a, b]", {}, False),
        (AB + "condition:\n  - a and not b\n  - b and not a", {"f": 1, "g": 1}, False),
    ],
    "names of detections": [
        ("not_this: {f: 1}\nand_that: {g: 1}\ncondition: not_this and and_that", {"f": 1, "g": 1}, True),
        ("orsel: {f: 1}\nthemselves: {g: 1}\ncondition: orsel and not themselves", {"f": 1}, True),
        ("sel-one: {f: 1}\ncondition: sel-one", {"f": 1}, True),
    ],
    "a map is and": [
        ("s: {f: 1, g: 2}\ncondition: s", {"f": 1, "g": 2}, True),
        ("s: {f: 1, g: 2}\ncondition: s", {"f": 1}, False),
        ("s: {f|startswith: a, f|endswith: c}\ncondition: s", {"f": "abc"}, True),
        ("s: {f|startswith: a, f|endswith: c}\ncondition: s", {"f": "ab"}, False),
    ],
    "a list of maps is or": [
        ("s: [{f: 1}, {g: 2, h: 3}]\ncondition: s", {"f": 1}, True),
        ("s: [{f: 1}, {g: 2, h: 3}]\ncondition: s", {"g": 2}, False),
        ("s: [{f: 1}, {g: 2, h: 3}]\ncondition: s", {"g": 2, "h": 3}, True),
        ("s: [{f: 1}, {g: 2}]\ncondition: not s", {}, True),
    ],
    "keywords": [
        ("k: [evil]\ncondition: k", {"a": {"b": ["x", "An EVIL thing"]}}, True),
        ("k: [evil]\ncondition: k", {"evil": 1}, False),
        ("k: [evil, bad]\ncondition: k", {"a": "bad"}, True),
        ("k: {'|all': [evil, bad]}\ncondition: k", {"a": "evil", "b": "bad"}, True),
        ("k: {'|all': [evil, bad]}\ncondition: k", {"a": "evil"}, False),
        ("k: [42]\ncondition: k", {"a": 1427}, True),
        ("k: [42]\ncondition: k", {"a": 4}, False),
        ("k: ['a*b']\ncondition: k", {"x": "a", "y": "b"}, False),
        ("k: ['a*b']\ncondition: k", {"x": "-a-b-"}, True),
        ("k: ['a\\*b']\ncondition: k", {"x": "a*b"}, True),
        ("k: [evil]\nf: {g: 1}\ncondition: k and not f", {"a": "evil", "g": 1}, False),
        ("k: [evil, {f: 1}]\ncondition: k", {"f": 1}, True),
        ("k: [evil, {f: 1}]\ncondition: k", {"g": "devil"}, True),
        ("k: [null-like]\ncondition: not k", {"a": None}, True),
    ],
}

REFUSED = [
    "a: {f: 1}\ncondition: a and",
    "a: {f: 1}\ncondition: b",
    "a: {f: 1}\ncondition: 1 of x*",
    "a: {f: 1}\ncondition: all of x*",
    "_a: {f: 1}\ncondition: 1 of them",
    "a: {f: 1}\ncondition: a AND a",
    "a: {f: 1}\ncondition: a | count() > 5",
    "a: {f: 1}\ncondition: (a",
    "a: {f: 1}\ntimeframe: 5m\ncondition: a",
    "a: {f: 1}\na: {g: 1}\ncondition: a",
    "a: {f: 1, f: 2}\ncondition: a",
    "a: {f: 1}\ncondition: ''",
]


@pytest.mark.parametrize("name", TABLES)
def test_condition(name: str) -> None:
    assert wrong(TABLES[name]) == []


@pytest.mark.parametrize("detection", REFUSED)
def test_refused_when_loading(detection: str) -> None:
    assert refused(detection)
