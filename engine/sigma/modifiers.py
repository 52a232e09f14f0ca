"""Value modifiers: the table from name to pySigma modifier class, with our own class where pySigma's versions disagree or fall short.

Ours: regular expressions (checked for Rust later, not by the engine pySigma happens to use; anchored by startswith / endswith instead of padded with
``.*``), encodings (on bytes, so non-ASCII text and the UTF-16 byte order mark encode right), windash (bounded), ``cased`` (kept on field references).
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, ClassVar, Protocol

from sigma.modifiers import (
    SigmaContainsModifier,
    SigmaEndswithModifier,
    SigmaModifier,
    SigmaStartswithModifier,
    SigmaValueModifier,
    SigmaWindowsDashModifier,
    modifier_mapping,
)
from sigma.types import SigmaCasedString, SigmaExpansion, SigmaFieldReference, SigmaRegularExpression, SigmaString, SigmaType

from engine.errors import RuleError

Modifier = type[SigmaModifier[Any, Any]]


class Pattern(SigmaRegularExpression):
    """A regular expression whose syntax is judged when the tree is built, by the engine that will run it."""

    def compile(self) -> None:
        """Nothing yet: RE2 and Python accept other expressions than Rust does."""

    def surround(self, before: str, after: str) -> Pattern:
        self.regexp = SigmaString(f"{before}(?:{self.regexp}){after}", escape=False)
        return self


@dataclass
class CasedFieldReference(SigmaFieldReference):
    """A comparison with another field that minds the case."""


class EncodedBytes(SigmaType):
    """What wide or utf16… made of a text, on its way into base64."""

    def __init__(self, data: bytes) -> None:
        self.data = data


class RegularExpression(SigmaValueModifier[SigmaString, SigmaRegularExpression]):
    """``re``."""

    def modify(self, val: SigmaString) -> SigmaRegularExpression:
        if self.applied_modifiers:
            raise RuleError("modifier 're' must come first")
        return Pattern(val.original)


Anchored = SigmaString | SigmaRegularExpression | SigmaFieldReference


class Contains(SigmaContainsModifier):
    """``contains``; a regular expression is searched anyway."""

    def modify(self, val: SigmaString | SigmaRegularExpression | SigmaFieldReference) -> Anchored:
        return val if isinstance(val, Pattern) else super().modify(val)


class StartsWith(SigmaStartswithModifier):
    """``startswith``."""

    def modify(self, val: SigmaString | SigmaRegularExpression | SigmaFieldReference) -> Anchored:
        return val.surround(r"\A", "") if isinstance(val, Pattern) else super().modify(val)


class EndsWith(SigmaEndswithModifier):
    """``endswith``."""

    def modify(self, val: SigmaString | SigmaRegularExpression | SigmaFieldReference) -> Anchored:
        return val.surround("", r"\z") if isinstance(val, Pattern) else super().modify(val)


class Cased(SigmaValueModifier[SigmaString | SigmaFieldReference, SigmaString | SigmaFieldReference]):
    """``cased``; always applied last (`ordered`)."""

    def modify(self, val: SigmaString | SigmaFieldReference) -> SigmaString | SigmaFieldReference:
        if isinstance(val, SigmaFieldReference):
            return CasedFieldReference(val.field, val.starts_with, val.ends_with)
        return SigmaCasedString.from_sigma_string(val)


class WindowsDash(SigmaWindowsDashModifier):
    """``windash`` as pySigma expands it, five forms a dash."""

    most_dashes: ClassVar[int] = 3

    def modify(self, val: SigmaString) -> SigmaExpansion:
        dashes = sum(len(re.findall(r"\B[-/]\b", part)) for part in val.s if isinstance(part, str))
        if dashes > self.most_dashes:
            raise RuleError(f"modifier 'windash' expands at most {self.most_dashes} dashes in a value, {str(val)!r} has {dashes}; split the value")
        return super().modify(val)


class _Encoding(SigmaValueModifier[SigmaString, SigmaType]):
    """A UTF-16 form: bytes for a base64 that follows, else the text those bytes spell, which exists for ASCII only."""

    name: ClassVar[str]
    codec: ClassVar[str]
    mark: ClassVar[bytes] = b""

    def modify(self, val: SigmaString) -> SigmaType:
        if any(later in (Base64, Base64Offset) for later in self.detection_item.modifiers):
            return EncodedBytes(self.mark + _literal(val, self.name).encode(self.codec))
        encoded = SigmaString()
        encoded.s = ["\ufeff"] if self.mark else []
        for part in val.s:
            if isinstance(part, str):
                if not part.isascii():
                    raise RuleError(f"modifier {self.name!r} without base64 takes ASCII text only, not {part!r}")
                encoded.s.append(part.encode(self.codec).decode())
            else:
                encoded.s.append(part)
        return encoded


class Wide(_Encoding):
    """``wide`` and ``utf16le``."""

    name = "wide"
    codec = "utf-16le"


class Utf16BigEndian(_Encoding):
    """``utf16be``."""

    name = "utf16be"
    codec = "utf-16be"


class Utf16(_Encoding):
    """``utf16``: little endian behind a byte order mark."""

    name = "utf16"
    codec = "utf-16le"
    mark = b"\xff\xfe"


class Base64(SigmaValueModifier[SigmaString | EncodedBytes, SigmaString]):
    """``base64``, padding kept."""

    def modify(self, val: SigmaString | EncodedBytes) -> SigmaString:
        return SigmaString(b64encode(_bytes(val, "base64")).decode())


class Base64Offset(SigmaValueModifier[SigmaString | EncodedBytes, SigmaExpansion]):
    """``base64offset``: what is certain of the encoding when 0, 1 or 2 unknown bytes stand before the text and any after it."""

    def modify(self, val: SigmaString | EncodedBytes) -> SigmaExpansion:
        data = _bytes(val, "base64offset")
        if len(data) < 2:
            raise RuleError("modifier 'base64offset' needs two bytes at least: one alone leaves nothing certain to look for")
        variants: list[SigmaType] = []
        for offset in range(3):
            begin = (0, 2, 3)[offset]
            end = (None, -3, -2)[(len(data) + offset) % 3]
            variants.append(SigmaString(b64encode(b" " * offset + data)[begin:end].decode()))
        return SigmaExpansion(variants)


class _Text(Protocol):
    s: list[Any]


def _literal(val: _Text, modifier: str) -> str:
    if not all(isinstance(part, str) for part in val.s):
        raise RuleError(f"modifier {modifier!r} cannot encode wildcards; escape them as \\* or \\?")
    return "".join(val.s)


def _bytes(val: SigmaString | EncodedBytes, modifier: str) -> bytes:
    data = val.data if isinstance(val, EncodedBytes) else _literal(val, modifier).encode()
    if not data:
        raise RuleError(f"modifier {modifier!r} has nothing to encode")
    return data


MODIFIERS: dict[str, Modifier] = {
    **modifier_mapping,
    "re": RegularExpression,
    "contains": Contains,
    "startswith": StartsWith,
    "endswith": EndsWith,
    "cased": Cased,
    "windash": WindowsDash,
    "wide": Wide,
    "utf16le": Wide,
    "utf16be": Utf16BigEndian,
    "utf16": Utf16,
    "base64": Base64,
    "base64offset": Base64Offset,
}

NUMERIC = frozenset({"lt", "lte", "gt", "gte", "minute", "hour", "day", "week", "month", "year"})
"""Modifiers whose values are numbers; numeric text will do."""

ANY_VALUE = frozenset({"all", "neq", "exists"})
"""Modifiers that leave values as they are; the rest work on text."""


def ordered(names: Sequence[str]) -> list[Modifier]:
    """The classes for the modifiers of one field, ``cased`` moved to the end, where it still knows what it compares. Raises RuleError."""
    for name in names:
        if name not in MODIFIERS:
            near = get_close_matches(name.lower(), MODIFIERS, n=1)
            raise RuleError(f"unknown modifier {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    return [MODIFIERS[name] for name in sorted(names, key=lambda name: name == "cased")]
