"""What makes the fast ways of the detect kernel fall back to the plain ones, and that their parts say the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from engine.detect import cells, needles
from engine.detect.cells import encode
from engine.detect.expressions import All, Any, Expression, Negate
from engine.detect.expressions import Test as One
from engine.detect.groups import group, rows_by
from engine.detect.kernel import detect
from engine.detect.layout import NONE, Lists, lay_out, pieces
from engine.detect.needles import may_hold
from engine.detect.plan import Plan, Source, compile_plan
from engine.sigma.fields import OPEN
from engine.sigma.tree import Leaf, LogSource, Regex, Rule
from tests.detect_events import events_of

PADDING = [f"{{plain text {number}}}" for number in range(4_000)]


def held(texts: list[str], *wanted: str) -> list[str]:
    return [text for text, may in zip(texts, may_hold(pl.Series(texts), wanted), strict=True) if may]


def test_a_needle_is_found_by_its_window_in_any_case() -> None:
    assert held([*PADDING, "a mImIKaTz b", "mimi"], "mimikatz") == ["a mImIKaTz b"]


@pytest.mark.parametrize("text", ["mimi\u212aatz", "m\\u0069mikatz", "mi\u017fused"])
def test_texts_of_other_spellings_are_not_passed_over_by_windows(text: str) -> None:
    assert needles._windows(("mimikatz", "misused")) is not None
    assert held([*PADDING, text], "mimikatz", "misused") == [text]


def test_harmless_escapes_are_no_match() -> None:
    assert held([*PADDING, "a\\u003cb"], "mimikatz") == []


@pytest.mark.parametrize(
    "wanted",
    [
        ("10.0.0.1",),  # likely part of every record
        ("ab",),  # shorter than a window
        ("abxq", "cdyw", "efzv", "ghjk"),  # too many spellings together
    ],
)
def test_needles_without_good_windows_are_searched_in_lower_case(wanted: tuple[str, ...]) -> None:
    assert needles._windows(wanted) is None
    assert held([*PADDING, f"x{wanted[0].upper()}y"], *wanted) == [f"x{wanted[0].upper()}y"]


def test_windows_found_everywhere_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needles, "_STRANGE", "(")  # not a pattern: whoever goes on with windows fails
    monkeypatch.setattr(needles, "_found_often", lambda texts, windows: True)
    assert held([*PADDING, "plain texture"], "texture") == ["plain texture"]


def test_a_common_window_is_told_by_a_sample() -> None:
    windows = needles._windows(("plain",))
    assert windows is not None
    assert needles._found_often(pl.Series(PADDING), windows)
    assert not needles._found_often(pl.Series(["other"] * 600), windows)


def test_missing_cells_of_columns_that_hardly_repeat_have_code_zero() -> None:
    values = [None if number % 7 == 0 else f'"v{number}"' for number in range(3 * cells._SAMPLE)]
    found = encode(pl.DataFrame({"native.f": values}), Source(paths=("f",)))
    assert [None if code == 0 else found.values[code - 1] for code in found.codes.tolist()] == values
    for code in (0, 1, len(found.values)):
        rows = found.rows[found.starts[code] : found.starts[code + 1]]
        assert rows.tolist() == np.flatnonzero(found.codes == code).tolist()


def test_columns_that_repeat_are_grouped_with_missing_cells_first() -> None:
    found = encode(pl.DataFrame({"native.f": ['"a"', None, '"b"', '"a"', None]}), Source(paths=("f",)))
    assert len(found.values) == 2
    assert [found.rows[found.starts[code] : found.starts[code + 1]].tolist() for code in range(3)] == [[1, 4], [0, 3], [2]]


def test_lists_are_taken_apart_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    lists = Lists.of([[1, 2], [], [3], [4, 5, 6]])
    keys = np.array([3, 1, 0, 3])
    whole = [items.tolist() for items in lists.expand(keys)]
    assert whole == [[0, 0, 0, 2, 2, 3, 3, 3], [4, 5, 6, 1, 2, 4, 5, 6]]
    for size in (1, 3, 4, 100):
        monkeypatch.setattr("engine.detect.layout._PAIRS", size)
        parts = list(pieces(lists.starts, lists.items, keys))
        assert [np.concatenate(side).tolist() for side in zip(*parts, strict=True)] == whole


def test_other_parts_than_tests_and_second_tests_of_a_field_are_walked() -> None:
    either = Any((One(0, 1), One(1, 2)))
    conditions: list[Expression] = [
        One(0, 5),
        All((One(0, 5), One(1, 3), either, One(1, 4))),
        Negate(either),
        All((either, One(1, 3))),
    ]
    layout = lay_out(conditions)
    assert layout.starts.tolist() == [0, 0, NONE, NONE]
    assert layout.first.tolist() == [5, 5, NONE, NONE]
    assert {field: tests.tolist() for field, tests in layout.further.items()} == {1: [NONE, 3, NONE, 3]}
    assert layout.rest == {1: (either, One(1, 4))}


def test_rows_alike_are_one_group() -> None:
    left, right = np.array([0, 1] * 8, dtype=np.int32), np.array([2] * 16, dtype=np.int32)
    groups = group({4: (left, 2), 7: (right, 3)})
    assert groups is not None
    assert {number: codes.tolist() for number, codes in groups.codes.items()} == {4: [0, 1], 7: [2, 2]}
    assert groups.rows[: groups.starts[1]].tolist() == list(range(0, 16, 2))


def test_rows_are_not_grouped_where_most_differ_or_by_fields_of_too_many_codes() -> None:
    codes = np.arange(16, dtype=np.int32)
    assert group({0: (codes, 16)}) is None
    assert group({0: (codes, 1 << 21)}) is None
    assert group({}) is None
    groups = group({0: (codes, 1 << 21), 1: (codes // 8, 2)})
    assert groups is not None
    assert list(groups.codes) == [1]


def test_rows_by_code_of_more_codes_than_short_integers_hold() -> None:
    codes = np.array([70_000, 3, 70_000, 3], dtype=np.int32)
    starts, rows = rows_by(codes, 70_001)
    assert rows[starts[70_000] : starts[70_001]].tolist() == [0, 2]
    assert rows[starts[3] : starts[4]].tolist() == [1, 3]


def regexes(*patterns: str) -> Plan:
    mapping = replace(OPEN, source="aws.example", logsources=(("aws", "cloudtrail", None),), closed=("",), fields=("f",))
    rules = [Rule("u", "A rule", "low", LogSource(None, "aws", "cloudtrail"), Leaf("f", Regex(pattern)), "h") for pattern in patterns]
    plan, errors = compile_plan(rules, mapping)
    assert not errors
    return plan


@pytest.mark.parametrize(
    ("patterns", "joint"),
    [
        (("a+b", "(?i)cd|e", "^a$", "x."), True),
        (("a+b", "n", "e", "(?x) c d # and a comment"), False),  # its comment would go on into the next
        (("a+b",), False),
        (("(?:a{1000}){50}", "(?:b{1000}){50}", "(?:c{1000}){50}", "(?:d{1000}){50}", "(?:e{1000}){50}") * 12, True),  # too large to be compiled
    ],
)
def test_regular_expressions_of_a_field_are_looked_for_together(patterns: tuple[str, ...], joint: bool) -> None:
    plan = regexes(*patterns)
    assert (plan.fields[0].joint is not None) is joint
    texts = ["xaab", "CD", "cd", "E", "e", "c d", "nothing", "a"]
    events = events_of([f'{{"f":"{text}"}}' for text in texts], ["f"])
    alone = [(row, rule) for rule, pattern in enumerate(patterns) for row, _ in detect(events, regexes(pattern)).rows()]
    assert detect(events, plan).rows() == sorted(alone)
