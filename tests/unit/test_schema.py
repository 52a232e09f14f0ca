"""The schema's own promises."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.report.reference import schema_page
from engine.schema import AI_COLUMNS, COLUMNS, EVENT_COLUMNS, split_path

ROOT = Path(__file__).resolve().parents[2]


def test_there_are_57_event_columns_and_20_for_inference() -> None:
    assert (len(EVENT_COLUMNS), len(AI_COLUMNS)) == (57, 20)
    assert len(COLUMNS) == len(set(COLUMNS))


def test_the_reference_page_is_up_to_date() -> None:
    assert (ROOT / "docs/schema.md").read_text(encoding="utf-8") == schema_page(), "run: make docs"


@pytest.mark.parametrize(
    ("path", "segments"),
    [
        ("a", ("a",)),
        ("a.b.c", ("a", "b", "c")),
        ('claims."http://a.b/upn"', ("claims", "http://a.b/upn")),
        ('"a.b".c', ("a.b", "c")),
        (r'"say \"x\""', ('say "x"',)),
        ("aws:s3:arn", ("aws:s3:arn",)),
        ("$", ()),
    ],
)
def test_paths_split_at_dots_outside_quotes(path: str, segments: tuple[str, ...]) -> None:
    assert split_path(path) == segments


@pytest.mark.parametrize("path", ["", "a..b", ".a", "a.", 'a"b"c', '"open'])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="record path"):
        split_path(path)
