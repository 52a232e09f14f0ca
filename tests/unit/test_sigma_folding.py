"""Simple case folding: one code point becomes one code point, in a text and in a column alike."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.sigma.folding import fold, fold_series


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("AbC-09", "abc-09"),
        ("ÄÖÜ", "äöü"),
        ("straße", "straße"),
        ("STRAẞE", "straße"),
        ("ſ", "s"),
        ("\u212a", "k"),
        ("Å", "å"),
        ("İ", "İ"),
        ("ı", "ı"),
        ("ΣΑΣ", "σασ"),
        ("ς", "σ"),
        ("\u00b5", "μ"),
        ("ᾈ", "ᾀ"),
        ("\ufb05", "\ufb06"),
        ("\u1fd3\u1fe3", "\u0390\u03b0"),
        ("ﬀ", "ﬀ"),
        ("Ꭰ", "Ꭰ"),
        ("ꭰ", "Ꭰ"),
        ("Д𐐀", "д𐐨"),
        ("", ""),
    ],
)
def test_fold(text: str, folded: str) -> None:
    assert fold(text) == folded
    assert fold_series(pl.Series([text])).to_list() == [folded]


@given(st.lists(st.one_of(st.none(), st.text(), st.text(alphabet="aAſßẞİσςΣ"))))
def test_a_column_folds_as_its_texts_do(texts: list[str | None]) -> None:
    column = fold_series(pl.Series("name", texts, dtype=pl.String))
    assert column.to_list() == [None if text is None else fold(text) for text in texts]
    assert column.name == "name"


@given(st.text())
def test_folding_keeps_the_length_and_is_idempotent(text: str) -> None:
    assert len(fold(text)) == len(text)
    assert fold(fold(text)) == fold(text)
