"""What a setting may be: from what stands in the file, or in the environment, to a value. ValueError says what is needed instead."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_DURATION = re.compile(r"(\d{1,9})(s|m|h|d|w)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SIZE = re.compile(r"(\d{1,15}) ?(B|KiB|MiB|GiB)", re.IGNORECASE)
_SIZES = {"b": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}
_CRON = re.compile(r"\S+( +\S+){4}")
_FINGERPRINT = re.compile(r"([0-9A-F]{2}:?){31}[0-9A-F]{2}", re.IGNORECASE)

Convert = Callable[[object, Path], object]
"""From a value as TOML gives it, and the folder that relative paths start from."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of setting. ``word`` is what the reference calls it, ``parse`` turns the text of an environment variable into what TOML would give.

    ``secret``: may only be a reference in the file. ``reference``: may be one.
    """

    word: str
    convert: Convert
    parse: Callable[[str], object] = str
    secret: bool = False
    reference: bool = False


def duration_text(value: timedelta) -> str:
    """``value`` as it stands in a configuration: the greatest unit that gives a whole number."""
    seconds = round(value.total_seconds())
    return next(f"{seconds // size}{unit}" for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)) if seconds % size == 0)


def masked(url: str) -> str:
    """``url`` without a password and without anything that stands behind its host."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}/***" if parts.scheme else "***"


def without_password(url: str) -> str:
    """``url`` with its password as stars."""
    return re.sub(r"(?<=://)([^/@:]*):[^/]*@", r"\1:***@", url)


def has_password(url: str) -> bool:
    """Whether ``url`` carries one, in front of its host or among its parameters."""
    return re.search(r"://[^/@:]*:[^/@]+@|[?&](password|passwd|token|api_?key|secret)=.", url, re.IGNORECASE) is not None


def one_of(*words: str) -> Kind:
    """One of ``words``."""

    def convert(value: object, _: Path) -> str:
        if value not in words:
            raise ValueError(f"is one of {', '.join(words)}")
        return str(value)

    return Kind(" · ".join(words), convert)


def _text(value: object, _: Path) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("is a text that is not empty")
    return value


def _texts(value: object, base: Path) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not values or not all(isinstance(each, str) and each.strip() for each in values):
        raise ValueError("is a text or a list of texts")
    return tuple(values)


def _path(value: object, base: Path) -> Path:
    return base / Path(_text(value, base)).expanduser()


def _paths(value: object, base: Path) -> tuple[Path, ...]:
    return () if value == [] else tuple(base / Path(each).expanduser() for each in _texts(value, base))


def _places(value: object, base: Path) -> tuple[str, ...]:
    return tuple(str(base / Path(each).expanduser()) for each in _texts(value, base))


def _pipelines(value: object, base: Path) -> tuple[str, ...]:
    """Names stay names; what looks like a path is one."""
    given = () if value == [] else _texts(value, base)
    return tuple(str(base / Path(each).expanduser()) if "/" in each or each.endswith((".yml", ".yaml")) else each for each in given)


def _state(value: object, base: Path) -> str:
    text = _text(value, base)
    return text if "://" in text else str(base / Path(text).expanduser())


def _duration(value: object, base: Path) -> timedelta:
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    try:
        if match:
            return timedelta(**{_UNITS[match[2]]: int(match[1])})
    except OverflowError:
        pass
    raise ValueError('is a time such as "90s", "15m", "2h", "7d" or "4w"')


def _positive(value: object, base: Path) -> timedelta:
    if not (found := _duration(value, base)):
        raise ValueError("is longer than nothing")
    return found


def _seconds(value: object, base: Path) -> float:
    return _positive(value, base).total_seconds()


def _flag(value: object, _: Path) -> bool:
    if not isinstance(value, bool):
        raise ValueError("is true or false")
    return value


def _count(value: object, _: Path) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError("is a whole number of 1 or more")
    return value


def _size(value: object, base: Path) -> int:
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    found = int(match[1]) * _SIZES[match[2].lower()] if match else value
    try:
        return _count(found, base)
    except ValueError:
        raise ValueError('is a number of bytes, or a size such as "5 MiB"') from None


def _variables(value: object, base: Path) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, dict):
        raise ValueError('is a table such as { admins = ["alice@example.com"] }')
    return {name: _texts(each, base) for name, each in value.items()}


def _command(value: object, base: Path) -> tuple[str, ...]:
    if isinstance(value, str):
        try:
            value = shlex.split(value)
        except ValueError as error:
            raise ValueError(f"cannot be split into words: {error}") from None
    return _texts(value, base)


def _cron(value: object, base: Path) -> str:
    if not _CRON.fullmatch(text := _text(value, base)):
        raise ValueError('has five fields, such as "*/5 * * * *"')
    return text


def _timezone(value: object, base: Path) -> str:
    text = _text(value, base)
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError('is a name of the IANA time zone database, such as "Europe/Berlin"') from None
    return text


def _url(value: object, base: Path) -> str:
    text = _text(value, base)
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is an address that begins with https:// or http://")
    return text


def _urls(value: object, base: Path) -> tuple[str, ...]:
    return tuple(_url(each, base) for each in _texts(value, base))


def _fingerprint(value: object, base: Path) -> str:
    if not _FINGERPRINT.fullmatch(text := _text(value, base)):
        raise ValueError("is the SHA-256 fingerprint of a certificate: 64 hex digits")
    return text


def _split(text: str) -> object:
    return [part.strip() for part in text.split(",") if part.strip()]


def _boolean(text: str) -> object:
    return {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), text)


def _integer(text: str) -> object:
    return int(text) if text.isascii() and text.isdigit() else text


TEXT = Kind("text", _text)
PATH = Kind("path", _path)
PATHS = Kind("path or list of paths", _paths, _split)
PLACES = Kind("path or list of paths, patterns too", _places, _split)
PIPELINES = Kind("name or path, or a list of them", _pipelines, _split)
STATE = Kind("path or URL, or a reference", _state, reference=True)
DURATION = Kind("time", _duration)
POSITIVE = Kind("time", _positive)
SECONDS = Kind("time", _seconds)
FLAG = Kind("true · false", _flag, _boolean)
COUNT = Kind("number", _count, _integer)
SIZE = Kind("size", _size, _integer)
VARIABLES = Kind("table of names and texts", _variables)
COMMAND = Kind("command line", _command)
CRON = Kind("cron line", _cron)
TIMEZONE = Kind("time zone", _timezone)
URL = Kind("address", _url)
ADDRESS = Kind("address, or a reference", _url, reference=True)
URLS = Kind("address or list of addresses", _urls, _split)
FINGERPRINT = Kind("fingerprint", _fingerprint)
SECRET = Kind("reference", _text, secret=True, reference=True)
LEVEL = one_of("informational", "low", "medium", "high", "critical")
