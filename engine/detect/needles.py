r"""Which JSON texts may satisfy a leaf, told from the text alone, before anything is parsed.

A needle is a run of ASCII characters of a pattern that JSON text shows as they are unless an encoder writes them as ``\uXXXX``. A text may be passed
over only if it holds no needle in any case, no such escape of a character a needle can have, and neither U+212A nor U+017F, which fold to k and s.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
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
    # Lower case first: looking for literals as they are is many times faster than looking for them in any case. It turns U+212A into k by itself.
    lowered = texts.str.to_lowercase()
    step = _MOST if len(distinct) <= 3 * _MOST else len(distinct)
    found: Mask = np.zeros(len(texts), dtype=bool)
    for at in range(0, len(distinct), step):
        found |= lowered.str.contains("|".join(map(re.escape, distinct[at : at + step]))).to_numpy()
    strange = lowered.str.contains(f"{_LONG_S}|\\\\u").arg_true()
    if len(strange):
        found[strange.filter(texts.gather(strange).str.contains(f"{_LONG_S}|{_ESCAPE}")).to_numpy()] = True
    return found


def _text_may_hold(text: str, needles: Sequence[str]) -> bool:
    lowered = text.lower()
    return any(needle in lowered for needle in needles) or _LONG_S in text or ("\\u" in text and _ESCAPE_PATTERN.search(text) is not None)


def _fewest(needles: Sequence[str]) -> list[str]:
    """The needles without those that hold another one."""
    kept: list[str] = []
    for text in sorted(set(needles), key=lambda text: (len(text), text)):
        if not any(short in text for short in kept):
            kept.append(text)
    return sorted(kept)
