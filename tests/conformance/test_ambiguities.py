"""Points where tools that read Sigma differ, one table each: what holds here."""

from __future__ import annotations

import pytest

from tests.conformance_tables import Row, refused, wrong

pytestmark = pytest.mark.usefixtures("on_a_cluster_too")

TABLES: dict[str, list[Row]] = {
    "case does not count, by simple folding": [
        ("f: STRASSE", {"f": "straße"}, False),
        ("f: straße", {"f": "STRAẞE"}, True),
        ("f: kelvin", {"f": "\u212aelvin"}, True),
        ("f: ΣΑΣ", {"f": "σας"}, True),
        ("f: Éa", {"f": "éA"}, True),
        ("f: i", {"f": "İ"}, False),
        ("f|contains: S", {"f": "\u017f"}, True),
    ],
    "a missing field under not": [
        ("s: {f: x}\ncondition: not s", {}, True),
        ("s: {f|contains: x}\ncondition: not s", {"f": None}, True),
        ("s: {f|re: x}\ncondition: not s", {}, True),
        ("s: {f|cidr: 10.0.0.0/8}\ncondition: not s", {}, True),
        ("s: {f|gt: 5}\ncondition: not s", {}, True),
        ("s: {f|fieldref: g}\ncondition: not s", {"g": "a"}, True),
        ("s: {f: x}\nt: {g: y}\ncondition: t and not s", {"g": "y"}, True),
        ("s: {f: x}\ncondition: not s", {"f": "x"}, False),
    ],
    "null": [
        ("f: null", {}, True),
        ("f: null", {"f": None}, True),
        ("f: null", {"f": ""}, False),
        ("f: null", {"f": 0}, False),
        ("f: null", {"f": False}, False),
        ("f: null", {"f": []}, False),
        ("f: null", {"f": {}}, False),
        ("f: []", {}, True),
        ("f: [null, a]", {"f": "a"}, True),
        ("f: [null, a]", {}, True),
        ("f: [null, a]", {"f": "b"}, False),
        ("f: 'null'", {"f": None}, False),
        ("f: 'null'", {"f": "null"}, True),
        ("a.b: null", {"a": {}}, True),
    ],
    "exists on null and empty": [
        ("f|exists: true", {"f": None}, True),
        ("f|exists: true", {"f": ""}, True),
        ("f|exists: true", {"f": {}}, True),
        ("f|exists: false", {"f": None}, False),
    ],
    "neq is not of all values": [
        ("f|neq: [x, y]", {"f": "x"}, False),
        ("f|neq: [x, y]", {"f": "z"}, True),
        ("f|neq: [x, y]", {}, True),
        ("f|neq: x", {"f": ["a", "x"]}, False),
    ],
    "any element of a list": [
        ("f: b", {"f": ["a", "b"]}, True),
        ("f: b", {"f": [["a"], [["B"]]]}, True),
        ("f: b", {"f": []}, False),
        ("a.b: x", {"a": [{"b": "y"}, {"b": "x"}]}, True),
        ("a.b.c: x", {"a": [{"b": [{"c": 1}, {"c": "x"}]}]}, True),
        ("a.b: x", {"a": ["x", 1]}, False),
        ("f: '[]'", {"f": []}, False),
    ],
    "the text of an object": [
        ('f|contains: \'"k":"v"\'', {"f": {"k": "v"}}, True),
        ('f|contains: \'"k": "v"\'', {"f": {"k": "v"}}, False),
        ("f|contains: 'a\"b'", {"f": {"k": 'a"b'}}, True),
        ("f|contains: é", {"f": {"k": "é"}}, True),
        ("f: '{\"k\":1}'", {"f": {"k": 1}}, False),
        ("f|contains: k", {"f": [{"j": 1}, {"k": 1}]}, True),
        ("f|startswith: '{\"k'", {"f": {"k": 1}}, True),
    ],
    "dotted names": [
        ("a.b: x", {"a.b": "x", "a": {"b": "y"}}, True),
        ("a.b: y", {"a.b": "x", "a": {"b": "y"}}, False),
        ("a.b.c: x", {"a": {"b.c": "x"}}, True),
        ("a.b.c: x", {"a.b": {"c": "x"}}, False),  # the whole rest as one key, else one level down
        ("a.b: x", {"a.b": None, "a": {"b": "x"}}, False),
        ("A.B: x", {"a": {"b": "x"}}, True),
        ("ab: x", {"AB": "y", "ab": "x"}, True),
        ("AB: x", {"AB": "y", "ab": "x"}, False),
    ],
    "keywords look into every scalar": [
        ("k: [evil]\ncondition: k", {"a": [{"b": "devilish"}]}, True),
        ("k: ['42']\ncondition: k", {"a": 1427}, True),
        ("k: ['true']\ncondition: k", {"a": True}, True),
        ("k: [key]\ncondition: k", {"key": "value"}, False),
        ("k: ['null']\ncondition: k", {"a": None}, False),
    ],
    "numbers, booleans and their texts": [
        ("f: 5", {"f": "5"}, True),
        ("f: 5", {"f": 5.0}, True),
        ("f: 5", {"f": "05"}, False),
        ("f: '5'", {"f": 5}, True),
        ("f: '5'", {"f": "5.0"}, False),
        ("f: 5.5", {"f": "5.50"}, True),
        ("f: 1", {"f": True}, False),
        ("f: true", {"f": "TRUE"}, True),
        ("f: true", {"f": "yes"}, False),
        ("f: true", {"f": 1}, False),
        ("f: 'true'", {"f": True}, True),
        ("f: false", {"f": None}, False),
        ("f|gte: 10", {"f": 14.0}, True),
    ],
    "scalars of the rule are YAML 1.2": [
        ("f: yes", {"f": "yes"}, True),
        ("f: no", {"f": False}, False),
        ("f: off", {"f": "off"}, True),
        ("f: 010", {"f": "010"}, True),
        ("f: 010", {"f": 8}, False),
        ("f: 0x1F", {"f": 31}, True),
        ("f: 0o17", {"f": 15}, True),
        ("f: 12:30", {"f": "12:30"}, True),
        ("f: 2026-03-01", {"f": "2026-03-01"}, True),
        ("f: ~", {}, True),
    ],
    "an expression is searched for": [
        ("f|re: b", {"f": "abc"}, True),
        ("f|re: ^b$", {"f": "abc"}, False),
    ],
    "wildcards cross line breaks": [
        ("f: a*b", {"f": "a\n\nb"}, True),
        ("f: a?b", {"f": "a\nb"}, True),
        ("f|contains: a*b", {"f": "xa\r\nbx"}, True),
    ],
    "base64 keeps its padding, base64offset is exact without contains": [
        ("f|base64: a", {"f": "YQ=="}, True),
        ("f|base64: a", {"f": "YQ"}, False),
        ("f|base64offset: foobar", {"f": "xxZm9vYmFyxx"}, False),
        ("f|base64offset|contains: foobar", {"f": "xxZm9vYmFyxx"}, True),
    ],
    "windash changes dashes before a word, each for itself": [
        ("f|windash|contains: ' -a -b'", {"f": "x -a /b"}, True),
        ("f|windash|contains: ' -a -b'", {"f": "x \u2013a \u2015b"}, True),
        ("f|windash: some-name", {"f": "some/name"}, False),
    ],
    "fieldref without case, never with a missing one": [
        ("f|fieldref: g", {"f": "A", "g": "a"}, True),
        ("f|fieldref: g", {"f": "A"}, False),
        ("f|fieldref|neq: g", {"f": "A"}, True),
        ("f|fieldref|cased: g", {"f": "A", "g": "a"}, False),
        ("f|fieldref|cased: g", {"f": "A", "g": "A"}, True),
    ],
    "times in UTC, ISO weeks, epochs of seconds and milliseconds": [
        ("f|hour: 22", {"f": "2026-03-01T00:30:00+01:30"}, False),
        ("f|hour: 23", {"f": "2026-03-01T00:30:00+01:30"}, True),
        ("f|week: 1", {"f": "2024-12-30T00:00:00Z"}, True),
        ("f|year: 2023", {"f": "1700000000"}, True),
        ("f|year: 2023", {"f": 1700000000000}, True),
    ],
    "them leaves out names with an underscore": [
        ("a: {f: 1}\n_b: {g: 1}\ncondition: 1 of them", {"g": 1}, False),
        ("a: {f: 1}\n_b: {g: 1}\ncondition: all of them", {"f": 1}, True),
        ("a: {f: 1}\n_b: {g: 1}\ncondition: 1 of _*", {"g": 1}, True),
    ],
}

REFUSED = {
    "a pattern without a detection": "a: {f: 1}\ncondition: all of x*",
    "more than one of": "a: {f: 1}\nb: {g: 1}\ncondition: 2 of them",
    "a placeholder without a value": "f|expand: '%admins%'",
    "look-around": "f|re: '(?<!a)b'",
    "a second key of one name": "f: 1\nf: 2",
}


@pytest.mark.parametrize("name", TABLES)
def test_what_holds(name: str) -> None:
    assert wrong(TABLES[name]) == []


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    assert refused(REFUSED[name])
