r"""Which JSON texts may satisfy a leaf, told from the text alone, before anything is parsed.

A needle is a run of ASCII characters of a pattern that JSON text shows as they are unless an encoder writes them as ``\uXXXX``. A text may be passed
over only if it holds no needle in any case, no such escape of a character a needle can have, and neither U+212A nor U+017F, which fold to k and s.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
import polars as pl

from engine.detect.values import number
from engine.sigma.tree import Boolean, Leaf, Text, Wildcard

Mask = np.ndarray[Any, np.dtype[np.bool_]]

_WORD = re.compile(r"[A-Za-z0-9_.@#$%^~|;?!()*`-]+")
_PHRASE = re.compile(r"[A-Za-z0-9_.@#$%^~|;?!()*`:,{}\[\] -]+")
"""Inside one string also blanks and the signs that JSON sets between values; in the text of an object those may stand apart differently."""

_ESCAPE = r"\\u(?:00(?:2[^267bBfF]|3[^c-eC-E]|[467]|5[^cC])|212[aA]|017[fF])"
"""Escapes of characters that needles can have, or that fold to one; ``\\u003c``, ``\\u0026`` and the like, common in real logs, are none."""

_ESCAPE_PATTERN = re.compile(_ESCAPE)
_FEW = 500
"""So few searches cost less one by one than a vector operation does to begin."""

_LONG_S = "\u017f"
_MOST = 64
"""So many literals the regex engine finds with vector instructions; beyond three times as many, one pass of its automaton is cheaper."""


_STRANGE = "\u017f|\u212a|\\\\u"
"""What may make a text hold a needle in another way than in some case of its letters."""

_WIDTH = 3
_SPELLINGS = 16
"""So many short literals are found several times faster than texts are turned to lower case."""

_COMMON = re.compile(r"[0-9a-f.:-]+|[^a-z]+")
"""Windows that are likely to stand in every record: parts of numbers, identifiers, addresses and times."""

_SEVERAL = 2_000
_SAMPLE = 500


def needle(leaf: Leaf) -> str | None:
    """The longest needle of a leaf, lower case; None where its text need not hold any, such as for numbers of equal value in another spelling."""
    match leaf.predicate:
        case Boolean(value):
            return "true" if value else "false"
        case Text(parts):
            if not any(isinstance(part, Wildcard) for part in parts) and number("".join(parts)) is not None:
                return None
            runs = [run for part in parts if not isinstance(part, Wildcard) for run in (_WORD if leaf.field else _PHRASE).findall(part)]
            return max(runs, key=len).lower() if runs else None
        case _:
            return None


def may_hold(texts: pl.Series, needles: Sequence[str]) -> Mask:
    """For each JSON text (no nulls) whether it may satisfy a leaf with one of ``needles``."""
    distinct = _fewest(needles)
    if len(texts) * len(distinct) <= _FEW:
        return np.array([_text_may_hold(text, distinct) for text in texts.to_list()], dtype=bool)
    windows = _windows(tuple(distinct)) if len(texts) >= _SEVERAL else None
    if windows is None or _found_often(texts, windows):
        return _search(texts, distinct)
    likely = texts.str.contains(windows).to_numpy() | texts.str.contains(_STRANGE).to_numpy()
    rows = np.flatnonzero(likely)
    found: Mask = np.zeros(len(texts), dtype=bool)
    if len(rows):
        found[rows] = _search(texts.gather(rows), distinct)
    return found


def _search(texts: pl.Series, needles: list[str]) -> Mask:
    # Lower case first: looking for many literals as they are is many times faster than in any case. U+212A becomes k by itself.
    lowered = texts.str.to_lowercase()
    step = _MOST if len(needles) <= 3 * _MOST else len(needles)
    found: Mask = np.zeros(len(texts), dtype=bool)
    for at in range(0, len(needles), step):
        found |= lowered.str.contains("|".join(map(re.escape, needles[at : at + step]))).to_numpy()
    strange = lowered.str.contains(f"{_LONG_S}|\\\\u").arg_true()
    if len(strange):
        found[strange.filter(texts.gather(strange).str.contains(f"{_LONG_S}|{_ESCAPE}")).to_numpy()] = True
    return found


@lru_cache(maxsize=64)
def _windows(needles: tuple[str, ...]) -> str | None:
    """A pattern of a few short literals in any case, of which each needle holds one; None where that would be many, or likely common ones."""
    left = set(needles)
    spellings: list[str] = []
    while left:
        holders: dict[str, int] = Counter(window for text in left for window in {text[at : at + _WIDTH] for at in range(len(text) - _WIDTH + 1)})
        usual = [window for window in holders if _COMMON.fullmatch(window) is None]
        if not usual:
            return None
        best = min(usual, key=lambda window: (len(_spellings(window)) / holders[window], window))
        spellings += _spellings(best)
        if len(spellings) > _SPELLINGS:
            return None
        left = {text for text in left if best not in text}
    return "|".join(map(re.escape, spellings)) if spellings else None


def _spellings(window: str) -> list[str]:
    return ["".join(spelling) for spelling in product(*(sorted({sign, sign.upper()}) for sign in window))]


def _found_often(texts: pl.Series, pattern: str) -> bool:
    sample = texts.head(_SAMPLE)
    return int(sample.str.contains(f"{pattern}|{_STRANGE}").sum()) * 4 > len(sample)


def _text_may_hold(text: str, needles: Sequence[str]) -> bool:
    lowered = text.lower()
    return any(needle in lowered for needle in needles) or _LONG_S in text or ("\\u" in text and _ESCAPE_PATTERN.search(text) is not None)


def _fewest(needles: Sequence[str]) -> list[str]:
    """The needles without those that hold another one."""
    return list(_fewest_of(tuple(sorted(set(needles)))))


@lru_cache(maxsize=256)
def _fewest_of(needles: tuple[str, ...]) -> tuple[str, ...]:
    """Batches of one plan ask for the same again and again, and there may be thousands."""
    kept: set[str] = set()
    lengths: list[int] = []
    for text in sorted(needles, key=len):
        if any(text[at : at + length] in kept for length in lengths for at in range(len(text) - length + 1)):
            continue
        kept.add(text)
        if not lengths or lengths[-1] != len(text):
            lengths.append(len(text))
    return tuple(sorted(kept))
