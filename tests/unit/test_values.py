"""Value functions: the odd ways providers write times, numbers, addresses and nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import values
from engine import jsontext


def moment(text: str) -> int:
    return (datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-03-01T08:00:00Z", "2026-03-01T08:00:00+00:00"),
        ("2026-03-01T08:00:00.1234567Z", "2026-03-01T08:00:00.123456+00:00"),
        ("2026-03-01T08:00:00.123456789Z", "2026-03-01T08:00:00.123456+00:00"),
        ("2026-03-01T08:00:00.5", "2026-03-01T08:00:00.500000+00:00"),
        ("2026-03-01 08:00:00", "2026-03-01T08:00:00+00:00"),
        ("2026-03-01T10:00:00+02:00", "2026-03-01T08:00:00+00:00"),
        ("2022-02-08 09:23:37+11:00", "2022-02-07T22:23:37+00:00"),
        ("2021-02-04T07: 45: 44.5864815Z", "2021-02-04T07:45:44.586481+00:00"),
        ("03/01/2026 08:00:00", "2026-03-01T08:00:00+00:00"),
        ("3/1/2026 8:00:00 PM", "2026-03-01T20:00:00+00:00"),
        (1772352000, "2026-03-01T08:00:00+00:00"),
        (1772352000.25, "2026-03-01T08:00:00.250000+00:00"),
        (1772352000123, "2026-03-01T08:00:00.123000+00:00"),
        ("1772352000123456789", "2026-03-01T08:00:00.123456+00:00"),
        ("2026-03-01T08:00:60Z", "2026-03-01T08:01:00+00:00"),
    ],
)
def test_times(value: Any, expected: str) -> None:
    assert values.micros(value) == moment(expected)


@pytest.mark.parametrize("value", [None, "", "yesterday", "2026-13-01T00:00:00Z", "2026-02-30", True, {}, [], float("nan"), -5, "12"])
def test_what_is_no_time_is_none(value: Any) -> None:
    assert values.micros(value) is None


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.7:51234", "203.0.113.7"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("203.0.113.7, 198.51.100.2", "203.0.113.7"),
        ("s3.amazonaws.com", None),
        ("81.2.69.***", None),
        ("035.249.253.232", None),
        ("AWS Internal", None),
        (5, None),
    ],
)
def test_addresses(value: Any, address: str | None) -> None:
    assert values.ip(value) == address


def test_ports_and_domains() -> None:
    assert values.port("203.0.113.7:443") == 443
    assert values.port("[2001:db8::1]:8443") == 8443
    assert values.port("203.0.113.7") is None
    assert values.domain("s3.amazonaws.com") == "s3.amazonaws.com"
    assert values.domain("203.0.113.7") is None


@pytest.mark.parametrize("value", [None, "", " ", "-", "null", {}, []])
def test_the_ways_to_write_nothing(value: Any) -> None:
    assert values.is_empty(value)


@pytest.mark.parametrize("value", [0, False, "0", "none", [None], {"a": None}])
def test_what_is_not_nothing(value: Any) -> None:
    assert not values.is_empty(value)


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(JSON)
def test_no_value_makes_a_function_raise(value: Any) -> None:
    for function in (*values.FUNCTIONS.values(), values.micros, values.number):
        assert isinstance(function(value), (str, int, float, bool, list, dict, type(None)))


ODD: list[Any] = [
    2**64,
    -(2**70),
    1e300,
    float("nan"),
    "\ud800",
    '\x7f\x00"\\\u2028',
    {"\ud800": [1]},
    jsontext.NumberText("1.50"),
    {1: "a"},
    (1, "b"),
]


def test_objects_and_lists_are_written_as_the_plain_writer_has_them() -> None:
    deep: Any = 0
    for _ in range(260):
        deep = [deep]
    for value in ([ODD], {"a": ODD}, *([item] for item in ODD), deep, [], {}, {"b": {"a": []}}):
        assert values.text(value) == values.json_text(value) == jsontext.dump(value)


@given(JSON)
def test_any_value_is_written_as_the_plain_writer_has_it(value: Any) -> None:
    if value is not None and not isinstance(value, str):
        assert values.text(value) == jsontext.dump(value)


@given(st.lists(JSON, max_size=4))
def test_lists_of_texts_alone_are_read_as_mixed_ones(items: list[Any]) -> None:
    assert values.texts(items) == values.texts([[], *items])


@given(st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){3,4}\n?", fullmatch=True))
def test_usual_addresses_are_those_the_library_reads(text: str) -> None:
    assert values.ip(text) == values.ip(f"[{text.strip()}]")
