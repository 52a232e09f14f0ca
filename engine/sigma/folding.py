"""Simple case folding per code point: how Sigma values compare unless ``cased``.

Not `str.casefold`, which is full folding and changes lengths: here ``ß`` stays one character and equals ``ẞ``, ``ſ`` equals ``s``, the Kelvin sign
equals ``k``, and ``İ`` stays itself. A pattern's ``?`` therefore counts the same characters before and after folding.
"""

from __future__ import annotations

from functools import cache

import polars as pl

_LAST_CASED = 0x1E943
"""No character above has a case."""

_BEYOND_PYTHON = {0x1FD3: 0x390, 0x1FE3: 0x3B0, 0xFB05: 0xFB06}
"""Simple foldings of the Unicode table that neither ``casefold`` nor ``lower`` shows."""


@cache
def _table() -> dict[int, int]:
    table: dict[int, int] = {}
    for code in range(_LAST_CASED + 1):
        character = chr(code)
        folded = character.casefold()
        if len(folded) > 1:  # only a full folding, or full and simple ones: the simple one is the lower case where that is one character
            folded = character.lower()
        if folded != character and len(folded) == 1:
            table[code] = ord(folded)
    return table | _BEYOND_PYTHON


def fold(text: str) -> str:
    """``text`` with every code point replaced by its simple case folding (Unicode CaseFolding, status C and S)."""
    return text.lower() if text.isascii() else text.translate(_table())


def fold_series(texts: pl.Series) -> pl.Series:
    """`fold` of every value of a String series, nulls kept; rows of ASCII alone cost no Python."""
    lowered = texts.str.to_lowercase()
    wide = (texts.str.len_bytes() != texts.str.len_chars()).fill_null(False).arg_true()
    if wide.is_empty():
        return lowered
    folded = pl.Series([fold(text) for text in texts.gather(wide)], dtype=pl.String)
    return lowered.scatter(wide, folded).rename(texts.name)
