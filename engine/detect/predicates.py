"""What a leaf asks of one element: the exact test, whatever finds the candidates.

A matcher picks from elements those that satisfy a predicate. Null and Exists ask about the cell, SameAs about two fields: they are not here.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any, Protocol

import numpy as np
import polars as pl

from engine.detect.values import Kind, moment, number
from engine.sigma.folding import fold, fold_series
from engine.sigma.tree import Before, Boolean, Cidr, Compare, Comparison, Leaf, Number, Regex, Text, TimePart, TimeUnit, Wildcard

_COMPARE: dict[Comparison, Callable[[Any, Any], bool]] = {
    Comparison.LT: operator.lt,
    Comparison.LTE: operator.le,
    Comparison.GT: operator.gt,
    Comparison.GTE: operator.ge,
    Comparison.EQ: operator.eq,
}
_UNITS: dict[TimeUnit, Callable[[datetime], int]] = {
    TimeUnit.MINUTE: lambda at: at.minute,
    TimeUnit.HOUR: lambda at: at.hour,
    TimeUnit.DAY: lambda at: at.day,
    TimeUnit.WEEK: lambda at: at.isocalendar().week,
    TimeUnit.MONTH: lambda at: at.month,
    TimeUnit.YEAR: lambda at: at.year,
}


class Elements:
    """Elements of several cells side by side: kind, text, folded text. Of a Series, lists are made only when elements are looked at one by one."""

    def __init__(self, kinds: np.ndarray[Any, np.dtype[np.uint8]], texts: pl.Series | list[str]) -> None:
        self._kinds = kinds
        self._given = texts

    def __len__(self) -> int:
        return len(self._kinds)

    @cached_property
    def kinds(self) -> list[int]:
        kinds: list[int] = self._kinds.tolist()
        return kinds

    @cached_property
    def texts(self) -> list[str]:
        return self._given if isinstance(self._given, list) else self._given.to_list()

    @cached_property
    def folded(self) -> list[str]:
        return [fold(text) for text in self._given] if isinstance(self._given, list) else self.folded_series.to_list()

    @cached_property
    def series(self) -> pl.Series:
        return pl.Series(self._given, dtype=pl.String) if isinstance(self._given, list) else self._given

    @cached_property
    def folded_series(self) -> pl.Series:
        return fold_series(self.series) if isinstance(self._given, pl.Series) else pl.Series(self.folded, dtype=pl.String)

    @property
    def is_listed(self) -> bool:
        """Whether looking at them one by one costs nothing more."""
        return isinstance(self._given, list)


class Matcher(Protocol):
    """The exact test of one predicate."""

    def pick(self, elements: Elements, among: Sequence[int]) -> list[int]:
        """Those of the positions ``among`` whose element satisfies the predicate."""
        ...


@dataclass(frozen=True)
class TextMatcher:
    """Text with or without wildcards. Segments between ``*`` are found leftmost one after the other: no pattern backtracks."""

    predicate: Text
    head: str | re.Pattern[str] | None = field(init=False)
    middle: tuple[str | re.Pattern[str], ...] = field(init=False)
    tail: str | re.Pattern[str] | None = field(init=False)
    on_objects: bool = field(init=False)
    exact: str | None = field(init=False)
    """Without wildcards: the whole text, folded."""
    literal: str = field(init=False)
    """The longest literal, folded; the text of every match holds it."""

    def __post_init__(self) -> None:
        segments = _segments(self.predicate)
        plain = [_searchable(segment) for segment in segments]
        object.__setattr__(self, "head", plain[0])
        object.__setattr__(self, "tail", plain[-1] if len(plain) > 1 else None)
        object.__setattr__(self, "middle", tuple(part for part in plain[1:-1] if part != ""))
        parts = self.predicate.parts
        object.__setattr__(self, "on_objects", bool(parts) and Wildcard.ANY in (parts[0], parts[-1]))
        literals = [fold(part) for part in parts if not isinstance(part, Wildcard)]
        object.__setattr__(self, "exact", "".join(literals) if len(literals) == len(parts) else None)
        object.__setattr__(self, "literal", max(literals, key=len, default=""))

    @property
    def is_contains(self) -> bool:
        """Whether finding `literal` anywhere in the folded text is the whole test."""
        return self.head == "" and self.tail == "" and self.middle == (self.literal,) and not self.predicate.cased

    def pick(self, elements: Elements, among: Sequence[int]) -> list[int]:
        texts = elements.texts if self.predicate.cased else elements.folded
        kinds, found = elements.kinds, self._found
        if self.on_objects:
            return [at for at in among if found(texts[at])]
        exact = None if self.exact is None else number(self.exact)
        return [
            at
            for at in among
            if kinds[at] != Kind.OBJECT and (found(texts[at]) or (exact is not None and kinds[at] == Kind.NUMBER and number(texts[at]) == exact))
        ]

    def _found(self, text: str) -> bool:
        head, tail = self.head, self.tail
        if tail is None:
            return text == head if isinstance(head, str) else head is not None and head.fullmatch(text) is not None
        position = 0
        if isinstance(head, str):
            if not text.startswith(head):
                return False
            position = len(head)
        elif head is not None:
            match = head.match(text)
            if match is None:
                return False
            position = match.end()
        for segment in self.middle:
            if isinstance(segment, str):
                at = text.find(segment, position)
                if at < 0:
                    return False
                position = at + len(segment)
            else:
                match = segment.search(text, position)
                if match is None:
                    return False
                position = match.end()
        if isinstance(tail, str):
            return len(text) - len(tail) >= position and text.endswith(tail)
        width = self._tail_width()
        return len(text) - width >= position and tail.fullmatch(text, len(text) - width) is not None

    def _tail_width(self) -> int:
        return sum(1 if part is Wildcard.ONE else len(part) for part in _segments(self.predicate)[-1])


def _segments(predicate: Text) -> list[list[str | Wildcard]]:
    segments: list[list[str | Wildcard]] = [[]]
    for part in predicate.parts:
        if part is Wildcard.ANY:
            segments.append([])
        elif isinstance(part, Wildcard) or predicate.cased:
            segments[-1].append(part)
        else:
            segments[-1].append(fold(part))
    return segments


def _searchable(segment: list[str | Wildcard]) -> str | re.Pattern[str]:
    if not any(isinstance(part, Wildcard) for part in segment):
        return "".join(segment)
    return re.compile("".join("." if isinstance(part, Wildcard) else re.escape(part) for part in segment), re.DOTALL)


@dataclass(frozen=True, slots=True)
class NumberMatcher:
    """A JSON number of equal value, or a string that reads as one."""

    predicate: Number

    def pick(self, elements: Elements, among: Sequence[int]) -> list[int]:
        wanted = self.predicate.value
        return [at for at in among if elements.kinds[at] <= Kind.NUMBER and number(elements.texts[at]) == wanted]


@dataclass(frozen=True, slots=True)
class CompareMatcher:
    """A JSON number, or a string that reads as one, compared."""

    predicate: Compare

    def pick(self, elements: Elements, among: Sequence[int]) -> list[int]:
        compare, limit = _COMPARE[self.predicate.operator], self.predicate.number
        read = ((at, number(elements.texts[at])) for at in among if elements.kinds[at] <= Kind.NUMBER)
        return [at for at, value in read if value is not None and compare(value, limit)]


@dataclass(frozen=True, slots=True)
class TimeMatcher:
    """A part of a moment compared."""

    predicate: TimePart

    def pick(self, elements: Elements, among: Sequence[int]) -> list[int]:
        compare, limit, unit = _COMPARE[self.predicate.operator], self.predicate.number, _UNITS[self.predicate.unit]
        read = ((at, moment(elements.texts[at])) for at in among if elements.kinds[at] <= Kind.NUMBER)
        return [at for at, value in read if value is not None and compare(unit(value), limit)]


@dataclass(frozen=True, slots=True)
class BeforeMatcher:
    """A moment before another."""

    instant: datetime

    def pick(self, elements: Elements, among: Sequence[int]) -> list[int]:
        read = ((at, moment(elements.texts[at])) for at in among if elements.kinds[at] <= Kind.NUMBER)
        return [at for at, value in read if value is not None and value < self.instant]


@dataclass(frozen=True, slots=True)
class CidrMatcher:
    """An address inside a network."""

    network: IPv4Network | IPv6Network

    def pick(self, elements: Elements, among: Sequence[int]) -> list[int]:
        return [at for at in among if elements.kinds[at] == Kind.STRING and self._inside(elements.texts[at])]

    def _inside(self, text: str) -> bool:
        try:
            return ip_address(text) in self.network
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class RegexMatcher:
    """A pattern in Rust syntax found anywhere in the text, an object's compact text included."""

    pattern: str

    def pick(self, elements: Elements, among: Sequence[int]) -> list[int]:
        whole = len(among) == len(elements)
        texts = elements.series if whole else elements.series.gather(list(among))
        return [among[at] for at in texts.str.contains(self.pattern).arg_true().to_list()]


def matcher(leaf: Leaf) -> Matcher | None:
    """The matcher of a leaf; None for those that ask about the cell (Null, Exists) or two fields (SameAs)."""
    match leaf.predicate:
        case Text() as text:
            return TextMatcher(text)
        case Boolean(value):
            # A boolean's text is true or false, so comparing text folded is exactly "this boolean or its name in any case".
            return TextMatcher(Text(("true" if value else "false",)))
        case Number() as wanted:
            return NumberMatcher(wanted)
        case Compare() as wanted:
            return CompareMatcher(wanted)
        case TimePart() as wanted:
            return TimeMatcher(wanted)
        case Before(instant):
            return BeforeMatcher(instant)
        case Cidr(network):
            return CidrMatcher(network)
        case Regex(pattern):
            return RegexMatcher(pattern)
        case _:
            return None
