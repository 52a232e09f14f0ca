"""Value functions that mapping files name with ``as:``, and the conversions to column types.

Each takes plain JSON values and returns a plain value, None for "no value". A value of the wrong type gives None, never an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import orjson

from engine import jsontext

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EMPTY_TEXT = frozenset(("", "-", "null"))


def is_empty(value: Any) -> bool:
    """Whether ``value`` is one of the ways providers write "no value": missing, null, "", "-", "null", {}, []."""
    return value is None or (isinstance(value, str) and value.strip() in _EMPTY_TEXT) or (isinstance(value, (dict, list)) and not value)


@dataclass(frozen=True, slots=True)
class Then:
    """A value function that goes on where ``first`` ends: columns that share paths and ``first`` share what it gives, which nobody may change."""

    first: Callable[..., Any]
    rest: Callable[[Any], Any]

    def __call__(self, *inputs: Any) -> Any:
        return self.rest(self.first(*inputs))


def text(value: Any) -> str | None:
    """``value`` as text: numbers and booleans by their JSON text, objects and lists as compact JSON."""
    if value is None:
        return None
    if isinstance(value, str):
        return value or None
    return _compact(value)


def json_text(value: Any) -> str | None:
    """Compact JSON text of an object or list; a string that holds one is opened first; other text stays as it is."""
    if isinstance(value, str):
        return value or None
    return None if value is None else _compact(value)


def _compact(value: Any) -> str:
    """`jsontext.dump`, at once where nothing in ``value`` is beyond plain JSON."""
    try:
        return orjson.dumps(value, option=orjson.OPT_PASSTHROUGH_SUBCLASS).decode()
    except TypeError:
        return jsontext.dump(value)


def integer(value: Any) -> int | None:
    """An integer, from a number or its text, within 64 bits."""
    if isinstance(value, bool):
        return int(value)
    try:
        number = int(value) if isinstance(value, (int, float)) or re.fullmatch(r"\s*[-+]?\d{1,20}\s*", value) else int(float(value))
    except (TypeError, ValueError, OverflowError):
        return None
    return number if -(2**63) <= number < 2**63 else None


def number(value: Any) -> float | None:
    """A finite number, from a number or its text."""
    if isinstance(value, bool):
        return None
    try:
        result = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return result if result - result == 0 else None


def boolean(value: Any) -> bool | None:
    """True or false, also from their text, ``1`` and ``0``."""
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False, "1": True, "0": False}.get(str(value).strip().lower())


def texts(value: Any) -> list[str] | None:
    """A flat list of texts from a scalar or a list; empty parts are left out; None rather than an empty list."""
    if isinstance(value, list):
        for item in value:
            if not isinstance(item, str):
                break
        else:
            return [item for item in value if item.strip() not in _EMPTY_TEXT] or None
    found: list[str] = []
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack.extend(reversed(item))
        elif not is_empty(item):
            found.append(text(item) or "")
    return found or None


_ISO = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})(?:[T ]\s*(\d{2}):\s*(\d{2})(?::\s*(\d{2})(?:[.,](\d{1,12}))?)?)?\s*(Z|z|UTC|[+-]\d{2}:?(?:\d{2})?)?", re.ASCII
)
_US = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4}) (\d{1,2}):(\d{2}):(\d{2})(?:\.(\d{1,12}))?(?: ([AaPp][Mm]))?(?: ?(Z|[+-]\d{2}:?\d{2}))?", re.ASCII)


def micros(value: Any) -> int | None:
    """Microseconds since the epoch (UTC) of a time: RFC 3339 with up to 12 fraction digits and without zone (then UTC), a space for ``T``,
    ``MM/DD/YYYY hh:mm:ss``, or a number of seconds, milliseconds, microseconds or nanoseconds, told apart by magnitude.
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, (int, float)):
        return _epoch_micros(value)
    if not isinstance(value, str):
        return None
    stripped = value.strip()
    if match := _ISO.fullmatch(stripped):
        year, month, day, hour, minute, second, fraction, zone = match.groups()
    elif match := _US.fullmatch(stripped):
        month, day, year, hour, minute, second, fraction, half, zone = match.groups()
        if half:
            hour = str(int(hour) % 12 + (12 if half.lower() == "pm" else 0))
    elif re.fullmatch(r"\d{9,20}(\.\d+)?", stripped, re.ASCII):
        return _epoch_micros(int(stripped) if "." not in stripped else float(stripped))
    else:
        return None
    try:
        moment = datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), min(int(second or 0), 59), tzinfo=UTC)
    except ValueError:
        return None
    whole = (moment - _EPOCH) // timedelta(microseconds=1)
    leap = 1_000_000 if second == "60" else 0
    return whole + leap + (int(fraction[:6].ljust(6, "0")) if fraction else 0) - _offset_micros(zone)


def _offset_micros(zone: str | None) -> int:
    if zone is None or zone in ("Z", "z", "UTC"):
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    minutes = int(digits[:2]) * 60 + int(digits[2:4])
    return (-minutes if zone[0] == "-" else minutes) * 60_000_000


def _epoch_micros(value: float) -> int | None:
    if value != value or value <= 0:
        return None
    for limit, unit in ((1e11, 1e6), (1e14, 1e3), (1e17, 1.0), (1e20, 1e-3)):
        if value < limit:
            if isinstance(value, int):
                return value * int(unit) if unit >= 1 else value // 1000
            return round(value * unit)
    return None


_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
USUAL_IP = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
"""IPv4 addresses in the only spelling `ip` gives."""
_USUAL_IP = re.compile(USUAL_IP)


def ip(value: Any) -> str | None:
    """A valid IP address, without port, brackets or zone; None for anything else."""
    if not isinstance(value, str):
        return None
    if _USUAL_IP.fullmatch(value):
        return value
    candidate = value.strip().split(",")[0].strip()
    if candidate.startswith("["):
        candidate = candidate[1:].split("]")[0]
    elif candidate.count(":") == 1:
        candidate = candidate.split(":")[0]
    try:
        return str(ip_address(candidate.split("%")[0]))
    except ValueError:
        return None


def domain(value: Any) -> str | None:
    """A caller that is no IP address: a service name, a masked address."""
    if not isinstance(value, str) or is_empty(value) or ip(value) is not None:
        return None
    return value.strip()


def port(value: Any) -> int | None:
    """The port behind an address (``203.0.113.7:443``, ``[2001:db8::1]:443``)."""
    if not isinstance(value, str):
        return None
    match = re.fullmatch(r"(?:\[[^\]]*\]|[^:]*):(\d{1,5})", value.strip(), re.ASCII)
    return int(match[1]) if match and int(match[1]) < 65536 else None


def at_home(name: str) -> str | None:
    """The address at home that the UPN of a guest is made of (``ann_example.com#EXT#@tenant…``); None for any other name."""
    local, mark, _ = name.lower().partition("#ext#")
    user, _, domain = local.rpartition("_")
    return f"{user}@{domain}" if mark and user and "." in domain else None


def email(value: Any) -> str | None:
    """The e-mail address or UPN, lower-cased, where ``value`` looks like one; of a guest the one at home."""
    if not isinstance(value, str):
        return None
    stripped = at_home(value.strip()) or value.strip()
    return stripped.lower() if re.fullmatch(r"[^@\s/:]+@[^@\s/:]+\.[^@\s/:]+", stripped) else None


def last_segment(value: Any) -> str | None:
    """What stands after the last ``/`` of a path or id."""
    if not isinstance(value, str):
        return None
    return value.rstrip("/").rsplit("/", 1)[-1] or None


def last_segments(value: Any) -> list[str] | None:
    """`last_segment` of each text of a list."""
    return texts([last_segment(item) for item in texts(value) or []])


def lower(value: Any) -> str | None:
    """Lower-case text."""
    return value.lower() if isinstance(value, str) and value else None


def first(value: Any) -> Any:
    """The first element of a list that holds a value, or the scalar itself."""
    if isinstance(value, list):
        return next((item for item in value if not is_empty(item)), None)
    return value


def milliseconds(value: Any) -> float | None:
    """Seconds as milliseconds."""
    seconds = number(value)
    return None if seconds is None else round(seconds * 1000, 3)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "boolean": boolean,
    "domain": domain,
    "email": email,
    "first": first,
    "integer": integer,
    "ip": ip,
    "json": json_text,
    "last_segment": last_segment,
    "last_segments": last_segments,
    "lower": lower,
    "milliseconds": milliseconds,
    "port": port,
    "text": text,
    "texts": texts,
}

CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "string": text,
    "int": integer,
    "float": number,
    "bool": boolean,
    "time": micros,
    "list": texts,
    "json": json_text,
}
"""Column kind → conversion of a plain value; times become microseconds."""
