"""The configured state, for commands that work on it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.store.state import State


def open_state(config: Path | None, place: str | None = None) -> State:
    """The state at ``place``, else the one that the configuration names. Raises ConfigError and StateError; never makes one."""
    from engine.config import load_config
    from engine.store.state import State

    return State.open(place or load_config(config, os.environ).state, create=False)
