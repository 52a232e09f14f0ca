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

_FOLD_TO_ASCII = {"k": "\u212a", "s": "\u017f"}
_SMALL_SET = 32
"""So many needles the regex engine finds with vector instructions; for more it builds an automaton over each chunk of this size."""


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
    found: Mask = np.zeros(len(texts), dtype=bool)
    for at in range(0, len(distinct), _SMALL_SET):
        found |= texts.str.contains("(?i-u)" + "|".join(map(re.escape, distinct[at : at + _SMALL_SET]))).to_numpy()
    escaped = texts.str.contains("\\u", literal=True).arg_true()
    if len(escaped):
        found[escaped.filter(texts.gather(escaped).str.contains(_ESCAPE)).to_numpy()] = True
    for character, stranger in _FOLD_TO_ASCII.items():
        if any(character in text for text in distinct):
            found |= texts.str.contains(stranger, literal=True).to_numpy()
    return found


def _fewest(needles: Sequence[str]) -> list[str]:
    """The needles without those that hold another one."""
    kept: list[str] = []
    for text in sorted(set(needles), key=lambda text: (len(text), text)):
        if not any(short in text for short in kept):
            kept.append(text)
    return sorted(kept)
