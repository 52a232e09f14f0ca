"""A first crosswind.toml."""

from __future__ import annotations

import os
from pathlib import Path

from engine.config.template import TEMPLATE
from engine.errors import ConfigError


def write_template(path: Path) -> None:
    """Write a configuration that only its owner may read or change. Raises ConfigError where ``path`` exists or cannot be written."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise ConfigError(f"{path} exists already; choose another file, or remove it first") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror or error}") from error
    with open(handle, "w", encoding="utf-8") as stream:
        stream.write(TEMPLATE)
