"""Placeholder values as a person gives them: ``name=value,…`` or a YAML file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import yaml

from engine.errors import UsageError

MAX_BYTES = 16 * 1024 * 1024


def parse(given: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Placeholder → values. Each of ``given`` is ``NAME=VALUE,VALUE`` or the path of a YAML file that maps names to a value or a list of them.

    Values of a name that is given twice add up. Raises UsageError for what is neither.
    """
    found: dict[str, tuple[str, ...]] = {}
    for text in given:
        name, sign, values = text.partition("=")
        pairs = {name: tuple(values.split(","))} if sign and name.strip() and not Path(text).is_file() else _file(text)
        for key, more in pairs.items():
            bare = key.strip().strip("%")
            found[bare] = (*found.get(bare, ()), *(value for value in more if value != ""))
    if empty := next((name for name, values in found.items() if not values), None):
        raise UsageError(f"--var {empty}: no value; write {empty}=VALUE, or several with commas between them")
    return found


def _file(text: str) -> dict[str, tuple[str, ...]]:
    path = Path(text)
    if not path.is_file():
        raise UsageError(f"--var {text!r}: write NAME=VALUE, such as admins=alice@example.com,bob@example.com, or name a YAML file")
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise UsageError(f"--var {text}: larger than {MAX_BYTES >> 20} MiB")
        content = yaml.safe_load(data)
    except (OSError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"--var {text}: cannot be read as YAML: {error}") from error
    if not isinstance(content, dict):
        raise UsageError(f"--var {text}: a map of placeholder names to values is needed")
    return {str(name): tuple(map(_scalar, values if isinstance(values, list) else [values])) for name, values in content.items()}


def _scalar(value: object) -> str:
    if value is None or isinstance(value, (dict, list)):
        raise UsageError(f"a placeholder's value is a text or a number, not {value!r}")
    return str(value).lower() if isinstance(value, bool) else str(value)
