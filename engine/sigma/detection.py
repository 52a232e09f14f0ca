"""The detection section of a document → pySigma's detections, with what the specification allows and pySigma refuses put right on the way.

Numbers and booleans become text under text modifiers, numeric text becomes a number under numeric ones, host bits of a CIDR are dropped,
placeholders get their values, integers keep all their digits. Errors carry the line of the key at fault.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from typing import Any

from sigma.exceptions import SigmaError
from sigma.rule import SigmaDetection, SigmaDetectionItem
from sigma.types import SigmaExpansion, SigmaNumber, SigmaString, SigmaType, sigma_type

from engine.errors import RuleError
from engine.sigma.modifiers import ANY_VALUE, NUMERIC, ordered
from engine.sigma.placeholders import expand
from engine.sigma.yamltext import Map, SourceFloat

Placeholders = Mapping[str, Sequence[str]]

_NUMBER = re.compile(r"[-+]?[0-9]+(?:\.[0-9]+)?")
_BOOLEAN = {"true": True, "yes": True, "false": False, "no": False}


def build(section: Map, placeholders: Placeholders, *, reserved: frozenset[str]) -> dict[str, SigmaDetection]:
    """The named detections of a ``detection`` (or ``filter``) section, without the ``reserved`` keys. Raises RuleError with the line at fault."""
    detections = {}
    for name, definition in section.items():
        if name in reserved:
            continue
        line = section.line_of(name)
        if name == "timeframe" and not isinstance(definition, (dict, list)):
            raise RuleError("'timeframe' belongs to the old aggregation syntax; write a correlation document with a timespan", line=line)
        detections[str(name)] = _detection(definition, placeholders, line, str(name))
    if not detections:
        raise RuleError("no detection is defined beside the condition", line=section.line)
    return detections


def _detection(definition: Any, placeholders: Placeholders, line: int, name: str) -> SigmaDetection:
    if definition is None or definition in ({}, []):
        raise RuleError(f"detection {name!r} is empty", line=line)
    if isinstance(definition, Map):
        return SigmaDetection([_item(str(key), value, placeholders, definition.line_of(key)) for key, value in definition.items()])
    if not isinstance(definition, list):
        definition = [definition]
    if any(isinstance(element, (dict, list)) for element in definition):
        return SigmaDetection([_detection(element, placeholders, getattr(element, "line", line), name) for element in definition])
    return SigmaDetection([_item("", definition, placeholders, line)])


def _item(key: str, value: Any, placeholders: Placeholders, line: int) -> SigmaDetectionItem:
    field, *names = key.split("|")
    values = value if isinstance(value, list) else [value]
    try:
        modifiers = ordered(names)
        if "expand" in names:
            modifiers = ordered([name for name in names if name != "expand"])
        return SigmaDetectionItem(field or None, modifiers, [_typed(element, names, placeholders) for element in values])
    except RuleError as error:
        error.line = error.line or line
        error.message = f"{key or 'keyword'}: {error.message}"
        raise
    except (SigmaError, ValueError, OverflowError) as error:
        raise RuleError(f"{key or 'keyword'}: {error}", line=line) from None


def _typed(value: Any, names: Sequence[str], placeholders: Placeholders) -> SigmaType:
    if isinstance(value, (dict, list)):
        raise RuleError("a value is text, a number, true, false or null, or a list of those; nested fields are written with dots (a.b: value)")
    numeric = NUMERIC.intersection(names)
    if numeric:
        return _number(value, sorted(numeric)[0])
    if "exists" in names:
        return sigma_type(_boolean(value))
    textual = [name for name in names if name not in ANY_VALUE]
    if textual:
        if value is None:
            raise RuleError(f"modifier {textual[0]!r} needs text, not null")
        text = _text(value)
        if "cidr" in names:
            text = str(ip_network(text.strip(), strict=False))
        if "expand" in names:
            expanded = [SigmaString(each) for each in expand(text, placeholders, regex="re" in names)]
            return expanded[0] if len(expanded) == 1 else SigmaExpansion(list(expanded))
        return SigmaString(text)
    if isinstance(value, int) and not isinstance(value, bool):
        return _integer(value)
    return sigma_type(value)


def _integer(value: int) -> SigmaNumber:
    number = SigmaNumber(value)
    number.number = value  # pySigma takes large ones through float and loses digits
    return number


def _number(value: Any, modifier: str) -> SigmaNumber:
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        text = value.strip()
        value = float(text) if "." in text else int(text)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise RuleError(f"modifier {modifier!r} needs a number, not {value!r}")
    return _integer(value) if isinstance(value, int) else SigmaNumber(value)


def _boolean(value: Any) -> bool:
    flag = _BOOLEAN.get(value.lower()) if isinstance(value, str) else value
    if not isinstance(flag, bool):
        raise RuleError(f"modifier 'exists' needs true or false, not {value!r}")
    return flag


def _text(value: str | float | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.text if isinstance(value, SourceFloat) else str(value)
