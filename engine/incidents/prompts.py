"""The cluster of a prompt: texts that say nearly the same share a key."""

from __future__ import annotations

import re
from hashlib import blake2b

LEAST = 12
"""Words of a text that nobody comes upon by chance; shorter ones are in no cluster."""
READ = 20_000
"""Characters of a text that are looked at."""
WORDS = 4
"""Words of a piece; two texts are as near as the share of pieces they have in common."""
BANDS, ROWS = 2, 3
"""A key for each band, made of the least hash of ``ROWS`` ways to hash all pieces: texts nearly alike share one, texts half alike seldom do."""

_WORD = re.compile(r"[^\W\d_]{2,}")


def clusters(text: str) -> list[str]:
    """The keys of ``text``, alike for texts that differ in numbers, signs, case, or a word here and there; none for a short one.

    A key is a hash of pieces of the text: neither words nor credentials in it can be read from it.
    """
    words = _WORD.findall(text[:READ].lower())
    if len(words) < LEAST:
        return []
    pieces = {" ".join(words[start : start + WORDS]) for start in range(len(words) - WORDS + 1)}
    hashes = [blake2b(piece.encode(errors="replace"), digest_size=8 * BANDS * ROWS).digest() for piece in pieces]
    least = [min(each[8 * row : 8 * row + 8] for each in hashes) for row in range(BANDS * ROWS)]
    return [blake2b(b"".join(least[ROWS * band : ROWS * (band + 1)]), digest_size=12, salt=bytes([band])).hexdigest() for band in range(BANDS)]
