"""The kernel and the reference evaluator say the same of any condition and any events."""

from __future__ import annotations

import ipaddress
import json
import pickle
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.detect import batch as batch_module
from engine.detect import cells as cells_module
from engine.detect import groups as groups_module
from engine.detect import kernel as kernel_module
from engine.detect import layout as layout_module
from engine.detect import needles as needles_module
from engine.detect import table as table_module
from engine.detect.kernel import detect
from engine.detect.plan import compile_plan
from engine.sigma.fields import OPEN
from engine.sigma.tree import (
    And,
    Boolean,
    Cidr,
    Compare,
    Comparison,
    Exists,
    Leaf,
    LogSource,
    Node,
    Not,
    Null,
    Number,
    Or,
    Predicate,
    Regex,
    Rule,
    SameAs,
    Text,
    TimePart,
    TimeUnit,
    Wildcard,
    fields,
)
from tests.detect_events import events_of
from tests.examples import examples
from tests.reference_evaluator import matches

WORDS = [
    "",
    "a",
    "K",
    "\u212a",
    "s",
    "\u017f",
    "ß",
    "ab",
    "Ab\nc",
    "abc",
    "a*b",
    'q"u',
    "c\\d",
    "5",
    "5.0",
    "50",
    "5e1",
    "true",
    "é",
    "İ",
    "ẞ",
    "Σ",
    "ς",
    "a?b",
    "10.0.0.1",
    "2001:DB8::1",
    "10.0.0.0/8",
    "{",
    "<k>",
]
texts = st.one_of(st.sampled_from(WORDS), st.lists(st.sampled_from([*WORDS, " ", ":", "/"]), max_size=3).map("".join))
raw_numbers = st.sampled_from(["5", "5.0", "50", "5e1", "-1", "0", "10", "1700000000", "1700000000000", "0.5"])
FIELDS = ["f", "g", "o.f", "o.a.f", "l"]


class RawNumber(float):
    """A number that is written as given."""

    text: str

    def __repr__(self) -> str:
        return self.text


def raw_number(text: str) -> RawNumber:
    number = RawNumber(text)
    number.text = text
    return number


def dump(value: Any, ascii_only: bool) -> str:
    if isinstance(value, RawNumber):
        return value.text
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key, ensure_ascii=ascii_only)} :{dump(item, ascii_only)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + " ,".join(dump(item, ascii_only) for item in value) + "]"
    return json.dumps(value, ensure_ascii=ascii_only)


times = st.sampled_from(["2024-12-30T23:59:59Z", "2024-12-31 01:00:00.1234567", "2024-12-30T23:59:59+02:00"])
scalars = st.one_of(texts, texts, raw_numbers.map(raw_number), st.booleans(), st.none(), times)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["f", "F", "a", "a.f", "x"]), inner, max_size=3)),
    max_leaves=5,
)
events = st.tuples(st.dictionaries(st.sampled_from(["f", "F", "g", "o", "o.f", "l"]), values, max_size=5), st.booleans()).map(
    lambda pair: dump(*pair)
)

parts = st.lists(st.one_of(texts.filter(bool), st.sampled_from([Wildcard.ANY, Wildcard.ANY, Wildcard.ONE])), max_size=4)
text_predicates = st.builds(Text, parts.map(tuple), st.booleans())
numbers = st.sampled_from([5, 5.0, 50, 0, -1, 10, 0.5])
comparisons = st.sampled_from(list(Comparison))
networks = st.sampled_from(["10.0.0.0/8", "10.0.0.1/32", "0.0.0.0/0", "2001:db8::/32", "::/0"]).map(ipaddress.ip_network)
predicates: st.SearchStrategy[Predicate] = st.one_of(
    text_predicates,
    text_predicates,
    texts.map(lambda text: Text((Wildcard.ANY, text, Wildcard.ANY) if text else ())),
    texts.map(lambda text: Text((text,) if text else ())),
    st.builds(Number, numbers),
    st.builds(Boolean, st.booleans()),
    st.just(Null()),
    st.builds(Exists, st.booleans()),
    st.sampled_from([Regex("^a.*b"), Regex("(?i)K"), Regex(r"\d"), Regex("(?s)b.c")]),
    st.builds(Cidr, networks),
    st.builds(Compare, comparisons, numbers),
    st.builds(TimePart, st.sampled_from(list(TimeUnit)), comparisons, st.sampled_from([1, 12, 22, 30, 59, 2024])),
    st.builds(SameAs, st.sampled_from(FIELDS), st.booleans(), st.booleans(), st.booleans()),
)
keywords = st.one_of(
    st.builds(lambda inner, cased: Leaf(None, Text((Wildcard.ANY, *inner, Wildcard.ANY), cased)), parts, st.booleans()),
    texts.filter(bool).map(lambda text: Leaf(None, Text((Wildcard.ANY, text, Wildcard.ANY)))),
    st.just(Leaf(None, Regex("a.c|5"))),
)
leaves = st.one_of(st.builds(Leaf, st.sampled_from(FIELDS), predicates), st.builds(Leaf, st.sampled_from(FIELDS), predicates), keywords)
trees: st.SearchStrategy[Node] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map(lambda args: And(tuple(args))),
        st.lists(inner, min_size=1, max_size=4).map(lambda args: Or(tuple(args))),
        inner.map(Not),
    ),
    max_leaves=8,
)


def rule(condition: Node, number: int = 0) -> Rule:
    return Rule(uid=f"rule-{number}", title=f"rule {number}", level="low", logsource=LogSource(product="any"), condition=condition, content_hash="")


def check(conditions: list[Node], records: list[str]) -> None:
    plan, errors = compile_plan([rule(condition, number) for number, condition in enumerate(conditions)], OPEN)
    assert not errors
    plan = pickle.loads(pickle.dumps(plan))
    hits = detect(events_of(records, set().union(*map(fields, conditions))), plan)
    wanted = [(row, number) for row, record in enumerate(records) for number, condition in enumerate(conditions) if matches(condition, record)]
    assert hits.rows() == wanted
    assert hits.schema == {"row": pl.UInt32, "rule": pl.UInt32}


@given(st.lists(trees, min_size=2, max_size=6), st.lists(events, min_size=4, max_size=12))
@examples(400)
def test_kernel_equals_reference(conditions: list[Node], records: list[str]) -> None:
    check(conditions, records)


@given(st.lists(trees, min_size=2, max_size=6), st.lists(events, min_size=4, max_size=12))
@examples(400)
def test_fields_of_many_values_equal_reference(conditions: list[Node], records: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch_module, "_MANY_VALUES", 1)
        patch.setattr(table_module, "_FEW", 0)
        patch.setattr(needles_module, "_FEW", 0)
        check(conditions, records)


@given(st.lists(trees, min_size=2, max_size=6), st.lists(events, min_size=4, max_size=12))
@examples(400)
def test_windows_of_needles_equal_reference(conditions: list[Node], records: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch_module, "_MANY_VALUES", 1)
        patch.setattr(needles_module, "_FEW", 0)
        patch.setattr(needles_module, "_SEVERAL", 0)
        patch.setattr(needles_module, "_SAMPLE", 0)
        patch.setattr(needles_module, "_WIDTH", 1)
        needles_module._windows.cache_clear()
        check(conditions, records)
        needles_module._windows.cache_clear()


@given(st.lists(trees, min_size=2, max_size=6), st.lists(events, min_size=4, max_size=12))
@examples(400)
def test_grouped_rows_and_small_pieces_equal_reference(conditions: list[Node], records: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_module, "_FEW", 0)
        patch.setattr(kernel_module, "_MANY_RULES", 1)
        patch.setattr(groups_module, "_FEWER", 0)
        patch.setattr(batch_module, "_CELLS", 1)
        patch.setattr(layout_module, "_PAIRS", 1)
        patch.setattr(cells_module, "_SAMPLE", 2)
        check(conditions, records)


@given(leaves, st.lists(events, min_size=6, max_size=16))
@examples(400)
def test_single_leaves_equal_reference(leaf: Leaf, records: list[str]) -> None:
    check([leaf, Not(leaf)], records)
