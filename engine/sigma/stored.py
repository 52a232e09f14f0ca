"""A `RuleSet` as JSON text and back, equal to the last bit.

Reading builds nothing but the dataclasses, enums and errors named here: an entry that somebody else wrote can hold wrong rules, but run nothing.
Every value that is no text, number, boolean or null is a list that begins with a tag.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from ipaddress import IPv4Network, IPv6Network
from types import ModuleType
from typing import Any

from engine import errors
from engine.sigma import ruleset, tree
from engine.sigma.ruleset import RuleSet

_PLAIN = frozenset((str, int, float, bool, type(None)))


def _named(module: ModuleType, base: Callable[[type], bool]) -> dict[str, type]:
    return {name: each for name, each in vars(module).items() if isinstance(each, type) and each.__module__ == module.__name__ and base(each)}


_DATACLASSES: dict[str, type] = _named(tree, is_dataclass) | _named(ruleset, is_dataclass)
_ENUMS: dict[str, type] = _named(tree, lambda each: issubclass(each, Enum))
_ERRORS: dict[str, type] = _named(errors, lambda each: issubclass(each, errors.RuleError))
_NAMES = {each: name for known in (_DATACLASSES, _ENUMS, _ERRORS) for name, each in known.items()}
_FIELDS = {each: tuple(field.name for field in fields(each)) for each in _DATACLASSES.values()}


def encode(value: RuleSet) -> bytes:
    """The set as JSON text. Raises TypeError for a value of a type that could not be read back equal."""
    return json.dumps(_encode(value), separators=(",", ":")).encode()


def decode(data: bytes) -> RuleSet:
    """The set that `encode` wrote. Raises ValueError for anything else."""
    collects = gc.isenabled()
    gc.disable()  # of all these objects none is garbage: to look for it took a third of the time
    try:
        found = _decode(json.loads(data))
    except (TypeError, KeyError, IndexError, AttributeError, ArithmeticError, RecursionError) as error:
        raise ValueError(f"no stored rules: {error}") from error
    finally:
        if collects:
            gc.enable()
    if not isinstance(found, RuleSet):
        raise ValueError("no stored rules")
    return found


def _encode(value: Any) -> Any:
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is tuple:
        return ["()", *map(_encode, value)]
    if kind in _FIELDS:
        return [_NAMES[kind], *(_encode(getattr(value, name)) for name in _FIELDS[kind])]
    if kind in _NAMES and isinstance(value, Enum):
        return [_NAMES[kind], value.value]
    if kind in _NAMES and isinstance(value, errors.RuleError):
        return [_NAMES[kind], value.message, value.rule, value.path, value.line]
    if kind is list:
        return ["[]", *map(_encode, value)]
    if kind is dict:
        return ["{}", *(part for item in value.items() for part in map(_encode, item))]
    if kind is IPv4Network or kind is IPv6Network:
        return ["network", str(value)]
    if kind is timedelta:
        return ["timedelta", value.days, value.seconds, value.microseconds]
    if kind is datetime or kind is date:
        return [kind.__name__, value.isoformat()]
    raise TypeError(f"{kind.__name__} cannot be stored")


def _decode(value: Any) -> Any:
    return _READ[value[0]](value) if type(value) is list else value


def _tuple(value: list[Any]) -> tuple[Any, ...]:
    return tuple([_READ[item[0]](item) if type(item) is list else item for item in value[1:]])


def _dict(value: list[Any]) -> dict[Any, Any]:
    parts = iter(_tuple(value))
    return dict(zip(parts, parts, strict=True))


def _network(value: list[Any]) -> IPv4Network | IPv6Network:
    return IPv6Network(value[1]) if ":" in value[1] else IPv4Network(value[1])


def _dataclass(kind: type) -> Callable[[list[Any]], Any]:
    count = len(_FIELDS[kind]) + 1

    def read(value: list[Any]) -> Any:
        if len(value) != count:
            raise ValueError(f"{kind.__name__} has other fields")
        return kind(*_tuple(value))

    return read


def _enum(kind: type) -> Callable[[list[Any]], Any]:
    return lambda value: kind(value[1])


def _error(kind: type) -> Callable[[list[Any]], Any]:
    return lambda value: kind(value[1], rule=value[2], path=value[3], line=value[4])


_READ: dict[str, Callable[[list[Any]], Any]] = {
    "()": _tuple,
    "[]": lambda value: list(_tuple(value)),
    "{}": _dict,
    "network": _network,
    "timedelta": lambda value: timedelta(*value[1:]),
    "datetime": lambda value: datetime.fromisoformat(value[1]),
    "date": lambda value: date.fromisoformat(value[1]),
    **{name: _dataclass(kind) for name, kind in _DATACLASSES.items()},
    **{name: _enum(kind) for name, kind in _ENUMS.items()},
    **{name: _error(kind) for name, kind in _ERRORS.items()},
}
