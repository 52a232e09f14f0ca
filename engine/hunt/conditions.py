"""Predicates as SQL over the elements of a field (see `engine.hunt.macros`). Every condition is true or false, never null."""

from __future__ import annotations

import math
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from engine.detect.values import number
from engine.errors import UnsupportedFeature
from engine.hunt.regex import translate
from engine.sigma.folding import fold
from engine.sigma.tree import (
    Boolean,
    Cidr,
    Compare,
    Comparison,
    Exists,
    Null,
    Number,
    Predicate,
    Regex,
    SameAs,
    Text,
    TimePart,
    Wildcard,
)

_SIGNS = {Comparison.LT: "<", Comparison.LTE: "<=", Comparison.GT: ">", Comparison.GTE: ">=", Comparison.EQ: "="}
_LARGEST = 10**37
"""DuckDB's integers end soon after."""

_SCALAR = "left(e, 1) in ('s', 'n', 'b')"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a query has the elements of a field: the columns with the elements as they are and folded. ``is_float``: their text is not the scan's."""

    plain: str
    folded: str
    is_float: bool = False


def quote(text: str) -> str:
    """A SQL string. NUL, which no SQL text may hold, is spelled out."""
    parts = ["'" + part.replace("'", "''") + "'" for part in text.split("\0")]
    return parts[0] if len(parts) == 1 else f"({' || chr(0) || '.join(parts)})"


def condition(place: Place, predicate: Predicate, other: Place | None = None) -> str:
    """SQL that says whether the field at ``place`` satisfies ``predicate``; ``other`` is where the field of a `SameAs` stands.

    Raises UnsupportedFeature naming what DuckDB cannot decide as the kernel does.
    """
    match predicate:
        case Null():
            return f"({place.plain} is null or list_contains({place.plain}, 'z'))"
        case Exists(expected):
            return f"({place.plain} is {'not ' if expected else ''}null)"
        case Text():
            return _text(place, predicate)
        case Boolean(value):
            return _text(place, Text(("true" if value else "false",)))
        case Number(value):
            return _some(place.plain, _compared(Comparison.EQ, value))
        case Compare(operator, value):
            return _some(place.plain, _compared(operator, value))
        case Regex(pattern):
            _has_text(place, "a regular expression")
            return _some(place.plain, f"e <> 'z' and {_matches(pattern)}")
        case Cidr(network):
            return _some(place.plain, f"left(e, 1) = 's' and {_inside(network)}")
        case TimePart(unit, operator, value):
            return _some(place.plain, f"coalesce(date_part('{unit.value}', cw_moment(e)) {_SIGNS[operator]} {_double(value)}, false)")
        case SameAs() if other is not None:
            return _same(place, other, predicate)
        case _:
            raise UnsupportedFeature(f"SQL cannot express {predicate}")


def _matches(pattern: str) -> str:
    strict, loose = translate(pattern)
    if loose is None:
        return f"regexp_matches(substring(e, 2), {quote(strict)})"
    return f"cw_bounded(substring(e, 2), {quote(strict)}, {quote(loose)})"


def _some(column: str, test: str) -> str:
    return f"coalesce(len(list_filter({column}, lambda e: {test})) > 0, false)"


def _has_text(place: Place, what: str) -> None:
    if place.is_float:
        raise UnsupportedFeature(f"SQL cannot compare the text of a decimal column as a scan does; {what} is one")


def _text(place: Place, predicate: Text) -> str:
    column = place.plain if predicate.cased else place.folded
    parts = [part if isinstance(part, Wildcard) or predicate.cased else fold(part) for part in predicate.parts]
    if not any(isinstance(part, Wildcard) for part in parts):
        literal = "".join(parts)
        equal = f"coalesce(list_has_any({column}, [{', '.join(quote(kind + literal) for kind in 'snb')}]), false)"
        value = number(fold(literal))
        if value is None:
            return equal
        same_number = _some(place.plain, f"left(e, 1) = 'n' and {_compared(Comparison.EQ, value)}")
        return f"({equal} or {same_number})"
    _has_text(place, "a pattern")
    on_objects = Wildcard.ANY in (predicate.parts[0], predicate.parts[-1])
    kinds = "e <> 'z'" if on_objects else _SCALAR
    return _some(column, f"{kinds} and {_like('substring(e, 2)', parts)}")


def _like(text: str, parts: list[str | Wildcard]) -> str:
    literals = [part for part in parts if not isinstance(part, Wildcard)]
    if Wildcard.ONE not in parts and parts[0] is parts[-1] is Wildcard.ANY and len(literals) == 1 and len(parts) == 3:
        return f"contains({text}, {quote(literals[0])})"
    marks = {Wildcard.ANY: "%", Wildcard.ONE: "_"}
    pattern = "".join(
        marks[part] if isinstance(part, Wildcard) else part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") for part in parts
    )
    return f"{text} like {quote(pattern)} escape '\\'"


def _double(value: int | float) -> str:
    return f"cast('{float(value)!r}' as double)"


def _compared(operator: Comparison, value: int | float) -> str:
    """Whole and other numbers apart, so that neither is ever rounded to the other."""
    if not math.isfinite(value) or abs(value) >= _LARGEST:
        raise UnsupportedFeature(f"SQL cannot compare with the number {value} as a scan does")
    return f"coalesce({_whole(operator, value)} or {_real(operator, value)}, false)"


def _whole(operator: Comparison, value: int | float) -> str:
    down, up = math.floor(value), math.ceil(value)
    if operator is Comparison.EQ:
        return f"cw_whole(e) = {down}" if down == up else "false"
    bound = {Comparison.LT: up - 1, Comparison.LTE: down, Comparison.GT: down + 1, Comparison.GTE: up}[operator]
    return f"cw_whole(e) {'<=' if operator in (Comparison.LT, Comparison.LTE) else '>='} cast('{bound}' as hugeint)"


def _real(operator: Comparison, value: int | float) -> str:
    near = float(value)
    if near == value:
        return f"cw_real(e) {_SIGNS[operator]} {_double(value)}"
    if operator is Comparison.EQ:
        return "false"
    if operator in (Comparison.LT, Comparison.LTE):
        return f"cw_real(e) <= {_double(near if near < value else math.nextafter(near, -math.inf))}"
    return f"cw_real(e) >= {_double(near if near > value else math.nextafter(near, math.inf))}"


def _inside(network: IPv4Network | IPv6Network) -> str:
    macro = "cw_ip4" if network.version == 4 else "cw_ip6"
    digits = network.network_address.packed.hex()
    full, rest = divmod(network.prefixlen, 4)
    text = f"{macro}(substring(e, 2))"
    tests = [f"starts_with({text}, '{digits[:full]}')"]
    if rest:
        first = int(digits[full], 16)
        allowed = ", ".join(f"'{first + step:x}'" for step in range(1 << (4 - rest)))
        tests.append(f"substring({text}, {full + 1}, 1) in ({allowed})")
    return f"coalesce({' and '.join(tests)}, false)"


def _same(place: Place, other: Place, same: SameAs) -> str:
    for each in (place, other):
        _has_text(each, "a field reference")
    left, right = (place.plain, other.plain) if same.cased else (place.folded, other.folded)
    one, part = "substring(e, 2)", "substring(o, 2)"
    if same.starts and same.ends:
        test = f"contains({one}, {part})"
    elif same.starts:
        test = f"starts_with({one}, {part})"
    elif same.ends:
        test = f"ends_with({one}, {part})"
    else:
        test = f"({one} = {part} or cw_equal(e, o))"
    inner = f"len(list_filter({right}, lambda o: left(o, 1) in ('s', 'n', 'b') and {test})) > 0"
    return _some(left, f"{_SCALAR} and coalesce({inner}, false)")
