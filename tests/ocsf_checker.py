"""Checks documents against OCSF 1.8.0: every problem as ``path: what is wrong``."""

from __future__ import annotations

import ipaddress
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

SCHEMA = Path(__file__).parent / "data" / "ocsf_1_8_0.json"
_INT64 = 2**63


@cache
def schema() -> dict[str, Any]:
    return dict(json.loads(SCHEMA.read_text(encoding="utf-8")))


def problems(document: Any) -> list[str]:
    """What makes ``document`` invalid; [] when it is valid."""
    if not isinstance(document, dict):
        return ["document: not an object"]
    classes = {spec["uid"]: spec for spec in schema()["classes"].values()}
    class_uid = document.get("class_uid")
    if type(class_uid) is not int or class_uid not in classes:
        return [f"class_uid: unknown class {class_uid!r}"]
    spec = classes[class_uid]
    metadata = document.get("metadata")
    declared = metadata.get("profiles", []) if isinstance(metadata, dict) else []
    profiles = frozenset(name for name in declared if isinstance(name, str)) if isinstance(declared, list) else frozenset()
    found = [f"metadata.profiles: {name!r} does not apply to class {class_uid}" for name in sorted(profiles - set(spec["profiles"]))]
    found += _members(document, spec, profiles, "")
    activity_id = document.get("activity_id")
    if not isinstance(activity_id, int) or document.get("type_uid") != class_uid * 100 + activity_id:
        found.append("type_uid: not class_uid * 100 + activity_id")
    if isinstance(metadata, dict) and metadata.get("version") != schema()["version"]:
        found.append(f"metadata.version: not {schema()['version']}")
    observables = document.get("observables", [])
    for index, observable in enumerate(observables if isinstance(observables, list) else []):
        if isinstance(observable, dict) and isinstance(observable.get("name"), str) and not _is_path(observable["name"], spec, profiles):
            found.append(f"observables[{index}].name: {observable['name']!r} is no attribute path of the class")
    return found


def _active(spec: dict[str, Any], profiles: frozenset[str]) -> dict[str, Any]:
    return {name: item for name, item in spec["attributes"].items() if item.get("profile") is None or item["profile"] in profiles}


def _members(value: dict[str, Any], spec: dict[str, Any], profiles: frozenset[str], path: str) -> list[str]:
    active = _active(spec, profiles)
    prefix = f"{path}." if path else ""
    found = [f"{prefix}{name}: required" for name, item in active.items() if item["requirement"] == "required" and name not in value]
    for name, member in value.items():
        if name not in active:
            found.append(f"{prefix}{name}: unknown attribute")
        else:
            found += _attribute(member, active[name], profiles, f"{prefix}{name}")
    for rule, names in spec["constraints"].items():
        present = sum(name in value for name in names)
        if (rule == "at_least_one" and present < 1) or (rule == "just_one" and present != 1):
            found.append(f"{path or 'document'}: {rule} of {', '.join(names)}")
    return found


def _attribute(value: Any, item: dict[str, Any], profiles: frozenset[str], path: str) -> list[str]:
    if value is None:
        return [f"{path}: null"]
    if item["is_array"]:
        if not isinstance(value, list):
            return [f"{path}: not a list"]
        return [problem for index, element in enumerate(value) for problem in _single(element, item, profiles, f"{path}[{index}]")]
    return _single(value, item, profiles, path)


def _single(value: Any, item: dict[str, Any], profiles: frozenset[str], path: str) -> list[str]:
    if item["type"] == "object_t":
        if not isinstance(value, dict):
            return [f"{path}: not an object"]
        spec = schema()["objects"][item["object_type"]]
        return [] if not spec["attributes"] else _members(value, spec, profiles, path)
    found = _typed(value, item["type"], path)
    enum = item.get("enum")
    if enum and not found and str(value) not in enum:
        found.append(f"{path}: {value!r} is not in the enum")
    return found


def _typed(value: Any, name: str, path: str) -> list[str]:
    kind = schema()["types"][name]
    base = kind["base"]
    if base == "json_t":
        return []
    fits = {
        "string_t": isinstance(value, str),
        "boolean_t": isinstance(value, bool),
        "integer_t": type(value) is int and -_INT64 <= value < _INT64,
        "long_t": type(value) is int and -_INT64 <= value < _INT64,
        "float_t": isinstance(value, float),
    }[base]
    if not fits:
        return [f"{path}: {value!r} is not {name}"]
    found = []
    if "range" in kind and not kind["range"][0] <= value <= kind["range"][1]:
        found.append(f"{path}: {value!r} is outside {kind['range']}")
    if "max_len" in kind and len(value) > kind["max_len"]:
        found.append(f"{path}: longer than {kind['max_len']}")
    if "regex" in kind and not re.search(kind["regex"], value):
        found.append(f"{path}: {value!r} is not {name}")
    if name == "ip_t" and not _is_address(value):
        found.append(f"{path}: {value!r} is no IP address")
    if name == "timestamp_t" and not 10**11 <= value < 10**14:
        found.append(f"{path}: {value!r} are hardly milliseconds")
    return found


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip())
    except ValueError:
        return False
    return True


def _is_path(text: str, spec: dict[str, Any], profiles: frozenset[str]) -> bool:
    here: dict[str, Any] | None = spec
    for segment in text.split("."):
        match = re.fullmatch(r"([a-z0-9_]+)(\[\d*\])?", segment)
        item = _active(here, profiles).get(match[1]) if match and here else None
        if item is None or (match and match[2] and not item["is_array"]):
            return False
        here = schema()["objects"][item["object_type"]] if item["type"] == "object_t" else None
    return True
