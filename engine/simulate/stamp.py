"""Records in bulk: a record made once by its native maker becomes a template, and is stamped out with new times and ids.

Making a record of nested objects costs fifty times as much as filling in a text, and benign life is mostly repetition.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from typing import Any

import orjson

_SLOT = re.compile(r'"\\u0002=(\w+)\\u0003"|\\u0002(\w+)\\u0003')


def slot(name: str) -> str:
    """A place inside a text that a template fills with ``name``. What goes in must need no escapes in JSON."""
    return f"\x02{name}\x03"


def place(name: str) -> Any:
    """A place for a whole JSON value, given as JSON text."""
    return f"\x02={name}\x03"


class Template:
    """One kind of record, with slots."""

    def __init__(self, record: Mapping[str, Any], *, volatile: Mapping[str, str] | None = None) -> None:
        """``volatile`` names texts of a finished record that become slots: slot → text."""
        text = orjson.dumps(record).decode().replace("%", "%%")
        for name, old in (volatile or {}).items():
            text = text.replace(old, f"%({name})s")
        self.format = _SLOT.sub(lambda found: f"%({found[1] or found[2]})s", text)

    def stamp(self, values: Mapping[str, str]) -> bytes:
        """The record as JSON with its slots filled."""
        return (self.format % values).encode()


class Draw:
    """Ids in bulk from one generator."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self._hex = ""
        self._at = 0

    def hexes(self, digits: int) -> str:
        """``digits`` lower-case hexadecimal digits."""
        if self._at + digits > len(self._hex):
            self._hex, self._at = self.rng.randbytes(1 << 15).hex(), 0
        start = self._at
        self._at += digits
        return self._hex[start : self._at]

    def guid(self) -> str:
        """A version 4 GUID."""
        h = self.hexes(30)
        return f"{h[:8]}-{h[8:12]}-4{h[12:15]}-a{h[15:18]}-{h[18:]}"
