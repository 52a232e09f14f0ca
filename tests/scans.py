"""Scans that several tests look at, of each kind of runner one: they are made once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from engine.model import Level
from engine.pipeline import ScanResult, Settings, scan
from engine.runners.base import Runner

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "sample_logs"
CORPUS, SIGMAHQ = ROOT / "../shared/corpus", ROOT / "../shared/rules_sigmahq"


class Scans:
    """Every alert of well-known logs, by whatever kind of runner (None: this process) is asked first."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, str], ScanResult] = {}

    def sample(self, runner: Runner | None = None) -> ScanResult:
        """Of sample_logs, with the built-in rules."""
        settings = Settings(now=datetime(2026, 3, 4, tzinfo=UTC))
        return self._once("sample", runner, partial(scan, [str(SAMPLE / "logs")], settings))

    def corpus(self, rules: str, runner: Runner | None = None) -> ScanResult:
        """Of logs of other projects, with ``bundled`` rules, or those of ``sigmahq``."""
        make = partial(scan, [str(CORPUS)], Settings(now=datetime(2026, 12, 1, tzinfo=UTC)))
        return self._once(rules, runner, partial(make, rules=[SIGMAHQ], builtin=False) if rules == "sigmahq" else make)

    def _once(self, name: str, runner: Runner | None, make: Callable[..., ScanResult]) -> ScanResult:
        kind = "local" if runner is None or runner.shares_memory else type(runner).__name__
        if (name, kind) not in self._made:
            self._made[name, kind] = make(min_level=Level.INFORMATIONAL, runner=runner)
        return self._made[name, kind]


@pytest.fixture(scope="session")
def scans() -> Scans:
    return Scans()
