"""The files that travel with the package: our own rules and the sample logs, in a checkout as well as installed."""

from __future__ import annotations

from pathlib import Path

from engine.errors import EngineError

_HERE = Path(__file__).resolve().parent


def _find(name: str) -> Path:
    for candidate in (_HERE / "data" / name, _HERE.parent / name):
        if candidate.is_dir():
            return candidate
    raise EngineError(f"the folder {name!r} is missing from this installation; install crosswind again")


def detections() -> Path:
    """The folder of crosswind's own rules. Raises EngineError where the installation is incomplete."""
    return _find("detections")


def sample_logs() -> Path:
    """The folder of the generated multi-cloud story. Raises EngineError where the installation is incomplete."""
    return _find("sample_logs")
